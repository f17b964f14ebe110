// The Results tab: files, a verdict each, charts that lie over each other, a table of rows, exports.
// Value to the server: {action, n, language, …}; from it: {of, n, opened | curves | table | file | notice}.
const {make, iconButton, keep, kept, files: {dropZone, give, gathering}} = playground, say = playground.saying(), words = props.words[playground.language()];
const $ = (selector) => element.querySelector(selector);
const home = $('.pg-results'), notice = $('.pg-notice'), list = $('.pg-result-files'), bar = $('.pg-result-bar'), charts = $('.pg-result-charts'), tables = $('.pg-result-tables');
const {COLOURS, colourOf, figure} = playground.charts;
const MOST_FILES = props.files;
const view = {smoothing: 0, log: false, axis: 'step', floor: 1, within: null};
let open = [], curves = {}, floor = null, plots = [], coming = 0, wrong = [];
const before = kept('results');
const {ask, heard} = playground.asking({props, trigger, answered});

// --- files ---

const tell = playground.telling(notice);

function opened(files) {
  wrong.push(...files.filter((file) => file.notice).flatMap((file) => [`${file.name}: ${file.notice.message}`, file.notice.hint]));
  coming = Math.max(0, coming - files.length);
  tell(...wrong);
  for (const file of files) if (!file.notice) open.push({...file, off: new Set(before?.off?.[file.id] ?? []), colour: colour()});
  remember();
  drawFiles();
  refresh();
}

// The first colour that no other file has.
const colour = () => COLOURS.find((each) => open.every((file) => file.colour !== each)) ?? COLOURS[open.length % COLOURS.length];
const remember = () => keep('results', {ids: open.map((file) => file.id), off: Object.fromEntries(open.map((file) => [file.id, [...file.off]])), view: {...view, within: null}});

function drawFiles() {
  list.replaceChildren(...open.map(card));
  bar.hidden = !open.length;
  const axes = new Set(open.flatMap((file) => file.axes));
  for (const option of axis.options) option.disabled = !axes.has(option.value);
  drawTables();
}

function card(file) {
  const swatch = make('button', {type: 'button', class: 'pg-swatch', 'aria-pressed': String(!hidden(file)), title: say('results_show'), 'aria-label': `${say('results_show')}: ${file.name}`});
  swatch.style.setProperty('--colour', file.colour);
  swatch.addEventListener('click', () => { hidden(file) ? file.off.clear() : file.columns.forEach((column) => file.off.add(column.name)); remember(); drawFiles(); draw(); });
  const close = iconButton('close', say('remove'));
  close.addEventListener('click', () => { open = open.filter((each) => each !== file); made.delete(file.id); if (!open.length) view.within = null; remember(); drawFiles(); draw(); refresh(); });
  const csv = make('button', {type: 'button', class: 'pg-link', text: 'CSV'});
  csv.disabled = saves.includes(file.id);
  csv.addEventListener('click', () => { saves.push(file.id); drawFiles(); if (saves.length === 1) save(); });
  return make('article', {class: 'pg-result-file'}, make('header', {}, swatch, make('strong', {text: file.name}), make('span', {class: 'pg-quiet', text: file.about}), make('span', {class: 'pg-result-tools'}, csv, close)),
    make('p', {class: 'pg-verdict', 'data-kind': file.verdict.kind}, make('strong', {text: words['kind.' + file.verdict.kind]}), make('span', {text: file.verdict.text})),
    ...[...file.notes, ...(file.axes.includes(across()) ? [] : [say('results_no_axis').replace('{axis}', words['axis.' + across()].toLowerCase())])].map((text) => make('p', {class: 'pg-quiet', text})), ...checkpoints(file));
}

// A file is hidden when all its columns are, whether by its swatch or one by one in the legends.
const hidden = (file) => file.columns.length > 0 && file.columns.every((column) => file.off.has(column.name));

// What is drawn across: an axis that no open file has is left for the steps, which all have.
const across = () => open.some((file) => file.axes.includes(view.axis)) ? view.axis : 'step';

