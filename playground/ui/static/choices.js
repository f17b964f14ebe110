// The answers of a run: n of them side by side, each with its finish reason and a Keep button, and the tokens of an answer
// coloured by probability, with their alternatives on a click.
// Value: {cards: [{index, text, finish, tokens: [[text, logprob, [[alternative, logprob], …]], …]}], keep, busy, run}.
// `scope` is the tab whose editor listens; a kept card stays where the editor says `refused`. A card may also carry the functions a model wants called, and a verdict on its JSON.
const {make} = playground, say = playground.saying();
const grid = element.querySelector('.pg-cards'), legend = element.querySelector('.pg-legend');
// `over` is the last run that the editor has given up: its cards stand still, whatever is still said of them.
let cards = new Map(), popover = null, over = 0;

const percent = (logprob) => {
  const p = 100 * Math.exp(logprob);
  return p >= 99.95 ? '100 %' : p >= 10 ? p.toFixed(1) + ' %' : p >= 0.01 ? p.toPrecision(2) + ' %' : '< 0.01 %';
};

// Five steps from likely to unlikely: enough to see, few enough to tell apart; the figure itself is in the popover.
const shade = (logprob) => logprob == null ? 'none' : ['0', '1', '2', '3', '4'][[0.8, 0.5, 0.2, 0.05].filter((edge) => Math.exp(logprob) < edge).length];

// What can't be seen is drawn: a space inside an alternative, a line break, a tab.
const visible = (token) => token.replace(/ /g, '␣').replace(/\n/g, '↵').replace(/\t/g, '⇥') || '∅';

// The editor listens: what is kept or picked goes into the text there, and Undo takes it out again.
const tell = (event, more) => playground.tell(event, {scope: props.scope, whole: Boolean(props.value?.echo), ...more});

function closePopover() { popover?.remove(); popover = null; }

function openPopover(span, card, at) {
  closePopover();
  const [token, logprob, top] = card.tokens[at];
  popover = make('div', {class: 'pg-popover', role: 'dialog', 'aria-label': say('alternatives')});
  popover.append(make('p', {text: `${visible(token)}  ${logprob == null ? '–' : percent(logprob)}`}));
  for (const [text, chance] of top) {
    const bar = make('span', {class: 'pg-bar'}); bar.style.width = 100 * Math.exp(chance) + '%';
    const row = make('button', {type: 'button', class: text === token ? 'pg-alt pg-chosen' : 'pg-alt', title: say('continue_from')}, bar, make('code', {text: visible(text)}), make('span', {class: 'pg-chance', text: percent(chance)}));
    row.addEventListener('click', () => {
      const before = card.tokens.slice(0, at).map(([t]) => t).join('');
      closePopover();
      tell('pick', {text: before + text, index: card.index});
    });
    popover.append(row);
  }
  if (!top.length) popover.append(make('p', {class: 'pg-quiet', text: say('no_alternatives')}));
  element.append(popover);
  const box = span.getBoundingClientRect(), home = element.getBoundingClientRect();
  popover.style.left = Math.max(0, Math.min(box.left - home.left, home.width - popover.offsetWidth)) + 'px';
  popover.style.top = box.bottom - home.top + 4 + 'px';
  popover.querySelector('button')?.focus({preventScroll: true});
}

