// The Compare tab: two to six columns, one question, and a blind vote on what they answer.
// Value to the server: {kind, text | system, messages, columns: [{model, params}], n}, or a question: {action, n, …}; the answers come
// as the event `playground:compared`: {n, id, columns: [{text, reasoning, calls, finish, run, busy, notice, cells}], done, cells, notice}.
const {make, icon, iconButton, hear, tell, said} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const {least: LEAST, most: MOST} = props;
const home = $('.pg-versus-columns'), notice = $('.pg-versus > .pg-notice'), voting = $('.pg-versus-vote'), wins = $('.pg-versus-wins'), total = $('.pg-versus-total'), sum = $('.pg-versus-sum');
const uid = () => Math.random().toString(36).slice(2, 8);
// `round` is the last run as it is shown: {id, blind, open, chosen, ended, of}; blind until it is open, by a vote or without one.
let views = [], n = 0, sent = [], round = null, reference = null, marking = true, keepTimer = 0, typing = null, opened = false, cells = [], countTimer = 0, counted = [];

const bar = playground.runButton({element, say, begin, halt: () => trigger('stop'), release: () => { n += 1; ended(); }});
const {ask: inquire, heard} = playground.asking({props, trigger, answered});
const ask = playground.compareAsk({home: $('.pg-versus-ask'), say, changed, before});
const time = playground.timeline({element, say, take, put, same});

// --- what is on the page ---

const columns = () => views.map((view) => view.column);
const plain = ({id, model, params, answer}) => ({id, model, params: {...params}, answer});
// While a round is blind nobody knows whose answer stands in which column: it is not to be found under a name by Undo.
function take() { return {ask: ask.take(), columns: columns().map((column) => plain(hiding() ? {...column, answer: null} : column))}; }
function same(a, b) {
  const light = ({columns: all, ask: {nodes, ...rest}}) => JSON.stringify([all.map(({id, model, params}) => [id, model, params]), rest]);
  return light(a) === light(b) && a.ask.nodes.size === b.ask.nodes.size && [...a.ask.nodes].every(([id, node]) => b.ask.nodes.get(id) === node);
}

function before(box = null) {
  if (bar.busy) return;
  if (!box || typing !== box) time.remember();
  typing = box;
}

function put(now) {
  typing = null;
  views = now.columns.map((column) => seen(plain(column)));
  ask.put(now.ask);
  round = null;
  arrange();
  changed();
}

function seen(column) {
  const view = playground.compareColumn({say, column, on: {
    changed, before,
    remove: () => { before(); views = views.filter((each) => each.column !== column); round = null; arrange(); changed(); },
    reference: () => { reference = column.id; draw(); keepDraft(); },
    use: () => useThis(column),
    append: () => { before(); ask.append(column.answer.text); },
  }});
  return view;
}

function arrange() {
  playground.swap(home, views.map((view) => view.node));
  home.dataset.count = String(views.length);
  adder.hidden = views.length >= MOST || hiding();
  draw();
}

const hiding = () => Boolean(round?.blind && !round.open);
// Of a blind round, those that did not answer are none of its secrets.
const secret = (column) => hiding() && (bar.busy || Boolean(column.answer?.hidden));

function draw() {
  const texts = views.map((view) => view.column.answer?.text ?? ''), kept = views.findIndex((view, place) => view.column.id === reference && texts[place]), at = kept >= 0 ? kept : texts.findIndex(Boolean);
  views.forEach((view, place) => view.answer({
    letter: String.fromCharCode(65 + place), busy: bar.busy, blind: secret(view.column), chosen: round?.chosen === view.column.id, alone: views.length <= LEAST || hiding(),
    isReference: place === at, marking: marking && !bar.busy && texts.filter(Boolean).length > 1, other: marking && !bar.busy && place !== at && texts[at] && texts[place] ? texts[at] : null,
  }));
  adder.disabled = bar.busy;
  total.replaceChildren(...cells.map(said.cell));
  drawVote();
}

// --- asking ---

function changed() {
  tell('text', {mode: 'compare', names: ask.names()});
  keepDraft();
  countSoon();
}

function countSoon() {
  clearTimeout(countTimer);
  if (opened) countTimer = setTimeout(estimate, 250);
}

// What the next run of each column reads and may cost; nothing, where nothing is written.
function estimate() {
  if (bar.busy || playground.mode() !== 'compare') return;
  const value = ask.value(true);
  counted = views;
  if (value.text || value.messages?.length) inquire('estimate', {...value, params: tell('panel', {mode: ask.kind}).values, columns: columns().map(({model, params}) => ({model, params}))});
  else { sum.replaceChildren(); for (const view of views) view.next([]); }
}

