// The Fine-tune tab's jobs: a form, the list over all servers, and one job's detail (job.js) while it runs.
// Value to the server: {action, n, language, …}; from it: {of, n, jobs | created | changed | checkpoints | file | notice}.
const {make, textButton, iconButton, swap, keep, kept, files: {dropZone, give}} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const notice = $('.pg-notice'), form = $('.pg-jobs-form'), list = $('.pg-jobs-list'), fold = $('.pg-jobs-new');
const {ask, heard} = playground.asking({props, trigger, answered});
const detail = playground.jobDetail({home: $('.pg-jobs-detail'), say, words: props.words[playground.language()], act: (action, more = {}) => ask(action, about(more))});
const files = {}, fields = {};
// What is followed outlives a reload: {endpoint, id}.
let jobs = [], after = {}, notes = [], chosen = kept('job'), loaded = false, listed = false, kinds = {}, closing = '', trained = {};
if (typeof chosen?.endpoint !== 'string' || typeof chosen?.id !== 'string') chosen = null;

const tell = playground.telling(notice);
const button = (key, fn, primary = false) => textButton(say(key), fn, primary);
const same = (job) => chosen && job.endpoint === chosen.endpoint && job.id === chosen.id;
const about = (more = {}) => ({endpoint: chosen.endpoint, job: chosen.id, ...more});
const reload = () => { after = {}; ask('list'); };

// --- a new job ---

function field(name, key, attributes, node = make('input', {class: 'pg-filter', autocomplete: 'off', placeholder: say('jobs_auto'), ...attributes})) {
  fields[name] = node;
  return make('label', {}, make('span', {text: say(key)}), node);
}

function drop(role) {
  const home = make('div', {class: 'pg-jobs-file'}), name = make('p', {class: 'pg-jobs-name', 'aria-live': 'polite'});
  const remove = iconButton('close', say('remove'));
  remove.addEventListener('click', () => chosenFile(role, null));
  home.append(dropZone({home, say, key: 'jobs_' + role, accept: '.jsonl', most: props.most, taken: ([file]) => ask('open', {file, role}), problem: (text) => tell(text)}), name);
  files[role] = {id: null, name, remove};
  return home;
}

function chosenFile(role, file) {
  const {name, remove} = files[role];
  files[role].id = file?.id ?? null;
  name.replaceChildren(...(file ? [make('span', {text: say('jobs_file_' + role).replace('{name}', () => file.name)}), remove] : []));
  estimate();
}

// What the job would take, as long as what is asked for stays the same. Only the embedded engine tells.
function estimate() {
  clearTimeout(due);
  takes.hidden = true;
  due = setTimeout(() => { if (!own.hidden && files.training.id) ask('estimate', {...written(), training: files.training.id}); }, 400);
}

const takes = make('p', {class: 'pg-quiet pg-jobs-wide pg-jobs-takes', role: 'status', hidden: ''});
let due = 0;
const bases = make('datalist', {id: 'pg-jobs-bases'}), start = button('jobs_create', create, true), closed = make('p', {class: 'pg-quiet pg-jobs-wide pg-jobs-closed', role: 'status', hidden: ''}), trains = make('p', {class: 'pg-quiet pg-jobs-wide', role: 'status', hidden: ''});
const method = make('select', {class: 'pg-select'}, ...['supervised', 'dpo'].map((name) => make('option', {value: name, text: say('jobs_method_' + name)}))), explained = make('span', {class: 'pg-quiet'});
const beta = field('beta', 'jobs_beta', {type: 'number', min: '0', max: '2', step: 'any'});
// What the embedded engine knows beyond OpenAI's API.
const trainer = make('select', {class: 'pg-select'}, ...['numpy', 'torch'].map((name) => make('option', {value: name === 'numpy' ? '' : name, text: say('jobs_trainer_' + name)})));
const own = make('div', {class: 'pg-jobs-row pg-jobs-wide', hidden: ''}, field('early_stopping', 'jobs_early_stopping', {type: 'number', min: '1', max: '1000', placeholder: '–'}),
  field('positive_class', 'jobs_positive_class', {maxlength: '200', placeholder: '–'}), field('classes', 'jobs_classes', {type: 'number', min: '2', max: '10000', placeholder: '–'}), field('trainer', 'jobs_trainer', {}, trainer));