// One file after another is written out; the next when the last has come.
const saves = [];
function save() {
  if (!saves.length) return;
  saving.begin(++asked);
  props.value = {n: asked, id: saves[0], format: 'csv'};
  trigger('submit');
}

// --- what is shown ---

const refresh = () => { const ids = open.map((file) => file.id); if (ids.length) ask('curves', {ids, alpha: 1 - view.smoothing, axis: across(), floor: view.floor, within: view.within}); };

// Training and validation of every file, each with the points that it has.
const measures = () => playground.charts.together(open.flatMap((file) => (curves[file.id]?.curves || []).map((curve) => ({...curve, file}))));

const faint = (colour) => colour + '55';
const positive = (values) => view.log ? values.map((y) => y > 0 ? y : null) : values;

function series(curve) {
  const {file} = curve, single = open.length === 1, colour = single ? playground.charts.side(curve) : file.colour;
  const label = (single ? '' : file.name + ' · ') + curve.name, dash = curve.side === 'validation' && !single ? [6, 4] : undefined;
  // A logarithm has no place for 0: the line is cut there, and what stands alone between two cuts is a dot.
  const cut = view.log && curve.y.some((y) => y <= 0);
  const line = playground.charts.line({label, stroke: colour, points: cut && curve.y.length < 500 ? 1 : curve.points, dash, show: !file.off.has(curve.name), curve, spanGaps: !cut});
  // What was measured stays faint behind what is smoothed, and goes with it when that is hidden.
  if (!curve.smooth_x) return [[line, [curve.x, positive(curve.y)]]];
  return [[{...line, raw: true, stroke: faint(colour), width: 1, dash: undefined, points: {...line.points, size: 3}}, [curve.x, positive(curve.y)]], [{...line, points: {show: false}}, [curve.smooth_x, positive(curve.smooth_y)]]];
}

function plot(measure, {kind, lines}, width) {
  // 2: a null cuts the line as far as the next points of its own, whatever stands between them on other lines.
  const all = lines.flatMap(series), data = uPlot.join(all.map(([, points]) => points), all.map(() => [0, 2]));
  const drawn = playground.charts.options({width, height: 260, label: words['axis.' + across()], within: view.within, log: view.log});
  const options = {
    ...drawn, series: [...drawn.series, ...all.map(([line]) => line)],
    cursor: {sync: {key: 'results'}, drag: {x: true, y: false, setScale: false}, focus: {prox: 24}, bind: {dblclick: () => () => { zoom(null); return null; }}},
    focus: {alpha: 0.3},
    hooks: {setSelect: [(chart) => { if (chart.select.width > 4) narrow(['left', 'right'].map((end) => chart.posToVal(chart.select.left + (end === 'right' ? chart.select.width : 0), 'x'))); }]},
  };
  // What the legend hides stays hidden when the chart is drawn anew; what was measured goes with what is smoothed.
  options.hooks.setSeries = [(chart, at, {show}) => {
    const {curve} = chart.series[at] ?? {};
    if (show == null || !curve) return;
    show ? curve.file.off.delete(curve.name) : curve.file.off.add(curve.name);
    remember();
    drawFiles();
    if (chart.series[at - 1]?.raw && chart.series[at - 1].show !== show) chart.setSeries(at - 1, {show});
  }];
  if (kind === 'accuracy' && floor && measure === 'token_accuracy') options.hooks.draw = [drawFloor];
  options.hooks.draw = [...(options.hooks.draw ?? []), mark];
  const node = make('figure', {class: 'pg-plot'}, make('figcaption', {text: words['measure.' + measure] ?? measure}));
  charts.append(node);
  const cut = view.log && lines.some((curve) => curve.y.some((y) => y <= 0)) ? [make('p', {class: 'pg-quiet', text: say('results_not_positive')})] : [];
  if (cut.length && lines.every((curve) => curve.y.every((y) => y <= 0))) return node.append(...cut);
  const chart = new uPlot(options, data, node);
  plots.push(chart);
  chart.root.querySelectorAll('.u-legend .u-series').forEach((row, number) => { row.hidden = Boolean(chart.series[number].raw); if (number) pressed(row.querySelector('th')); });
  if (options.hooks.draw.includes(drawFloor)) node.append(make('p', {class: 'pg-quiet', text: floor.why}));
  node.append(...cut);
}

