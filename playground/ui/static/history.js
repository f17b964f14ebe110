// The History tab: filters, rows, a dialog for one run or two side by side, and exports that arrive in parts.
// Value to the server: {action, n, filter, before, id, ids, rating} or, by submit, {format, n, filter}.
const {make, iconButton, files: {gathering}} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const rows = $('.pg-rows'), filters = $('.pg-filters'), bar = $('.pg-history-bar'), more = $('.pg-rows-more'), notice = $('.pg-notice'), dialog = $('.pg-dialog');
let n = 0, cursor = null, timer = 0, picked = new Set();
const saving = gathering();
const newest = {};  // of each action, the question whose answer counts

const fields = {};
function filter() {
  const given = {};
  for (const [name, box] of Object.entries(fields)) if (box.value) given[name] = name === 'rating' ? Number(box.value) : box.value;
  return {...given, offset: -new Date().getTimezoneOffset()};
}

function ask(action, more_ = {}) {
  newest[action] = ++n;
  props.value = {action, n, ...more_};
  trigger('input');
}

// From the first letter of a filter until its runs are there, the list is not what was asked for; what comes for an
// earlier question is left out.
const busy = () => { rows.setAttribute('aria-busy', 'true'); newest.list = 0; };
const list = () => { busy(); cursor = null; ask('list', {filter: filter()}); };
const later = () => { busy(); clearTimeout(timer); timer = setTimeout(list, 200); };

// --- filters ---

function field(name, box, event = 'input') {
  fields[name] = box;
  box.id = 'pg-filter-' + name;
  box.classList.add('pg-filter');
  box.addEventListener(event, later);
  filters.append(make('label', {for: box.id, class: 'pg-filter-field'}, make('span', {text: say('filter_' + name)}), box));
}

const options = (pairs) => make('select', {}, ...pairs.map(([value, text]) => make('option', {value, text})));
field('text', make('input', {type: 'search', placeholder: say('filter_text_placeholder'), autocomplete: 'off'}));
field('model', options([['', say('all')]]), 'change');
field('mode', options([['', say('all')], ...['complete', 'chat', 'edit'].map((mode) => [mode, say('tab_' + mode)])]), 'change');
field('status', options([['', say('all')], ...['done', 'stopped', 'failed', 'interrupted'].map((status) => [status, say('status_' + status)])]), 'change');
field('rating', options([['', say('all')], ['1', say('rated_up')], ['-1', say('rated_down')]]), 'change');
field('since', make('input', {type: 'date'}), 'change');
field('until', make('input', {type: 'date'}), 'change');
field('cost', make('input', {type: 'number', min: '0', step: 'any', placeholder: '0.01'}));

// --- the bar over the rows ---

const compare = make('button', {type: 'button', class: 'pg-button', text: say('compare')}), remove = make('button', {type: 'button', class: 'pg-button pg-danger', text: say('delete')});
const found = make('span', {class: 'pg-quiet', 'aria-live': 'polite'});
const saver = (format, key) => { const made = make('button', {type: 'button', class: 'pg-button', text: say(key)}); made.addEventListener('click', () => { saving.begin(++n); props.value = {format, n, filter: filter()}; trigger('submit'); tell(say('exporting')); }); return made; };
bar.append(found, compare, remove, make('span', {class: 'pg-push'}), playground.textButton(say('dataset_of_runs'), openDataset), saver('jsonl', 'export_jsonl'), saver('csv', 'export_csv'));
// Two are looked at here; what several would say to one question, the Compare tab asks.
compare.addEventListener('click', () => ask(picked.size === 2 ? 'show' : 'compare', {ids: [...picked]}));
remove.addEventListener('click', () => sure(() => ask('delete', {ids: [...picked]}), picked.size));
more.textContent = say('show_more');
more.addEventListener('click', () => ask('list', {filter: filter(), before: cursor}));

function marks() {
  compare.disabled = picked.size < 2 || picked.size > 6;
  remove.disabled = !picked.size;
  compare.hidden = remove.hidden = !picked.size;
}

function sure(fn, count) {
  const yes = make('button', {type: 'button', class: 'pg-button pg-danger', text: say('delete')});
  yes.addEventListener('click', () => { dialog.close(); fn(); });
  show('delete', make('p', {text: say('delete_runs_sure').replace('{count}', count)}), make('footer', {}, yes));
}

