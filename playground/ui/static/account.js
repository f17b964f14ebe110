// On a shared page: who one is, what may be used and what is. Value to the server: {action: state | let, n, language,
// who, stopped}; from it: {of, n, role, name, until, limits: [{text, share}], bounds, visitors, halted, notice}.
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

function signOut() {
  const button = textButton(say('account_out'), () => fetch('/signout', {method: 'POST', redirect: 'manual'}).finally(() => location.reload()));
  button.classList.add('pg-account-out');
  return button;
}

function answered(value) {
  if (value.notice) { swap(body, [make('p', {class: 'pg-quiet', text: playground.problem(value.notice).join(' ')})]); return; }
  const isHost = value.role === 'host';
  head.textContent = isHost ? say('account_host') : fill('account_visitor', {name: value.name || say('account_nameless')});
  const until = value.until ? [make('p', {class: 'pg-quiet', text: fill('account_until', {at: new Date(value.until).toLocaleString(playground.language(), {dateStyle: 'medium', timeStyle: 'short'})})})] : [];
  const about = isHost ? visitors(value) : allowed(value.bounds);
  swap(body, [...value.limits.map(limit), ...about, ...until, signOut()]);
}

home.addEventListener('toggle', () => home.open && ask('state'));
watch('value', () => heard(props.value));
ask('state');