// The legend by keyboard, too.
function pressed(name) {
  name.tabIndex = 0;
  name.setAttribute('role', 'button');
  name.addEventListener('keydown', (event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); name.click(); } });
}

// What a wrong answer reaches all the same.
function drawFloor(chart) {
  const y = chart.valToPos(floor.value, 'y', true), {left, width, top, height} = chart.bbox, {ctx} = chart;
  if (y < top || y > top + height) return;
  ctx.save();
  ctx.strokeStyle = colourOf('--pg-amber');
  ctx.setLineDash([3, 4]);
  ctx.beginPath(); ctx.moveTo(left, y); ctx.lineTo(left + width, y); ctx.stroke();
  ctx.restore();
}

function draw() {
  for (const chart of plots) chart.destroy();
  plots = [];
  charts.replaceChildren();
  const width = Math.max(260, charts.clientWidth - 26);
  for (const [measure, about] of measures()) plot(measure, about, width);
  reset.disabled = !view.within;
  png.disabled = !plots.length;
}

// Whether there is anything in the part that is shown: the file that it was chosen on may have been closed.
const reaches = () => !view.within || open.some((file) => curves[file.id]?.curves.some(({x}) => x.length && x[0] <= view.within[1] && x.at(-1) >= view.within[0]));
// A click on what is zoomed asks for the same part once more: drawing it anew would swallow a double click.
const narrow = (within) => { if (!view.within?.every((end, at) => Math.abs(end - within[at]) < 1e-6 * (Math.abs(end) || 1))) zoom(within); };
function zoom(within) { view.within = within; refresh(); draw(); }

// --- the bar ---

const labelled = (key, control, ...more) => make('label', {class: 'pg-result-control'}, make('span', {text: say(key)}), control, ...more);
const smoothing = make('input', {type: 'range', min: '0', max: '0.99', step: '0.01', value: '0'}), shown = make('output', {text: '0'});
smoothing.addEventListener('input', () => { view.smoothing = Number(smoothing.value); shown.textContent = smoothing.value; remember(); refresh(); });
const axis = make('select', {class: 'pg-select'}, ...['step', 'examples', 'tokens'].map((name) => make('option', {value: name, text: words['axis.' + name]})));
axis.addEventListener('change', () => { view.axis = axis.value; view.within = null; remember(); drawFiles(); refresh(); });
const log = make('input', {type: 'checkbox'});
log.addEventListener('change', () => { view.log = log.checked; remember(); draw(); });
const tokens = make('input', {type: 'number', min: '1', max: '100000', value: '1', class: 'pg-filter'});
tokens.addEventListener('input', () => { view.floor = tokens.value ? Math.round(Number(tokens.value)) : null; remember(); refresh(); });
const reset = make('button', {type: 'button', class: 'pg-button', text: say('results_reset')});
reset.addEventListener('click', () => zoom(null));
const png = make('button', {type: 'button', class: 'pg-button', text: 'PNG'}), html = make('button', {type: 'button', class: 'pg-button', text: say('results_report')});
png.addEventListener('click', picture);
// The report has the runs that are shown; all, where none is.
html.addEventListener('click', () => ask('export', {ids: (open.every(hidden) ? open : open.filter((file) => !hidden(file))).map((file) => file.id), axis: across(), floor: view.floor}));
bar.append(labelled('results_smoothing', smoothing, shown), labelled('results_axis', axis), labelled('results_log', log), labelled('results_floor', tokens), reset, make('span', {class: 'pg-result-exports'}, png, html));

