// The conversation editor: SYSTEM at its left, one row a message, branches behind small arrows. Streaming touches one row.
// Value to the server: {system, messages, run, continues, without}; from it: the same with `load`, which replaces what is shown.
// The answer comes apart, as the event `playground:answer`: {run, busy, text, reasoning, calls, finish}, or {several: [answer, …]}
// where there are several: these become branches at the end, and Keep shows one of them.
const {icon, hear, tell, pictures, messageRow: {Row, grow}, tree: {Tree, blank, empty, ROOT}} = playground, say = playground.saying();
const $ = (selector) => element.querySelector(selector);
const list = $('.pg-messages'), system = $('.pg-system-text'), clear = $('.pg-new'), adder = $('.pg-add');
let tree = new Tree(), rows = new Map(), run = 0, loaded = null, restored = false, keepTimer = 0;
// `pending` is the answer that is being written, `asked` how it was asked for, `offered` where the answers of the last run stand.
// Both of these carry the key of their conversation: in another one they have no place.
let pending = null, asked = null, offered = null;
// `typing` is the box whose letters are one change, `said` what SYSTEM held before the last of them.
let typing = null, said = '';
// Images that are still being read, and the promise of their end.
let readings = 0, reading = Promise.resolve();
const ROLES = ['user', 'assistant', 'system', 'developer'];

const bar = playground.runButton({element, say, begin: () => whenRead(begin), halt: () => trigger('stop'), release: giveUp});
const time = playground.timeline({element, say, take: () => ({nodes: tree.snapshot(), system: said}), put, same});

// --- rows ---

// Whatever would change the conversation waits for the answer that is coming.
const on = {
  again: (row) => whenRead(() => regenerate(row.id)),
  image: (row) => { if (!bar.busy) pictures.choose((files) => addImages(row, files)); },
  up: (row) => structural(() => tree.raise(row.id)),
  down: (row) => structural(() => { const {kids, at} = tree.get(row.id); if (kids.length && !tree.isDraft(kids[at])) tree.raise(kids[at]); }),
  trash: (row) => structural(() => tree.drop(row.id)),
  role: (row) => structural(() => changed(row.id, {role: ROLES[(ROLES.indexOf(tree.get(row.id).role) + 1) % ROLES.length]})),
  turn: (row, by) => structural(() => tree.turn(row.id, by)),
  unpin: (row, at) => structural(() => changed(row.id, {images: tree.get(row.id).images.filter((_, each) => each !== at)})),
  typed,
  files: (row, files) => { const takes = !bar.busy && tree.get(row.id).role === 'user'; if (takes) addImages(row, files); return takes; },
};

// What stands in a row without a text.
function hint(node) {
  if (node.role === 'tool') return say('tool_placeholder').replace('{name}', node.name || '');
  if (node.role === 'user') return say('user_placeholder');
  return pending?.id !== node.id ? say('message_placeholder') : pending.several ? say('several_below') : '';
}

// Rows are made once and moved; what did not change is not touched.
function draw() {
  const trail = tree.trail(), shown = new Set(trail);
  for (const [id, made] of rows) if (!shown.has(id)) { made.node.remove(); rows.delete(id); }
  // What was sent stands still until it is answered.
  const upTo = bar.busy && pending ? trail.indexOf(pending.id) : -1;
  let before = null;
  trail.forEach((id, at) => {
    if (!rows.has(id)) rows.set(id, new Row(id, say, on));
    const row = rows.get(id), node = tree.get(id), place = before ? before.nextSibling : list.firstChild, branches = tree.branches(id);
    if (row.node !== place) list.insertBefore(row.node, place);
    before = row.node;
    row.box.readOnly = at <= upTo;
    const about = [at, trail.length, branches.count, branches.at].join();
    if (row.drawn === node && row.about === about) return;
    row.show(node, {at, length: trail.length, branches, hint: hint(node)});
    row.node.classList.toggle('pg-draft', empty(node) && !node.made);
    Object.assign(row, {drawn: node, about});
  });
  clear.disabled = adder.disabled = bar.busy;
}

// --- editing ---

// What the messages and SYSTEM are before they change: Undo brings them back. An answer half there is no such state.
function remember() {
  if (bar.busy) return;
  time.remember();
  tree.fresh.clear();
  typing = null;
}

function same(a, b) {
  return a.system === b.system && a.nodes.size === b.nodes.size && [...a.nodes].every(([id, node]) => b.nodes.get(id) === node);
}

