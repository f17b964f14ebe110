// The Edit tab: an input and an instruction; the output below with what changed marked, and one click to go on from it.
// Value: {input, instruction, run, without}; the answer comes as the event `playground:edited`: {run, busy, text}.
const {make, hear, tell} = playground, say = playground.saying(props);
const $ = (selector) => element.querySelector(selector);
const input = $('.pg-edit-input'), instruction = $('.pg-edit-instruction'), output = $('.pg-edit-output'), use = $('.pg-edit-use'), undo = $('.pg-undo'), plain = $('.pg-edit-plain');
let run = 0, answer = {text: ''}, loaded = null, asked = '', past = [], keepTimer = 0, marked = true;
const bar = playground.runButton({element, say, begin: () => begin(), halt: () => trigger('stop'), release: () => setBusy(false)});

function publish(event, more = {}) {
  props.value = {input: input.value, instruction: instruction.value, run, ...more};
  trigger(event);
  tell('text', {mode: 'edit', names: playground.variables(input.value + '\n' + instruction.value)});
  clearTimeout(keepTimer);
  keepTimer = setTimeout(keepNow, 400);
}

const keepNow = () => playground.keep('draft.edit', {input: input.value, instruction: instruction.value, answer});

function begin(more = {}) {
  if (bar.busy) return;
  run += 1;
  asked = input.value;
  answer = {text: ''};
  setBusy(true);
  draw();
  publish('submit', more);
}

function setBusy(now) {
  bar.set(now);
  element.classList.toggle('pg-busy', now);
  use.disabled = now || !answer.text;
  undo.disabled = now || !past.length;
}

// While it streams, the text as it comes; at its end, what was taken out and what was put in.
function draw() {
  const parts = marked && !bar.busy && answer.text ? playground.diff(answer.of ?? input.value, answer.text) : null;
  if (parts) output.replaceChildren(...parts.map(([kind, text]) => kind === 'same' ? text : make(kind === 'out' ? 'del' : 'ins', {text})));
  else output.textContent = answer.text;
  output.dataset.empty = say('edit_output_empty');
  plain.setAttribute('aria-pressed', String(marked));
  use.disabled = bar.busy || !answer.text;
}

for (const [box, key] of [[input, 'edit_input'], [instruction, 'edit_instruction']]) {
  box.placeholder = say(key + '_placeholder');
  $(`label[for="${box.id}"]`).textContent = say(key);
  box.addEventListener('input', () => publish('input'));
}
$('.pg-edit-output-label').textContent = say('edit_output');
output.setAttribute('aria-label', say('edit_output'));
plain.textContent = say('edit_changes');
plain.addEventListener('click', () => { marked = !marked; draw(); });
use.textContent = say('edit_use');
use.addEventListener('click', () => { past.push(input.value); input.value = answer.text; answer = {text: ''}; setBusy(false); draw(); publish('input'); });
undo.append(playground.icon('undo')); undo.title = say('undo'); undo.setAttribute('aria-label', say('undo'));
undo.addEventListener('click', () => { if (past.length) { input.value = past.pop(); setBusy(false); publish('input'); } });
hear('recount', (mode) => { if (mode === 'edit' && !bar.busy) publish('input'); });
hear('edited', (said) => { if (said.run !== run) return; answer = {text: said.text, of: asked}; if (!said.busy) setBusy(false); draw(); keepNow(); });
hear('again', (said) => { if (said.scope === 'edit') begin({without: said.without}); });
watch('value', () => {
  if (props.value?.load && props.value.load !== loaded) {
    loaded = props.value.load;
    past.push(input.value);
    input.value = props.value.input || ''; instruction.value = props.value.instruction || '';
    answer = {text: props.value.output || '', of: input.value};
    setBusy(false); draw(); publish('input');
  } else if (props.value?.run === undefined && (input.value || instruction.value)) publish('input');
});
window.addEventListener('pagehide', keepNow);
const kept = playground.kept('draft.edit');
if (kept && typeof kept.input === 'string' && typeof kept.instruction === 'string') { input.value = kept.input; instruction.value = kept.instruction; if (typeof kept.answer?.text === 'string') answer = kept.answer; }
setBusy(false);
draw();
publish('input');
