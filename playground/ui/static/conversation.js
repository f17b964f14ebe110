// The conversation editor: SYSTEM at its left, one row a message, branches behind small arrows. Streaming touches one row.
// Value to the server: {system, messages, run, continues, without}; from it: the same with `load`, which replaces what is shown.
// The answer comes apart, as the event `playground:answer`: {run, busy, text, reasoning, calls, finish}.
const {make, icon, iconButton, hear, tell, tree: {Tree, blank, empty, ROOT}} = playground, say = playground.saying(props);
const $ = (selector) => element.querySelector(selector);
const list = $('.pg-messages'), system = $('.pg-system-text'), undo = $('.pg-undo'), clear = $('.pg-new');
const PAST = 30, LONGEST_SIDE = 2048, MOST_IMAGES = 9_000_000, GROWS = CSS.supports('field-sizing', 'content');
let tree = new Tree(), rows = new Map(), past = [], run = 0, pending = null, base = '', loaded = null, restored = false, keepTimer = 0;
const ROLES = ['user', 'assistant', 'system', 'developer'];

const bar = playground.runButton({element, say, begin: () => begin(), halt: () => trigger('stop'), release: () => ended(null)});

function grow(box) {
  if (GROWS) return;
  box.style.height = 'auto';
  box.style.height = box.scrollHeight + 'px';
}

// --- rows ---

function row(id) {
  const node = tree.get(id), made = {id};
  made.role = make('button', {type: 'button', class: 'pg-role', title: say('change_role')});
  made.box = make('textarea', {class: 'pg-message-text', rows: '1', spellcheck: 'false', autocomplete: 'off'});
  made.extra = make('div', {class: 'pg-message-extra'});
  made.thought = make('details', {class: 'pg-thought'}, make('summary', {text: say('reasoning')}), make('div'));
  made.branch = make('span', {class: 'pg-branch'});
  const act = (name, label, fn) => { const button = iconButton(name, say(label), {'data-act': name}); button.addEventListener('click', () => { if (!bar.busy) fn(made.id); }); return button; };
  made.tools = make('div', {class: 'pg-message-tools'}, act('again', 'regenerate_here', regenerate), act('image', 'attach_image', attach), act('up', 'move_up', (at) => structural(() => tree.raise(at))),
    act('down', 'move_down', (at) => structural(() => { const next = tree.get(at).kids[tree.get(at).at]; if (next && !empty(tree.get(next))) tree.raise(next); })), act('trash', 'delete', (at) => structural(() => tree.drop(at))));
  made.node = make('article', {class: 'pg-message'}, make('header', {}, made.role, made.branch), make('div', {class: 'pg-message-body'}, made.thought, made.box, made.extra), made.tools);
  made.role.addEventListener('click', () => { if (bar.busy) return; const now = tree.get(made.id).role; structural(() => tree.change(made.id, {role: ROLES[(ROLES.indexOf(now) + 1) % ROLES.length]})); });
  made.box.addEventListener('focus', () => { tree.fresh.clear(); remember(); });
  made.box.addEventListener('input', () => typed(made));
  made.box.addEventListener('paste', (event) => { const files = [...event.clipboardData.files].filter((file) => file.type.startsWith('image/')); if (files.length && tree.get(made.id).role === 'user') { event.preventDefault(); addImages(made.id, files); } });
  made.node.addEventListener('dragover', (event) => { if (event.dataTransfer.types.includes('Files')) event.preventDefault(); });
  made.node.addEventListener('drop', (event) => { const files = [...event.dataTransfer.files].filter((file) => file.type.startsWith('image/')); if (files.length) { event.preventDefault(); addImages(made.id, files); } });
  return made;
}

