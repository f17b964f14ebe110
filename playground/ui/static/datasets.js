// The Datasets tab: the list, a file brought in (dataset_import.js), one dataset's facts and cases (dataset_rows.js, dataset_case.js).
// Value to the server: {action, n, language, dataset, seen, …} or, by submit, {format, n, dataset}; from it: {of, n, datasets |
// look | case | theirs | source | made | undo | notice}.
const {make, textButton, iconButton, keep, kept, files: {dropZone, gathering}} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const side = $('.pg-ds-side'), main = $('.pg-ds-main'), notice = $('.pg-notice'), undo = $('.pg-ds-undo'), detail = $('.pg-ds-detail'), dialog = $('.pg-dialog');
const {ask, heard} = playground.asking({props, trigger, answered});
const tell = playground.telling(notice), saving = gathering();
const count = (number) => number.toLocaleString(playground.language());
const fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => typeof values[name] === 'number' ? count(values[name]) : values[name]);
let list = null, chosen = kept('dataset'), shown = null, page = 0, timer = 0, exports = 0, wish = null, picked = new Set();
if (typeof chosen !== 'string') chosen = null;

const button = (key, fn, primary = false) => textButton(say(key), fn, primary);
const about = (more = {}) => ({dataset: chosen, ...more});
const seen = (more = {}) => about({seen: shown?.seen, ...more});

// --- the list ---

const zone = make('div'), search = make('input', {type: 'search', class: 'pg-filter', placeholder: say('dataset_find'), 'aria-label': say('dataset_find'), autocomplete: 'off', hidden: ''}), names = make('div', {class: 'pg-ds-list', role: 'list'});
zone.append(dropZone({home: $('.pg-datasets'), say, key: 'dataset_drop', accept: '.csv,.tsv,.xlsx,.txt,.json,.jsonl', most: props.most, taken: ([file]) => { tell(); ask('take', {file}); }, problem: (text) => tell(text)}));
side.append(zone, button('dataset_new', () => ask('new', {name: say('dataset_new_name')})), search, names);
search.addEventListener('input', drawList);

function drawList() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), found = list.filter((each) => words.every((word) => each.name.toLowerCase().includes(word)));
  search.hidden = list.length < 8;
  names.replaceChildren(...found.map((each) => {
    const open = make('button', {type: 'button', class: 'pg-ds-name', ...(each.id === chosen ? {'aria-current': 'true'} : {})}, make('span', {text: each.name}), make('small', {text: `${fill('dataset_cases', {count: each.count})} · ${new Date(each.at).toLocaleDateString(playground.language(), {dateStyle: 'medium'})}`}));
    open.addEventListener('click', () => choose(each.id));
    return make('div', {role: 'listitem'}, open);
  }));
  if (!list.length) detail.replaceChildren(make('p', {class: 'pg-empty pg-ds-empty', text: say('dataset_empty')}));
}

function choose(id) {
  if (id !== chosen) { picked = new Set(); page = 0; for (const [name, box] of Object.entries(rows.fields)) box.value = name === 'sort' ? 'order' : ''; }
  chosen = id;
  keep('dataset', id);
  tell();
  if (list) drawList();
  look();
}

// --- one of them ---

const rows = playground.datasetRows({say, fill, find: (typing) => { page = 0; clearTimeout(timer); timer = setTimeout(look, typing ? 120 : 0); }, go: (to) => { page = to; look(); }, edit, double: (id) => ask('double', about({id})), drop, pick, picked: () => picked, add: () => edit(null), dropPicked: (ids) => ask('drop', seen({ids, ...rows.wanted()}))});
const title = make('h2'), verbs = make('div', {class: 'pg-ds-verbs'}, button('dataset_rename', openRename), button('dataset_copy', () => ask('copy', about())), button('dataset_split', openSplit), button('export_csv', () => exported('csv')), button('export_jsonl', () => exported('jsonl')), button('delete', () => ask('remove', seen())));
verbs.lastChild.classList.add('pg-danger');
const head = make('div', {class: 'pg-ds-head'}, title, verbs);
// The tabs that run a dataset's cases.
for (const tab of ['evaluate', 'sweep']) verbs.prepend(button('dataset_use_' + tab, () => playground.tell('use_dataset', {tab, name: shown.name})));

