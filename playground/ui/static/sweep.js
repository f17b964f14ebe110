// The Sweep tab: a form, what it costs, how far it is, and what came of it. What a sweep is and does is sweep_run.js's.
// Value to the server: {action, n, language, …}; from it: {of, n, …, notice}; a file comes in parts (files.js).
const {make, textButton, keep, kept, files: {dropZone, give, gathering}} = playground, say = playground.saying();
const root = element.querySelector('.pg-sweep'), {ask, heard} = playground.asking({props, trigger, answered});
const saving = gathering(), FILES = 700000000;
let entered = false, keeping = 0, last = 'complete';

const form = make('div', {class: 'pg-sweep-form'});
const fields = playground.sweepForm({home: form, say, ask, names: props.names, kinds: props.kinds, changed});
const inquire = (action, more) => ask(action, action === 'open' ? {...more, outputs: outputs.wanted(more.id)} : more);
const run = playground.sweepRun({home: root, say, ask: inquire, tab: 'sweep', spec: fields.spec, wrong: (...given) => playground.sweepParts.wrong(form, ...given), results, none});
const outputs = playground.sweepOutputs({say, ask, id: () => run.id});
const figures = playground.sweepFigures({say, ask, id: () => run.id, by: run.by, pick: (cells) => outputs.of(cells), act: (action, cell) => { run.tell(); ask(action, {id: run.id, cell}); }});

// --- the spec's own buttons ---

const file = make('input', {type: 'file', accept: '.yaml,.yml,.json', hidden: '', 'aria-hidden': 'true', tabindex: '-1'});
const bar = make('div', {class: 'pg-prepare-actions'}, textButton(say('sweep_take'), take), textButton(say('sweep_import'), () => { file.value = ''; file.click(); }), textButton(say('sweep_export_yaml'), () => ask('write', {spec: fields.spec()})), textButton(say('sweep_export_json'), () => ask('write', {spec: fields.spec(), json: true})), textButton(say('sweep_clear'), () => { fields.put({}); changed(); }), file);
file.addEventListener('change', async () => { if (file.files[0]) ask('read', {text: await file.files[0].text(), name: file.files[0].name}); });

// The model, what is written and the parameters of the tab that was open before this one.
function take() {
  const {ref} = playground.tell('model?', {}), {values = {}} = playground.tell('panel', {mode: last}), said = playground.tell('written', {scope: last});
  const messages = [...(said.system ? [{role: 'system', content: said.system}] : []), ...(said.messages ?? [])];
  const now = fields.spec(), {prompt, messages: before, presets, models, ...rest} = now;
  fields.put({...rest, models: [...new Set([...(models ?? []), ref].filter(Boolean))], ...(last === 'complete' ? {prompt: said.text ?? ''} : {messages})});
  ask('take', {mode: last, params: values});
}

// --- what came of it ---

const saver = (kind) => textButton(say('sweep_save_' + kind), () => { saving.begin(++saves); props.value = {n: saves, kind, id: run.id, language: playground.language()}; trigger('submit'); });
let saves = 1e6;  // other numbers than those of questions
const exports = make('div', {class: 'pg-prepare-actions', hidden: ''}, ...['csv', 'json', 'html'].map(saver), textButton(say('evaluate_to_rate'), () => playground.tell('rate', run.id)), textButton(say('sweep_again'), () => ask('spec', {id: run.id})));
function results(said) {
  figures.show(said);
  outputs.show(said);
  exports.hidden = false;
}
function none() {
  figures.hide();
  outputs.hide();
  exports.hidden = true;
}

function changed() {
  clearTimeout(keeping);
  keeping = setTimeout(keepNow, 300);
  run.changed();
}

function keepNow() {
  keeping = 0;
  keep('sweep_form', fields.spec());
}

function answered(value) {
  if (value.of === 'read' && value.notice) return run.tell(...playground.problem(value.notice));
  if (fields.heard(value) || run.heard(value) || outputs.heard(value) || figures.heard(value)) return;
  if (value.notice) { if (!(value.of === 'write' && playground.sweepParts.wrong(form, value.notice.param, playground.problem(value.notice)))) run.tell(...playground.problem(value.notice)); return; }
  run.tell();
  if (value.spec) { fields.put(value.spec); changed(); form.scrollIntoView({block: 'nearest'}); }
  if (value.taken) { fields.put({...fields.spec(), parameters: value.taken}); changed(); }
  if (value.file) give(value.file.name, [value.file.text]);
  if (value.zip) give(value.zip.name, [Uint8Array.from(atob(value.zip.base64), (each) => each.charCodeAt(0))], 'application/zip');
}

root.append(make('h2', {text: say('sweep_title')}), make('p', {class: 'pg-quiet', text: say('sweep_about')}), bar, form, run.foot, run.notice, run.now, figures.node, outputs.node, exports, run.past);
const draft = kept('sweep_form');
if (draft && typeof draft === 'object' && !Array.isArray(draft)) try { fields.put(draft); } catch { fields.put({}); }
// The server is asked when the tab is first looked at, and again at each return: datasets and presets may have come.
function enter(mode) {
  if (['complete', 'chat'].includes(mode)) last = mode;
  if (mode !== 'sweep') return;
  fields.cases.refresh();
  ask('presets');
  run.enter();
  if (!entered && fields.spec().models) run.changed();
  entered = true;
}
playground.hear('mode', enter);
window.addEventListener('pagehide', () => { if (keeping) { clearTimeout(keeping); keepNow(); } });
// The Datasets tab's button: its cases are what is asked, or what the prompt is filled in from.
playground.hear('use_dataset', ({tab, name}) => {
  if (tab !== 'sweep') return;
  fields.put({...fields.spec(), dataset: name});
  changed();
  playground.openTab('sweep');
});
enter(playground.mode());
watch('value', () => { if (!saving.takes(props.value)) heard(props.value); else if (props.value.notice) run.tell(...playground.problem(props.value.notice)); });