function fill(made, node, at, length) {
  const role = say('role_' + node.role);
  made.node.dataset.role = node.role;
  made.node.classList.toggle('pg-draft', empty(node) && !node.made);
  made.role.textContent = role;
  made.role.disabled = node.role === 'tool';
  if (made.box.value !== node.text) made.box.value = node.text;
  made.box.setAttribute('aria-label', `${role} ${at + 1}`);
  made.box.placeholder = node.role === 'tool' ? say('tool_placeholder').replace('{name}', node.name || '') : node.role === 'user' ? say('user_placeholder') : pending?.id === node.id ? (bar.busy ? '' : say('keep_one')) : say('message_placeholder');
  made.thought.hidden = !node.reasoning;
  if (node.reasoning) made.thought.lastChild.textContent = node.reasoning;
  beside(made, node);
  branch(made, tree.branches(made.id));
  made.tools.querySelector('[data-act="image"]').hidden = node.role !== 'user';
  made.tools.querySelector('[data-act="up"]').disabled = at === 0;
  made.tools.querySelector('[data-act="down"]').disabled = at >= length - 1;
  grow(made.box);
}

// Images, and the functions that an assistant wants called.
function beside(made, node) {
  const parts = [];
  node.images.forEach((image, at) => {
    const drop = iconButton('close', say('remove'), {class: 'pg-drop'});
    drop.addEventListener('click', () => structural(() => tree.change(made.id, {images: node.images.filter((_, i) => i !== at)})));
    parts.push(make('figure', {class: 'pg-image'}, make('img', {src: image.url, alt: `${say('image')} ${at + 1}`}), drop));
  });
  for (const call of node.calls) parts.push(make('div', {class: 'pg-call'}, make('code', {class: 'pg-call-name', text: call.name + '()'}), make('pre', {text: pretty(call.arguments)})));
  if (node.role === 'tool' && node.callId) parts.push(make('div', {class: 'pg-call-of', text: `${node.name || ''} · ${node.callId}`}));
  made.extra.replaceChildren(...parts);
}

const pretty = (text) => { try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; } };

function branch(made, {count, at}) {
  if (made.branches === count + '/' + at) return;
  made.branches = count + '/' + at;
  made.branch.replaceChildren();
  if (count < 2) return;
  const step = (name, label, by) => { const button = iconButton(name, say(label)); button.addEventListener('click', () => structural(() => tree.turn(made.id, by))); return button; };
  made.branch.append(step('left', 'branch_before', -1), make('span', {text: `${at + 1}/${count}`}), step('right', 'branch_after', 1));
}

// Rows are made once and moved; what did not change is not touched.
function draw() {
  const trail = tree.trail(), shown = new Set(trail);
  for (const [id, made] of rows) if (!shown.has(id)) { made.node.remove(); rows.delete(id); }
  let before = null;
  trail.forEach((id, at) => {
    if (!rows.has(id)) rows.set(id, row(id));
    const made = rows.get(id), place = before ? before.nextSibling : list.firstChild;
    if (made.node !== place) list.insertBefore(made.node, place);
    before = made.node;
    made.box.readOnly = bar.busy && pending?.id === id;
    if (made.drawn !== tree.get(id) || made.place !== at + '/' + trail.length || made.branches !== branchKey(id)) { fill(made, tree.get(id), at, trail.length); made.drawn = tree.get(id); made.place = at + '/' + trail.length; }
  });
  undo.disabled = bar.busy || !past.length;
  clear.disabled = bar.busy;
}

const branchKey = (id) => { const {count, at} = tree.branches(id); return count + '/' + at; };

// --- editing ---

function remember() {
  past.push({nodes: tree.snapshot(), system: system.value});
  if (past.length > PAST) past.shift();
}

function structural(change) {
  remember();
  tree.fresh.clear();
  change();
  tree.tail();
  draw();
  publish('input');
}

function typed(made) {
  const id = tree.change(made.id, {text: made.box.value});
  if (id !== made.id) { rows.delete(made.id); made.id = id; rows.set(id, made); }
  grow(made.box);
  const last = tree.last();
  if (last === id && tree.get(id).role !== 'user') { tree.tail(); draw(); } else { made.drawn = tree.get(id); made.node.classList.toggle('pg-draft', empty(tree.get(id))); branch(made, tree.branches(id)); }
  publish('input');
}

function publish(event, more = {}) {
  const light = event === 'input', upTo = more.upTo;
  delete more.upTo;
  props.value = {system: system.value, messages: tree.messages(upTo, {light}), run, ...more};
  trigger(event);
  tell('text', {mode: 'chat', names: playground.variables([system.value, ...tree.messages(undefined, {light: true}).map((said) => JSON.stringify(said.content))].join('\n'))});
  keepDraft();
}

// --- images ---

