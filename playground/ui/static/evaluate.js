// The Evaluate tab: a form, what it costs, how far it is, and the table. What a sweep is and does is sweep_run.js's.
// Value to the server: {action, n, language, …}; from it: {of, n, …, notice}; a file comes in parts (files.js).
const OWN = new Set(['run', 'calls_of', 'progress', 'past', 'none', 'cell', 'all_cells'].map((key) => 'sweep_' + key));
const {make, textButton, keep, kept, files: {gathering}} = playground, words = playground.saying(), say = (key) => words(OWN.has(key) ? key.replace('sweep_', 'evaluate_') : key);
const root = element.querySelector('.pg-evaluate'), {ask: inquire, heard} = playground.asking({props, trigger, answered});
const saving = gathering();
let keeping = 0, saves = 1e6, chosen = {}, entered = false;  // saves: other numbers than those of questions

// What the table is read by goes with the question for it.
function ask(action, more = {}) {
  if (action === 'open') table.wait();
  inquire(action, action === 'open' ? {...more, ...chosen} : more);
}
const form = make('div', {class: 'pg-evaluate-form'});
const fields = playground.evaluateForm({home: form, say, ask, groups: props.groups, changed});
const run = playground.sweepRun({home: root, say, ask, tab: 'evaluate', spec: fields.spec, wrong: (...given) => playground.sweepParts.wrong(form, ...given), results, none});
const outputs = playground.sweepOutputs({say, ask, id: () => run.id});
const table = playground.evaluateTable({say, open: outputs.open, by(now) { chosen = {...chosen, ...now}; run.by(chosen.measure ?? ''); }});

const saver = (kind) => textButton(say('evaluate_save_' + kind), () => { saving.begin(++saves); props.value = {n: saves, kind, id: run.id, language: playground.language(), ...chosen}; trigger('submit'); });
const exports = make('div', {class: 'pg-prepare-actions', hidden: ''}, ...['html', 'json', 'csv'].map(saver), textButton(say('evaluate_to_rate'), () => playground.tell('rate', run.id)));

function results(said) {
  table.show(said);
  outputs.show(said);
  exports.hidden = false;
}
function none() {
  chosen = {};
  table.hide();
  outputs.hide();
  exports.hidden = true;
}

function changed() {
  clearTimeout(keeping);
  keeping = setTimeout(() => keep('evaluate_form', fields.spec()), 300);
  ready();
}
// Nothing is asked of a form that nobody has begun to fill in.
function ready() {
  const {models, dataset} = fields.spec();
  if (models && dataset) run.changed();
}

function answered(value) {
  if (value.of === 'open' && value.notice) {
    chosen = {};
    table.hide();
  }
  if (fields.heard(value) || run.heard(value) || outputs.heard(value)) return;
  if (value.notice && !playground.sweepParts.wrong(form, value.notice.param, playground.problem(value.notice))) run.tell(...playground.problem(value.notice));
}

root.append(make('h2', {text: say('evaluate_title')}), make('p', {class: 'pg-quiet', text: say('evaluate_about')}), form, run.foot, run.notice, run.now, table.node, exports, outputs.node, run.past);
const draft = kept('evaluate_form');
if (draft && typeof draft === 'object' && !Array.isArray(draft)) try { fields.put(draft); } catch { fields.put({metrics: ['exact_match']}); }
// The server is asked when the tab is first looked at, and again at each return: datasets may have come.
function enter(mode) {
  if (mode !== 'evaluate') return;
  fields.cases.refresh();
  fields.look();
  run.enter();
  if (!entered) ready();
  entered = true;
}
// The Datasets tab's way here.
playground.hear('use_dataset', ({tab, name}) => {
  if (tab !== 'evaluate') return;
  fields.cases.put(name);
  changed();
  playground.openTab('evaluate');
});
playground.hear('mode', enter);
enter(playground.mode());
watch('value', () => { if (!saving.takes(props.value)) heard(props.value); else if (props.value.notice) run.tell(...playground.problem(props.value.notice)); });
