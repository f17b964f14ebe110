// The Rate tab: choose a sweep and say who one is; then one answer after another; then, when all are rated, the results.
// Value to the server: {action, n, language, sweep, rater, queue, item, step, next, grades, comment}; from it: {of, n, sweeps,
// desk: {sweep, name, rater, queue, count, done, finished, resting, closed}, item, returned, results, file, notice}.
const {make, textButton, tell, hear} = playground, say = playground.saying();
const notice = element.querySelector('.pg-notice'), home = element.querySelector('.pg-rating').lastElementChild;
const {ask: inquire, heard} = playground.asking({props, trigger, answered});
const {about} = props, problem = playground.telling(notice);
// `desk` is who rates what, as the server has it; `seen` the sweeps whose results were looked at in this browser without rating.
let desk = null, sweeps = null, view = 'start', draft = null, link = null, seen = {}, keepTimer = 0, opened = false, wanted = '';

const item = playground.ratingItem({say, about, on: {
  changed: keep,
  // Whoever looks through what they have rated goes from one to the next; everybody else to what is not rated yet.
  next: () => ask('grade', {...item.take(), review: desk.finished}),
  move: (step) => ask('item', {item: item.take().item, ...(step > 0 && !desk.finished ? {next: true} : {step})}),
  undo: () => ask('undo'),
}});
const results = playground.ratingResults({say, names: item.names, grades: about.grades});

function ask(action, more = {}) {
  problem();
  item.wait(true);
  inquire(action, {...(desk ? {sweep: desk.sweep, rater: desk.rater} : {}), ...more});
}

// --- where one begins ---

const field = (key, node) => make('label', {class: 'pg-rating-field'}, make('span', {text: say(key)}), node);
const check = (text, box, help = '') => make('label', {class: 'pg-versus-choice', title: help}, box, make('span', {text}));
const sweep = make('select', {class: 'pg-select'}), rater = make('input', {type: 'text', class: 'pg-filter', maxlength: String(about.limits.name), autocomplete: 'name'}), cases = make('input', {type: 'number', class: 'pg-filter', min: '1', step: '1', inputmode: 'numeric', placeholder: say('rating_all')});
const boxes = about.criteria.map((name) => { const box = make('input', {type: 'checkbox', value: name}); box.checked = true; return box; });
const own = make('input', {type: 'text', class: 'pg-filter', maxlength: String(about.limits.criterion), placeholder: say('rating_own_example'), 'aria-label': say('rating_own')});
const grouped = make('input', {type: 'checkbox'}), repeats = make('input', {type: 'checkbox'});
const begin = textButton(say('rating_begin'), () => {}, true), share = textButton(say('rating_link'), copyLink), look = textButton(say('rating_look'), () => { if (look.dataset.sure) return ask('results', {sweep: sweep.value}); look.dataset.sure = '1'; look.textContent = say('rating_look_sure'); });
begin.type = 'submit';
const settings = make('fieldset', {class: 'pg-rating-settings'}, make('legend', {text: say('rating_criteria')}), ...boxes.map((box) => { const [name, asks] = item.names(box.value); return check(`${name}: ${asks}`, box); }), own, make('div', {class: 'pg-rating-pair'}, field('rating_sample', cases), check(say('rating_grouped'), grouped, say('rating_grouped_help')), check(say('rating_repeats'), repeats, say('rating_repeats_help'))));
const form = make('form', {class: 'pg-rating-start'}, make('p', {class: 'pg-quiet', text: say('rating_about')}), make('div', {class: 'pg-rating-pair'}, field('rating_sweep', sweep), field('rating_name', rater)), settings, make('div', {class: 'pg-rating-feet'}, begin, share, look));
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!rater.value.trim()) return rater.focus();
  if (seen[sweep.value]) return problem(say('rating_seen_here'));
  ask('join', {sweep: sweep.value, rater: rater.value, queue: queue()});
});
sweep.addEventListener('change', () => { delete look.dataset.sure; look.textContent = say('rating_look'); });

function queue() {
  const criteria = [...boxes.filter((box) => box.checked).map((box) => box.value), own.value.trim()].filter(Boolean), number = cases.value === '' ? null : Number(cases.value);
  return {criteria, cases: number, grouped: grouped.checked, repeats: repeats.checked};
}

// A queue put into the form: of a link, or of the last time.
function fill(given) {
  if (!Array.isArray(given?.criteria)) return;
  for (const box of boxes) box.checked = given.criteria.includes(box.value);
  own.value = given.criteria.find((name) => !about.criteria.includes(name)) ?? '';
  cases.value = given.cases ?? '';
  [grouped.checked, repeats.checked] = [given.grouped === true, given.repeats === true];
}

async function copyLink() {
  const to = new URL(location.pathname, location.href), {criteria, cases: number, ...flags} = queue();
  to.search = new URLSearchParams([['rate', sweep.value], ...criteria.map((name) => ['by', name]), ...(number ? [['cases', number]] : []), ...Object.entries(flags).filter(([, on]) => on).map(([name]) => [name, '1'])]);
  try { await navigator.clipboard.writeText(to.href); share.textContent = say('rating_link_copied'); } catch { problem(to.href); }
}

function readLink() {
  const asked = new URLSearchParams(location.search);
  if (!asked.get('rate')) return;
  link = {sweep: asked.get('rate'), queue: {criteria: asked.getAll('by').length ? asked.getAll('by') : about.criteria, cases: Number(asked.get('cases')) || null, grouped: asked.has('grouped'), repeats: asked.has('repeats')}};
  playground.opened('rate', 'by', 'cases', 'grouped', 'repeats');
  if (link.sweep === draft?.sweep) return;  // the same again: one goes on
  draft = null;
  fill(link.queue);
}

