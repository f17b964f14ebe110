// A field for each {{name}} of the open tab's texts. Value: {name: text}.
const {make} = playground, say = playground.saying();
const root = element.querySelector('.pg-variables');
let values = {}, names = {}, loaded = null;

function publish() {
  props.value = {...values};
  trigger('input');
  playground.recount();
  playground.keep('variables', values);
}

function draw() {
  const wanted = [...new Set(names[playground.mode()] || [])];
  root.hidden = !wanted.length;
  const rows = new Map([...root.querySelectorAll('[data-name]')].map((row) => [row.dataset.name, row]));
  for (const [name, row] of rows) if (!wanted.includes(name)) row.remove();
  let before = root.querySelector('h2');
  for (const name of wanted) {
    const row = rows.get(name) || field(name), box = row.querySelector('textarea');
    if (before.nextSibling !== row) before.after(row);
    if (document.activeElement !== box && box.value !== (values[name] || '')) box.value = values[name] || '';
    row.classList.toggle('pg-missing', !values[name]);
    before = row;
  }
}

function field(name) {
  const id = 'pg-variable-' + name, box = make('textarea', {id, rows: '1', spellcheck: 'false', placeholder: say('variable_placeholder')});
  box.addEventListener('input', () => { values[name] = box.value; box.closest('[data-name]').classList.toggle('pg-missing', !box.value); publish(); });
  return make('div', {class: 'pg-variable', 'data-name': name}, make('label', {for: id, text: '{{' + name + '}}'}), box);
}

root.querySelector('h2').textContent = say('variables');
playground.hear('text', (said) => { names[said.mode] = said.names; draw(); });
playground.hear('mode', draw);
watch('value', () => {
  if (props.value?.load === undefined || props.value.load === loaded) return;
  loaded = props.value.load;
  const {load: _, ...given} = props.value;
  values = {...values, ...given};
  draw();
  publish();
});
const kept = playground.kept('variables');
if (kept && typeof kept === 'object' && !Array.isArray(kept)) { values = Object.fromEntries(Object.entries(kept).filter(([, value]) => typeof value === 'string')); publish(); }
draw();
