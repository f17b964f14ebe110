// One column of the Compare tab: its model, what it sets apart from all columns, and its answer. It knows no other column.
// `column`: {id, model, params, answer}; `on`: {changed(), before(box), remove(), reference(), use(), append()}.
window.playground.compareColumn = ({say, column, on}) => {
  const {make, iconButton, tell, said} = playground;
  const box = make('input', {class: 'pg-picker-input', type: 'text', role: 'combobox', 'aria-expanded': 'false', 'aria-autocomplete': 'list', 'aria-controls': `pg-versus-list-${column.id}`, 'aria-label': say('model'), autocomplete: 'off', spellcheck: 'false'});
  const list = make('div', {class: 'pg-picker-list', role: 'listbox', id: `pg-versus-list-${column.id}`, hidden: ''});
  const models = playground.modelBox({box, list, groups: () => tell('model?', {}).groups ?? [], picked: (ref) => { models.close(); if (ref !== column.model) { on.before(); column.model = ref; on.changed(); } head(); }});
  const name = make('strong', {class: 'pg-versus-name'}), best = make('span', {class: 'pg-versus-best', text: say('compare_best'), hidden: ''});
  const reference = make('button', {type: 'button', class: 'pg-link pg-versus-reference'}), remove = iconButton('close', say('compare_remove'));
  const rows = make('div', {class: 'pg-versus-own pg-params'}), adder = make('select', {class: 'pg-select pg-versus-add', 'aria-label': say('compare_own')});
  const coming = make('div', {class: 'pg-cells'});
  const setup = make('div', {class: 'pg-versus-setup'}, make('div', {class: 'pg-picker'}, make('div', {class: 'pg-picker-box'}, box), list), rows, adder, coming);
  const thought = make('details', {class: 'pg-thought', hidden: ''}, make('summary', {text: say('thinking')}), make('div'));
  const text = make('div', {class: 'pg-versus-answer', tabindex: '0', role: 'region'}), calls = make('div', {class: 'pg-message-extra'});
  const notice = make('div', {class: 'pg-notice', hidden: ''}), cells = make('div', {class: 'pg-cells'});
  const use = button('compare_use', on.use), append = button('compare_append', on.append), feet = make('div', {class: 'pg-versus-feet'}, use, append);
  const node = make('article', {class: 'pg-versus-column', 'data-id': column.id}, make('header', {}, name, best, reference, remove), setup, make('div', {class: 'pg-versus-said'}, notice, thought, text, calls), cells, feet);
  remove.addEventListener('click', on.remove);
  reference.addEventListener('click', on.reference);
  let drawn = '', own = [];

  function button(key, fn) {
    const made = make('button', {type: 'button', class: 'pg-keep', text: say(key)});
    made.addEventListener('click', fn);
    return made;
  }

  // What this column sets: a row each, and all that it could set besides.
  function head() {
    const {values = {}, specs = []} = tell('panel', {mode: playground.asks()}), there = specs.filter((spec) => spec.name in column.params);
    models.show(column.model);
    const names = there.map((spec) => spec.name).join();
    if (names !== own.map(([spec]) => spec.name).join()) {
      own = there.map((spec) => [spec, playground.paramRow(spec, {prefix: `pg-own-${column.id}-`, values: () => column.params, set, publish})]);
      rows.replaceChildren(...own.map(([spec, made]) => make('div', {class: 'pg-versus-row'}, made.row, back(spec))));
    }
    for (const [spec, made] of own) made.show(column.params[spec.name] ?? null);
    adder.replaceChildren(make('option', {value: '', text: say(there.length ? 'compare_own_more' : 'compare_own')}), ...specs.filter((spec) => !(spec.name in column.params)).map((spec) => make('option', {value: spec.name, text: `${say('param_' + spec.name)}${values[spec.name] == null ? '' : `: ${short(values[spec.name])}`}`})));
  }

  const short = (value) => { const told = typeof value === 'string' ? value : Array.isArray(value) ? value.join(' ') : String(value); return told.length > 24 ? told.slice(0, 23) + '…' : told; };
  function set(key, value) { on.before(); column.params[key] = value; head(); on.changed(); }
  function publish() { on.changed(); }

  function back(spec) {
    const made = iconButton('undo', say('compare_back'), {class: 'pg-versus-back'});
    made.addEventListener('click', () => { on.before(); delete column.params[spec.name]; head(); on.changed(); });
    return made;
  }

  adder.addEventListener('change', () => {
    const {values = {}, specs = []} = tell('panel', {mode: playground.asks()}), spec = specs.find((each) => each.name === adder.value);
    if (!spec) return;
    set(spec.name, values[spec.name] ?? spec.start ?? spec.default ?? null);
    rows.querySelector('.pg-versus-row:last-child input, .pg-versus-row:last-child select')?.focus();
  });

  // While it grows, only what is new; at its end, with what `other` does not have marked.
  function write(now, other) {
    if (other == null && now.startsWith(drawn) && !text.querySelector('mark')) { if (now !== drawn) text.append(now.slice(drawn.length)); }
    else text.replaceChildren(...playground.marked(now, other));
    drawn = now;
  }

  // `blind`: whose answer it is, and whatever could tell, stays hidden.
  function answer({letter, busy, blind, chosen, isReference, marking, other, alone}) {
    const now = column.answer ?? {text: '', calls: []}, some = Boolean(now.text || now.calls?.length);
    node.classList.toggle('pg-blind', blind);
    node.classList.toggle('pg-chosen', chosen);
    node.classList.toggle('pg-running', Boolean(now.busy));
    name.textContent = blind ? say('compare_answer').replace('{letter}', letter) : letter;
    best.hidden = !chosen;
    setup.hidden = cells.hidden = blind;
    reference.setAttribute('aria-pressed', String(isReference));
    reference.textContent = say(isReference ? 'compare_reference_is' : 'compare_reference');
    reference.hidden = !marking || !some;
    remove.hidden = blind || alone;
    for (const each of setup.querySelectorAll('input, select, textarea, button')) each.disabled = busy;
    remove.disabled = busy;
    thought.hidden = blind || !now.reasoning;
    thought.lastChild.textContent = now.reasoning || '';
    text.dataset.empty = now.notice && !some ? '' : say(!now.busy ? 'compare_empty' : blind ? 'compare_hidden' : 'compare_waiting');
    text.setAttribute('aria-label', say('compare_answer').replace('{letter}', letter));
    write(now.text ?? '', other);
    calls.replaceChildren(...(now.calls ?? []).map((call) => make('div', {class: 'pg-call'}, make('code', {class: 'pg-call-name', text: `${call.name}(${call.arguments})`}))));
    told(now.notice, blind);
    cells.replaceChildren(...(now.cells ?? []).map(said.cell));
    feet.hidden = busy || blind;
    append.hidden = !now.text;
  }

  function told(now, blind) {
    const failed = now && ['error', 'limit'].includes(now.tone) && now.kind;
    said.notice(notice, blind && failed ? {tone: now.tone, key: 'compare_failed'} : now);
    if (!now?.without || blind) return;
    const leave = button('compare_without', () => { on.before(); column.params[now.without] = null; head(); on.changed(); });
    leave.textContent = say('compare_without').replace('{name}', now.without);
    notice.append(leave);
  }

  head();
  // What its next run reads, and may cost.
  const next = (now) => coming.replaceChildren(...now.map(said.cell));
  return {node, column, head, answer, next};
};