// Letters in one box are one change, whatever comes between them.
function types(box) {
  if (typing !== box) remember();
  typing = box;
}

function structural(change) {
  // An image that is still being read goes into its message first: afterwards it could be another one.
  whenRead(() => { if (!bar.busy) { remember(); change(); settle(); } });
}

// After any change: a place to write, and what is shown.
function settle() {
  tree.tail();
  draw();
  publish('input');
}

// A message changed, perhaps under another id: what names it goes along.
function changed(id, patch) {
  const now = tree.change(id, patch), row = rows.get(id);
  if (row && now !== id) { rows.delete(id); rows.set(now, row); row.id = now; }
  if (asked?.parent === id) asked.parent = now;
  if (asked?.id === id) asked.id = now;
  return now;
}

function typed(row) {
  types(row);
  const before = row.id, id = changed(before, {text: row.box.value});
  const last = tree.last() === id && tree.get(id).role !== 'user';
  if (last) tree.tail();
  if (last || id !== before) draw(); else { row.drawn = tree.get(id); row.node.classList.toggle('pg-draft', empty(tree.get(id))); }
  publish('input');
}

// Another state in the place of this one.
function put(now) {
  tree = new Tree(now.nodes);
  system.value = said = now.system;
  pending = typing = null;
  grow(system);
  settle();
}

function publish(event, more = {}) {
  const light = event === 'input', upTo = more.upTo;
  delete more.upTo;
  props.value = {system: system.value, messages: tree.messages(upTo, {light}), run, ...more};
  if (!light || playground.sendable(props.value)) trigger(event);
  tell('text', {mode: 'chat', names: playground.variables([system.value, ...tree.messages(undefined, {light: true}).map((said) => JSON.stringify(said.content))].join('\n'))});
  keepDraft();
}

// --- images ---

function addImages(row, files) {
  readings += 1;
  reading = Promise.all([reading, attach(row, files)]).finally(() => { readings -= 1; });
}

async function attach(row, files) {
  const images = [];
  for (const file of files) try { images.push(await pictures.read(file)); } catch { tell('notice', {tone: 'error', key: 'image_unreadable', message: file.name}); }
  if (!images.length) return;
  // The message may have gone meanwhile.
  if (bar.busy || rows.get(row.id) !== row) return tell('notice', {tone: 'error', key: 'image_homeless', message: files.map((file) => file.name).join(', ')});
  // Two pastes into one message are one change of it, not two branches.
  if (!tree.fresh.has(row.id)) remember();
  changed(row.id, {images: [...tree.get(row.id).images, ...images]});
  settle();
}

// What is submitted goes out with the images that were put in before.
const whenRead = (fn) => readings ? void reading.then(() => whenRead(fn)) : fn();

// --- running ---

// Submit: what is written is sent; after an answer with nothing new below it, that answer is continued.
function begin(more = {}) {
  if (bar.busy) return;
  const trail = tree.trail().filter((id) => tree.get(id).role === 'tool' || !empty(tree.get(id))), last = trail.at(-1) ?? ROOT, node = tree.get(last);
  node.role === 'assistant' && node.text && !node.calls.length ? start(last, {id: last, continues: true, ...more}) : start(last, more);
}

function regenerate(id) {
  start(tree.get(id).role === 'assistant' ? tree.parentOf(id) : id);
}

// The run that was refused, once more without what it was refused for.
function again({without}) {
  if (bar.busy) return;
  const shown = (id) => id === ROOT || tree.trail().includes(id);
  asked?.key === tree.key && shown(asked.parent) && (!asked.continues || shown(asked.id)) ? start(asked.parent, {...asked, without}) : begin({without});
}

// An answer below `parent`; or, where it continues, more of the answer `id`.
function start(parent, {id = null, continues = false, without} = {}) {
  if (bar.busy) return;
  const {kids, at} = tree.get(parent), upTo = parent === ROOT ? null : parent, was = continues ? tree.get(id) : null;
  if (!playground.sendable([system.value, tree.messages(upTo)])) return tell('notice', {tone: 'error', key: 'too_large_to_send', message: ''});
  remember();
  // What was written below stays, as another branch.
  pending = {id: continues ? id : tree.add(parent, blank('assistant', {made: true})), parent: continues ? tree.parentOf(id) : parent, was, shown: kids[at], from: document.activeElement};
  asked = {key: tree.key, parent, id, continues};
  run += 1;
  bar.set(true);
  time.block(true);
  element.classList.add('pg-busy');
  draw();
  publish('submit', {upTo, continues, ...(without ? {without} : {})});
  rows.get(pending.id).node.scrollIntoView({block: 'nearest'});
}

