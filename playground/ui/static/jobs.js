// The Fine-tune tab's jobs: a form, the list over all servers, and one job's detail while it runs.
// Value to the server: {action, n, language, …}; from it: {of, n, jobs | created | cancelled | checkpoints | file | notice}.
const {make, files: {dropZone, give}} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const notice = $('.pg-notice'), form = $('.pg-jobs-form'), list = $('.pg-jobs-list'), detail = $('.pg-jobs-detail');
const {ask, heard} = playground.asking({props, trigger, answered});
const files = {}, fields = {};
let jobs = [], after = {}, notes = [], chosen = null, checkpoints = null, loaded = false;

const tell = (...parts) => { const said = parts.filter(Boolean); notice.hidden = !said.length; notice.dataset.tone = 'error'; notice.replaceChildren(...said.map((text) => make('span', {text}))); };
const button = (key, fn, primary = false) => { const made = make('button', {type: 'button', class: 'pg-button' + (primary ? ' pg-primary' : ''), text: say(key)}); made.addEventListener('click', fn); return made; };
const same = (job) => chosen && job.endpoint === chosen.endpoint && job.id === chosen.id;
const about = (more = {}) => ({endpoint: chosen.endpoint, job: chosen.id, ...more});
const status = (job) => make('span', {class: 'pg-job-status', 'data-status': job.status, text: job.status in STATES ? say('job_' + job.status) : job.status});
const STATES = {validating_files: 1, queued: 1, running: 1, succeeded: 1, failed: 1, cancelled: 1, paused: 1};
const reload = () => { after = {}; ask('list'); };

// --- a new job ---

function field(name, key, attributes) {
  fields[name] = make('input', {class: 'pg-filter', autocomplete: 'off', placeholder: say('jobs_auto'), ...attributes});
  return make('label', {}, make('span', {text: say(key)}), fields[name]);
}

function drop(role) {
  const home = make('div', {class: 'pg-jobs-file'}), name = make('p', {class: 'pg-jobs-name', 'aria-live': 'polite'});
  home.append(dropZone({home, say, key: 'jobs_' + role, accept: '.jsonl', most: props.most, taken: ([file]) => ask('open', {file, role}), problem: (text) => tell(text)}), name);
  files[role] = {id: null, name};
  return home;
}

const bases = make('datalist', {id: 'pg-jobs-bases'}), start = button('jobs_create', create, true);
form.append(drop('training'), drop('validation'), field('base', 'jobs_base', {list: 'pg-jobs-bases', placeholder: ''}), bases, field('suffix', 'jobs_suffix', {maxlength: '64', placeholder: ''}),
  field('epochs', 'epochs', {type: 'number', min: '1', max: '50'}), field('batch_size', 'jobs_batch_size', {type: 'number', min: '1', max: '256'}),
  field('learning_rate_multiplier', 'jobs_learning_rate_multiplier', {type: 'number', min: '0', step: 'any'}), field('seed', 'jobs_seed', {type: 'number', min: '0', max: '2147483647'}), start);
form.addEventListener('submit', (event) => event.preventDefault());

function create() {
  const written = Object.fromEntries(Object.entries(fields).map(([name, box]) => [name, box.type === 'number' ? (box.value === '' ? null : Number(box.value)) : box.value]));
  start.disabled = true;
  start.textContent = say('jobs_creating');
  tell();
  ask('create', {...written, training: files.training.id, validation: files.validation.id});
}

// --- the list ---

function item(job) {
  const made = make('button', {type: 'button', class: 'pg-job', 'aria-pressed': String(Boolean(same(job)))});
  const when = job.created ? new Date(job.created * 1000).toLocaleString(undefined, {dateStyle: 'medium', timeStyle: 'short'}) : '';
  made.append(make('strong', {text: job.model || `${job.base} · ${job.id}`}), status(job), make('span', {class: 'pg-quiet', text: [job.endpoint, when].filter(Boolean).join(' · ')}));
  made.addEventListener('click', () => choose(job));
  return made;
}

function show() {
  const said = notes.map((note) => make('p', {class: 'pg-quiet', text: note.none ? say('jobs_none').replace('{name}', () => note.endpoint) : `${note.endpoint}: ${note.message} ${note.hint}`}));
  const empty = jobs.length ? [] : [make('p', {class: 'pg-quiet', text: say('jobs_empty')})];
  const more = Object.keys(after).length ? [button('jobs_more', () => ask('list', {after}))] : [];
  list.replaceChildren(...jobs.map(item), ...empty, ...said, make('div', {class: 'pg-prepare-actions'}, ...more, button('jobs_reload', reload)));
}

// --- one job ---

function choose(job) {
  chosen = job;
  checkpoints = null;
  show();
  draw({about: job, events: [], metrics: []});
  playground.tell('follow', about());
}

