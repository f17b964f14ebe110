// The Usage tab: bars by day, stacked by model, drawn as SVG; a table of how long each model took.
// Value to the server: {days, offset, whose, n}; from it: {days, rows, latencies, allowed, totals, host, notice}; rows of sweeps say
// so. A shared page's host may see everybody's, by model or by visitor.
const {make} = playground, say = playground.saying(), SVG = 'http://www.w3.org/2000/svg';
const $ = (selector) => element.querySelector(selector);
const bar = $('.pg-usage-bar'), charts = $('.pg-charts'), table = $('.pg-usage-table'), totals = $('.pg-usage-totals'), notice = $('.pg-notice');
const COLOURS = 7, WIDTH = 720, HEIGHT = 200, LEFT = 56, BOTTOM = 24, TOP = 8;
let n = 0, days = 30, whose = 'mine';

function ask() {
  props.value = {days, whose, offset: -new Date().getTimezoneOffset(), n: ++n};
  trigger('input');
}

const draw = (tag, attributes, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

// A round number of steps up to the largest bar.
function scale(most) {
  const power = 10 ** Math.floor(Math.log10(most)), step = [1, 2, 5, 10].map((by) => by * power / 2).find((by) => most / by <= 4) || power;
  return {step, top: Math.ceil(most / step - 1e-9) * step};
}

const compact = (value) => new Intl.NumberFormat(playground.language(), {notation: 'compact', maximumFractionDigits: 1}).format(value);
const money = (value) => value === 0 ? '$0' : value >= 0.01 ? '$' + value.toFixed(2) : '$' + value.toPrecision(2);
const dayName = (day) => new Date(day + 'T12:00').toLocaleDateString(playground.language(), {day: 'numeric', month: 'short'});

function chart(title, key, value, format, models) {
  const figure = make('figure', {class: 'pg-chart'}, make('figcaption', {text: say(title)}));
  const byDay = new Map(value.days.map((day) => [day, []]));
  for (const row of value.rows) byDay.get(row.day)?.push(row);
  const most = Math.max(...[...byDay.values()].map((rows) => rows.reduce((sum, row) => sum + row[key], 0)), 0);
  if (!most) { figure.append(make('p', {class: 'pg-empty', text: say('chart_none')})); return figure; }
  const {step, top} = scale(most), left = Math.max(LEFT, 10 + 7 * Math.max(...[step, top].map((each) => format(each).length)));
  const width = (WIDTH - left) / value.days.length, y = (amount) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - amount / top);
  const svg = draw('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${say(title)}: ${format(value.rows.reduce((sum, row) => sum + row[key], 0))}`});
  for (let at = 0; at <= top + step / 2; at += step) svg.append(draw('line', {x1: left, x2: WIDTH, y1: y(at), y2: y(at), class: 'pg-grid'}), draw('text', {x: left - 8, y: y(at) + 4, 'text-anchor': 'end'}, format(at)));
  const every = Math.ceil(value.days.length / 8);
  value.days.forEach((day, at) => {
    let sum = 0;
    for (const row of byDay.get(day).sort((a, b) => models.indexOf(a.model) - models.indexOf(b.model))) {
      const x = left + at * width + width * 0.12, height = y(sum) - y(sum + row[key]);
      svg.append(draw('rect', {x, y: y(sum + row[key]), width: width * 0.76, height, 'data-colour': models.indexOf(row.model) % COLOURS}, draw('title', {}, `${dayName(day)} · ${row.model} · ${format(row[key])}`)));
      sum += row[key];
    }
    if (at % every === 0) svg.append(draw('text', {x: left + (at + 0.5) * width, y: HEIGHT - 6, 'text-anchor': 'middle'}, dayName(day)));
  });
  figure.append(svg);
  return figure;
}

function show(value) {
  if (!value || value.n !== n) return;
  notice.hidden = !value.notice;
  view.hidden = !value.host;
  if (value.notice) return notice.replaceChildren(...playground.problem(value.notice).map((text) => make('span', {text})));
  // A sweep's calls are no runs: of one model they are a colour of their own.
  for (const row of value.rows) if (row.sweep) row.model = row.model ? say('usage_by_sweeps').replace('{model}', row.model) : say('usage_sweeps');
  const weight = new Map();
  for (const row of value.rows) weight.set(row.model, (weight.get(row.model) || 0) + row.tokens);
  const models = [...weight.keys()].sort((a, b) => weight.get(b) - weight.get(a));
  const cell = (key, text) => make('div', {class: 'pg-cell'}, make('span', {class: 'pg-cell-label', text: say(key)}), make('span', {class: 'pg-cell-value', text}));
  totals.replaceChildren(cell('usage_runs', value.totals.runs.toLocaleString()), cell('usage_tokens', value.totals.tokens.toLocaleString()), cell('usage_cost', value.totals.cost), ...(value.totals.calls || value.rows.some((row) => row.sweep) ? [cell('usage_calls', value.totals.calls.toLocaleString()), cell('usage_swept', value.totals.swept)] : []));
  table.replaceChildren(...(value.latencies?.length ? [latencies(value)] : []), ...(value.allowed?.length ? [allowed(value)] : []));
  if (!value.rows.length) { charts.replaceChildren(make('p', {class: 'pg-empty', text: say('usage_empty')})); return; }
  const legend = make('div', {class: 'pg-chart-legend'}, ...models.slice(0, 12).map((name, at) => make('span', {}, make('i', {'data-colour': String(at % COLOURS)}), name)));
  charts.replaceChildren(chart('usage_cost', 'cost', value, money, models), chart('usage_tokens', 'tokens', value, compact, models), legend);
}

function byModel(caption, names, rows, cells) {
  return make('table', {}, make('caption', {text: say(caption)}), make('thead', {}, make('tr', {}, ...names.map((name) => make('th', {scope: 'col', text: say(name)})))),
    make('tbody', {}, ...rows.map((row) => make('tr', {}, make('th', {scope: 'row', text: row.model}), ...cells(row).map((text) => make('td', {text}))))));
}

function latencies(value) {
  const figures = ['latency_p50', 'latency_p95', 'ttft_p50', 'ttft_p95'];
  return byModel('usage_latency', ['model', 'usage_runs', ...figures], value.latencies, (row) => [row.runs.toLocaleString(), ...figures.map((name) => row[name])]);
}

// By the server's own word: what is left of its limits, and in how long they are whole again.
function allowed(value) {
  const of = (pair) => pair ? say('usage_left_of').replace('{left}', pair[0].toLocaleString()).replace('{limit}', pair[1].toLocaleString()) : '–';
  return byModel('usage_allowed', ['model', 'usage_requests_left', 'usage_tokens_left', 'usage_whole_in'], value.allowed, (row) => [of(row.requests), of(row.tokens), row.seconds]);
}

const choose = make('select', {class: 'pg-select', 'aria-label': say('usage_period')}, ...props.days.map((count) => make('option', {value: String(count), text: say('last_days').replace('{count}', count)})));
choose.value = String(days);
choose.addEventListener('change', () => { days = Number(choose.value); ask(); });
const view = make('select', {class: 'pg-select', 'aria-label': say('usage_whose')}, ...[['mine', 'usage_whose_mine'], ['model', 'usage_whose_model'], ['visitor', 'usage_whose_visitor']].map(([value, key]) => make('option', {value, text: say(key)})));
view.hidden = true;
view.addEventListener('change', () => { whose = view.value; ask(); });
bar.append(choose, view);
watch('value', () => show(props.value));
playground.hear('mode', (mode) => { if (mode === 'usage') ask(); });
if (playground.mode() === 'usage') ask();