// The chosen runs, or all that the filter finds, as test cases.
function openDataset() {
  const name = make('input', {type: 'text', maxlength: '120', autocomplete: 'off'}), expected = options(['answers', 'liked', 'none'].map((each) => [each, say('dataset_expected_' + each)])), ids = [...picked], of = filter();
  const form = make('form', {class: 'pg-ds-form'}, make('p', {class: 'pg-quiet', text: ids.length ? say('dataset_of_chosen').replace('{count}', ids.length) : say('dataset_of_found')}), make('label', {class: 'pg-result-control'}, make('span', {text: say('dataset_name')}), name), make('label', {class: 'pg-result-control'}, make('span', {text: say('dataset_expected')}), expected), make('footer', {}, make('button', {type: 'submit', class: 'pg-button pg-primary', text: say('dataset_make')})));
  expected.classList.add('pg-select');
  name.value = `${say('tab_history')} ${new Date().toLocaleDateString(playground.language())}`;
  form.addEventListener('submit', (event) => { event.preventDefault(); dialog.close(); ask('dataset', {...(ids.length ? {ids} : {filter: of}), name: name.value, expected: expected.value}); });
  show('dataset_of_runs', form);
  name.select();
}

// --- rows ---

const time = (at) => new Date(at).toLocaleString(playground.language(), {dateStyle: 'medium', timeStyle: 'short'});

function row(run) {
  const box = make('input', {type: 'checkbox', 'aria-label': say('choose_run')});
  box.checked = picked.has(run.id);
  box.addEventListener('change', () => { box.checked ? picked.add(run.id) : picked.delete(run.id); marks(); });
  const open = make('button', {type: 'button', class: 'pg-run-open', title: say('look_at_run')}, make('span', {class: 'pg-run-prompt', text: run.prompt || '–'}), make('span', {class: 'pg-run-answer', text: run.error && !run.answer ? run.error : run.answer || ''}));
  open.addEventListener('click', () => ask('show', {ids: [run.id]}));
  const facts = [time(run.at), say('tab_' + run.mode), run.model, run.tokens == null ? '' : `${run.tokens.toLocaleString()} ${say('tokens')}`, run.cost || '', run.latency || ''].filter(Boolean);
  const about = make('div', {class: 'pg-run-facts'}, ...facts.map((text) => make('span', {text})));
  if (run.status !== 'done') about.append(make('span', {class: 'pg-run-status', 'data-status': run.status, text: say('status_' + run.status)}));
  return make('div', {class: 'pg-run', role: 'listitem', 'data-id': run.id}, box, make('div', {class: 'pg-run-body'}, open, about), thumbs(run));
}

function thumbs(run) {
  const made = make('span', {class: 'pg-thumbs'});
  for (const [value, name] of [[1, 'thumb_up'], [-1, 'thumb_down']]) {
    const button = iconButton(name, say(name), {'aria-pressed': String(run.rating === value)});
    button.addEventListener('click', () => { run.rating = run.rating === value ? null : value; ask('rate', {id: run.id, rating: run.rating}); made.replaceWith(thumbs(run)); });
    made.append(button);
  }
  return made;
}

// --- the dialog: one run, or two with their differences marked ---

function show(title, ...parts_) {
  const close = iconButton('close', say('close'));
  close.addEventListener('click', () => dialog.close());
  dialog.replaceChildren(make('header', {}, make('h2', {text: say(title)}), close), ...parts_);
  dialog.classList.toggle('pg-dialog-wide', !['delete', 'dataset_of_runs'].includes(title));
  if (!dialog.open) dialog.showModal();
}

