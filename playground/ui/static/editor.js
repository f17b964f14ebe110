// The completion editor: one text in which the generated parts are marked, with its own Submit, Stop, Undo and Regenerate.
// Value, both ways: {text, marks: [[start, end], …], busy}. A transparent textarea lies over a layer that paints the marks.
const $ = (selector) => element.querySelector(selector);
const front = $('.pg-front'), back = $('.pg-back'), undo = $('.pg-undo'), again = $('.pg-again');
const say = playground.saying(props);
const KEPT = 30, MIN_HEIGHT = 280, MAX_MARKED = 400000;
let text = '', marks = [], busy = false, sent = null, past = [], draftTimer = 0, loaded = null;
const bar = playground.runButton({element, say, begin: () => run(), halt: () => trigger('stop'), release: () => { setBusy(false); publish('input'); }});

const snapshot = () => ({text, marks: marks.map((mark) => [...mark])});

function paint() {
  back.textContent = '';
  let at = 0;
  for (const [start, end] of text.length > MAX_MARKED ? [] : marks) {
    back.append(text.slice(at, start));
    const mark = document.createElement('mark');
    mark.textContent = text.slice(start, end);
    back.append(mark);
    at = end;
  }
  if (text.length <= MAX_MARKED) back.append(text.slice(at) + '\n');
  resize();
}

// While text streams, only the last mark grows: the rest of the layer is left alone.
function growLast(added) {
  const mark = back.querySelector('mark:last-of-type');
  if (!mark || !(mark.firstChild instanceof Text)) return paint();
  mark.firstChild.appendData(added);
  resize();
}

function resize() {
  // A text of megabytes is laid out once, not twice: it has no marks, and scrolls in a box of its own.
  const huge = text.length > MAX_MARKED;
  front.style.overflow = huge ? 'auto' : '';
  if (huge) { front.style.height = '60vh'; return; }
  const height = Math.max(MIN_HEIGHT, back.scrollHeight);
  if (front.style.height !== height + 'px') front.style.height = height + 'px';
  const box = $('.pg-paper');
  if (busy && box.scrollHeight - box.scrollTop - box.clientHeight < 160) box.scrollTop = box.scrollHeight;
}

function show(value) {
  const next = value && typeof value.text === 'string' ? value : {text: '', marks: []};
  const grown = next.text.length - text.length;
  const onlyGrew = busy && grown > 0 && marks.length === (next.marks || []).length && marks.length &&
    marks.at(-1)[1] === text.length && next.text.startsWith(text);
  const added = onlyGrew ? next.text.slice(text.length) : '';
  if (front.value !== next.text) {
    const caret = front.selectionStart, atEnd = caret === front.value.length;
    front.value = next.text;
    if (document.activeElement === front) {
      const to = atEnd ? next.text.length : Math.min(caret, next.text.length);
      front.setSelectionRange(to, to);
    }
  }
  text = next.text;
  marks = (next.marks || []).map((mark) => [...mark]);
  setBusy(Boolean(next.busy));
  onlyGrew ? growLast(added) : paint();
  keepDraft();
}

function setBusy(now) {
  busy = now;
  bar.set(now);
  front.readOnly = now;
  element.querySelector('.pg-editor').classList.toggle('pg-busy', now);
  undo.disabled = again.disabled = now || !past.length;
}

// A keystroke moves the marks behind it and cuts the mark it falls into.
function typed() {
  const old = text, now = front.value;
  let head = 0, tail = 0;
  const shorter = Math.min(old.length, now.length);
  while (head < shorter && old[head] === now[head]) head++;
  while (tail < shorter - head && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  const cut = old.length - tail, shift = now.length - old.length, moved = [];
  for (const [start, end] of marks) {
    if (end <= head) moved.push([start, end]);
    else if (start >= cut) moved.push([start + shift, end + shift]);
    else {
      if (start < head) moved.push([start, head]);
      if (end > cut) moved.push([cut + shift, end + shift]);
    }
  }
  text = now; marks = moved;
  paint();
  publish('input');
  keepDraft();
}

function publish(event, more = {}) {
  props.value = {...snapshot(), busy, ...more};
  trigger(event);
  playground.tell('text', {mode: 'complete', names: playground.variables(text)});
}

function run(more = {}) {
  if (busy) return;
  remember();
  sent = snapshot();
  setBusy(true);
  // As busy: an answer that refuses the run must differ from what was sent, or it would not be seen as a change.
  publish('submit', more);
}

function remember() {
  past.push(snapshot());
  if (past.length > KEPT) past.shift();
}

function goBack() {
  if (busy || !past.length) return false;
  const before = past.pop();
  text = before.text; marks = before.marks; front.value = text;
  setBusy(false); paint(); publish('input'); keepDraft();
  return true;
}

// A choice that is kept, or a token that is picked, continues the text that was sent; under echo it holds that text itself.
function adopt({text: answer, whole}, base) {
  remember();
  const start = whole ? Math.min(base.text.length, answer.length) : base.text.length;
  text = whole ? answer : base.text + answer;
  marks = base.marks.filter(([, end]) => end <= start).concat(text.length > start ? [[start, text.length]] : []);
  front.value = text;
  setBusy(false); paint(); publish('input'); keepDraft();
}

const keepNow = () => playground.keep('draft.complete', {...snapshot(), past: past.slice(-5)});

function keepDraft() {
  clearTimeout(draftTimer);
  draftTimer = setTimeout(keepNow, 400);
}

function restore() {
  const draft = playground.kept('draft.complete');
  if (!draft || typeof draft.text !== 'string' || text) return;
  past = Array.isArray(draft.past) ? draft.past : [];
  show({text: draft.text, marks: Array.isArray(draft.marks) ? draft.marks : []});
  if (text) publish('input');
}

// A preset or a run from the history takes the place of what is here; Undo brings that back.
function load(value) {
  remember();
  sent = null;
  show({...value, busy: false});
  publish('input');
}

front.placeholder = say('prompt_placeholder');
front.setAttribute('aria-label', say('prompt'));
for (const [button, key, name] of [[undo, 'undo', 'undo'], [again, 'regenerate', 'again']]) { button.title = say(key); button.setAttribute('aria-label', say(key)); button.append(playground.icon(name)); }
front.addEventListener('input', typed);
undo.addEventListener('click', goBack);
again.addEventListener('click', () => { if (goBack()) run(); });
playground.hear('recount', (mode) => { if (mode === 'complete' && !busy) publish('input'); });
playground.hear('keep', (said) => { if (said.scope === 'complete' && !busy) adopt(said, snapshot()); });
playground.hear('pick', (said) => { if (said.scope === 'complete' && !busy && sent) { adopt(said, sent); run(); } });
playground.hear('again', (said) => { if (said.scope === 'complete' && goBack()) run({without: said.without}); });
new ResizeObserver(() => resize()).observe($('.pg-paper'));
watch('value', () => {
  if (props.value?.load && props.value.load !== loaded) { loaded = props.value.load; return load(props.value); }
  // Gradio writes the initial value once more after mounting: until the first run, a draft wins over an empty text.
  if (!sent && text && !props.value?.text) publish('input'); else show(props.value);
});
// Closing the tab in the middle of the 400 ms above would lose the last words.
window.addEventListener('pagehide', keepNow);
show(props.value);
restore();
setBusy(busy);