function look() { if (chosen) ask('look', about({page, ...rows.wanted()})); }
function drop(id) { ask('drop', seen({ids: [id]})); }
function pick(id, on) { on ? picked.add(id) : picked.delete(id); }

function drawLook(value) {
  if (value.id !== chosen) return;
  shown = value;
  page = value.page;
  title.textContent = value.name;
  if (detail.firstChild !== head) detail.replaceChildren(head, rows.node);
  rows.draw(value, forms.of(chosen));
}

// --- a case being written ---

const forms = playground.caseForms({say, tell, save: (form, more) => ask('put', {dataset: form.dataset, ...more}), done: () => rows.draw(shown, forms.of(chosen))});

function edit(id) {
  if (forms.has(chosen, id)) return forms.focus(chosen, id);
  if (id === null) { forms.open({dataset: chosen, id: null, variables: shown.facts.variables.map(([name]) => name), kind: shown.rows[0]?.turns ? 'messages' : shown.rows[0]?.asked || !shown.facts.variables.length ? 'prompt' : ''}); return rows.draw(shown, forms.of(chosen)); }
  ask('case', about({id}));
}

// --- dialogs ---

function show(key, ...parts) {
  const close = iconButton('close', say('close'));
  close.addEventListener('click', () => dialog.close());
  dialog.replaceChildren(make('header', {}, make('h2', {text: say(key), id: 'pg-ds-dialog'}), close), ...parts);
  dialog.setAttribute('aria-labelledby', 'pg-ds-dialog');
  if (!dialog.open) dialog.showModal();
}
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });

function dialogForm(key, label, fields, done) {
  const ok = make('button', {type: 'submit', class: 'pg-button pg-primary', text: say(label)}), problem = make('div', {class: 'pg-notice', 'aria-live': 'polite', hidden: ''});
  const form = make('form', {method: 'dialog', class: 'pg-ds-form'}, ...fields, problem, make('footer', {}, ok));
  form.addEventListener('submit', (event) => { event.preventDefault(); done(); });
  show(key, form);
  wish = playground.telling(problem);  // what is refused is said where it was asked for
}
dialog.addEventListener('close', () => { wish = null; });
const labelled = (key, box) => make('label', {class: 'pg-result-control'}, make('span', {text: say(key)}), box);
const text = (value) => { const made = make('input', {type: 'text', maxlength: '120', autocomplete: 'off'}); made.value = value; return made; };

function openRename() {
  const name = text(shown.name);
  dialogForm('dataset_rename', 'dataset_rename', [labelled('dataset_name', name)], () => ask('rename', seen({name: name.value})));
  name.select();
}

function openSplit() {
  const {count: total, labels} = shown.facts, first = text(fill('dataset_first_name', {name: shown.name})), second = text(fill('dataset_second_name', {name: shown.name}));
  const number = (attributes, value) => { const made = make('input', {type: 'number', class: 'pg-filter', ...attributes}); made.value = value; return made; };
  const share = number({min: '1', max: '99', step: '1'}, 20), cases = number({min: '1', max: String(total - 1), step: '1'}, Math.max(1, Math.round(total * 0.2))), seed = number({min: '0', step: '1'}, 42);
  const by = make('input', {type: 'checkbox'});
  let exact = false;
  share.addEventListener('input', () => { exact = false; cases.value = Math.min(total - 1, Math.max(1, Math.round(total * Number(share.value) / 100))); });
  cases.addEventListener('input', () => { exact = true; share.value = Math.round(100 * Number(cases.value) / total); });
  by.checked = labels.length > 1;
  const even = labels.length > 1 ? [make('label', {class: 'pg-ds-check'}, by, make('span', {text: say('dataset_by_label')}))] : [];
  dialogForm('dataset_split', 'dataset_split', [make('p', {class: 'pg-quiet', text: say('dataset_split_about')}), make('div', {class: 'pg-ds-fields'}, labelled('dataset_share', share), labelled('dataset_count', cases), labelled('sets_seed', seed)), ...even, labelled('dataset_first', first), labelled('dataset_second', second)],
    () => ask('split', about({...(exact ? {count: Number(cases.value)} : {ratio: Number(share.value) / 100}), seed: Number(seed.value), by_label: by.checked && labels.length > 1, names: [first.value, second.value]})));
}