function attach(id) {
  const picker = make('input', {type: 'file', accept: 'image/png,image/jpeg,image/webp,image/gif', multiple: ''});
  picker.addEventListener('change', () => addImages(id, [...picker.files]));
  picker.click();
}

// As large as a model looks at it, no larger: what is sent is paid for and kept.
async function shrunk(file) {
  const bitmap = await createImageBitmap(file), scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale)), height = Math.max(1, Math.round(bitmap.height * scale));
  const read = () => new Promise((done, fail) => { const reader = new FileReader(); reader.onload = () => done(reader.result); reader.onerror = fail; reader.readAsDataURL(file); });
  if (scale === 1 && file.size < 1_000_000) return {url: await read(), width, height};
  const canvas = make('canvas');
  canvas.width = width; canvas.height = height;
  canvas.getContext('2d').drawImage(bitmap, 0, 0, width, height);
  return {url: canvas.toDataURL('image/jpeg', 0.88), width, height};
}

async function addImages(id, files) {
  const images = [];
  for (const file of files) try { images.push(await shrunk(file)); } catch { tell('notice', {tone: 'error', key: 'image_unreadable', message: file.name}); }
  if (images.length) structural(() => tree.change(id, {images: [...tree.get(id).images, ...images]}));
}

// --- running ---

// Submit: what is written is sent; after an answer with nothing new below it, that answer is continued.
function begin(more = {}) {
  if (bar.busy) return;
  const trail = tree.trail().filter((id) => tree.get(id).role === 'tool' || !empty(tree.get(id))), last = trail.at(-1) ?? ROOT, node = tree.get(last);
  node.role === 'assistant' && node.text && !node.calls.length ? start(last, {id: last, continues: true, ...more}) : start(last, more);
}

function regenerate(id) {
  const node = tree.get(id);
  start(node.role === 'assistant' ? tree.parentOf(id) : id);
}

// An answer below `parent`; or, where it continues, more of the answer `id`.
function start(parent, {id = null, continues = false, without} = {}) {
  // More than the server takes in one request would end in silence.
  const size = tree.trail().reduce((sum, each) => sum + tree.get(each).images.reduce((all, image) => all + image.url.length, 0), 0);
  if (size > MOST_IMAGES) return tell('notice', {tone: 'error', key: 'images_too_large', message: ''});
  remember();
  tree.fresh.clear();
  const upTo = parent === ROOT ? null : parent;
  if (continues) base = tree.get(id).text;
  else {
    base = '';
    // What was written below stays, as another branch.
    id = tree.add(parent, blank('assistant', {made: true}));
  }
  pending = {id, continues, was: continues ? tree.get(id) : null};
  run += 1;
  bar.set(true);
  element.classList.add('pg-busy');
  draw();
  publish('submit', {upTo, continues, ...(without ? {without} : {})});
  rows.get(id).node.scrollIntoView({block: 'nearest'});
}

function answered(said) {
  if (!pending || said?.run !== run) return;
  const made = rows.get(pending.id), patch = {text: base + (said.text || ''), reasoning: said.reasoning || '', calls: said.calls || [], finish: said.finish};
  tree.update(pending.id, patch);
  if (!made) return;
  // Only this row, and of it only what is new.
  const atEnd = window.innerHeight + window.scrollY > document.body.scrollHeight - 120;
  made.box.value = patch.text;
  grow(made.box);
  if (patch.reasoning) { made.thought.hidden = false; made.thought.lastChild.textContent = patch.reasoning; if (!patch.text) made.thought.open = true; }
  if (patch.calls.length) beside(made, tree.get(pending.id));
  made.drawn = tree.get(pending.id);
  if (atEnd) window.scrollTo({top: document.body.scrollHeight});
  if (!said.busy) ended(said);
}

function ended(said) {
  const node = pending && tree.get(pending.id);
  bar.set(false);
  element.classList.remove('pg-busy');
  if (node && empty(node) && !said?.several) tree.remove(pending.id);
  if (!said?.several) { pending = null; }
  if (!said?.several) tree.tail();
  draw();
  publish('input');
}