function foreseen({next, sum: all}) {
  views.forEach((view, at) => view.next(next[at] ?? []));
  sum.replaceChildren(...all.map(said.cell));
}

function begin() {
  if (bar.busy) return;
  const value = {...ask.value(), blind: blind.checked, columns: columns().map(({model, params}) => ({model, params})), language: playground.language()};
  if (!playground.sendable(value)) return tell('notice', {tone: 'error', key: 'too_large_to_send', message: ''});
  time.remember();
  typing = null;
  sent = columns();
  cells = [];
  round = {blind: blind.checked};
  for (const column of sent) column.answer = {text: '', calls: [], busy: true};
  reference = null;
  said.notice(notice, null);
  setBusy(true);
  arrange();
  props.value = {...value, n: ++n};
  trigger('submit');
  keepDraft();
}

function setBusy(now) {
  bar.set(now);
  time.block(now);
  ask.busy(now);
  for (const each of [kinds, blind]) each.disabled = now;
}

function compared(now) {
  // A run that was given up and is heard of after all is stopped again.
  if (now.n !== n && !now.done && !bar.busy) trigger('stop');
  if (now.n !== n || !bar.busy) return;
  round.id = now.id;
  if (now.of) Object.assign(round, {ended: now.ended, of: now.of});
  if (now.open) round.open = true;
  if (now.columns && hiding()) unseal(now.columns);
  else now.columns?.forEach((answer, at) => { if (sent[at]) sent[at].answer = answer; });
  if (now.cells) cells = now.cells;
  if (now.notice) { said.notice(notice, now.notice); round = null; for (const column of sent) column.answer = null; }
  if (now.done || now.notice) return ended();
  for (const view of views) if (view.column.answer) view.answer({...looks(view)});
  drawVote();
  keepDraft();
}

// How a column looks while it grows.
const looks = (view) => ({letter: String.fromCharCode(65 + views.indexOf(view)), busy: true, blind: hiding(), chosen: false, alone: false, isReference: false, marking: false, other: null});

// The end of a blind round: answers in an order of chance, then what did not answer, each with its place among what was sent.
// An answer stands in a column without being that column's: whose it is comes with the vote.
function unseal(answers) {
  const failed = answers.filter((answer) => !answer.hidden), told = answers.filter((answer) => answer.hidden);
  for (const answer of failed) if (sent[answer.at]) sent[answer.at].answer = answer;
  const rest = sent.filter((column, at) => !failed.some((answer) => answer.at === at));
  rest.forEach((column, at) => { column.answer = told[at] ?? null; });
}

// Whose the answers were: each column becomes what it shows.
function identify(found) {
  const differs = differing();
  views = views.map((view) => {
    const of = view.column.answer?.hidden && found.find((each) => each.answer.run === view.column.answer.run);
    if (!of) return view;
    const {hidden, ...old} = view.column.answer;
    return seen({id: view.column.id, model: of.model, params: differs(of.params), answer: {...old, ...of.answer, notice: of.answer.notice ?? old.notice}});
  });
  round.open = true;
  heads();
  arrange();
  changed();
  keepNow();
}

function ended() {
  for (const column of columns()) if (column.answer) column.answer.busy = false;
  if (!columns().some((column) => column.answer?.hidden) && hiding()) round = null;
  setBusy(false);
  arrange();
  keepNow();
  changed();
}

function useThis(column) {
  const {values} = tell('panel', {mode: ask.kind}), params = {...values, ...column.params};
  // What all columns share becomes what this one has: the others keep theirs.
  before();
  for (const each of columns()) if (each !== column) for (const name of Object.keys(column.params)) if (!(name in each.params)) each.params[name] = values[name] ?? null;
  column.params = {};
  heads();
  changed();
  inquire('use', {kind: ask.kind, model: column.model, params});
}

const heads = () => { for (const view of views) view.head(); };

// --- voting ---

function drawVote() {
  voting.hidden = !hiding();
  if (voting.hidden) return;
  if (bar.busy) return progress();
  const some = views.filter((view) => view.column.answer?.hidden);
  const open = playground.textButton(say('compare_reveal'), reveal);
  const letters = views.map((view, at) => [view, String.fromCharCode(65 + at)]).filter(([view]) => some.includes(view));
  const votes = letters.map(([view, letter]) => playground.textButton(say('compare_vote').replace('{letter}', letter), () => vote(some, view), true));
  voting.replaceChildren(make('strong', {text: say('compare_which')}), ...votes, playground.textButton(say('compare_tie'), () => vote(some, null)), open);
}