const other = make('div', {class: 'pg-jobs-row pg-jobs-wide'}, field('method', 'jobs_method', {}, method), beta, explained);
form.append(
  make('div', {class: 'pg-jobs-row pg-jobs-wide'}, field('base', 'jobs_base', {list: 'pg-jobs-bases', placeholder: ''}), bases, field('suffix', 'jobs_suffix', {maxlength: '64', placeholder: ''})), closed, trains,
  other,
  drop('training'), drop('validation'),
  field('epochs', 'epochs', {type: 'number', min: '1', max: '50'}), field('batch_size', 'jobs_batch_size', {type: 'number', min: '1', max: '256'}),
  field('learning_rate_multiplier', 'jobs_learning_rate_multiplier', {type: 'number', min: '0', step: 'any'}), field('seed', 'jobs_seed', {type: 'number', min: '0', max: '2147483647'}), own, takes, start);
form.addEventListener('submit', (event) => event.preventDefault());
method.addEventListener('change', asMethod);
fields.base.addEventListener('input', warn);
form.addEventListener('input', estimate);

function asMethod() {
  beta.hidden = method.value !== 'dpo';
  explained.textContent = say('jobs_method_about_' + method.value);
}

// OpenAI's closing dates are said before anything is uploaded to it. A base without a server's name goes to the first.
function warn() {
  const names = Object.keys(kinds), [before] = fields.base.value.split('/'), server = before in kinds ? before : names[0];
  closed.hidden = !closing || kinds[server] !== 'openai' || !(fields.base.value.trim() || names.every((name) => kinds[name] === 'openai'));
  closed.textContent = closed.hidden ? '' : `${closing} ${say('jobs_elsewhere')}`;
  // The embedded engine has one method, and settings of its own.
  own.hidden = kinds[server] !== 'engine';
  other.hidden = !own.hidden;
  // Which trainer takes the model, and with what memory; where only one does, it is chosen.
  const about = trained[fields.base.value.trim()] ?? trained[`${server}/${fields.base.value.trim()}`];
  trains.textContent = about ? playground.trainedBy(say, about) : '';
  trains.hidden = !trains.textContent;
  if (about?.trainable === 'torch') trainer.value = 'torch';
}

function written() {
  const all = Object.fromEntries(Object.entries(fields).map(([name, box]) => [name, box.type === 'number' ? (box.value === '' ? null : Number(box.value)) : box.value]));
  if (other.hidden) all.method = '';
  if (all.method !== 'dpo') all.beta = null;
  if (own.hidden) for (const name of ['early_stopping', 'positive_class', 'classes', 'trainer']) all[name] = null;
  return all;
}

function create() {
  start.disabled = true;
  start.textContent = say('jobs_creating');
  tell();
  ask('create', {...written(), training: files.training.id, validation: files.validation.id});
}

// --- the list ---


const items = new Map(), more = button('jobs_more', () => { more.disabled = true; ask('list', {after}); }), again = button('jobs_reload', reload), buttons = make('div', {class: 'pg-prepare-actions'});

// A row is made anew only when what it says has changed.
function item(job) {
  const key = `${job.endpoint}/${job.id}`, state = JSON.stringify([job.status, job.model, Boolean(same(job))]), before = items.get(key);
  if (before?.state === state) return before.node;
  const node = make('button', {type: 'button', class: 'pg-job', 'aria-pressed': String(Boolean(same(job))), 'data-key': key});
  const when = job.created ? new Date(job.created * 1000).toLocaleString(undefined, {dateStyle: 'medium', timeStyle: 'short'}) : '';
  node.append(make('strong', {text: detail.nameOf(job)}), detail.status(job), make('span', {class: 'pg-quiet', text: [job.endpoint, when].filter(Boolean).join(' · ')}));
  node.addEventListener('click', () => choose(job));
  items.set(key, {state, node});
  return node;
}

