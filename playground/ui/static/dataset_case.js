// A case being written, in the place of its row: its variables, prompt or messages, expected answer, tags. Several may be open.
window.playground.caseForms = ({say, save, done}) => {
  const {make, iconButton, textButton} = playground, open = new Map();
  let waiting = null;
  const key = (dataset, id) => JSON.stringify([dataset, id]);
  const area = (value, rows, label) => { const made = make('textarea', {class: 'pg-filter', rows: String(rows), 'aria-label': say(label), spellcheck: 'false'}); made.value = value ?? ''; fit(made); made.addEventListener('input', () => fit(made)); return made; };
  const fit = (box) => { box.rows = Math.min(14, Math.max(box.value.split('\n').length, Math.ceil(box.value.length / 90), 1)); };
  const field = (label, ...boxes) => make('div', {class: 'pg-ds-field'}, make('span', {class: 'pg-ds-label', text: say(label)}), make('div', {}, ...boxes));
  const input = (value, label, more = {}) => { const made = make('input', {type: 'text', class: 'pg-filter', autocomplete: 'off', 'aria-label': say(label), ...more}); made.value = value ?? ''; return made; };
  const link = (label, fn) => { const made = textButton(say(label), fn); made.className = 'pg-link'; return made; };

  // --- variables ---

  function variables(given) {
    const rows = make('div', {class: 'pg-ds-lines'});
    const add = (name = '', value = '') => {
      const called = input(name, 'dataset_variable_name', {maxlength: '64', placeholder: say('dataset_variable_name')}), text = area(value, 1, 'dataset_variable_value'), remove = iconButton('close', say('remove'));
      const line = make('div', {class: 'pg-ds-line'}, called, text, remove);
      remove.addEventListener('click', () => line.remove());
      line.read = () => [called.value.trim(), text.value];
      rows.append(line);
      return called;
    };
    for (const [name, value] of given) add(name, value);
    const read = () => [...rows.children].map((line) => line.read()).filter(([name, value]) => name || value);
    return {node: make('div', {}, rows, link('dataset_add_variable', () => add().focus())), read};
  }

  // --- messages: a row each, or their JSON where one has more than a text ---

  const plain = (message) => typeof message.content === 'string' && Object.keys(message).every((name) => ['role', 'content'].includes(name));
  function conversation(given) {
    if (!given.every(plain)) {
      const text = area(JSON.stringify(given, null, 2), 6, 'dataset_messages');
      return {node: text, read: () => JSON.parse(text.value)};
    }
    const rows = make('div', {class: 'pg-ds-lines'});
    const add = (role = 'user', content = '') => {
      const who = make('select', {class: 'pg-select', 'aria-label': say('dataset_role')}, ...['system', 'developer', 'user', 'assistant'].map((name) => make('option', {value: name, text: name.toUpperCase()}))), text = area(content, 1, 'dataset_messages'), remove = iconButton('close', say('remove'));
      const line = make('div', {class: 'pg-ds-line'}, who, text, remove);
      who.value = role;
      remove.addEventListener('click', () => line.remove());
      line.read = () => ({role: who.value, content: text.value});
      rows.append(line);
      return text;
    };
    for (const {role, content} of given) add(role, content);
    return {node: make('div', {}, rows, link('add_message', () => add().focus())), read: () => [...rows.children].map((line) => line.read())};
  }

  // --- the form ---

  function form({dataset, id, was, case: given = {}, variables: names = [], kind: first = ''}) {
    const problem = make('div', {class: 'pg-notice', 'aria-live': 'polite', hidden: ''}), conflict = make('div', {class: 'pg-ds-conflict', hidden: ''});
    const node = make('form', {class: 'pg-ds-case', role: 'listitem', 'aria-label': id ?? say('dataset_add')}), tell = playground.telling(problem);
    const called = input(given.id ?? '', 'dataset_id', {maxlength: '100', placeholder: say('dataset_id_auto')}), expected = area(given.expected, 1, 'dataset_expected'), tags = input((given.tags ?? []).join(', '), 'dataset_tags', {placeholder: say('dataset_tags_placeholder')});
    const own = variables(Object.entries(given.variables ?? Object.fromEntries(names.map((name) => [name, '']))));
    const kind = make('select', {class: 'pg-select', 'aria-label': say('dataset_kind')}, ...['prompt', 'messages', ''].map((value) => make('option', {value, text: say('dataset_kind_' + (value || 'variables'))})));
    const prompt = area(given.prompt, 2, 'dataset_kind_prompt'), asks = make('div', {class: 'pg-ds-asks'});
    let talk = conversation(given.messages ?? [{role: 'user', content: given.prompt ?? ''}]);
    kind.value = given.messages ? 'messages' : given.prompt != null ? 'prompt' : id ? '' : first;
    const draw = () => asks.replaceChildren(...(kind.value === 'prompt' ? [prompt] : kind.value === 'messages' ? [talk.node] : []));
    kind.addEventListener('change', draw);
    draw();
    const ok = make('button', {type: 'submit', class: 'pg-button pg-primary', text: say('save')}), cancel = textButton(say('dataset_cancel'), () => close());
    node.append(field('dataset_asks', kind, asks), field('dataset_variables', own.node), field('dataset_expected', expected), field('dataset_tags', tags), field('dataset_id', called), problem, conflict, make('div', {class: 'pg-ds-actions'}, ok, cancel));

    function read() {
      const pairs = own.read(), twice = pairs.find(([name], at) => pairs.findIndex(([other]) => other === name) !== at);
      if (twice) throw new Error(say('dataset_variable_twice').replace('{name}', () => twice[0]));
      const said = {id: called.value.trim() || undefined, variables: Object.fromEntries(pairs), expected: expected.value || (given.expected === '' ? '' : null), tags: tags.value.split(/[,;]/).map((tag) => tag.trim()).filter(Boolean)};
      if (kind.value === 'prompt') said.prompt = prompt.value;
      if (kind.value === 'messages') { try { said.messages = talk.read(); } catch { throw new Error(say('dataset_bad_messages')); } }
      return said;
    }
    function send() {
      let written;
      try { written = read(); } catch (error) { return tell(error.message); }
      const value = {id, was, case: written};
      if (!playground.sendable(value)) return tell(say('dataset_too_long'));
      tell();
      conflict.hidden = true;
      waiting = self;
      ok.disabled = true;
      save(self, value);
    }
    function close() { open.delete(key(dataset, id)); done(); }
    node.addEventListener('submit', (event) => { event.preventDefault(); send(); });
    node.addEventListener('keydown', (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') { event.preventDefault(); send(); }
      if (event.key === 'Escape') { event.preventDefault(); event.stopPropagation(); close(); }
      if (event.key === 'Enter' && event.target.matches('input')) event.preventDefault();
    });

    // Somebody else has saved another text meanwhile: both are there, and the person says which stays.
    function meet(theirs, now) {
      ok.disabled = false;
      const mine = textButton(say('dataset_keep_mine'), () => { was = now; send(); }), take = textButton(say('dataset_take_theirs'), () => { open.set(key(dataset, id), form({dataset, id, was: now, case: theirs})); done(); });
      const said = JSON.stringify(theirs, null, 2);
      conflict.replaceChildren(make('strong', {text: say('dataset_conflict')}), make('pre', {text: said.length > 4000 ? said.slice(0, 4000) + '…' : said}), make('div', {class: 'pg-ds-actions'}, mine, take));
      conflict.hidden = false;
      conflict.scrollIntoView({block: 'nearest'});
    }
    const self = {dataset, id, node, close, meet, failed(texts) { ok.disabled = false; tell(...texts); problem.scrollIntoView({block: 'nearest'}); }, focus() { (kind.value === 'prompt' ? prompt : asks.querySelector('textarea') ?? own.node.querySelector('textarea') ?? kind).focus(); }};
    return self;
  }

  return {
    open(about) { const made = form(about); open.set(key(about.dataset, about.id), made); setTimeout(() => made.focus()); },
    has: (dataset, id) => open.has(key(dataset, id)),
    focus: (dataset, id) => open.get(key(dataset, id)).focus(),
    of: (dataset) => new Map([...open.values()].filter((each) => each.dataset === dataset).map((each) => [each.id, each.node])),
    wrote() { waiting?.close(); waiting = null; },
    conflict(value) { waiting?.meet(value.theirs, value.was); waiting = null; },
    failed(texts) { const form = waiting; waiting = null; form?.failed(texts); return Boolean(form); },
  };
};
