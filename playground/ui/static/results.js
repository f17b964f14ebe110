// The Results tab: files, a verdict each, and the bar that says how they are shown. Charts, tables and dialog have a script each.
// Value to the server: {action, n, language, …}; from it: {of, n, opened | curves | table | file | notice}.
const {make, iconButton, keep, kept, files: {dropZone, give, gathering}} = playground, say = playground.saying(), words = props.words[playground.language()];
const $ = (selector) => element.querySelector(selector);
const home = $('.pg-results'), list = $('.pg-result-files'), bar = $('.pg-result-bar');
const {COLOURS} = playground.charts;
const MOST_FILES = props.files;
// What is open and how it is shown. A file is hidden when all its columns are, whether by its swatch or one by one in the
// legends. What is drawn across: an axis that no open file has is left for the steps, which all have.
const view = {smoothing: 0, log: false, axis: 'step', floor: 1, within: null};
const desk = {
  files: [], curves: {}, floor: null, view,
  hidden: (file) => file.columns.length > 0 && file.columns.every((column) => file.off.has(column.name)),
  across: () => desk.files.some((file) => file.axes.includes(view.axis)) ? view.axis : 'step',
};
let coming = 0, wrong = [], asked = 0;
const saves = [], saving = gathering(), before = kept('results');
const {ask, heard} = playground.asking({props, trigger, answered});
const tell = playground.telling($('.pg-notice'));
const labelled = (key, control, ...more) => make('label', {class: 'pg-result-control'}, make('span', {text: say(key)}), control, ...more);
const dialog = playground.resultDialog({dialog: $('.pg-dialog'), say, picked});
const tables = playground.resultTables({home: $('.pg-result-tables'), say, words, desk, ask});
const charts = playground.resultCharts({home: $('.pg-result-charts'), say, words, desk, zoom, compare, toggled: () => { remember(); drawFiles(); }, drawn: (count) => { reset.disabled = !view.within; png.disabled = !count; }});

// A checkpoint beside its base and the final model, in the Compare tab.
function compare(file, mark) { ask('compare', {id: file.id, checkpoint: mark.number}); }

// --- files ---

function opened(files) {
  wrong.push(...files.filter((file) => file.notice).flatMap((file) => [`${file.name}: ${file.notice.message}`, file.notice.hint]));
  coming = Math.max(0, coming - files.length);
  tell(...wrong);
  for (const file of files) if (!file.notice) desk.files.push({...file, off: new Set(before?.off?.[file.id] ?? []), colour: colour()});
  remember();
  drawFiles();
  refresh();
}

// The first colour that no other file has.
const colour = () => COLOURS.find((each) => desk.files.every((file) => file.colour !== each)) ?? COLOURS[desk.files.length % COLOURS.length];
const remember = () => keep('results', {ids: desk.files.map((file) => file.id), off: Object.fromEntries(desk.files.map((file) => [file.id, [...file.off]])), view: {...view, within: null}});

function drawFiles() {
  list.replaceChildren(...desk.files.map(card));
  bar.hidden = !desk.files.length;
  const axes = new Set(desk.files.flatMap((file) => file.axes));
  for (const option of axis.options) option.disabled = !axes.has(option.value);
  tables.draw();
}

function card(file) {
  const swatch = make('button', {type: 'button', class: 'pg-swatch', 'aria-pressed': String(!desk.hidden(file)), title: say('results_show'), 'aria-label': `${say('results_show')}: ${file.name}`});
  swatch.style.setProperty('--colour', file.colour);
  swatch.addEventListener('click', () => { desk.hidden(file) ? file.off.clear() : file.columns.forEach((column) => file.off.add(column.name)); remember(); drawFiles(); charts.draw(); });
  const close = iconButton('close', say('remove'));
  close.addEventListener('click', () => { desk.files = desk.files.filter((each) => each !== file); tables.forget(file); if (!desk.files.length) view.within = null; remember(); drawFiles(); charts.draw(); refresh(); });
  const csv = make('button', {type: 'button', class: 'pg-link', text: 'CSV'});
  csv.disabled = saves.includes(file.id);
  csv.addEventListener('click', () => { saves.push(file.id); drawFiles(); if (saves.length === 1) save(); });
  return make('article', {class: 'pg-result-file'}, make('header', {}, swatch, make('strong', {text: file.name}), make('span', {class: 'pg-quiet', text: file.about}), make('span', {class: 'pg-result-tools'}, csv, close)),
    make('p', {class: 'pg-verdict', 'data-kind': file.verdict.kind}, make('strong', {text: words['kind.' + file.verdict.kind]}), make('span', {text: file.verdict.text})),
    ...[...file.notes, ...(file.axes.includes(desk.across()) ? [] : [say('results_no_axis').replace('{axis}', words['axis.' + desk.across()].toLowerCase())])].map((text) => make('p', {class: 'pg-quiet', text})), ...checkpoints(file));
}

// A file is hidden when all its columns are, whether by its swatch or one by one in the legends.

// One file after another is written out; the next when the last has come.
function save() {
  if (!saves.length) return;
  saving.begin(++asked);
  props.value = {n: asked, id: saves[0], format: 'csv', language: playground.language()};
  trigger('submit');
}

