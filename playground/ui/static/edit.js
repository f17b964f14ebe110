// The Edit tab: an input and an instruction; the output below with what changed marked, and one click to go on from it.
// Value: {input, instruction, run, without}; the answer comes as the event `playground:edited`: {run, busy, text}.
const {make, hear, tell} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const input = $('.pg-edit-input'), instruction = $('.pg-edit-instruction'), output = $('.pg-edit-output'), use = $('.pg-edit-use'), plain = $('.pg-edit-plain');
// `before` is the last answer while the next one has no text yet: a run that is refused leaves it where it was.
// `held` is what is written, as far as it has been taken note of; `typing` the box whose letters are one change.
let held = {input: '', instruction: ''}, typing = null, run = 0, answer = {text: ''}, before = null, loaded = null, asked = '', keepTimer = 0, marked = true;
const bar = playground.runButton({element, say, begin: () => begin(), halt: () => trigger('stop'), release: () => { run += 1; ended(); }});  // what is still said of it comes too late
const page = () => ({...held, answer: before || answer});
const time = playground.timeline({element, say, take: page, put, same: (a, b) => JSON.stringify(a) === JSON.stringify(b)});

function remember(box = null) {
  if (!box || typing !== box) time.remember();
  typing = box;
}

function write(now) {
  held = {input: now.input, instruction: now.instruction};
  input.value = held.input; instruction.value = held.instruction;
}

function publish(event, more = {}) {
  props.value = {...held, run, ...more};
  if (playground.sendable(held)) trigger(event);
  tell('text', {mode: 'edit', names: playground.variables(input.value + '\n' + instruction.value)});
  keepDraft();
}

function keepDraft() { keepTimer ||= setTimeout(keepNow, bar.busy ? 2000 : 400); }

function keepNow() {
  clearTimeout(keepTimer);
  keepTimer = 0;
  playground.keepFirst('draft.edit', page, () => held);
}

// Another page in the place of this one; what a run under way still says is not for it.
function put(now) {
  if (bar.busy) { trigger('stop'); run += 1; ended(); }
  write(now);
  answer = now.answer;
  typing = null;
  draw();
  publish('input');
}

function begin(more = {}) {
  if (bar.busy) return;
  if (!playground.sendable(held)) return tell('notice', {tone: 'error', key: 'too_large_to_send', message: ''});
  remember();
  run += 1;
  asked = input.value;
  before = answer;
  answer = {text: ''};
  setBusy(true);
  draw();
  publish('submit', more);
}

function ended() {
  if (!answer.text && before) answer = before;
  before = null;
  setBusy(false);
  draw();
  keepNow();
}

function setBusy(now) {
  bar.set(now);
  element.classList.toggle('pg-busy', now);
  time.block(now);
}

function heard(said) {
  // A run that was given up and is heard of after all (Stop came before it, or got lost) is stopped again.
  if (said.run !== run && said.busy && !bar.busy) trigger('stop');
  if (said.run !== run || !bar.busy) return;
  answer = {text: said.text, of: asked};
  if (said.text) before = null;
  said.busy ? draw() : ended();
  keepDraft();
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
  box.addEventListener('input', () => { if (!bar.busy) remember(box); held = {input: input.value, instruction: instruction.value}; publish('input'); });
}
$('.pg-edit-output-label').textContent = say('edit_output');
output.setAttribute('aria-label', say('edit_output'));
plain.textContent = say('edit_changes');
plain.addEventListener('click', () => { marked = !marked; draw(); });
use.textContent = say('edit_use');
use.addEventListener('click', () => { remember(); put({...page(), input: answer.text, answer: {text: ''}}); });
hear('recount', (mode) => { if (mode === 'edit' && !bar.busy) publish('input'); });
hear('edited', heard);
hear('again', (said) => { if (said.scope === 'edit') begin({without: said.without}); });
watch('value', () => {
  const said = props.value;
  if (said?.load && said.load !== loaded) {
    loaded = said.load;
    remember();
    put({input: said.input || '', instruction: said.instruction || '', answer: {text: said.output || '', of: said.input || ''}});
  } else if (said?.run === undefined && (held.input || held.instruction)) publish('input');
});
window.addEventListener('pagehide', keepNow);
const kept = playground.kept('draft.edit');
if (kept && typeof kept.input === 'string' && typeof kept.instruction === 'string') { write(kept); if (typeof kept.answer?.text === 'string') answer = kept.answer; }
setBusy(false);
draw();
publish('input');
