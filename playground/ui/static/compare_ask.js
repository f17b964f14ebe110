// What all columns of the Compare tab are asked: a conversation, or a prompt to continue. Rows are those of the Chat tab.
// `changed()` is told of every change, `before(box)` right before one: letters in one box are one change. Nothing is drawn before `open`.
window.playground.compareAsk = ({home, say, changed, before}) => {
  const {make, icon, tell, pictures, messageRow: {Row, grow}, tree: {Tree, blank, empty, ROOT}} = playground;
  const ROLES = ['user', 'assistant', 'system', 'developer'];
  const box = (key) => make('textarea', {class: 'pg-versus-text', rows: '1', spellcheck: 'false', autocomplete: 'off', 'aria-label': say(key)});
  const system = box('role_system'), prompt = box('prompt'), list = make('div', {class: 'pg-messages'}), adder = make('button', {type: 'button', class: 'pg-add'}, icon('plus'), say('add_message'));
  const talk = make('div', {class: 'pg-thread'}, make('div', {class: 'pg-versus-system'}, make('span', {class: 'pg-system-label', text: say('role_system')}), system), list, adder);
  const paper = make('div', {class: 'pg-thread pg-versus-paper'}, prompt);
  let kind = 'chat', tree = new Tree(), rows = new Map(), open = false, busy = false;
  system.placeholder = say('system_placeholder');
  prompt.placeholder = say('compare_prompt_placeholder');

  const last = () => tree.get(tree.last());
  // Nothing here is a model's answer that a change would have to leave as it was.
  const own = (now) => { for (const id of now.trail()) now.update(id, {made: false}); return now; };

  function changeTo(change) {
    if (busy) return;
    before();
    change();
    settle();
  }

  const on = {
    again() {}, turn() {},
    image: (row) => { if (!busy) pictures.choose((files) => attach(row, files)); },
    up: (row) => changeTo(() => tree.raise(row.id)),
    down: (row) => changeTo(() => { const [kid] = tree.get(row.id).kids; if (kid && !tree.isDraft(kid)) tree.raise(kid); }),
    trash: (row) => changeTo(() => tree.drop(row.id)),
    role: (row) => changeTo(() => tree.change(row.id, {role: ROLES[(ROLES.indexOf(tree.get(row.id).role) + 1) % ROLES.length]})),
    unpin: (row, at) => changeTo(() => tree.change(row.id, {images: tree.get(row.id).images.filter((_, each) => each !== at)})),
    typed(row) {
      before(row.box);
      tree.change(row.id, {text: row.box.value});
      if (tree.last() === row.id && tree.get(row.id).role !== 'user') { tree.tail(); draw(); }
      row.drawn = tree.get(row.id);
      changed();
    },
    files: (row, files) => { const takes = !busy && tree.get(row.id).role === 'user'; if (takes) attach(row, files); return takes; },
  };

  async function attach(row, files) {
    const images = [];
    for (const file of files) try { images.push(await pictures.read(file)); } catch { tell('notice', {tone: 'error', key: 'image_unreadable', message: file.name}); }
    if (images.length && rows.get(row.id) === row) changeTo(() => tree.change(row.id, {images: [...tree.get(row.id).images, ...images]}));
  }

  function draw() {
    paper.hidden = kind !== 'complete';
    talk.hidden = kind !== 'chat';
    document.body.dataset.asks = kind;
    for (const each of [prompt, system]) { each.readOnly = busy; grow(each); }
    adder.disabled = busy;
    if (!open) return;
    const trail = tree.trail();
    for (const [id, made] of rows) if (!trail.includes(id)) { made.node.remove(); rows.delete(id); }
    trail.forEach((id, at) => {
      if (!rows.has(id)) rows.set(id, new Row(id, say, on));
      const row = rows.get(id), node = tree.get(id);
      if (list.children[at] !== row.node) list.insertBefore(row.node, list.children[at] ?? null);
      row.box.readOnly = busy;
      if (row.drawn === node && row.about === `${at} ${trail.length}`) return;
      row.show(node, {at, length: trail.length, branches: {count: 1, at: 0}, hint: say(node.role === 'user' ? 'user_placeholder' : 'message_placeholder')});
      row.node.classList.toggle('pg-draft', empty(node));
      Object.assign(row, {drawn: node, about: `${at} ${trail.length}`});
    });
  }

  function settle() {
    tree.tail();
    draw();
    changed();
  }

  for (const each of [prompt, system]) each.addEventListener('input', () => { before(each); grow(each); changed(); });
  adder.addEventListener('click', () => {
    changeTo(() => { const end = tree.last(); tree.add(end, blank(end === ROOT || last().role !== 'user' ? 'user' : 'assistant')); });
    rows.get(tree.last()).box.focus();
  });
  // A file that is dropped beside a message must not take the page's place.
  for (const event of ['dragover', 'drop']) home.addEventListener(event, (dropped) => { if (dropped.dataTransfer.types.includes('Files')) dropped.preventDefault(); });
  home.append(talk, paper);

  const value = (light = false) => kind === 'complete' ? {kind, text: prompt.value} : {kind, system: system.value, messages: tree.messages(undefined, {light})};
  return {
    value, settle, draw,
    get kind() { return kind; },
    open() { if (!open) { open = true; tree.tail(); draw(); } },
    busy(now) { busy = now; draw(); },
    asksAs(now) { kind = now; settle(); },
    names: () => playground.variables(kind === 'complete' ? prompt.value : [system.value, ...tree.messages(undefined, {light: true}).map((said) => JSON.stringify(said.content))].join('\n')),
    // For Undo and the draft: what is written, in both forms.
    take: () => ({kind, text: prompt.value, system: system.value, nodes: tree.snapshot()}),
    put(now) { kind = now.kind === 'complete' ? 'complete' : 'chat'; prompt.value = now.text; system.value = now.system; tree = own(new Tree(new Map(now.nodes))); tree.tail(); draw(); },
    // From elsewhere: whatever is not given stays as it is.
    load(given) {
      if (given.kind) kind = given.kind;
      if (typeof given.text === 'string') prompt.value = given.text;
      if (typeof given.system === 'string') system.value = given.system;
      if (given.messages) tree = own(Tree.of(given.messages));
      settle();
    },
    // An answer becomes a part of what is asked next.
    append(text) {
      if (kind === 'complete') prompt.value += text;
      else { const end = last(); if (end && empty(end) && tree.last() !== ROOT) tree.remove(end.id); tree.add(tree.last(), blank('assistant', {text})); }
      settle();
    },
  };
};
