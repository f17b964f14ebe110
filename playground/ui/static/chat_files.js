// The Fine-tune tab's training sets: a file and its validation file, what is wrong, three histograms, the price, files made of it.
// Value to the server: {action, n, language, …}; from it: {of, n, id | set | files | price | notice}.
const {make, textButton, keep, kept, files: {dropZone, give}} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const home = $('.pg-sets'), notice = $('.pg-notice'), about = $('.pg-sets-about'), list = $('.pg-prepare-findings'), charts = $('.pg-sets-charts'), actions = $('.pg-sets-actions'), price = $('.pg-prepare-price');
let ids = {train: null, valid: null};
const {ask, heard} = playground.asking({props, trigger, answered});

const tell = playground.telling(notice);
const about_ = (more = {}) => ({id: ids.train, valid: ids.valid, ...more});
const fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => values[name].toLocaleString(playground.language()));

function look() {
  keep('sets', ids);
  ask('look', about_());
}

// --- what it is ---

function head({name, kind, examples, valid, fit}) {
  about.hidden = false;
  about.replaceChildren(make('strong', {text: name}), make('span', {text: `${fill('sets_examples', {count: examples})} · ${say('sets_' + kind)}`}),
    make('span', {class: 'pg-sets-verdict', 'data-fit': String(fit), text: say(fit ? 'sets_fit' : 'sets_unfit')}),
    ...(valid ? [make('span', {class: 'pg-quiet', text: `${say('sets_valid')}: ${valid.name}, ${fill('sets_examples', {count: valid.examples})}`})] : []));
}

function finding({severity, text, hint, lines, more, example}) {
  const body = make('div', {}, make('span', {text}), ...(hint ? [make('span', {class: 'pg-quiet', text: ' ' + hint})] : []));
  const where = lines.length ? `${say('sets_line')} ${lines.map((group) => group.map((line) => line.toLocaleString(playground.language())).join(' = ')).join(', ')}${more ? ' ' + fill('sets_more', {count: more}) : ''}` : '';
  if (where || example) body.append(make('div', {class: 'pg-finding-where'}, where, ...(example ? [' ', make('code', {text: example})] : [])));
  return make('div', {class: 'pg-finding', 'data-severity': severity}, make('span', {class: 'pg-finding-mark', 'data-severity': severity, text: say('finding_' + severity)}), body);
}

// The figures behind a histogram, for whoever wants to read them or can't see it.
function numbers(key, of) {
  const rows = of.counts.map((count, at) => make('tr', {}, make('th', {scope: 'row', text: range(of, at)}), make('td', {text: count.toLocaleString(playground.language())})));
  return make('details', {class: 'pg-histogram-numbers'}, make('summary', {text: say('sets_numbers')}),
    make('table', {'aria-label': say(key)}, make('thead', {}, make('tr', {}, make('th', {scope: 'col', text: say(key)}), make('th', {scope: 'col', text: say('sets_count')}))), make('tbody', {}, ...rows)));
}

function range(of, at) {
  const [low, high] = [of.edges[at], of.edges[at + 1] - 1].map((edge) => edge.toLocaleString(playground.language()));
  return low === high ? low : `${low}–${high}`;
}