function exported(format) {
  exports += 1;
  saving.begin(-exports);
  props.value = {format, n: -exports, language: playground.language(), dataset: chosen};
  trigger('submit');
  playground.tell('notice', {tone: 'info', message: say('exporting')});
}

// --- what the server says ---

const importing = playground.datasetImport({home: $('.pg-ds-import'), say, fill, ask});

function offerUndo({id, name, count: many}) {
  const back = button('undo', () => { undo.hidden = true; ask('restore', {undo: id}); }), close = iconButton('close', say('close'));
  close.addEventListener('click', () => { undo.hidden = true; });
  undo.replaceChildren(make('span', {text: name == null ? fill('dataset_cases_deleted', {count: many}) : fill('dataset_deleted', {name})}), back, close);
  undo.hidden = false;
}

let broken = null;  // the dataset that could not be shown
function failed(value) {
  const said = playground.problem(value.notice);
  if (value.of === 'put' && forms.failed(said)) return;
  if (['import', 'columns'].includes(value.of)) return importing.failed(said);
  (wish ?? tell)(...said);
  // It may have been changed or deleted in another window: shown as it is now.
  if (value.of === 'look' ? broken !== chosen : ['rename', 'copy', 'remove', 'split', 'case', 'double', 'drop', 'restore'].includes(value.of)) ask('list');
  if (value.of === 'look') broken = chosen;
}

function answered(value) {
  if (value.notice) return failed(value);
  if (value.of !== 'look' && value.of !== 'list') tell();
  if (value.datasets) { list = value.datasets; if (!list.some((each) => each.id === chosen) && !value.made) chosen = list[0]?.id ?? null; drawList(); }
  if (value.source) importing.show(value.source);
  if (value.case) { forms.open({dataset: chosen, id: value.case.id, was: value.was, case: value.case}); rows.draw(shown, forms.of(chosen)); }
  if (value.theirs) return forms.conflict(value);
  if (value.wrote) forms.wrote();
  if (['rename', 'split'].includes(value.of) && dialog.open) dialog.close();
  if (value.undo) { offerUndo(value.undo); picked = new Set(); }
  if (value.imported) importing.close();
  if (value.restored) return choose(value.restored);
  if (value.made) {
    choose(value.made[0]);
    if (value.counts?.length > 1) playground.tell('notice', {tone: 'info', message: fill('dataset_was_split', {first: value.counts[0], second: value.counts[1]})});
  } else if (value.changed || value.removed || (value.of === 'list' && broken !== chosen)) look();
  if (value.edit) edit(value.edit);
  if (value.look) { broken = null; drawLook(value.look); }
}

function heardAll(value) {
  if (saving.takes(value)) { if (value.notice) tell(...playground.problem(value.notice)); return; }
  heard(value);
}

watch('value', () => heardAll(props.value));
playground.hear('dataset', ({id}) => { playground.openTab('datasets'); choose(id); });
playground.hear('mode', (mode) => { if (mode === 'datasets') ask('list'); });
// Another window may have changed it meanwhile.
window.addEventListener('focus', () => { if (list && playground.mode() === 'datasets') ask('list'); });
if (playground.mode() === 'datasets') ask('list');
