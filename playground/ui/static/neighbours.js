// The servers that already run on this machine, below the picker. Value to the server: {action, n, language, url | name};
// from it: {of, n, rows: [{title, url, place, name, kept, version, count, locked, silent}], others: [place], closed, notice}.
const {make, textButton, swap} = playground, say = playground.saying();
const home = element.querySelector('.pg-neighbours'), rows = element.querySelector('.pg-neighbours-rows'), head = element.querySelector('.pg-neighbours-head');
const {ask, heard} = playground.asking({props, trigger, answered});
const tell = playground.telling(element.querySelector('.pg-notice'));
const fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
let looked = false, pressed = '';

const look = make('button', {type: 'button', class: 'pg-link', 'data-key': 'look', text: say('neighbours_look')});
look.addEventListener('click', () => { busy(look, say('neighbours_looking')); ask('look'); });

// A button that is disabled loses the focus: whoever pressed it by the keyboard gets it back when the answer is there.
function busy(button, text) {
  pressed = button === document.activeElement ? button.dataset.key : '';
  home.setAttribute('aria-busy', 'true');
  for (const each of home.querySelectorAll('button')) each.disabled = true;
  if (text) button.textContent = text;
}

function count(row) {
  return row.count === 1 ? say('neighbours_model') : row.count ? fill('neighbours_models', {count: row.count.toLocaleString(playground.language())}) : say('neighbours_no_models');
}

// What there is to do about it, named in full for who can't see the row it stands in.
function act(action, row, more, text, named) {
  const button = textButton(text, () => { busy(button); ask(action, more); });
  button.setAttribute('aria-label', fill(named, {name: row.title, place: row.place}));
  button.dataset.key = row.place;
  return button;
}

function drawn(row) {
  const facts = [row.place, row.silent ? say('neighbours_silent') : row.locked ? '' : count(row)];
  if (row.name && !row.kept) facts.push(fill('neighbours_named', {name: row.name}));
  const text = make('div', {class: 'pg-neighbour-text'}, make('strong', {text: row.version ? `${row.title} ${row.version}` : row.title}), make('span', {class: 'pg-quiet', text: facts.filter(Boolean).join(' · ')}));
  if (row.locked && !row.name) text.append(make('span', {class: 'pg-neighbour-locked', text: say('neighbours_locked')}));
  const line = make('div', {class: 'pg-neighbour', 'data-place': row.place}, text);
  if (row.kept) line.append(act('remove', row, {name: row.name}, say('neighbours_remove'), 'neighbours_remove_name'));
  else if (!row.name && !row.locked) line.append(act('add', row, {url: row.url}, say('neighbours_add'), 'neighbours_add_name'));
  return line;
}

function answered(value) {
  if (value.closed) return;  // a visitor: there is nothing to see
  home.hidden = false;
  home.removeAttribute('aria-busy');
  for (const each of home.querySelectorAll('button')) each.disabled = false;
  tell(...(value.notice ? playground.problem(value.notice) : []));
  if (value.rows) draw(value);
  look.textContent = say(looked ? 'neighbours_again' : 'neighbours_look');
  if (pressed && document.activeElement === document.body) (element.querySelector(`button[data-key="${CSS.escape(pressed)}"]`) ?? look).focus();
  pressed = '';
}

function draw(value) {
  looked = looked || value.of === 'look';
  const said = value.rows.map(drawn);
  for (const place of looked ? value.others : []) said.push(make('p', {class: 'pg-quiet', text: fill('neighbours_other', {place})}));
  if (looked && !said.length) said.push(make('p', {class: 'pg-quiet', text: say('neighbours_none')}));
  swap(rows, said);
}

element.querySelector('h2').textContent = say('neighbours_title');
home.setAttribute('aria-label', say('neighbours_title'));
head.append(look);
watch('value', () => heard(props.value));
ask('start');