// One progress for all columns: which of them is fast is not to be seen.
function progress() {
  const {ended = 0, of = sent.length} = round, text = say('compare_ended').replace('{ended}', ended).replace('{of}', of);
  if (voting.firstChild?.tagName !== 'PROGRESS') voting.replaceChildren(make('progress', {class: 'pg-versus-progress', max: of, 'aria-label': say('compare_ended_help')}), make('span'));
  voting.firstChild.value = ended;
  voting.lastChild.textContent = `${text} ${say('compare_ended_help')}`;
}

function vote(some, view) {
  for (const each of voting.querySelectorAll('button')) each.disabled = true;
  round.choice = view?.column.id ?? null;
  inquire('vote', {id: round.id, runs: some.map((each) => each.column.answer.run), chosen: view ? some.indexOf(view) : null});
}

function reveal() {
  if (!hiding() || bar.busy) return;
  for (const each of voting.querySelectorAll('button')) each.disabled = true;
  inquire('open', {runs: columns().filter((column) => column.answer?.hidden).map((column) => column.answer.run)});
}

function answered(value) {
  if (value.of === 'estimate') return void (value.next && counted === views && foreseen(value));
  if (value.notice) {
    said.notice(notice, value.notice);
    if (value.of === 'vote' || value.of === 'open') drawVote();
    return;
  }
  if (value.file) playground.files.give(value.file.name, [value.file.text]);
  if (value.standings) standings(value.standings);
  if (value.voted && value.voted === round?.id) { round.chosen = round.choice; said.notice(notice, {tone: 'info', key: 'compare_voted'}); wins.open = true; }
  if (value.opened && hiding() && value.opened.some((each) => columns().some((column) => column.answer?.run === each.answer.run))) identify(value.opened);
}

const percent = (share) => (share * 100).toLocaleString(playground.language(), {maximumFractionDigits: 0}) + ' %';

function standings(rows) {
  const inside = wins.lastElementChild;
  if (!rows.length) return inside.replaceChildren(make('p', {class: 'pg-empty', text: say('compare_no_votes')}));
  const cell = (tag, text) => make(tag, {text});
  const head = make('tr', {}, ...['compare_system', 'compare_rate', 'compare_interval', 'compare_votes', 'compare_ties'].map((key) => cell('th', say(key))));
  const row = (each) => {
    const track = make('div', {class: 'pg-versus-track'}), span = make('i'), dot = make('b'), chance = make('s');
    if (each.rate != null) { span.style.left = each.low * 100 + '%'; span.style.width = (each.high - each.low) * 100 + '%'; dot.style.left = each.rate * 100 + '%'; }
    chance.style.left = each.chance * 100 + '%';
    track.title = say('compare_chance').replace('{chance}', percent(each.chance));
    track.append(chance, ...(each.rate == null ? [] : [span, dot]));
    const between = make('td', {}, track, make('span', {text: each.rate == null ? '–' : `${percent(each.low)} – ${percent(each.high)}`}));
    return make('tr', {}, make('th', {scope: 'row', text: each.system}), cell('td', each.rate == null ? '–' : percent(each.rate)), between, cell('td', `${each.wins} / ${each.decided}`), cell('td', String(each.ties)));
  };
  const forget = playground.textButton(say('compare_forget'), () => { if (forget.dataset.sure) inquire('forget'); forget.dataset.sure = '1'; forget.textContent = say('compare_forget_sure'); });
  forget.classList.add('pg-danger');
  inside.replaceChildren(make('div', {class: 'pg-scroll'}, make('table', {}, make('thead', {}, head), make('tbody', {}, ...rows.map(row)))), make('p', {class: 'pg-quiet', text: say('compare_wins_note')}),
    make('div', {class: 'pg-versus-out'}, ...[['csv', 'compare_votes_csv'], ['json', 'compare_votes_json']].map(([format, key]) => playground.textButton(say(key), () => inquire('export', {format}))), forget));
}

// --- keeping ---

function keepDraft() { keepTimer ||= setTimeout(keepNow, bar.busy ? 2000 : 400); }

function draft(images = true) {
  const {nodes, ...rest} = ask.take();
  return {version: 1, ...rest, nodes: [...nodes].map(([id, node]) => [id, images || !node.images ? node : {...node, images: []}]), columns: columns().map(plain), round, reference, marking, blind: blind.checked, cells};
}

function keepNow() {
  clearTimeout(keepTimer);
  keepTimer = 0;
  if (opened) playground.keepFirst('draft.compare', draft, () => draft(false));
}

// --- wiring ---