// One of several answers is kept, and shown; the others stay beside it as branches.
function chosen({texts, calls, index}) {
  if (bar.busy || !pending) return;
  remember();
  const {id} = pending, node = tree.get(id), parent = tree.parentOf(id);
  tree.remove(id);
  texts.forEach((text, at) => { if (text || calls[at]?.length) tree.add(parent, blank('assistant', {made: true, text: base + text, calls: calls[at] || []})); });
  const kids = tree.get(parent).kids;
  tree.update(parent, {at: Math.max(0, kids.length - texts.length + index)});
  pending = null;
  tree.tail();
  draw();
  publish('input');
}

// A token picked among the alternatives: the answer up to it, continued.
function picked({text}) {
  if (bar.busy) return;
  const last = [...tree.trail()].reverse().find((id) => tree.get(id).role === 'assistant');
  if (!last) return;
  const id = tree.change(last, {text: base + text});
  tree.tail();
  draw();
  start(id, {id, continues: true});
}

// --- keeping ---

const draft = () => ({nodes: [...tree.nodes], system: system.value, version: 1});

function keepDraft() {
  clearTimeout(keepTimer);
  keepTimer = setTimeout(keepNow, 500);
}

function keepNow() {
  if (!restored) return;
  if (playground.keep('draft.chat', draft())) return;
  // Too large for the browser's storage: the words at least.
  const light = [...tree.nodes].map(([id, node]) => [id, node.images?.length ? {...node, images: []} : node]);
  playground.keep('draft.chat', {...draft(), nodes: light});
}

function restore() {
  const kept = playground.kept('draft.chat');
  try {
    if (kept?.version === 1 && Array.isArray(kept.nodes)) {
      const nodes = new Map(kept.nodes);
      if (nodes.has(ROOT)) { tree = new Tree(nodes); tree.trail(); tree.messages(); system.value = String(kept.system || ''); }
    }
  } catch { tree = new Tree(); }
  restored = true;
}

function load(value) {
  remember();
  tree = Tree.of(value.messages || []);
  system.value = value.system || '';
  pending = null;
  rows.forEach((made) => made.node.remove());
  rows.clear();
  tree.tail();
  draw();
  grow(system);
  publish('input');
}

// --- wiring ---

$('.pg-system-label').textContent = say('role_system');
system.placeholder = say('system_placeholder');
system.setAttribute('aria-label', say('role_system'));
system.addEventListener('input', () => { grow(system); publish('input'); });
const adder = $('.pg-add');
adder.append(icon('plus'), say('add_message'));
adder.addEventListener('click', () => {
  structural(() => { const last = tree.last(); tree.add(last, blank(last === ROOT || tree.get(last).role !== 'user' ? 'user' : 'assistant')); });
  rows.get(tree.last()).box.focus();
});
undo.append(icon('undo')); undo.title = say('undo'); undo.setAttribute('aria-label', say('undo'));
undo.addEventListener('click', () => { if (bar.busy || !past.length) return; const before = past.pop(); tree = new Tree(before.nodes); system.value = before.system; pending = null; tree.tail(); draw(); publish('input'); });
clear.append(icon('trash')); clear.title = say('new_conversation'); clear.setAttribute('aria-label', say('new_conversation'));
clear.addEventListener('click', () => structural(() => { tree = new Tree(); }));
hear('recount', (mode) => { if (mode === 'chat' && !bar.busy) publish('input'); });
hear('answer', (said) => answered(said));
hear('keep', (said) => { if (said.scope === 'chat') chosen(said); });
hear('pick', (said) => { if (said.scope === 'chat') picked(said); });
hear('again', (said) => { if (said.scope === 'chat') { const last = tree.trail().filter((id) => !empty(tree.get(id))).at(-1); if (last) begin({without: said.without}); } });
// Presets and View code need the images, too: what holds them goes out with their event, and with no other.
hear('ask', (said) => { if (said.scope === 'chat') props.value = {system: system.value, messages: tree.messages(), run}; });
watch('value', () => {
  const load_ = props.value?.load;
  if (load_ && load_ !== loaded) { loaded = load_; load(props.value); }
  // Gradio writes the initial value once more after mounting: the server hears again what is really here.
  else if (props.value?.run === undefined) publish('input');
});
window.addEventListener('pagehide', keepNow);
restore();
tree.tail();
draw();
grow(system);
publish('input');