// An answer with what it continues, if it does, before it.
function whole({text = '', reasoning = '', calls = [], finish}, was) {
  return {text: (was?.text ?? '') + text, reasoning: [was?.reasoning, reasoning].filter(Boolean).join('\n\n'), calls, finish: finish ?? was?.finish};
}

function answered(said) {
  // A run that was given up and is heard of after all (Stop came before it, or got lost) is stopped again.
  if (said?.run !== run && said?.busy && !bar.busy) trigger('stop');
  if (!pending || said?.run !== run) return;
  if (said.several) several(said); else answer(said);
  if (!said.busy) ended();
}

function answer(said) {
  const row = rows.get(pending.id), {id, parent, was} = pending;
  tree.update(id, whole(said, was));
  if (said.text) offered = {key: tree.key, parent, was, ids: [id]};
  keepDraft();
  if (!row) return;
  // Only this row, and of it only what is new.
  const node = row.drawn = tree.get(id), atEnd = window.innerHeight + window.scrollY > document.body.scrollHeight - 120;
  row.write(node);
  // Open while it thinks, folded when it answers; what the person folds or unfolds meanwhile stays so.
  if (node.reasoning && !node.text && row.thinking === undefined) row.thinking = row.thought.open = true;
  if (node.text && row.thinking) row.thinking = row.thought.open = false;
  if (node.calls.length) row.beside(node);
  if (atEnd) window.scrollTo({top: document.body.scrollHeight});
}

const answerBelow = (parent, said, was) => tree.add(parent, blank('assistant', {made: true, ...whole(said, was)}));

// Several answers wait on their cards until they have ended; then all of them stand beside each other, and none can be lost.
function several(said) {
  if (said.busy) { pending.several = true; rows.get(pending.id).box.placeholder = say('several_below'); return; }
  // None has come: those of the last run stay where they are.
  if (!said.several.length) return;
  const {parent, was} = pending;
  offered = {key: tree.key, parent, was, ids: []};
  for (const each of said.several) if (each.text || each.calls.length || each.reasoning) offered.ids[each.index] = answerBelow(parent, each, was);
  const first = offered.ids.find(Boolean);
  if (first) tree.reveal(first);
}

// The run is over, however it ended: the conversation is the person's again.
function ended() {
  const node = tree.get(pending?.id), from = pending?.from;
  bar.set(false);
  time.block(false);
  element.classList.remove('pg-busy');
  if (node && empty(node) && !node.reasoning) takeBack(pending);  // what was thought until Stop is kept
  pending = typing = null;
  settle();
  // Who sent with the keyboard goes on writing below; in the question that is answered now, a letter would be a new branch.
  if (node && !empty(node) && from?.matches('.pg-message-text') && document.activeElement === from) rows.get(tree.last())?.box.focus({preventScroll: true});
}

// An answer that never began: what was shown in its place is shown again, and what was written below it stays.
function takeBack({id, parent, shown}) {
  const {kids, at} = tree.get(parent), place = kids.indexOf(id), below = tree.get(id).kids.length;
  if (place < 0) return;
  below ? tree.drop(id) : tree.remove(id);
  if (place === at && !below && shown && tree.get(shown)) tree.reveal(shown);
}

// What is still said of this run comes too late. Of several answers, what stands on their cards is taken in.
function giveUp() {
  if (pending?.several) several({several: tell('cards', {scope: 'chat', cards: []}).cards.map((card) => ({calls: [], ...card}))});
  tell('over', {scope: 'chat', run});
  run += 1;
  ended();
}

// Whether the answers beside the conversation have a place in it, that of `id` or that of all; where not, why is told.
function belongs(id = offered?.parent) {
  const key = bar.busy ? 'keep_busy' : offered?.key === tree.key && id && tree.holds(id) ? '' : 'keep_gone';
  if (key) tell('notice', {tone: 'error', key, message: ''});
  return !key;
}

// One of several answers is shown; the others stay beside it. One that is no longer there comes back.
function chosen(said) {
  if (!belongs()) return void (said.refused = true);
  structural(() => {
    const {parent, was, ids} = offered, node = tree.get(ids[said.index]), {text, calls} = whole(said, was);
    if (!node || !tree.holds(node.id)) { tree.reveal(parent); ids[said.index] = answerBelow(parent, said, was); return; }
    tree.reveal(node.id);
    // Its card went on after the run was given up.
    if (!node.finish && text.startsWith(node.text)) tree.update(node.id, {text, calls});
  });
}

