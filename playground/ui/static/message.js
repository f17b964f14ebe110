// One message of a conversation as a row of the page: what it shows, and what a person does to it. It knows no other message.
// `on` is told: {again, image, up, down, trash, role, turn(step), unpin(at), typed, files(list)}; `files` says whether it takes them.
window.playground.messageRow = (() => {
  const {make, iconButton, pictures} = playground;
  const GROWS = CSS.supports('field-sizing', 'content');
  const ACTIONS = [['again', 'regenerate_here'], ['image', 'attach_image'], ['up', 'move_up'], ['down', 'move_down'], ['trash', 'delete']];

  function grow(box) {
    if (GROWS) return;
    box.style.height = 'auto';
    box.style.height = box.scrollHeight + 'px';
  }

  const pretty = (text) => { try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; } };

  class Row {
    constructor(id, say, on) {
      Object.assign(this, {id, say, on});
      this.role = make('button', {type: 'button', class: 'pg-role', title: say('change_role')});
      this.box = make('textarea', {class: 'pg-message-text', rows: '1', spellcheck: 'false', autocomplete: 'off'});
      this.extra = make('div', {class: 'pg-message-extra'});
      this.thought = make('details', {class: 'pg-thought'}, make('summary', {text: say('thinking')}), make('div'));
      this.branch = make('span', {class: 'pg-branch'});
      this.tools = make('div', {class: 'pg-message-tools'}, ...ACTIONS.map(([name, label]) => this.button(name, label, () => on[name](this), {'data-act': name})));
      this.node = make('article', {class: 'pg-message'}, make('header', {}, this.role, this.branch), make('div', {class: 'pg-message-body'}, this.thought, this.box, this.extra), this.tools);
      this.listen();
    }

    button(name, label, fn, attributes = {}) {
      const made = iconButton(name, this.say(label), attributes);
      made.addEventListener('click', fn);
      return made;
    }

    listen() {
      this.role.addEventListener('click', () => this.on.role(this));
      this.box.addEventListener('input', () => { grow(this.box); this.on.typed(this); });
      this.box.addEventListener('paste', (event) => { const files = pictures.images(event.clipboardData); if (files.length && this.on.files(this, files)) event.preventDefault(); });
      this.node.addEventListener('drop', (event) => { if (event.dataTransfer.files.length) this.on.files(this, [...event.dataTransfer.files]); });
    }

    // Shows `message`, number `at` of `length`, with `hint` in place of a text that is not there yet.
    show(message, {at, length, branches, hint}) {
      const role = this.say('role_' + message.role), tool = (name) => this.tools.querySelector(`[data-act="${name}"]`);
      this.node.dataset.role = message.role;
      this.role.textContent = role;
      this.role.disabled = message.role === 'tool';
      this.box.setAttribute('aria-label', `${role} ${at + 1}`);
      this.box.placeholder = hint;
      this.write(message);
      this.beside(message);
      this.steps(branches);
      tool('image').hidden = message.role !== 'user';
      tool('up').disabled = at === 0;
      tool('down').disabled = at >= length - 1;
    }

    // The text and the thoughts alone: what grows while an answer comes.
    write({text, reasoning}) {
      if (this.box.value !== text) this.box.value = text;
      grow(this.box);
      this.thought.hidden = !reasoning;
      if (reasoning) this.thought.lastChild.textContent = reasoning;
    }

    // Images, and the functions that an assistant wants called.
    beside({images, calls, role, callId, name}) {
      const figure = (image, at) => make('figure', {class: 'pg-image'}, make('img', {src: image.url, alt: `${this.say('image')} ${at + 1}`}), this.button('close', 'remove', () => this.on.unpin(this, at), {class: 'pg-drop'}));
      const call = (each) => make('div', {class: 'pg-call'}, make('code', {class: 'pg-call-name', text: each.name + '()'}), make('pre', {text: pretty(each.arguments)}));
      this.extra.replaceChildren(...images.map(figure), ...calls.map(call), ...(role === 'tool' && callId ? [make('div', {class: 'pg-call-of', text: `${name || ''} · ${callId}`})] : []));
    }

    steps({count, at}) {
      const step = (name, label, by) => this.button(name, label, () => this.on.turn(this, by));
      this.branch.replaceChildren(...(count < 2 ? [] : [step('left', 'branch_before', -1), make('span', {text: `${at + 1}/${count}`}), step('right', 'branch_after', 1)]));
    }
  }

  return {Row, grow};
})();