function panel(run, other) {
  const open = make('button', {type: 'button', class: 'pg-button pg-primary', text: say('open_in').replace('{tab}', say('tab_' + run.mode))});
  open.addEventListener('click', () => { dialog.close(); ask('open', {id: run.id}); });
  const {facts} = run, said = [[say('cell_usage'), facts.in == null ? '–' : `${facts.in.toLocaleString()} ${say('in')} · ${facts.out.toLocaleString()} ${say('out')}${facts.thought ? ` (${say('of_which')} ${facts.thought.toLocaleString()} ${say('of_thinking')})` : ''}`], [say('cell_cost'), facts.cost || '–'], [say('cell_latency'), facts.latency || '–'], [say('cell_ttft'), facts.ttft || '–']];
  const parameters = Object.entries(run.request).filter(([name]) => !['messages', 'prompt'].includes(name)), others = other ? other.request : {};
  return make('section', {class: 'pg-run-detail'},
    make('div', {class: 'pg-run-head'}, make('strong', {text: run.model}), make('span', {class: 'pg-quiet', text: time(run.at)}), open),
    make('dl', {}, ...said.map(([name, value]) => make('div', {}, make('dt', {text: name}), make('dd', {text: value})))),
    make('h3', {text: say('parameters')}), make('div', {class: 'pg-run-params'}, ...parameters.map(([name, value]) => make('code', {class: other && JSON.stringify(value) !== JSON.stringify(others[name]) ? 'pg-differs' : '', text: `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`}))),
    make('h3', {text: say('prompt')}), marked(asked(run), other && asked(other)),
    make('h3', {text: say('answer')}), ...run.answers.flatMap((answer, at) => [...thoughts(answer), marked(answer.text + answer.calls.map((call) => `${call.name}(${call.arguments})`).join('\n'), other?.answers[at]?.text)]),
    ...(run.error ? [make('div', {class: 'pg-notice', 'data-tone': 'error', text: run.error})] : []));
}

const thoughts = ({reasoning}) => reasoning ? [make('details', {class: 'pg-thought'}, make('summary', {text: say('thinking')}), make('div', {text: reasoning}))] : [];
function shown(runs) {
  const both = runs.length > 1, again = playground.textButton(say('history_compare'), () => { dialog.close(); ask('compare', {ids: runs.map((run) => run.id)}); });
  show(both ? 'compare' : 'run', make('div', {class: 'pg-compare'}, ...runs.map((run, at) => panel(run, both ? runs[1 - at] : null))), ...(both ? [make('footer', {}, again)] : []));
}

const asked = (run) => run.request.messages ? run.request.messages.map((said) => `${say('role_' + said.role).toUpperCase()}\n${typeof said.content === 'string' ? said.content : (said.content || []).map((part) => part.text || `[${say('image')}]`).join('\n')}`).join('\n\n') : run.request.prompt;

const marked = (text, other) => make('div', {class: 'pg-run-text'}, ...playground.marked(text, other));

// --- what the server says ---

function tell(said) {
  const parts = said ? typeof said === 'string' ? [said] : playground.problem(said) : [];
  notice.hidden = !parts.length;
  notice.dataset.tone = said?.tone ?? 'info';
  notice.replaceChildren(...parts.map((text) => make('span', {text})));
}

function heard(value) {
  if (!value || value.action || value.format) return;
  // An export goes on while the list is used.
  if (saving.takes(value)) return tell(value.notice ?? (value.done ? '' : say('exporting')));
  if (value.n !== newest[value.of]) return;
  if (value.of === 'list') rows.removeAttribute('aria-busy');
  if (value.notice) tell(value.notice);
  else if (!saving.open) tell('');
  if (value.rows) {
    if (!value.append) { rows.textContent = ''; picked = new Set(); marks(); rows.scrollTop = 0; }
    rows.append(...value.rows.map(row));
    if (!rows.children.length) rows.append(make('p', {class: 'pg-empty', text: say(Object.keys(filter()).length > 1 ? 'history_none_found' : 'history_empty')}));
    cursor = value.more; more.hidden = !cursor;
    const count = rows.querySelectorAll('.pg-run').length;
    found.textContent = count ? say('runs_shown').replace('{count}', count + (cursor ? '+' : '')) : '';
  }
  if (value.models) {
    const chosen = fields.model.value;
    fields.model.replaceChildren(make('option', {value: '', text: say('all')}), ...value.models.map((name) => make('option', {value: name, text: name})));
    fields.model.value = value.models.includes(chosen) ? chosen : '';
  }
  if (value.deleted) for (const id of value.deleted) { rows.querySelector(`[data-id="${CSS.escape(id)}"]`)?.remove(); picked.delete(id); marks(); }
  if (value.detail) shown(value.detail);
  if (value.compare) playground.tell('compare', value.compare);
  if (value.kept) playground.datasetMade(say, value.kept);
}

dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
watch('value', () => heard(props.value));
playground.hear('mode', (mode) => { if (mode === 'history') list(); });
marks();
if (playground.mode() === 'history') list();
