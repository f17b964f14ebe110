// The completion editor: one text in which the generated parts are marked, with its own Submit, Stop, Undo and Regenerate.
// Value, both ways: {text, marks: [[start, end], …], busy}. A transparent textarea lies over a layer that paints the marks.
const $ = (selector) => element.querySelector(selector);
const front = $('.pg-front'), back = $('.pg-back'), submit = $('.pg-submit'), undo = $('.pg-undo'), again = $('.pg-again');
const lang = playground.language(), say = (key) => props.strings[lang][key] ?? props.strings.en[key] ?? key;
const DRAFT = 'playground.draft.complete', KEPT = 30, DOUBLE_CLICK = 500, MIN_HEIGHT = 280, MAX_MARKED = 400000;
let text = '', marks = [], busy = false, sent = null, submittedAt = 0, past = [], draftTimer = 0, stopTimer = 0;

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
  if (!now) clearTimeout(stopTimer);
  busy = now;
  front.readOnly = now;
  element.querySelector('.pg-editor').classList.toggle('pg-busy', now);
  submit.classList.toggle('pg-stop', now);
  submit.querySelector('.pg-submit-label').textContent = say(now ? 'stop' : 'submit');
  submit.querySelector('kbd').textContent = now ? 'Esc' : (navigator.platform.startsWith('Mac') ? '⌘' : 'Ctrl') + ' ↵';
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

function publish(event) {
  props.value = {...snapshot(), busy};
  trigger(event);
}

function run() {
  if (busy) return;
  remember();
  sent = snapshot();
  submittedAt = performance.now();
  setBusy(true);
  // As busy: an answer that refuses the run must differ from what was sent, or it would not be seen as a change.
  publish('submit');
}

function remember() {
  past.push(snapshot());
  if (past.length > KEPT) past.shift();
}

function stop() {
  if (!busy || performance.now() - submittedAt < DOUBLE_CLICK) return;
  trigger('stop');
  // A server that is gone can't answer: the editor is the person's again after three seconds.
  clearTimeout(stopTimer);
  stopTimer = setTimeout(() => { if (busy) { setBusy(false); publish('input'); } }, 3000);
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

function keepDraft() {
  clearTimeout(draftTimer);
  draftTimer = setTimeout(() => {
    try { localStorage.setItem(DRAFT, JSON.stringify({...snapshot(), past: past.slice(-5)})); } catch { /* storage full or off */ }
  }, 400);
}

function restore() {
  try {
    const draft = JSON.parse(localStorage.getItem(DRAFT) || 'null');
    if (!draft || typeof draft.text !== 'string' || text) return;
    past = Array.isArray(draft.past) ? draft.past : [];
    show({text: draft.text, marks: Array.isArray(draft.marks) ? draft.marks : []});
    if (text) publish('input');
  } catch { /* a draft that can't be read is no draft */ }
}

front.placeholder = say('prompt_placeholder');
front.setAttribute('aria-label', say('prompt'));
for (const [button, key] of [[undo, 'undo'], [again, 'regenerate']]) { button.title = say(key); button.setAttribute('aria-label', say(key)); }
front.addEventListener('input', typed);
submit.addEventListener('click', () => busy ? stop() : run());
undo.addEventListener('click', goBack);
again.addEventListener('click', () => { if (goBack()) run(); });
const onKey = (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === 'Enter' && element.contains(document.activeElement)) { event.preventDefault(); run(); }
  if (event.key === 'Escape' && busy) { event.preventDefault(); stop(); }
};
document.addEventListener('keydown', onKey);
document.addEventListener('playground:keep', (event) => { if (!busy) adopt(event.detail, snapshot()); });
document.addEventListener('playground:pick', (event) => { if (!busy && sent) { adopt(event.detail, sent); run(); } });
new ResizeObserver(() => resize()).observe($('.pg-paper'));
watch('value', () => {
  // Gradio writes the initial value once more after mounting: until the first run, a draft wins over an empty text.
  if (!sent && text && !props.value?.text) publish('input'); else show(props.value);
});
// Closing the tab in the middle of the 400 ms above would lose the last words.
window.addEventListener('pagehide', () => { try { localStorage.setItem(DRAFT, JSON.stringify({...snapshot(), past: past.slice(-5)})); } catch { /* as above */ } });
show(props.value);
restore();
setBusy(busy);