// Bars as they stand in the file; what they say is written below, too.
function histogram(key, of) {
  const SVG = 'http://www.w3.org/2000/svg', top = Math.max(...of.counts, 1), wide = 100 / of.counts.length, svg = document.createElementNS(SVG, 'svg');
  const figures = fill('sets_figures', of), set = (node, values) => { for (const [name, value] of Object.entries(values)) node.setAttribute(name, value); return node; };
  set(svg, {viewBox: '0 0 100 40', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${say(key)}: ${figures}`});
  of.counts.forEach((count, at) => {
    const bar = set(document.createElementNS(SVG, 'rect'), {x: at * wide + wide * 0.06, width: wide * 0.88, y: 40 - 38 * count / top, height: 38 * count / top}), title = document.createElementNS(SVG, 'title');
    title.textContent = `${range(of, at)}: ${count.toLocaleString(playground.language())}`;
    bar.append(title);
    svg.append(bar);
  });
  return make('figure', {class: 'pg-histogram'}, make('figcaption', {text: say(key)}), svg, make('p', {class: 'pg-histogram-ends'}, make('span', {text: of.edges[0].toLocaleString(playground.language())}), make('span', {text: (of.edges.at(-1) - 1).toLocaleString(playground.language())})), make('p', {class: 'pg-quiet', text: figures}), numbers(key, of));
}

// --- what can be made of it ---

const field = (key, box) => make('label', {class: 'pg-result-control'}, make('span', {text: say(key)}), box);
const number = (attributes) => make('input', {type: 'number', class: 'pg-filter', ...attributes});

const button = (key, fn) => textButton(say(key), fn);

function offer({kind, ratio, valid}) {
  const share = number({min: '0.01', max: '0.99', step: '0.01', value: String(ratio)}), seed = number({min: '0', step: '1', value: '42'});
  const system = make('input', {type: 'text', class: 'pg-filter pg-sets-system', placeholder: say('sets_system'), 'aria-label': say('sets_system')});
  const pairs = kind === 'pairs', halves = () => about_({ratio: Number(share.value), seed: Number(seed.value)});
  actions.hidden = false;
  actions.replaceChildren(
    make('div', {class: 'pg-sets-row'}, field('sets_ratio', share), field('sets_seed', seed), button('sets_split', () => ask('split', halves())), button(valid ? 'dataset_of_valid_file' : 'dataset_of_valid', () => ask('dataset', halves()))),
    make('div', {class: 'pg-sets-row'}, ...(pairs ? [system] : []), button(pairs ? 'sets_to_chat' : 'sets_to_pairs', () => ask('convert', about_({system: system.value})))),
    make('div', {class: 'pg-sets-row'}, button('sets_unique', () => ask('unique', about_())), button('sets_price', () => { playground.priceWaits(price, say); ask('price', about_()); })));
}

// --- what the server says ---

function answered(value) {
  if (value.of === 'price') price.querySelector(':scope > [role=status]')?.remove();
  if (value.notice) { if (value.of === 'look' && about.hidden) keep('sets', ids = {train: null, valid: null}); return tell(...playground.problem(value.notice)); }
  tell();
  if (value.id) { ids = value.role === 'valid' ? {...ids, valid: value.id} : {train: value.id, valid: null}; price.replaceChildren(); if (ids.train) look(); }
  if (value.set) {
    head(value.set);
    list.replaceChildren(...value.set.findings.map(finding));
    const drawn = value.set.charts;
    charts.replaceChildren(...(drawn ? [...['tokens', 'turns', 'completions'].map((name) => histogram('sets_' + name, drawn[name])), ...[drawn.exact ? '' : say('sets_estimate'), drawn.of < value.set.examples ? fill('price_part', {records: drawn.of, of: value.set.examples}) : ''].filter(Boolean).map((text) => make('p', {class: 'pg-quiet', text}))] : []));
    value.set.examples ? offer(value.set) : actions.hidden = true;
    second.hidden = false;
  }
  if (value.kept) playground.datasetMade(say, value.kept);
  if (value.files) for (const file of value.files) give(file.name, [file.text]);
  if (value.left?.length) playground.tell('notice', {tone: 'info', message: value.left.join(' ')});
  if (value.price) playground.priceTable({home: price, say, found: value.price, again: (epochs) => ask('price', about_({epochs}))});
}

$('h2').textContent = say('sets_title');
const zone = (key, role, place = make('div')) => { place.append(dropZone({home: role === 'train' ? home : place, say, key, accept: '.csv,.tsv,.xlsx,.txt,.json,.jsonl', most: props.most, taken: ([file]) => ask('open', {file, role}), problem: (text) => tell(text)})); return place; };
const second = zone('sets_valid_none', 'valid');
second.hidden = true;
$('.pg-drop-zone').append(zone('sets_drop', 'train'), second);
const before = kept('sets');
if (typeof before?.train === 'string') { ids = {train: before.train, valid: typeof before.valid === 'string' ? before.valid : null}; ask('look', about_()); }
watch('value', () => heard(props.value));
