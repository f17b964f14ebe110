// A conversation with its branches: pure data, no page. A node is never changed in place, so a copy of the map is a snapshot.
// A node: {id, role, text, images, calls, callId, name, made, reasoning, finish, kids: [id, …], at}; `at` is the kid that is shown.
window.playground.tree = (() => {
  const ROOT = 'root';
  const uid = () => Math.random().toString(36).slice(2, 10) + Date.now().toString(36);
  const blank = (role, more = {}) => ({id: uid(), role, text: '', images: [], calls: [], kids: [], at: 0, ...more});
  const empty = (node) => !node.text && !node.images.length && !node.calls.length;

  class Tree {
    constructor(nodes) { this.nodes = nodes || new Map([[ROOT, {id: ROOT, kids: [], at: 0}]]); this.fresh = new Set(); }

    snapshot() { return new Map(this.nodes); }
    get(id) { return this.nodes.get(id); }
    update(id, patch) { this.nodes.set(id, {...this.nodes.get(id), ...patch}); return id; }

    // The ids of the branch that is shown, from the first message to the last.
    trail() {
      const ids = [];
      for (let node = this.nodes.get(ROOT); node.kids.length;) {
        node = this.nodes.get(node.kids[Math.min(node.at, node.kids.length - 1)]);
        ids.push(node.id);
      }
      return ids;
    }

    parentOf(id) { const trail = this.trail(), at = trail.indexOf(id); return at > 0 ? trail[at - 1] : ROOT; }
    last() { return this.trail().at(-1) ?? ROOT; }

    // A new message under `parent`, shown from now on; empty drafts beside it make room.
    add(parent, node) {
      this.nodes.set(node.id, node);
      const kids = this.nodes.get(parent).kids.filter((id) => !empty(this.nodes.get(id)) || this.nodes.get(id).kids.length);
      this.update(parent, {kids: [...kids, node.id], at: kids.length});
      return node.id;
    }

    remove(id) {
      const parent = this.parentOf(id), {kids, at} = this.nodes.get(parent), left = kids.filter((kid) => kid !== id);
      this.update(parent, {kids: left, at: Math.max(0, Math.min(at, left.length - 1))});
    }

    // Whether an answer of a model stands here or below: then a change makes a new branch and leaves the old one as it was.
    answered(id) { const trail = this.trail(); return trail.slice(trail.indexOf(id)).some((each) => this.nodes.get(each).made && !empty(this.nodes.get(each))); }

    // The message changed. Returns the id under which it is shown from now on.
    change(id, patch) {
      if (!this.answered(id) || this.fresh.has(id)) return this.update(id, patch);
      const twin = {...this.nodes.get(id), ...patch, id: uid()};
      this.fresh.add(twin.id);
      this.beside(id, twin);
      return twin.id;
    }

    // `node` shown in the place of `id`, which stays as another branch.
    beside(id, node) {
      const parent = this.parentOf(id), {kids} = this.nodes.get(parent), at = kids.indexOf(id) + 1;
      this.nodes.set(node.id, node);
      this.update(parent, {kids: [...kids.slice(0, at), node.id, ...kids.slice(at)], at});
    }

    // Gone from this branch; what followed it follows what came before it.
    drop(id) {
      const parent = this.parentOf(id), {kids} = this.nodes.get(parent), node = this.nodes.get(id), at = kids.indexOf(id);
      this.update(parent, {kids: [...kids.slice(0, at), ...node.kids, ...kids.slice(at + 1)], at: Math.max(0, Math.min(at + node.at, kids.length - 2 + node.kids.length))});
    }

    // One place up: the message before it comes after it.
    raise(id) {
      const trail = this.trail(), at = trail.indexOf(id);
      if (at < 1) return;
      const upper = this.nodes.get(trail[at - 1]), lower = this.nodes.get(id), answered = this.answered(upper.id);
      const below = {...upper, id: uid(), kids: [...lower.kids], at: lower.at};
      const above = {...lower, id: uid(), kids: [below.id], at: 0};
      this.nodes.set(below.id, below);
      this.beside(upper.id, above);
      if (answered) return;
      const parent = this.parentOf(above.id), kids = this.nodes.get(parent).kids.filter((kid) => kid !== upper.id);
      this.update(parent, {kids, at: kids.indexOf(above.id)});
    }

    branches(id) { const {kids, at} = this.nodes.get(this.parentOf(id)); return {count: kids.length, at: Math.min(at, kids.length - 1)}; }

    turn(id, step) {
      const parent = this.parentOf(id), {kids, at} = this.nodes.get(parent);
      this.update(parent, {at: (at + step + kids.length) % kids.length});
    }

    // There is always a place to write: the results of open calls, else an empty user message.
    tail() {
      const trail = this.trail(), answeredCalls = new Set(trail.map((id) => this.nodes.get(id).callId).filter(Boolean));
      let last = this.last();
      const caller = [...trail].reverse().map((id) => this.nodes.get(id)).find((node) => node.role !== 'tool' && !(node.role === 'user' && empty(node)));
      for (const call of caller?.role === 'assistant' ? caller.calls : []) {
        if (!answeredCalls.has(call.id)) last = this.add(last, blank('tool', {callId: call.id, name: call.name}));
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