const time = (seconds) => seconds < 90 ? `${Math.ceil(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;

// The curves' own scale: steps to the right, the highest value at the top. Points that exist are joined.
function curve(metrics, name) {
  const points = metrics.filter((each) => name in each.values).map((each) => [each.step, each.values[name]]);
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y), span = (of) => Math.max(...of) - Math.min(...of) || 1;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  for (const [key, value] of Object.entries({viewBox: '0 0 300 60', preserveAspectRatio: 'none', 'aria-hidden': 'true'})) svg.setAttribute(key, value);
  line.setAttribute('points', points.map(([x, y]) => `${(x - Math.min(...xs)) / span(xs) * 296 + 2},${58 - (y - Math.min(...ys)) / span(ys) * 56}`).join(' '));
  svg.append(line);
  return make('figure', {}, make('figcaption', {text: `${name} ${ys.at(-1).toPrecision(4)}`}), svg);
}

function draw(said) {
  const job = said.about, parts = [make('h3', {}, make('span', {text: job.model || `${job.base} · ${job.id}`}), status(job))];
  const settings = Object.entries(job.settings).map(([name, value]) => `${name} ${value}`);
  parts.push(make('p', {class: 'pg-quiet', text: [job.id, job.base, ...settings, job.tokens ? say('jobs_tokens').replace('{tokens}', job.tokens.toLocaleString()) : ''].filter(Boolean).join(' · ')}));
  if (job.error) parts.push(make('p', {class: 'pg-job-error', text: job.error}));
  if (said.wait) parts.push(make('p', {class: 'pg-job-wait', text: `${say('jobs_reconnecting').replace('{seconds}', Math.ceil(said.wait.seconds))} ${said.wait.message}`}));
  if (!job.ended || said.progress === 1) parts.push(make('progress', {max: '1', 'aria-label': say('jobs_title'), ...(said.progress == null ? {} : {value: String(said.progress)})}));
  if (said.eta != null) parts.push(make('p', {class: 'pg-quiet', text: say('jobs_left').replace('{time}', time(said.eta))}));
  const actions = [];
  if (job.model) actions.push(button('jobs_complete', () => ask('use', about({mode: 'complete'})), true), button('jobs_chat', () => ask('use', about({mode: 'chat'}))));
  if (job.results) actions.push(button('jobs_results', () => ask('results', about())));
  actions.push(button('jobs_checkpoints', () => ask('checkpoints', about())));
  if (!job.ended) actions.push(button('jobs_cancel', () => ask('cancel', about())));
  parts.push(make('div', {class: 'pg-prepare-actions'}, ...actions));
  const saved = make('div', {class: 'pg-job-checkpoints'});
  parts.push(saved);
  const names = [...new Set(said.metrics.flatMap((each) => Object.keys(each.values)))].slice(0, 6);
  parts.push(make('div', {class: 'pg-job-curves'}, ...names.map((name) => curve(said.metrics, name))));
  if (said.events.length) parts.push(make('h4', {text: say('jobs_events')}), make('ol', {class: 'pg-job-events', tabindex: '0'}, ...said.events.map((each) => make('li', {'data-level': each.level, text: each.text}))));
  detail.replaceChildren(make('section', {class: 'pg-prepare-card'}, ...parts));
  if (checkpoints) drawCheckpoints();
}

function drawCheckpoints() {
  const rows = checkpoints.map((each) => make('li', {}, make('span', {text: `${say('jobs_step').replace('{step}', each.step ?? '–')} · ${each.model} `}), button('jobs_complete', () => ask('use', about({mode: 'complete', model: each.model}))), button('jobs_chat', () => ask('use', about({mode: 'chat', model: each.model})))));
  $('.pg-job-checkpoints')?.replaceChildren(make('ul', {}, ...(rows.length ? rows : [make('li', {text: '–'})])));
}

playground.hear('followed', (said) => {
  if (!chosen || said.endpoint !== chosen.endpoint || said.job !== chosen.id) return;
  if (said.notice) return tell(said.notice.message, said.notice.hint);
  draw(said);
  jobs = jobs.map((job) => same(job) ? said.about : job);
  show();
});

// --- what the server says ---

function answered(value) {
  if (value.of === 'create') { start.disabled = false; start.textContent = say('jobs_create'); }
  if (value.notice) return tell(value.notice.message, value.notice.hint);
  tell();
  if (value.of === 'open' && files[value.role]) { files[value.role].id = value.id; files[value.role].name.textContent = say('jobs_file_' + value.role).replace('{name}', () => value.name); }
  if (value.jobs) {
    jobs = value.more ? [...jobs, ...value.jobs] : value.jobs;
    after = value.after;
    notes = value.more ? notes : value.notes;
    bases.replaceChildren(...value.bases.map((text) => make('option', {value: text})));
    show();
  }
  if (value.created) { jobs = [value.created, ...jobs]; $('.pg-jobs-new').open = false; choose(value.created); }
  if (value.cancelled && same(value.cancelled)) playground.tell('follow', about());
  if (value.checkpoints && value.job === chosen?.id) { checkpoints = value.checkpoints; drawCheckpoints(); }
  if (value.file) give(value.file.name, [value.file.text]);
}

$('h2').textContent = say('jobs_title');
$('summary').textContent = say('jobs_new');
// Servers are asked when the tab is first looked at; a job is followed as long as the tab is open.
const enter = (mode) => {
  if (mode !== 'finetune') { if (loaded && chosen) playground.tell('follow', {stop: true}); return; }
  if (!loaded) { loaded = true; reload(); } else if (chosen) playground.tell('follow', about());
};
playground.hear('mode', enter);
enter(playground.mode());
watch('value', () => heard(props.value));
