// The parameter panel: one compact row a parameter, each of which can be unset. Value: {name: value or null, …}.
// A row that the open tab does not have is hidden; one that the chosen model refuses is marked, and what it says is not sent.
const {make} = playground, say = playground.saying();
const root = element.querySelector('.pg-params');
let values = {}, rows = new Map(), touched = false, specs = props.specs;
const panel = {prefix: 'pg-param-', values: () => values, set, publish};
// In Compare, what a column shows is one answer, and as text.
const ONE_ANSWER = ['n', 'best_of', 'echo', 'logprobs'];
const start = JSON.stringify(props.value);

function publish() {
  props.value = {...values};
  trigger('input');
  playground.recount();
  playground.keep('params', values);
  mark();
  playground.tell('base', {values: {...values}});
}

function set(name, value) {
  values[name] = value;
  rows.get(name).show(value);
  publish();
}

// What the open tab has and what the model takes. A schema's row stands under the format that asks for it.
function mark() {
  const mode = playground.asks(), comparing = playground.mode() === 'compare', refused = comparing ? {} : props.refused || {};
  for (const spec of specs) {
    const {row} = rows.get(spec.name), reason = refused[spec.name];
    row.hidden = !spec.modes.includes(mode) || (comparing && ONE_ANSWER.includes(spec.name)) || (spec.name === 'json_schema' && values.response_format !== 'json_schema') || (spec.name === 'tool_choice' && !values.tools);
    const idle = reason && values[spec.name] != null && !(spec.name === 'temperature' && values[spec.name] === 1);
    row.classList.toggle('pg-refused', Boolean(reason));
    let note = row.querySelector('.pg-refused-note');
    if (!idle) note?.remove();
    else { note ??= row.appendChild(make('div', {class: 'pg-refused-note'})); note.textContent = say('left_out_' + reason); }
  }
}

function build() {
  root.textContent = ''; rows = new Map();
  root.append(make('p', {class: 'pg-base-note', text: say('compare_base')}));
  const more = make('details', {class: 'pg-more'}, make('summary', {text: say('more_parameters')}));
  for (const spec of specs) {
    const made = playground.paramRow(spec, panel);
    rows.set(spec.name, made);
    (spec.more ? more : root).append(made.row);
  }
  root.append(more);
}

function show(value) {
  values = {...(value || {})};
  for (const [name, row] of rows) row.show(values[name] ?? null);
  mark();
}

function restore() {
  const kept = playground.kept('params');
  if (kept && typeof kept === 'object') { show({...values, ...Object.fromEntries(Object.entries(kept).filter(([name]) => rows.has(name)))}); publish(); }
}

build();
show(props.value);
watch('value', () => {
  const now = JSON.stringify(props.value);
  if (now === JSON.stringify(values)) return;
  // Gradio writes the initial value once more, some time after mounting: until a person has touched it, what was restored wins.
  if (!touched && now === start) return publish();
  show(props.value);
  playground.recount();
  playground.keep('params', values);
  playground.tell('base', {values: {...values}});
});
root.addEventListener('input', () => { touched = true; }, true);
root.addEventListener('click', () => { touched = true; }, true);
watch('specs', () => { specs = props.specs; build(); show(values); playground.tell('base', {values: {...values}}); });
// What the list knows of a model holds at once; what only the server knows of it follows.
playground.hear('model', ({context}) => {
  if (!context || specs.some((spec) => spec.name === 'max_tokens' && spec.high === context)) return;
  specs = specs.map((spec) => spec.name === 'max_tokens' ? {...spec, high: context} : spec);
  build(); show(values);
});
playground.hear('stop', ({text}) => { const now = values.stop || []; if (!now.includes(text) && now.length < 4) { touched = true; set('stop', [...now, text]); show(values); } });
watch('refused', mark);
playground.hear('mode', mark);
// Who asks is told what every column of Compare has in common, and which rows there are.
playground.hear('panel', (into) => Object.assign(into, {values: {...values}, specs: specs.filter((spec) => spec.modes.includes(into.mode) && !ONE_ANSWER.includes(spec.name))}));
restore();
