// The lines under the editor: figures as cells, and above them what is going on or went wrong. Numbers come formatted;
// the words around them are said here, in the reader's language.
// Value: {cells: [{key, text, note, tone, of, title}], notice: {tone, kind, message, hint, key, seconds}}.
const {make} = playground, say = playground.saying();
const cells = element.querySelector('.pg-cells'), notice = element.querySelector('.pg-notice');

// Figures come as English writes them. Money stays so everywhere, and a model's name is no figure.
const FIGURE = /(?<![\w.$-])(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?=$|\s)/g, language = playground.language();
const figure = (text, whole, places = '') => Number(text.replaceAll(',', '')).toLocaleString(language, {minimumFractionDigits: places.length, maximumFractionDigits: places.length});
const words = (text) => (language === 'en' ? text : text.replace(FIGURE, figure)).replace(/\{(\w+)\}/g, (_, key) => say(key));

function cell({key, text, note, tone, title}) {
  const node = make('div', {class: 'pg-cell', 'data-key': key, 'data-tone': tone || ''},
    make('span', {class: 'pg-cell-label', text: say('cell_' + key)}), make('span', {class: 'pg-cell-value', text: words(text)}));
  if (note) node.append(make('span', {class: 'pg-cell-note', text: words(note)}));
  node.title = title ? words(title) : say('cell_' + key + '_help');
  return node;
}

// What a fine-tuned model was trained with, and this prompt lacks: one click adds it.
function lacks({append, separator, ending}) {
  const said = (key, text) => make('span', {}, say(key) + ' ', make('code', {text: text.replaceAll(' ', '␣')}));
  if (separator) notice.append(said('lacks_separator', separator));
  if (ending) notice.append(said('lacks_ending', ending));
  const add = make('button', {type: 'button', class: 'pg-keep', text: say('lacks_add')});
  add.addEventListener('click', () => {
    if (append) playground.tell('append', {scope: props.scope, text: append});
    if (ending) playground.tell('stop', {text: ending});
  });
  notice.append(add);
}

// A better model at the moment it matters: one that is here is taken with one click, else the library opens. Who has put
// the line aside is not told again.
function offers({ref, name}) {
  const button = (text, fn) => { const made = make('button', {type: 'button', class: 'pg-keep', text}); made.addEventListener('click', fn); notice.append(made); };
  if (ref) button(say('offer_use').replace('{name}', () => name), () => playground.tell('choose', {ref}));
  else if (document.body.dataset.library) button(say('offer_look'), () => playground.tell('library', {first: 'spanish'}));
  const aside = playground.iconButton('close', say('offer_dismiss'), {class: 'pg-aside'});
  aside.addEventListener('click', () => { playground.keep('offer', false); tell(null); });
  notice.append(aside);
}

// A notice is said in the reader's language by its kind; the server's own words follow as they are.
function tell(data) {
  if (data?.offer && playground.kept('offer') === false) data = null;
  notice.hidden = !data;
  if (!data) return;
  notice.dataset.tone = data.tone;
  notice.setAttribute('role', data.tone === 'error' ? 'alert' : 'status');
  notice.textContent = '';
  const own = data.kind ? window.playgroundStrings[playground.language()]['error_' + data.kind] : null;
  const lead = data.key ? say(data.key).replace('{seconds}', data.seconds ?? '').replace('{attempt}', data.attempt ?? '').replace('{attempts}', data.attempts ?? '') : '';
  if (lead) notice.append(make('strong', {text: lead}));
  if (own && playground.language() !== 'en') notice.append(make('strong', {text: own}));
  if (data.busy) notice.append(make('progress', {class: 'pg-notice-busy', 'aria-label': lead}));
  if (data.message) notice.append(make('span', {text: data.message}));
  if (data.hint) notice.append(make('span', {class: 'pg-hint', text: data.hint}));
  if (data.lacks) lacks(data.lacks);
  if (data.offer) offers(data.offer);
  if (data.without) {
    const again = make('button', {type: 'button', class: 'pg-keep pg-without', text: say('send_without').replace('{name}', data.without)});
    again.addEventListener('click', () => { again.disabled = true; playground.tell('again', {scope: props.scope, without: data.without}); });
    notice.append(again);
  }
}

function show(value) {
  cells.replaceChildren(...(value?.cells || []).map(cell));
  tell(value?.notice);
}

watch('value', () => show(props.value));
show(props.value);
