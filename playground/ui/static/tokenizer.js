// The Tokenizer tab. Value to the server: {text, encoding, source, n}; from it: {ids, texts, counts, cut, characters, said, notice}.
const {make} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const box = $('.pg-tokenizer-text'), tokens = $('.pg-tokens'), counts = $('.pg-tokenizer-counts'), head = $('.pg-tokenizer-head'), notice = $('.pg-notice'), bar = $('.pg-tokenizer-bar');
const kept = playground.kept('tokenizer') || {};
let n = 0, own = '', source = 'text', view = 'text', encoding = props.encodings.includes(kept.encoding) || kept.encoding === 'model' ? kept.encoding : props.encodings[0];

function ask() {
  props.value = {text: source === 'text' ? box.value : '', encoding, source, n: ++n};
  trigger('input');
  playground.keep('tokenizer', {text: (source === 'text' ? box.value : own).slice(0, 100000), encoding});
}

function toggle(options, chosen, fn) {
  const made = make('div', {class: 'pg-segments', role: 'group'});
  for (const name of options) {
    const button = make('button', {type: 'button', 'aria-pressed': String(name === chosen), text: say('tokenizer_' + name)});
    button.addEventListener('click', () => { for (const each of made.children) each.setAttribute('aria-pressed', String(each === button)); fn(name); });
    made.append(button);
  }
  return made;
}

// The open conversation in place of one's own text, which comes back.
function from(name) {
  if (name === source) return;
  source = name;
  box.readOnly = name === 'chat';
  if (name === 'chat') { own = box.value; playground.tell('ask', {scope: 'chat'}); } else box.value = own;
  ask();
}

const select = make('select', {class: 'pg-select', id: 'pg-encoding'});
select.append(...props.encodings.map((name) => make('option', {value: name, text: name})), make('option', {value: 'model', text: say('tokenizer_model')}));
select.value = encoding;
select.addEventListener('change', () => { encoding = select.value; ask(); });
bar.append(toggle(['text', 'chat'], 'text', from),
  make('label', {for: 'pg-encoding', text: say('encoding')}), select);
head.append(make('span', {class: 'pg-tokenizer-total'}), toggle(['pieces', 'ids'], 'pieces', (name) => { view = name; draw(); }));
box.placeholder = say('tokenizer_placeholder');
box.setAttribute('aria-label', say('tokenizer_text'));
tokens.setAttribute('aria-label', say('tokens'));
box.addEventListener('input', ask);

const visible = (text) => text.replace(/\n/g, '↵\n').replace(/\t/g, '⇥');

function draw() {
  const {ids = [], texts = [], cut, characters} = props.value || {};
  if (!props.value || props.value.ids === undefined) return;
  tokens.replaceChildren(...texts.map((text, at) => make('span', {class: 'pg-piece', 'data-hue': String(at % 5), title: `${ids[at]}`, text: view === 'ids' ? String(ids[at]) : visible(text) || '◦'})));
  tokens.classList.toggle('pg-ids', view === 'ids');
  head.hidden = !ids.length;
  $('.pg-tokenizer-total').textContent = (cut ? say('tokenizer_cut') : say('tokenizer_total')).replace('{tokens}', ids.length.toLocaleString()).replace('{characters}', (characters || 0).toLocaleString());
}

function show(value) {
  if (!value || value.ids === undefined || (value.n !== undefined && value.n !== n)) return;
  if (value.said != null) box.value = value.said;
  counts.replaceChildren(...value.counts.map(([name, said]) => make('div', {class: 'pg-count'}, make('span', {text: name}), make('strong', {text: said == null ? "–" : said.toLocaleString()}))));
  notice.hidden = !value.notice;
  if (value.notice) notice.replaceChildren(...playground.problem(value.notice).map((text) => make('span', {text})));
  draw();
}

watch('value', () => show(props.value));
playground.hear('recount', (mode) => { if (mode === 'tokenizer') { if (source === 'chat') playground.tell('ask', {scope: 'chat'}); ask(); } });
if (typeof kept.text === 'string') box.value = kept.text;
if (playground.mode() === 'tokenizer') ask();
