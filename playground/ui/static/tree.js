// A conversation with its branches: pure data, no page. A node is never changed in place, so a copy of the map is a snapshot.
// A node: {id, role, text, images, calls, callId, name, made, reasoning, finish, kids: [id, …], at}; `at` is the kid that is shown.
window.playground.tree = (() => {
  const ROOT = 'root';
  const uid = () => Math.random().toString(36).slice(2, 10) + Date.now().toString(36);
  const blank = (role, more = {}) => ({id: uid(), role, text: '', images: [], calls: [], kids: [], at: 0, ...more});
  const empty = (node) => !node.text && !node.images.length && !node.calls.length;

  class Tree {
    // The root's `key` tells one conversation from another.
    constructor(nodes) { this.nodes = nodes || new Map([[ROOT, {id: ROOT, kids: [], at: 0, key: uid()}]]); this.fresh = new Set(); }

    get key() { return this.nodes.get(ROOT).key; }
    snapshot() { return new Map(this.nodes); }
    get(id) { return this.nodes.get(id); }
    update(id, patch) { this.nodes.set(id, {...this.nodes.get(id), ...patch}); return id; }

    // The ids of the branch that is shown, from the first message to the last.
    trail() {
      const ids = [];
      for (let node = this.nodes.get(ROOT); node.kids.length && ids.length < this.nodes.size;) {
        node = this.nodes.get(node.kids[Math.min(node.at, node.kids.length - 1)]);
        ids.push(node.id);
      }
      return ids;
    }

    // Every message that some branch holds, the root with them.
    living() {
      const found = [this.nodes.get(ROOT)];
      for (const node of found) found.push(...node.kids.map((id) => this.nodes.get(id)).filter(Boolean));
      return found;
    }

    // Of a message that is shown, the one before it; of any other, the one that it follows; undefined where it is in no branch.
    parentOf(id) {
      const trail = this.trail(), at = trail.indexOf(id);
      if (at >= 0) return at ? trail[at - 1] : ROOT;
      return this.living().find((node) => node.kids.includes(id))?.id;
    }

    // Whether some branch holds `id`.
    holds(id) { return id === ROOT || this.parentOf(id) !== undefined; }

    // Makes the branch that holds `id` the one that is shown; false where none holds it.
    reveal(id) {
      const way = [];
      for (let at = id; at !== ROOT; at = way.at(-1)[0]) {
        const parent = this.parentOf(at);
        if (parent === undefined || way.length > this.nodes.size) return false;
        way.push([parent, this.nodes.get(parent).kids.indexOf(at)]);
      }
      for (const [parent, at] of way) this.update(parent, {at});
      return true;
    }

    last() { return this.trail().at(-1) ?? ROOT; }

    // A place to write that nobody has written in.
    isDraft(id) { const node = this.nodes.get(id); return empty(node) && !node.reasoning && !node.kids.length; }

    // A new message under `parent`, shown from now on; empty drafts beside it make room.
    add(parent, node) {
      this.nodes.set(node.id, node);
      const kids = this.nodes.get(parent).kids.filter((id) => !this.isDraft(id));
      this.update(parent, {kids: [...kids, node.id], at: kids.length});
      return node.id;
    }

    remove(id) {
      const parent = this.parentOf(id);
      if (parent === undefined) return;
      const {kids, at} = this.nodes.get(parent), left = kids.filter((kid) => kid !== id);
      this.update(parent, {kids: left, at: Math.max(0, Math.min(at, left.length - 1))});
    }

    // Whether an answer of a model stands here or below: then a change makes a new branch and leaves the old one as it was.
    answered(id) { const trail = this.trail(); return trail.slice(trail.indexOf(id)).some((each) => this.nodes.get(each).made && !empty(this.nodes.get(each))); }

    // The message changed. Returns the id under which it is shown from now on.
    change(id, patch) {
      if (!this.answered(id) || this.fresh.has(id)) return this.update(id, patch);
      const twin = {...this.nodes.get(id), ...patch, id: uid(), ...this.copyBelow(id)};
      this.fresh.add(twin.id);
      this.beside(id, twin);
      return twin.id;
    }

    // What is shown below `id`, once more: two branches share no message, or what is said in one would be said in the other.
    copyBelow(id) {
      const node = this.nodes.get(id), below = node.kids[Math.min(node.at, node.kids.length - 1)];
      if (below === undefined) return {kids: [], at: 0};
      const copy = {...this.nodes.get(below), id: uid(), ...this.copyBelow(below)};
      this.nodes.set(copy.id, copy);
      return {kids: [copy.id], at: 0};
    }

    // `node` shown in the place of `id`, which stays as another branch.
    beside(id, node) {
      const parent = this.parentOf(id), {kids} = this.nodes.get(parent), at = kids.indexOf(id) + 1;
      this.nodes.set(node.id, node);
      this.update(parent, {kids: [...kids.slice(0, at), node.id, ...kids.slice(at)], at});
    }

    // Gone from this branch; what followed it follows what came before it.
    drop(id) {
      const parent = this.parentOf(id);
      if (parent === undefined) return;
      const node = this.nodes.get(id), before = this.nodes.get(parent).kids, at = before.indexOf(id), below = node.kids.filter((kid) => !this.isDraft(kid));
      const kids = [...before.slice(0, at), ...below, ...before.slice(at + 1)];
      this.update(parent, {kids, at: Math.max(0, Math.min(at + (below.length ? Math.min(node.at, below.length - 1) : 0), kids.length - 1))});
    }

    // One place up: the message before it comes after it. Where an answer or another branch would be lost, the old order stays beside it.
    raise(id) {
      const trail = this.trail(), place = trail.indexOf(id);
      if (place < 1) return;
      const upper = this.nodes.get(trail[place - 1]), lower = this.nodes.get(id), stays = this.answered(upper.id) || upper.kids.length > 1;
      const below = {...upper, id: uid(), ...(stays ? this.copyBelow(id) : {kids: lower.kids, at: lower.at})};
      const above = {...lower, id: uid(), kids: [below.id], at: 0};
      this.nodes.set(below.id, below);
      this.beside(upper.id, above);
      if (!stays) this.remove(upper.id);
      this.reveal(above.id);
    }

    branches(id) { const {kids, at} = this.nodes.get(this.parentOf(id)); return {count: kids.length, at: Math.min(at, kids.length - 1)}; }

    turn(id, step) {
      const parent = this.parentOf(id), {kids, at} = this.nodes.get(parent);
      this.update(parent, {at: (at + step + kids.length) % kids.length});
    }

    // There is always a place to write: the results of open calls, else an empty user message.
    tail() {
      const trail = this.trail().map((id) => this.nodes.get(id)), at = trail.findLastIndex((node) => node.role !== 'tool' && !(node.role === 'user' && empty(node)));
      // A server may use an id again in a later answer: only what stands behind the caller answers it.
      const results = new Set(trail.slice(at + 1).map((node) => node.callId));
      let last = this.last();
      for (const call of trail[at]?.role === 'assistant' ? trail[at].calls : []) {
        if (!results.has(call.id)) last = this.add(last, blank('tool', {callId: call.id, name: call.name}));
      }
      const end = last === ROOT ? null : this.nodes.get(last);
      if (!end || !empty(end)) this.add(last, blank('user'));
    }

    // Messages as OpenAI has them, up to and including `id`; empty drafts are left out. `light`: images by their size alone.
    messages(id = this.last(), {light = false} = {}) {
      const trail = this.trail(), upTo = trail.indexOf(id) + 1;
      return trail.slice(0, upTo).map((each) => this.nodes.get(each)).filter((node) => node.role === 'tool' || !empty(node)).map((node) => message(node, light));
    }

    static of(messages) {
      const tree = new Tree();
      let last = ROOT;
      for (const said of messages) last = tree.add(last, node(said));
      return tree;
    }
  }

  function message(node, light) {
    const image = ({url, width, height, detail}) => ({type: 'image_url', image_url: {url: light ? '' : url, detail: detail || 'auto'}, ...(light ? {width, height} : {})});
    const said = {role: node.role, content: node.images.length ? [...(node.text ? [{type: 'text', text: node.text}] : []), ...node.images.map(image)] : node.text};
    if (node.role === 'assistant' && node.calls.length) said.tool_calls = node.calls.map(({id, name, arguments: given}) => ({id, type: 'function', function: {name, arguments: given}}));
    if (node.role === 'tool') said.tool_call_id = node.callId || '';
    if (node.role !== 'tool' && node.name) said.name = node.name;
    return said;
  }

  function node(said) {
    const parts = Array.isArray(said.content) ? said.content : [{type: 'text', text: said.content || ''}];
    return blank(said.role, {
      text: parts.filter((part) => part.type === 'text').map((part) => part.text).join('\n'),
      images: parts.filter((part) => part.type === 'image_url').map((part) => ({url: part.image_url.url, detail: part.image_url.detail, width: part.width, height: part.height})),
      calls: (said.tool_calls || []).map((call) => ({id: call.id, name: call.function.name, arguments: call.function.arguments})),
      ...(said.tool_call_id ? {callId: said.tool_call_id} : {}), ...(said.name ? {name: said.name} : {}),
      made: said.role === 'assistant',
    });
  }

  return {Tree, blank, empty, ROOT};
})();
