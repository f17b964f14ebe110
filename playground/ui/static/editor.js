// The completion editor: one text in which the generated parts are marked, with its own Submit, Stop, Undo and Regenerate.
// Value, both ways: {text, marks: [[start, end], …], busy, run}; what comes for another run than the last is left aside.
// A transparent textarea lies over a layer that paints the marks.
const $ = (selector) => element.querySelector(selector);
const front = $('.pg-front'), back = $('.pg-back'), again = $('.pg-again');
const say = playground.saying();
const MIN_HEIGHT = 280, MAX_MARKED = 400000;
// `origin` is where the last answer begins: what Regenerate sends again ends there. `dirty`: typed since the last snapshot.
let text = '', marks = [], origin = null, busy = false, run = 0, dirty = false, draftTimer = 0, loaded = null;
// `asked` is the text that was sent last: the answers beside it continue that one, and no other.
let asked = null;
const bar = playground.runButton({element, say, begin: () => begin(), halt: () => trigger('stop'), release});

const time = playground.timeline({element, say, take: () => snapshot(), put, same: (a, b) => a.text === b.text && String(a.marks) === String(b.marks)});
const remember = () => { time.remember(); dirty = false; };

const snapshot = () => ({text, marks: marks.map((mark) => [...mark]), origin});

// What the server still says of the run that is given up comes too late: the editor is the person's.
function release() {
  playground.tell('over', {scope: 'complete', run});
  run += 1;
  setBusy(false);
  publish('input');
}

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
  time.block(now);
  again.disabled = now || origin === null;
}

// A keystroke moves the marks behind it and cuts the mark it falls into.
function typed() {
  // What stood here before the first keystroke comes back with Undo.
  if (!dirty) { remember(); dirty = true; }
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
  if (origin !== null && origin >= head) origin = Math.max(origin, cut) + shift;
  text = now; marks = moved;
  paint();
  publish('input');
  keepDraft();
}

function publish(event, more = {}) {
  props.value = {text, marks: marks.map((mark) => [...mark]), busy, run, ...more};
  if (playground.sendable(text)) trigger(event);
  playground.tell('text', {mode: 'complete', names: playground.variables(text)});
}

function begin(more = {}) {
  if (busy) return;
  if (!playground.sendable(text)) return playground.tell('notice', {tone: 'error', key: 'too_large_to_send', message: ''});
  remember();
  origin = text.length;
  asked = text;
  run += 1;
  setBusy(true);
  // As busy: an answer that refuses the run must differ from what was sent, or it would not be seen as a change.
  publish('submit', more);
}

// The text up to the last answer, as it stands now, is sent again; all that stood here comes back with Undo.
function regenerate() {
  if (busy || origin === null) return;
  remember();
  put({text: text.slice(0, origin), marks: until(origin), origin});
  begin();
}

const until = (end) => marks.filter(([start]) => start < end).map(([start, stop]) => [start, Math.min(stop, end)]);

// Another text in the place of this one.
function put(page) {
  ({text, marks, origin = null} = page);
  front.value = text;
  dirty = false;
  setBusy(false); paint(); publish('input'); keepDraft();
}

// Whether the answers beside the text can continue it from `end` on; where not, why is told.
function belongs(end) {
  const key = busy ? 'keep_busy' : asked !== null && end !== null && text.slice(0, end).startsWith(asked) ? '' : 'keep_gone';
  if (key) playground.tell('notice', {tone: 'error', key, message: ''});
  return !key;
}

// A choice that is kept, or a token that is picked, continues the text that was sent; under echo it holds that text itself.
function adopt({text: answer, whole}, end) {
  remember();
  const start = whole ? Math.min(end, answer.length) : end, now = whole ? answer : text.slice(0, end) + answer;
  put({text: now, marks: until(start).concat(now.length > start ? [[start, now.length]] : []), origin: start});
}

// A text whose past does not fit into the browser's storage is kept without it.
function keepNow() {
  clearTimeout(draftTimer);
  draftTimer = 0;
  playground.keepFirst('draft.complete', () => ({...snapshot(), past: time.past.slice(-5)}), snapshot);
}

// Also while an answer streams, which changes the text more often than that.
function keepDraft() { draftTimer ||= setTimeout(keepNow, busy ? 2000 : 400); }

function restore() {
  const draft = playground.kept('draft.complete');
  if (!draft || typeof draft.text !== 'string' || text) return;
  if (Array.isArray(draft.past)) time.past.push(...draft.past);
  show({text: draft.text, marks: Array.isArray(draft.marks) ? draft.marks : []});
  origin = typeof draft.origin === 'number' && draft.origin <= text.length ? draft.origin : null;
  if (text) publish('input');
}

// A preset or a run from the history takes the place of what is here; Undo brings that back. A run under way is stopped.
function load(value) {
  if (busy) { trigger('stop'); run += 1; }
  remember();
  const first = (value.marks || [])[0];
  put({text: value.text, marks: value.marks || [], origin: first ? first[0] : null});
}

front.placeholder = say('prompt_placeholder');
front.setAttribute('aria-label', say('prompt'));
again.title = say('regenerate'); again.setAttribute('aria-label', say('regenerate')); again.append(playground.icon('again'));
front.addEventListener('input', typed);
again.addEventListener('click', regenerate);
playground.hear('recount', (mode) => { if (mode === 'complete' && !busy) publish('input'); });
playground.hear('keep', (said) => { if (said.scope === 'complete') belongs(text.length) ? adopt(said, text.length) : said.refused = true; });
playground.hear('pick', (said) => { if (said.scope === 'complete' && belongs(origin)) { adopt(said, origin); begin(); } });
playground.hear('again', (said) => { if (said.scope === 'complete') begin({without: said.without}); });
playground.hear('written', (into) => { if (into.scope === 'complete') into.text = text; });
playground.hear('append', (said) => { if (said.scope === 'complete' && !busy) { remember(); put({text: text + said.text, marks, origin}); } });
new ResizeObserver(() => resize()).observe($('.pg-paper'));
watch('value', () => {
  const said = props.value;
  if (said?.load && said.load !== loaded) { loaded = said.load; return load(said); }
  // What comes for another run than the last, or once more for one that has ended, must not stay as what the page holds:
  // so with the initial value, which Gradio writes again after mounting.
  const other = (said?.run ?? 0) !== run;
  if (!other && busy) return show(said);
  // A run that was given up and is heard of after all (Stop came before it, or got lost) is stopped again.
  if (other && said?.busy && !busy) trigger('stop');
  if (other || said?.text !== text) publish('input');
});
// Closing the tab before that timer has run would lose the last words.
window.addEventListener('pagehide', keepNow);
show(props.value);
restore();
setBusy(busy);