function drawStart() {
  const listed = link ? sweeps.filter(({id}) => id === link.sweep) : sweeps, date = (at) => new Date(at).toLocaleDateString(playground.language(), {day: 'numeric', month: 'short'});
  if (!listed.length) return home.replaceChildren(make('p', {class: 'pg-empty', text: say(link ? 'rating_link_gone' : 'rating_no_sweeps')}));
  const before = sweep.value;
  sweep.replaceChildren(...listed.map(({id, name, answers, at}) => make('option', {value: id, text: `${name} · ${say('rating_answers').replace('{count}', answers.toLocaleString(playground.language()))} · ${date(at)}`})));
  for (const each of [before, wanted]) if (listed.some(({id}) => id === each)) sweep.value = each;
  wanted = '';
  // Whoever was sent a link has nothing to choose but their name.
  settings.hidden = share.hidden = look.hidden = Boolean(link);
  home.replaceChildren(form);
}

// --- at it, and after ---

function drawEnd() {
  const text = say(desk.resting ? 'rating_finished' : 'rating_running').replace('{count}', desk.count), why = make('p', {class: 'pg-quiet', text: say(desk.resting ? 'rating_why' : 'rating_running_why')});
  const open = textButton(say('rating_reveal'), () => ask('results'), true), again = textButton(say('rating_review'), () => ask('item', {review: true})), more = textButton(say('rating_more'), () => ask('item', {}));
  home.replaceChildren(make('div', {class: 'pg-rating-end'}, make('h3', {text}), why, make('div', {class: 'pg-rating-feet'}, ...(desk.resting ? [open] : [more]), again, leave())));
}

function drawResults(said) {
  const title = make('h2', {text: said.name}), file = textButton(say('rating_csv'), () => ask('export', desk ? {} : {sweep: said.sweep})), plain = textButton(say('rating_json'), () => playground.files.give(`ratings-${said.sweep}.json`, [JSON.stringify(said, null, 1)], 'application/json'));
  home.replaceChildren(make('div', {class: 'pg-rating-end'}, title, results(said), make('div', {class: 'pg-rating-feet'}, file, plain, leave())));
}

const leave = () => textButton(say('rating_leave'), () => { [desk, draft, link, view] = [null, null, null, 'start']; problem(); keepNow(); inquire('sweeps'); });
const other = make('div', {class: 'pg-rating-other'}, leave());

function answered(value) {
  item.wait(false);
  if (value.sweeps) { sweeps = value.sweeps; if (view === 'start') drawStart(); }
  if (value.desk) arrived(value);
  if (value.results) {
    if (!desk) seen[value.results.sweep] = true;
    view = 'results';
    drawResults(value.results);
    keepNow();
  }
  if (value.file) playground.files.give(value.file.name, [value.file.text], 'text/csv;charset=utf-8');
  if (value.notice) failed(value);
}

function arrived({desk: now, item: shown, returned}) {
  desk = now;
  if (desk.closed) return ask('results');
  view = shown ? 'item' : 'end';
  if (shown) {
    item.show(desk, shown, draft?.item === shown.key ? draft : null);
    if (!home.contains(item.node)) home.replaceChildren(item.node, other);
  } else drawEnd();
  if (returned && shown) tell('notice', {tone: 'info', key: 'rating_returned', message: ''});
  draft = null;
  keepNow();
}

function failed({of, notice: said}) {
  problem(...playground.problem(said));
  notice.scrollIntoView({block: 'nearest'});
  if (!['item', 'results'].includes(of) || view !== 'start') return;
  // What one would go on with is there no more: an answer, else the sweep.
  if (draft?.item) { draft = null; return ask('item'); }
  [desk, draft] = [null, null];
  keepNow();
  inquire('sweeps');
}

// --- keeping ---

function keep() { keepTimer ||= setTimeout(keepNow, 300); }

function keepNow() {
  clearTimeout(keepTimer);
  keepTimer = 0;
  const {hidden, ...given} = item.take();
  playground.keep('draft.rating', {version: 1, name: rater.value || desk?.rater || '', queue: desk?.queue ?? queue(), seen, hidden, ...(desk ? {sweep: desk.sweep, rater: desk.rater, view, ...(view === 'item' ? given : {})} : {})});
}

function restore() {
  const kept = playground.kept('draft.rating');
  if (kept?.version !== 1) return;
  rater.value = String(kept.name ?? '');
  seen = {...kept.seen};
  fill(kept.queue);
  item.hide(kept.hidden === true);
  if (typeof kept.sweep === 'string' && typeof kept.rater === 'string') draft = kept;
}

// Asked of the server when the tab is first looked at, and each time that somebody comes back to its beginning.
function enter() {
  if (playground.mode() !== 'rate' || (opened && view !== 'start')) return;
  if (!opened && draft) {
    desk = {sweep: draft.sweep, rater: draft.rater};
    ask(draft.view === 'results' ? 'results' : 'item', draft.view === 'item' ? {item: draft.item} : {});
  } else inquire('sweeps');
  opened = true;
}

window.addEventListener('pagehide', () => { if (keepTimer) keepNow(); });
hear('mode', enter);
// The button beside a sweep's results: its answers, unless one is at others.
hear('rate', (id) => {
  wanted = id;
  if (view === 'results') { [desk, draft, link, view] = [null, null, null, 'start']; keepNow(); }
  playground.openTab('rate');
});
watch('value', () => heard(props.value));
restore();
readLink();
enter();