function build(data) {
  const title = make('span', {class: 'pg-card-title'}), finish = make('span', {class: 'pg-finish'});
  const keep = make('button', {type: 'button', class: 'pg-keep', text: say('keep')}), body = make('div', {class: 'pg-card-text', tabindex: '0'}), thought = make('details', {class: 'pg-thought', hidden: ''}, make('summary', {text: say('thinking')}), make('div'));
  const node = make('article', {class: 'pg-card'}, make('header', {}, title, finish, keep), thought, body);
  const card = {node, thought, title, finish, keep, body, text: '', tokens: [], index: data.index};
  keep.addEventListener('click', () => {
    const {text, calls = []} = (props.value?.cards || []).find((each) => each.index === data.index) || card;
    if (!tell('keep', {text, calls, index: data.index}).refused) show({cards: []});
  });
  body.addEventListener('click', (event) => { const span = event.target.closest('[data-at]'); if (span) openPopover(span, card, Number(span.dataset.at)); });
  body.addEventListener('keydown', (event) => { const span = event.target.closest('[data-at]'); if (span && (event.key === 'Enter' || event.key === ' ')) { event.preventDefault(); openPopover(span, card, Number(span.dataset.at)); } });
  grid.append(node);
  return card;
}

function fill(card, data, value, busy) {
  card.title.textContent = value.cards.length > 1 ? `${say('choice')} ${data.index + 1}` : say('probabilities');
  card.finish.textContent = data.finish ? say('finish_' + data.finish) : busy ? '' : say('finish_none');
  card.finish.dataset.reason = data.finish || (busy ? 'running' : 'none');
  card.keep.hidden = !value.keep; card.keep.disabled = busy;
  card.keep.setAttribute('aria-label', `${say('keep')} ${data.index + 1}`);
  data.tokens?.length ? fillTokens(card, data.tokens) : fillText(card, data.text);
  card.thought.hidden = !data.reasoning;
  if (data.reasoning) card.thought.lastChild.textContent = data.reasoning;
  if (data.verdict) card.finish.textContent += ' · ' + say(data.verdict);
  const calls = (data.calls || []).map((call) => make('div', {class: 'pg-call'}, make('code', {class: 'pg-call-name', text: call.name + '()'}), make('pre', {text: call.arguments})));
  if (calls.length) { card.node.querySelectorAll('.pg-call').forEach((node) => node.remove()); card.node.append(...calls); }
  card.text = data.text;
}

// Only what is new is added: a card that has streamed a thousand tokens is not drawn again for the next.
function fillTokens(card, tokens) {
  const same = tokens.length >= card.tokens.length && card.tokens.every(([text], at) => text === tokens[at][0]);
  if (!same || !card.body.querySelector('[data-at]')) { card.body.textContent = ''; card.tokens = []; }
  for (let at = card.tokens.length; at < tokens.length; at++) {
    const [text, logprob] = tokens[at];
    card.body.append(make('span', {class: 'pg-token', 'data-at': at, tabindex: '0', role: 'button', 'data-shade': shade(logprob), title: logprob == null ? '' : percent(logprob), text}));
  }
  card.tokens = tokens;
}

function fillText(card, text) {
  card.tokens = [];
  if (card.text && text.startsWith(card.text) && card.body.firstChild instanceof Text) card.body.firstChild.appendData(text.slice(card.text.length));
  else card.body.textContent = text;
}

function show(value) {
  const list = value?.cards || [], busy = Boolean(value?.busy && value.run > over);
  element.querySelector('.pg-choices').hidden = !list.length;
  legend.hidden = !list.some((data) => data.tokens?.length);
  grid.classList.toggle('pg-busy', busy);
  if (list.length !== cards.size) { grid.textContent = ''; cards = new Map(); closePopover(); }
  for (const data of list) {
    if (!cards.has(data.index)) cards.set(data.index, build(data));
    fill(cards.get(data.index), data, value, busy);
  }
}

for (const node of legend.querySelectorAll('[data-say]')) node.textContent = say(node.dataset.say);
document.addEventListener('click', (event) => { if (popover && !popover.contains(event.target) && !event.target.closest('[data-at]')) closePopover(); });
element.addEventListener('keydown', (event) => { if (event.key === 'Escape') closePopover(); });
playground.hear('cards', (said) => { if (said.scope === props.scope) said.cards = props.value?.cards || []; });
playground.hear('over', (said) => { if (said.scope === props.scope) { over = said.run; show(props.value); } });
watch('value', () => show(props.value));
show(props.value);
