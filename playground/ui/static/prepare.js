// The Fine-tune tab's preparation: a file, what was found in it, each recommendation with its checkbox, before and after, the price.
// Value to the server: {action, n, language, …}; from it: {of, n, id | findings, prepared | files | price | notice}.
const {make, textButton, keep, kept, diff, files: {dropZone, give}} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const home = $('.pg-prepare'), notice = $('.pg-notice'), about = $('.pg-prepare-about'), list = $('.pg-prepare-findings'), result = $('.pg-prepare-result'), price = $('.pg-prepare-price');
let id = null, refused = new Set();
const {ask, heard} = playground.asking({props, trigger, answered});

const tell = playground.telling(notice);
const about_ = (more = {}) => ({id, refused: [...refused], ...more});

function look() {
  keep('prepare', about_());
  ask('prepare', about_());
}

// --- what was found ---

function finding(found) {
  const recommended = found.severity === 'recommended', box = make('input', {type: 'checkbox', 'aria-label': found.text});
  box.checked = found.kept;
  box.addEventListener('change', () => { box.checked ? refused.delete(found.rule) : refused.add(found.rule); look(); if (price.firstChild) ask('price', about_()); });
  const where = found.rows.length ? `${say('place_' + found.place)} ${found.rows.map((row) => row.toLocaleString(playground.language())).join(', ')}${found.examples.length ? ': ' : ''}` : '';
  const mark = recommended ? box : make('span', {class: 'pg-finding-mark', 'data-severity': found.severity, text: say('finding_' + found.severity)});
  const body = make('div', {}, make('span', {text: found.text}), ...(found.hint ? [make('span', {class: 'pg-quiet', text: ' ' + found.hint})] : []));
  if (where || found.examples.length) body.append(make('div', {class: 'pg-finding-where'}, where, ...found.examples.map((text) => make('code', {text}))));
  return make('label', {class: 'pg-finding', 'data-severity': found.severity}, mark, body);
}

// What was taken out and put in, where the texts are close; else the new one.
function changed(before, after) {
  const made = make('td'), at = after.indexOf(before);
  const parts = before === after ? null : at < 0 || !before ? diff(before, after) : [['in', after.slice(0, at)], ['same', before], ['in', after.slice(at + before.length)]].filter(([, text]) => text);
  parts ? made.append(...parts.map(([kind, text]) => kind === 'same' ? text : make(kind === 'out' ? 'del' : 'ins', {text: visible(text), ...(text.length < 12 ? {class: 'pg-whole'} : {})}))) : made.textContent = after;
  return made;
}

const visible = (text) => text.replace(/\n/g, '↵\n').replace(/^ | $/g, '␣');

function prepared(found) {
  const rows = found.previews.map((each) => make('tr', {}, make('th', {scope: 'row', text: each.row.toLocaleString(playground.language())}), changed(each.before[0], each.after[0]), changed(each.before[1], each.after[1])));
  const ends = make('p', {class: 'pg-prepare-ends'});
  if (found.separator) ends.append(make('span', {}, say('prepare_separator') + ' ', make('code', {text: visible(found.separator)})));
  if (found.ending) ends.append(make('span', {}, say('prepare_stop') + ' ', make('code', {text: visible(found.ending)})));
  const button = (key, fn, primary = false) => textButton(say(key), fn, primary);
  result.replaceChildren(
    make('section', {class: 'pg-prepare-card'}, make('h3', {text: say('prepare_preview').replace('{pairs}', found.pairs.toLocaleString(playground.language()))}),
      make('div', {class: 'pg-scroll'}, make('table', {}, make('thead', {}, make('tr', {}, make('th', {scope: 'col', text: '#'}), make('th', {scope: 'col', text: 'prompt'}), make('th', {scope: 'col', text: 'completion'}))), make('tbody', {}, ...rows))), ends,
      make('div', {class: 'pg-prepare-actions'}, button('prepare_download', () => ask('files', about_()), true), button('prepare_try', () => ask('try', about_())), button('prepare_preset', () => ask('preset', about_())), ...(found.files.length > 1 ? [button('dataset_of_valid', () => ask('dataset', about_()))] : []), button('prepare_price', () => { playground.priceWaits(price, say); ask('price', about_()); }),
        make('span', {class: 'pg-quiet', text: found.files.map((file) => `${file.name} (${file.lines.toLocaleString(playground.language())})`).join(' · ')}))));
}

// --- what the server says ---

function answered(value) {
  if (value.of === 'price') price.querySelector(':scope > [role=status]')?.remove();
  if (value.notice) { if (value.of === 'prepare' && !list.children.length) id = null; return tell(...playground.problem(value.notice)); }
  tell();
  if (value.of === 'open') { id = value.id; refused = new Set(); price.replaceChildren(); result.replaceChildren(); list.replaceChildren(); return look(); }
  if (value.findings) {
    about.hidden = false;
    about.replaceChildren(make('strong', {text: value.name}), ...value.repairs.map((text) => make('span', {class: 'pg-quiet', text})));
    list.replaceChildren(...value.findings.map(finding));
    value.prepared ? prepared(value.prepared) : result.replaceChildren();
  }
  if (value.saved) { playground.tell('presets'); playground.tell('notice', {tone: 'info', message: say('preset_saved').replace('{name}', value.saved)}); }
  if (value.kept) playground.datasetMade(say, value.kept);
  if (value.files) for (const file of value.files) give(file.name, [file.text]);
  if (value.price) playground.priceTable({home: price, say, found: value.price, again: (epochs) => ask('price', about_({epochs}))});
}

$('h2').textContent = say('prepare_title');
$('.pg-drop-zone').append(dropZone({home, say, key: 'prepare_drop', accept: '.csv,.tsv,.xlsx,.txt,.json,.jsonl', most: props.most, taken: ([file]) => ask('open', {file}), problem: (text) => tell(text)}));
playground.hear('example', () => { home.scrollIntoView({behavior: 'smooth', block: 'start'}); ask('example'); });
const before = kept('prepare');
if (typeof before?.id === 'string' && Array.isArray(before.refused)) { id = before.id; refused = new Set(before.refused); ask('prepare', about_()); }
watch('value', () => heard(props.value));