// All charts, one below the other, with their names and their lines' names.
function picture() {
  const ratio = devicePixelRatio || 1, LINE = 20 * ratio, canvas = make('canvas'), paper = canvas.getContext('2d');
  const heads = plots.map((chart) => [chart.root.parentNode.querySelector('figcaption').textContent, ...chart.series.slice(1).filter((line) => line.show && !line.raw).map((line) => line.label)]);
  const font = (row) => `${row ? '' : 'bold '}${13 * ratio}px sans-serif`, wide = (text, row) => { paper.font = font(row); return paper.measureText(text).width + 24 * ratio; };
  // As wide as the longest name, which on a phone is wider than the charts.
  canvas.width = Math.max(...plots.map((chart) => chart.ctx.canvas.width), ...heads.flatMap((texts) => texts.map(wide)));
  canvas.height = plots.reduce((sum, chart, at) => sum + chart.ctx.canvas.height + LINE * (heads[at].length + 1), 0);
  paper.fillStyle = colourOf('--pg-surface');
  paper.fillRect(0, 0, canvas.width, canvas.height);
  let top = 0;
  plots.forEach((chart, at) => {
    const lines = chart.series.slice(1).filter((line) => line.show && !line.raw);
    heads[at].forEach((text, row) => {
      paper.font = font(row);
      paper.fillStyle = row ? lines[row - 1].stroke() : colourOf('--pg-text');
      paper.fillText(text, 12 * ratio, top += LINE);
    });
    paper.drawImage(chart.ctx.canvas, 0, top + LINE / 2);
    top += chart.ctx.canvas.height + LINE;
  });
  canvas.toBlob((blob) => give('results.png', [blob], 'image/png'));
}

// --- tables ---

const at = (point) => point ? make('span', {}, make('strong', {text: figure(point[1])}), make('small', {text: ` ${words['axis.step'].toLowerCase()} ${point[0].toLocaleString(playground.language())}`})) : make('span', {text: '–'});

// A file's table is made once: the rows that were opened stay open.
const made = new Map();
function drawTables() {
  tables.replaceChildren(...open.filter((file) => !hidden(file)).map((file) => {
    if (!made.has(file.id)) made.set(file.id, table(file));
    const node = made.get(file.id);
    node.querySelector('h3').textContent = open.length > 1 ? file.name : say('results_columns');
    return node;
  }));
}

function table(file) {
  const body = file.columns.map((column) => make('tr', {}, make('th', {scope: 'row'}, make('code', {text: column.name}), make('small', {text: words[column.explains] ?? ''})), make('td', {}, at(column.last)), make('td', {}, at(column.best))));
  const rows = make('div', {class: 'pg-result-rows'}), more = make('button', {type: 'button', class: 'pg-button', text: say('results_rows')});
  more.addEventListener('click', () => ask('rows', {id: file.id, start: rows.querySelectorAll('tbody tr').length}));
  return make('section', {class: 'pg-result-table'}, make('h3'),
    make('table', {}, make('thead', {}, make('tr', {}, ...['report.column', 'report.last', 'report.best'].map((key) => make('th', {scope: 'col', text: words[key]})))), make('tbody', {}, ...body)), rows, more);
}

function addRows({id, start, names, table}) {
  const rows = made.get(id)?.querySelector('.pg-result-rows'), file = open.find((each) => each.id === id);
  if (!rows || !file) return;
  if (!rows.firstChild) rows.append(make('table', {}, make('thead', {}, make('tr', {}, ...names.map((text) => make('th', {scope: 'col', text})))), make('tbody')));
  if (rows.querySelectorAll('tbody tr').length !== start) return;
  rows.querySelector('tbody').append(...table.map((cells) => make('tr', {}, ...cells.map((cell) => make('td', {text: cell == null ? '' : cell.toLocaleString(playground.language(), Number.isInteger(cell) ? {} : {maximumSignificantDigits: 6})})))));
  rows.nextSibling.hidden = start + table.length >= file.rows;
}

