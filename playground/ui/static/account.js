// On a shared page: who one is, what may be used and what is. Value to the server: {action: state | let, n, language,
// who, stopped, server, key}; from it: {of, n, role, name, until, limits: [{text, share}], bounds, keys: [{server, own}],
// visitors, halted, notice}. `bring` and `forget` are of a visitor's own keys.
const {make, textButton, swap} = playground, say = playground.saying();
const home = element.querySelector('.pg-account'), head = home.querySelector('summary'), body = home.querySelector('.pg-account-body');
const {ask, heard} = playground.asking({props, trigger, answered});
const fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
const number = (value) => value.toLocaleString(playground.language());

function limit({text, share}) {
  const bar = make('meter', {min: 0, max: 1, high: 0.8, optimum: 0});
  bar.value = share;
  bar.setAttribute('aria-label', text);
  return make('div', {class: 'pg-account-limit'}, make('span', {text}), bar);
}

function visitor(row) {
  const name = row.name || say('account_nameless');
  const facts = fill('account_used', {calls: number(row.calls), tokens: number(row.tokens), cost: row.cost});
  const button = textButton(say(row.stopped ? 'account_go' : 'account_stop'), () => ask('let', {who: row.id, stopped: !row.stopped}));
  button.setAttribute('aria-label', fill(row.stopped ? 'account_go_name' : 'account_stop_name', {name}));
  return make('div', {class: 'pg-account-visitor', 'data-id': row.id}, make('div', {}, make('strong', {text: name}), make('span', {class: 'pg-quiet', text: facts})), button);
}

function visitors(value) {
  const all = textButton(say(value.halted ? 'account_go_all' : 'account_stop_all'), () => ask('let', {stopped: !value.halted}));
  const rows = value.visitors.length ? value.visitors.map(visitor) : [make('p', {class: 'pg-quiet', text: say('account_nobody')})];
  return [make('h3', {text: say('account_visitors')}), ...rows, all];
}

function allowed(bounds) {
  const said = Object.entries(bounds).map(([name, most]) => `${name === 'calls' ? say('account_calls') : name} ${number(most)}`).join(', ');
  const texts = [say('account_may'), ...(said ? [fill('account_bounds', {bounds: said})] : [])];
  return texts.map((text) => make('p', {class: 'pg-quiet', text}));
}

// A visitor's own keys: those that are held, and one form for another, which stays while it is written in.
const place = make('select', {class: 'pg-select', 'aria-label': say('account_key_server')});
const key = make('input', {type: 'password', class: 'pg-filter', autocomplete: 'off', spellcheck: 'false', placeholder: say('account_key'), 'aria-label': say('account_key')});
const use = make('button', {type: 'submit', class: 'pg-button'}), wrong = make('p', {class: 'pg-account-problem', role: 'alert'});
const form = make('form', {class: 'pg-account-key'}, place, key, use, wrong);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!key.value.trim()) return key.focus();
  use.disabled = true;
  use.textContent = say('account_key_asking');
  ask('bring', {server: place.value, key: key.value});
  key.value = '';
});

function keys(rows) {
  if (!rows.length) return [];
  const free = rows.filter((row) => !row.own).map((row) => row.server), held = rows.filter((row) => row.own).map(heldKey);
  if (free.join() !== [...place.options].map((option) => option.value).join()) place.replaceChildren(...free.map((name) => make('option', {value: name, text: name})));
  return [make('h3', {text: say('account_keys')}), make('p', {class: 'pg-quiet', text: say('account_keys_why')}), ...held, ...(free.length ? [form] : [])];
}

function heldKey({server: name, own}) {
  const button = textButton(say('account_key_forget'), () => ask('forget', {server: name}));
  button.setAttribute('aria-label', fill('account_key_forget_name', {server: name}));
  return make('div', {class: 'pg-account-visitor', 'data-key': name}, make('span', {text: fill('account_key_held', {server: name, name: own})}), button);
}

// What is wrong with a key stands below its form, and the rest stays as it is.
function brought(value) {
  use.disabled = false;
  use.textContent = say('account_key_use');
  if (value.of === 'bring') wrong.textContent = value.notice ? playground.problem(value.notice).join(' ') : '';
  return value.of === 'bring' && value.notice;
}

function signOut() {
  const button = textButton(say('account_out'), () => fetch('/signout', {method: 'POST', redirect: 'manual'}).finally(() => location.reload()));
  button.classList.add('pg-account-out');
  return button;
}

function answered(value) {
  if (brought(value)) return;
  if (value.notice) { swap(body, [make('p', {class: 'pg-quiet', text: playground.problem(value.notice).join(' ')})]); return; }
  const isHost = value.role === 'host';
  head.textContent = isHost ? say('account_host') : fill('account_visitor', {name: value.name || say('account_nameless')});
  const until = value.until ? [make('p', {class: 'pg-quiet', text: fill('account_until', {at: new Date(value.until).toLocaleString(playground.language(), {dateStyle: 'medium', timeStyle: 'short'})})})] : [];
  const about = isHost ? visitors(value) : [...allowed(value.bounds), ...keys(value.keys)];
  swap(body, [...value.limits.map(limit), ...about, ...until, signOut()]);
}

home.addEventListener('toggle', () => home.open && ask('state'));
watch('value', () => heard(props.value));
ask('state');