function show() {
  const said = notes.map((note) => make('p', {class: 'pg-quiet', text: note.none ? say('jobs_none').replace('{name}', () => note.endpoint) : `${note.endpoint}: ${playground.problem(note).join(' ')}`}));
  const empty = jobs.length || !listed ? [] : [make('p', {class: 'pg-quiet', text: say('jobs_empty')})];
  swap(buttons, Object.keys(after).length ? [more, again] : [again]);
  swap(list, [...jobs.map(item), ...empty, ...said, buttons]);
}

// --- one job ---

function choose(job) {
  chosen = {endpoint: job.endpoint, id: job.id};
  keep('job', chosen);
  tell();
  show();
  detail.show({about: job});
  playground.tell('follow', about());
}

function begun(job) {
  jobs = [job, ...jobs];
  choose(job);
}

playground.hear('job', (job) => { begun(job); element.scrollIntoView({behavior: 'smooth', block: 'start'}); });

playground.hear('followed', (said) => {
  if (!chosen || said.endpoint !== chosen.endpoint || said.job !== chosen.id) return;
  if (said.notice) {
    // What was followed before a reload may be gone by now.
    if (said.gone) { chosen = null; keep('job', null); detail.clear(); show(); }
    return tell(...playground.problem(said.notice));
  }
  detail.show(said);
  jobs = jobs.map((job) => same(job) ? said.about : job);
  show();
});

// A job whose model was deleted is looked at again, and stays.
playground.hear('deleted', (said) => {
  jobs = jobs.map((job) => `${job.endpoint}/${job.model}` === said.deleted ? {...job, model: null} : job);
  show();
  if (chosen && said.job === chosen.id) playground.tell('follow', about());
});

// --- what the server says ---

function answered(value) {
  if (value.of === 'list') more.disabled = false;
  if (value.of === 'create') { start.disabled = false; start.textContent = say('jobs_create'); }
  if (value.of === 'estimate') { [takes.textContent, takes.hidden] = [value.estimate ?? '', !value.estimate]; return; }
  if (value.rigid) detail.rigid(value.rigid);
  if (value.notice) {
    tell(...playground.problem(value.notice));
    // On a phone the button that was pressed is far below.
    notice.scrollIntoView({block: 'nearest'});
    return;
  }
  tell();
  if (value.of === 'open' && files[value.role]) chosenFile(value.role, value);
  if (value.jobs) {
    // Pages of several servers lie between each other. A job that came with two pages (one was created meanwhile) is one.
    const rows = new Map([...(value.more ? jobs : []), ...value.jobs].map((job) => [`${job.endpoint}/${job.id}`, job]));
    jobs = [...rows.values()].sort((a, b) => (b.created ?? 0) - (a.created ?? 0));
    [after, listed, more.disabled] = [value.after, true, false];
    notes = [...(value.more ? notes.filter((note) => !value.asked.includes(note.endpoint)) : []), ...value.notes];
    [kinds, closing, trained] = [value.endpoints, value.closing, value.trained];
    bases.replaceChildren(...value.bases.map((text) => make('option', {value: text})));
    warn();
    show();
  }
  if (value.unknown_method) playground.tell('notice', {tone: 'info', key: 'jobs_method_unknown', message: ''});
  if (value.created) { fold.open = false; begun(value.created); }
  if (value.changed && same(value.changed)) playground.tell('follow', about());
  if (value.checkpoints && value.job === chosen?.id) detail.checkpoints(value.checkpoints);
  if (value.kept) playground.datasetMade(say, value.kept);
  if (value.file) give(value.file.name, [value.file.text]);
  if (value.untold) playground.tell('notice', {tone: 'info', key: 'jobs_untold', message: value.untold});
}

$('h2').textContent = say('jobs_title');
$('summary').textContent = say('jobs_new');
asMethod();
// Servers are asked when the tab is first looked at; a job is followed as long as the tab is open.
const enter = (mode) => {
  if (mode !== 'finetune') { if (loaded && chosen) playground.tell('follow', {stop: true}); return; }
  if (!loaded) { loaded = true; reload(); }
  if (chosen) playground.tell('follow', about());
};
playground.hear('mode', enter);
enter(playground.mode());
watch('value', () => heard(props.value));