// --- jobs, and one prompt for three models ---

const dialog = $('.pg-dialog');
dialog.addEventListener('close', () => { if (comparing) trigger('stop'); comparing = null; });

function show(title, ...parts) {
  const close = iconButton('close', say('close'));
  close.addEventListener('click', () => dialog.close());
  dialog.replaceChildren(make('header', {}, make('h2', {text: title}), close), ...parts);
  if (!dialog.open) dialog.showModal();
}

const said = (notice) => playground.problem(notice).join(' ');

function pick({jobs, failed, empty}) {
  const problems = [...failed.map((each) => `${each.server}: ${said(each)}`), ...(empty.length && jobs.length ? [`${say('results_without')} ${empty.join(', ')}`] : [])];
  const rows = jobs.map((job) => {
    const row = make('button', {type: 'button', class: 'pg-result-job'}, make('strong', {text: job.model}), make('span', {class: 'pg-quiet', text: [job.server, job.id, job.created && new Date(job.created * 1000).toLocaleString(playground.language(), {dateStyle: 'medium', timeStyle: 'short'})].filter(Boolean).join(' · ')}));
    row.addEventListener('click', () => {
      dialog.close();
      if (!coming) wrong = [];
      open.length + coming < MOST_FILES ? ask('job', {server: job.server, id: job.id}) : tell(full());
    });
    return row;
  });
  show(say('results_jobs'), ...(problems.length ? [make('div', {class: 'pg-notice', 'data-tone': 'error'}, ...problems.map((text) => make('span', {text})))] : []),
    jobs.length ? make('div', {class: 'pg-result-jobs'}, ...rows) : make('p', {class: 'pg-empty', text: say('results_no_jobs')}));
}

let comparing = null, asked = 0;
const saving = gathering();

function compare(file, mark) {
  const prompt = make('textarea', {class: 'pg-result-prompt', rows: '3', 'aria-label': say('prompt')}), most = make('input', {type: 'number', min: '1', value: '64', class: 'pg-filter'}), end = make('input', {type: 'text', class: 'pg-filter'});
  const run = make('button', {type: 'button', class: 'pg-button pg-primary', text: say('results_compare')}), halt = make('button', {type: 'button', class: 'pg-button', text: say('stop'), disabled: ''}), problem = make('div', {class: 'pg-notice', 'data-tone': 'error', role: 'alert', hidden: ''});
  const columns = [say('results_base'), `${say('results_checkpoint')} ${mark.step}`, say('results_final')].map((title) => {
    const model = make('code'), text = make('div', {class: 'pg-run-text'}), notice = make('div', {class: 'pg-notice', hidden: ''});
    return {node: make('section', {}, make('h3', {text: title}), model, text, notice), model, text, notice};
  });
  const busy = (on) => { run.disabled = on; halt.disabled = !on; };
  run.addEventListener('click', () => {
    busy(true);
    problem.hidden = true;
    comparing = {n: ++asked, columns, busy, problem};
    props.value = {n: asked, id: file.id, checkpoint: mark.number, prompt: prompt.value, most: most.value ? Number(most.value) : null, stop: end.value};
    trigger('submit');
  });
  halt.addEventListener('click', () => trigger('stop'));
  show(`${say('results_checkpoint')} ${mark.step}`, prompt, make('div', {class: 'pg-result-bar'}, labelled('results_most', most), labelled('results_stop', end), run, halt), problem, make('div', {class: 'pg-result-three'}, ...columns.map((column) => column.node)));
  prompt.focus();
}

function compared(value) {
  if (!comparing || value?.of || value?.n !== comparing.n) return;
  if (value.notice) { comparing.problem.hidden = false; comparing.problem.textContent = said(value.notice); }
  value.columns?.forEach((now, at) => {
    const {model, text, notice} = comparing.columns[at], lead = now.notice?.key ? say(now.notice.key).replace(/\{(\w+)\}/g, (_, key) => now.notice[key] ?? '') : '';
    model.textContent = now.model;
    text.textContent = now.text;
    notice.hidden = !now.notice;
    notice.dataset.tone = now.notice?.tone ?? '';
    notice.textContent = now.notice ? [lead, said(now.notice)].filter(Boolean).join(' ') : '';
  });
  if (value.done || value.notice) { comparing.busy(false); comparing = null; }
}