// A token picked among the alternatives: the answer up to it, continued.
function picked({text, index}) {
  const of = offered?.ids[index];
  if (!belongs(of ?? null)) return;
  remember();
  tree.reveal(of);
  const id = changed(of, {text: (offered.was?.text ?? '') + text, reasoning: '', calls: [], finish: undefined});
  tree.tail();
  draw();
  start(id, {id, continues: true});
}

// --- keeping ---

// The messages of all branches; an image that several of them hold is kept once.
function draft({images = true} = {}) {
  const urls = [], number = (url) => urls.includes(url) ? urls.indexOf(url) : urls.push(url) - 1;
  const light = (node) => node.images?.length ? {...node, images: images ? node.images.map((image) => ({...image, url: number(image.url)})) : []} : node;
  return {nodes: tree.living().map((node) => [node.id, light(node)]), urls, system: system.value, version: 1};
}

// Also while an answer streams, which changes it more often than that.
function keepDraft() { keepTimer ||= setTimeout(keepNow, bar.busy ? 2000 : 500); }

function keepNow() {
  clearTimeout(keepTimer);
  keepTimer = 0;
  // Too large for the browser's storage: the words at least.
  if (restored) playground.keepFirst('draft.chat', draft, () => draft({images: false}));
}

function restore() {
  const kept = playground.kept('draft.chat');
  try {
    if (kept?.version === 1 && Array.isArray(kept.nodes)) {
      const nodes = new Map(kept.nodes.map(([id, node]) => [id, node.images ? {...node, images: node.images.map((image) => ({...image, url: kept.urls?.[image.url] ?? image.url}))} : node]));
      if (nodes.has(ROOT)) { tree = new Tree(nodes); tree.messages(); system.value = said = String(kept.system || ''); }
    }
    // The page was left before the first word of an answer.
    const last = tree.last(), node = tree.get(last);
    if (node.made && empty(node) && !node.reasoning) tree.remove(last);
  } catch { tree = new Tree(); }
  restored = true;
}

function load(value) {
  if (bar.busy) { trigger('stop'); giveUp(); }
  remember();
  put({nodes: Tree.of(value.messages || []).nodes, system: value.system || ''});
}

// --- wiring ---

$('.pg-system-label').textContent = say('role_system');
system.placeholder = say('system_placeholder');
system.setAttribute('aria-label', say('role_system'));
system.addEventListener('input', () => { types(system); said = system.value; grow(system); publish('input'); });
adder.append(icon('plus'), say('add_message'));
adder.addEventListener('click', () => {
  structural(() => { const last = tree.last(); tree.add(last, blank(last === ROOT || tree.get(last).role !== 'user' ? 'user' : 'assistant')); });
  rows.get(tree.last()).box.focus();
});
clear.append(icon('trash')); clear.title = say('new_conversation'); clear.setAttribute('aria-label', say('new_conversation'));
clear.addEventListener('click', () => structural(() => { tree = new Tree(); }));
// A file that is dropped beside a message must not take the page's place.
for (const event of ['dragover', 'drop']) element.addEventListener(event, (dropped) => { if (dropped.dataTransfer.types.includes('Files')) dropped.preventDefault(); });
hear('recount', (mode) => { if (mode === 'chat' && !bar.busy) publish('input'); });
hear('answer', (said) => answered(said));
hear('keep', (said) => { if (said.scope === 'chat') chosen(said); });
hear('pick', (said) => { if (said.scope === 'chat') whenRead(() => picked(said)); });
hear('again', (said) => { if (said.scope === 'chat') whenRead(() => again(said)); });
hear('written', (into) => { if (into.scope === 'chat') Object.assign(into, {system: system.value, messages: tree.messages()}); });
// Presets and View code need the images, too: what holds them goes out with their event, and with no other.
hear('ask', (said) => { if (said.scope === 'chat') props.value = {system: system.value, messages: tree.messages(), run}; });
watch('value', () => {
  const load_ = props.value?.load;
  if (load_ && load_ !== loaded) { loaded = load_; load(props.value); }
  // Gradio writes the initial value once more after mounting: the server hears again what is really here.
  else if (props.value?.run === undefined) publish('input');
});
// Answers that wait on their cards would be gone with the page.
window.addEventListener('pagehide', () => { if (pending?.several) giveUp(); keepNow(); });
document.addEventListener('visibilitychange', () => { if (document.hidden) keepNow(); });
restore();
grow(system);
settle();
