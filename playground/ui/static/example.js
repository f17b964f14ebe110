// The Fine-tune tab's example: what it is made of, and one click that trains it on the embedded engine.
// Value to the server: {action, n, language}; from it: {of, n, created | notice}.
const {make, textButton, keep, kept} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const card = $('.pg-example'), tell = playground.telling($('.pg-notice'));
const {ask, heard} = playground.asking({props, trigger, answered});
const {rows, trained, held} = props.about;
const count = (key) => say(key).replace('{trained}', trained.toLocaleString()).replace('{held}', held.toLocaleString());

const train = textButton(say('example_train'), () => { train.disabled = true; train.textContent = say('jobs_creating'); tell(); ask('train'); }, true);
const look = textButton(say('example_prepare'), () => playground.tell('example'));

function answered(value) {
  train.disabled = false;
  train.textContent = say('example_train');
  if (value.notice) return tell(...playground.problem(value.notice));
  if (value.created) playground.tell('job', value.created);
}

$('summary').textContent = say('example_title');
$('p').textContent = say('example_about');
$('.pg-example-body').append(
  make('ol', {}, ...['example_step_train', 'example_step_watch', 'example_step_ask'].map((key) => make('li', {text: count(key)}))),
  make('div', {class: 'pg-scroll'}, make('table', {}, make('thead', {}, make('tr', {}, ...['prompt', 'completion'].map((text) => make('th', {scope: 'col', text})))),
    make('tbody', {}, ...rows.map((row) => make('tr', {}, ...row.map((text) => make('td', {lang: 'es', text}))))))));
$('.pg-prepare-actions').append(train, look);
// Open at the first visit; afterwards as it was left.
card.open = kept('example') !== false;
card.addEventListener('toggle', () => keep('example', card.open));
watch('value', () => heard(props.value));