// Checkpoints stand on the chart where they were saved; the list in the file's card is the keyboard's way to them.
function mark(chart) {
  chart.over.querySelectorAll('.pg-checkpoint').forEach((each) => each.remove());
  for (const file of open) for (const each of hidden(file) ? [] : file.checkpoints) {
    const x = each.at[across()];
    if (x == null || x < chart.scales.x.min || x > chart.scales.x.max) continue;
    const name = `${say('results_checkpoint')} ${each.step}`, button = make('button', {type: 'button', class: 'pg-checkpoint', tabindex: '-1', title: name, 'aria-label': name});
    button.style.left = chart.valToPos(x, 'x') + 'px';
    button.addEventListener('mousedown', (event) => event.stopPropagation());
    button.addEventListener('click', () => compare(file, each));
    chart.over.append(button);
  }
}

function checkpoints(file) {
  if (!file.checkpoints.length) return [];
  return [make('p', {class: 'pg-result-checkpoints'}, make('span', {class: 'pg-quiet', text: say('results_checkpoints')}), ...file.checkpoints.map((each) => {
    const button = make('button', {type: 'button', class: 'pg-button', text: `${say('results_checkpoint')} ${each.step}`});
    button.addEventListener('click', () => compare(file, each));
    return button;
  }))];
}

// --- what the server says ---

function answered(value) {
  if (value.notice) {
    if (value.of === 'open') coming = 0;
    return tell(...playground.problem(value.notice));
  }
  if (value.opened) opened(value.opened);
  if (value.curves) {
    curves = JSON.parse(value.curves);
    floor = value.floor;
    reaches() ? draw() : zoom(null);
  }
  if (value.jobs) pick(value);
  if (value.table) addRows(value);
  if (value.file) give(value.file.name, [value.file.text]);
}

// What went wrong stays said until the next files come, also while others are still on their way.
function take(files) {
  const taken = files.slice(0, Math.max(0, MOST_FILES - open.length - coming));
  if (!coming) wrong = [];
  if (taken.length < files.length && !wrong.includes(full())) wrong.push(full());
  coming += taken.length;
  taken.length ? ask('open', {files: taken}) : tell(...wrong);
}
const full = () => say('results_too_many').replace('{most}', MOST_FILES);

$('.pg-drop-zone').append(dropZone({home, say, key: 'results_drop', accept: '.csv,text/csv,text/plain', many: true, most: props.most, taken: take, problem: (text) => tell(text)}));
const jobs = make('button', {type: 'button', class: 'pg-button', text: say('results_pick')});
jobs.addEventListener('click', () => ask('jobs'));
$('.pg-result-from').append(jobs);
if (before?.view) {
  Object.assign(view, before.view);
  smoothing.value = shown.textContent = String(view.smoothing); axis.value = view.axis; log.checked = view.log; tokens.value = view.floor ?? '';
}
if (Array.isArray(before?.ids) && before.ids.length) ask('again', {ids: before.ids});
new ResizeObserver(() => { const width = Math.max(260, charts.clientWidth - 26); if (charts.clientWidth) for (const chart of plots) if (chart.width !== width) chart.setSize({width, height: 260}); }).observe(charts);
new MutationObserver(() => { if (plots.length) draw(); }).observe(document.body, {attributes: true, attributeFilter: ['class']});
watch('value', () => {
  compared(props.value);
  if (saving.takes(props.value)) {
    if (props.value.notice) tell(said(props.value.notice));
    if (!saving.open) { saves.shift(); drawFiles(); save(); }
  }
  heard(props.value);
});