function checkpoints(file) {
  if (!file.checkpoints.length) return [];
  return [make('p', {class: 'pg-result-checkpoints'}, make('span', {class: 'pg-quiet', text: say('results_checkpoints')}), ...file.checkpoints.map((each) => {
    const button = make('button', {type: 'button', class: 'pg-button', text: `${say('results_checkpoint')} ${each.step}`});
    button.addEventListener('click', () => compare(file, each));
    return button;
  }))];
}

// --- how they are shown ---

const look = () => ({alpha: 1 - view.smoothing, axis: desk.across(), floor: view.floor, log: view.log});
const refresh = () => { const ids = desk.files.map((file) => file.id); if (ids.length) ask('curves', {ids, ...look(), within: view.within}); };

// Whether there is anything in the part that is shown: the file that it was chosen on may have been closed.
const reaches = () => !view.within || desk.files.some((file) => desk.curves[file.id]?.curves.some(({x}) => x.length && x[0] <= view.within[1] && x.at(-1) >= view.within[0]));
function zoom(within) { view.within = within; refresh(); charts.draw(); }

const smoothing = make('input', {type: 'range', min: '0', max: '0.99', step: '0.01', value: '0'}), shown = make('output', {text: '0'});
smoothing.addEventListener('input', () => { view.smoothing = Number(smoothing.value); shown.textContent = view.smoothing.toLocaleString(playground.language()); remember(); refresh(); });
const axis = make('select', {class: 'pg-select'}, ...['step', 'examples', 'tokens'].map((name) => make('option', {value: name, text: words['axis.' + name]})));
axis.addEventListener('change', () => { view.axis = axis.value; view.within = null; remember(); drawFiles(); refresh(); });
const log = make('input', {type: 'checkbox'});
log.addEventListener('change', () => { view.log = log.checked; remember(); charts.draw(); });
const tokens = make('input', {type: 'number', min: '1', max: '100000', value: '1', class: 'pg-filter'});
tokens.addEventListener('input', () => { view.floor = tokens.value ? Math.round(Number(tokens.value)) : null; remember(); refresh(); });
const reset = make('button', {type: 'button', class: 'pg-button', text: say('results_reset')});
reset.addEventListener('click', () => zoom(null));
const png = make('button', {type: 'button', class: 'pg-button', text: 'PNG'}), html = make('button', {type: 'button', class: 'pg-button', text: say('results_report')});
png.addEventListener('click', charts.picture);
// The report has the runs that are shown, as they are shown; all, where none is.
html.addEventListener('click', () => {
  const some = desk.files.filter((file) => !desk.hidden(file)), runs = some.length ? some : desk.files;
  ask('export', {ids: runs.map((file) => file.id), off: some.map((file) => [...file.off]), ...look()});
});
bar.append(labelled('results_smoothing', smoothing, shown), labelled('results_axis', axis), labelled('results_log', log), labelled('results_floor', tokens), reset, make('span', {class: 'pg-result-exports'}, png, html));

// --- what the server says ---

function answered(value) {
  if (value.notice) {
    if (value.of === 'open') coming = 0;
    return tell(...playground.problem(value.notice));
  }
  if (value.opened) opened(value.opened);
  if (value.curves) {
    desk.curves = JSON.parse(value.curves);
    desk.floor = value.floor;
    reaches() ? charts.draw() : zoom(null);
  }
  if (value.jobs) dialog.pick(value);
  if (value.compare) playground.tell('compare', value.compare);
  if (value.table) tables.add(value);
  if (value.file) give(value.file.name, [value.file.text]);
}

// What went wrong stays said until the next files come, also while others are still on their way.
function take(files) {
  const taken = files.slice(0, Math.max(0, MOST_FILES - desk.files.length - coming));
  if (!coming) wrong = [];
  if (taken.length < files.length && !wrong.includes(full())) wrong.push(full());
  coming += taken.length;
  taken.length ? ask('open', {files: taken}) : tell(...wrong);
}
function picked(job) {
  if (!coming) wrong = [];
  desk.files.length + coming < MOST_FILES ? ask('job', {server: job.server, id: job.id}) : tell(full());
}
const full = () => say('results_too_many').replace('{most}', MOST_FILES);

$('.pg-drop-zone').append(dropZone({home, say, key: 'results_drop', accept: '.csv,text/csv,text/plain', many: true, most: props.most, taken: take, problem: (text) => tell(text)}));
const jobs = make('button', {type: 'button', class: 'pg-button', text: say('results_pick')});
jobs.addEventListener('click', () => ask('jobs'));
$('.pg-result-from').append(jobs);
if (before?.view) {
  Object.assign(view, before.view);
  smoothing.value = String(view.smoothing); shown.textContent = view.smoothing.toLocaleString(playground.language()); axis.value = view.axis; log.checked = view.log; tokens.value = view.floor ?? '';
}
if (Array.isArray(before?.ids) && before.ids.length) ask('again', {ids: before.ids});
watch('value', () => {
  if (saving.takes(props.value)) {
    if (props.value.notice) tell(...playground.problem(props.value.notice));
    if (!saving.open) { saves.shift(); drawFiles(); save(); }
  }
  heard(props.value);
});