const adder = make('button', {type: 'button', class: 'pg-button pg-versus-new'}, icon('plus'), say('compare_add'));
adder.addEventListener('click', () => { before(); const model = columns().at(-1)?.model ?? tell('model?', {}).ref; views = [...views, seen({id: uid(), model, params: {}, answer: null})]; arrange(); changed(); });
const choice = (key, help, on) => { const box = make('input', {type: 'checkbox'}); box.addEventListener('change', on); $('.pg-versus-bar').append(make('label', {class: 'pg-versus-choice', title: say(help)}, box, make('span', {text: say(key)}))); return box; };
const kinds = make('select', {class: 'pg-select pg-versus-kind', 'aria-label': say('compare_kind')}, ...[['chat', 'compare_chat'], ['complete', 'compare_complete']].map(([value, key]) => make('option', {value, text: say(key)})));
kinds.addEventListener('change', () => { before(); ask.asksAs(kinds.value); asked(); });
$('.pg-versus-bar').append(kinds);
const blind = choice('compare_blind', 'compare_blind_help', () => { if (!blind.checked) reveal(); keepDraft(); });
const marks = choice('compare_marks', 'compare_marks_help', () => { marking = marks.checked; draw(); keepDraft(); });

$('.pg-versus-bar').append(make('span', {class: 'pg-push'}), adder);

// The rows beside and in the columns are those of what is asked.
function asked() { kinds.value = ask.kind; tell('mode', playground.mode()); heads(); }

// Drawn when it is first looked at: before that nobody needs its rows.
function enter() {
  if (opened || playground.mode() !== 'compare') return;
  const {ref, groups} = tell('model?', {});
  if (!views.length && !(ref && groups?.length)) return;
  opened = true;
  if (!views.length) views = [{}, {temperature: 0}].map((params) => seen({id: uid(), model: ref, params, answer: null}));
  ask.open();
  asked();
  arrange();
  inquire('standings');
  changed();
}

function restore() {
  const kept = playground.kept('draft.compare');
  try {
    if (kept?.version !== 1 || !Array.isArray(kept.columns) || kept.columns.length < LEAST || kept.columns.length > MOST) return;
    ask.put({kind: kept.kind, text: String(kept.text ?? ''), system: String(kept.system ?? ''), nodes: kept.nodes});
    views = kept.columns.map(({id, model, params, answer}) => seen({id: String(id), model: String(model ?? ''), params: {...params}, answer: answer ? {...answer, busy: false} : null}));
    ({round = null, reference = null, marking = true, cells = []} = kept);
    blind.checked = kept.blind === true;
    if (hiding() && !columns().some((column) => column.answer?.hidden)) round = null;  // left before its end
  } catch { views = []; }
}

// Of all that a run was asked with, what the panel does not say as well.
function differing() {
  const {values = {}, specs = []} = tell('panel', {mode: ask.kind});
  return (params) => Object.fromEntries(specs.map(({name}) => [name, params[name] ?? null]).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(values[name] ?? null)));
}

// From elsewhere: {kind, text | system, messages, columns, whole, from}; `whole` columns bring all that they set, `from` is the tab
// whose text is asked.
function load(given) {
  if (bar.busy) { trigger('stop'); n += 1; ended(); }
  playground.openTab('compare');
  enter();
  before();
  const written = given.from ? tell('written', {scope: given.from}) : {};
  ask.load({...given, ...written});
  const differs = differing();
  views = given.columns.slice(0, MOST).map(({model, params = {}}) => seen({id: uid(), model, params: given.whole ? differs(params) : {...params}, answer: null}));
  round = null;
  cells = [];
  asked();
  arrange();
  changed();
}

wins.querySelector('summary').textContent = say('compare_wins');
hear('compared', compared);
hear('compare', load);
hear('mode', (mode) => { if (mode === 'compare') { enter(); if (opened) heads(); } });
// The header's View code, Save and Share act on one column: at a place, or the one that the others are compared with.
hear('column?', (into) => {
  if (!opened) return;
  const at = into.at ?? Math.max(0, views.findIndex((view) => view.column.id === reference)), {model, params} = columns()[at] ?? columns()[0];
  Object.assign(into, {at, hidden: hiding(), names: columns().map((column, place) => `${String.fromCharCode(65 + place)} · ${column.model}`), column: {...ask.value(), model, params}});
});
hear('models', enter);
// What stands beside has changed: the values of variables, for one.
hear('recount', (mode) => { if (mode === 'compare') countSoon(); });
hear('base', () => { if (opened) { heads(); changed(); } });
watch('value', () => heard(props.value));
window.addEventListener('pagehide', keepNow);
document.addEventListener('visibilitychange', () => { if (document.hidden) keepNow(); });
restore();
marks.checked = marking;
setBusy(false);
ask.draw();
enter();
