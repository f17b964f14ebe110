// The Sweep tab's form: what the command line reads as a spec. `spec()` is what stands in it, `put(spec)` shows one.
window.playground.sweepForm = ({home, say, ask, names, kinds, changed}) => {
  const {make, iconButton, textButton, swap, sweepParts: {field, models, dataset, metrics, batch, parsed}} = playground;
  const ROLES = ['system', 'user', 'assistant', 'developer'], AXES = ['temperature', 'top_p', 'max_tokens', 'frequency_penalty', 'presence_penalty', 'seed', 'stop'];
  const box = (attributes = {}) => make('input', {class: 'pg-filter', type: 'text', autocomplete: 'off', ...attributes});
  const area = (attributes = {}) => make('textarea', {class: 'pg-filter pg-sweep-text', rows: '3', spellcheck: 'false', autocomplete: 'off', ...attributes});
  const select = (prefix, values) => { const made = make('select', {class: 'pg-select'}); made.append(...values.map((value) => make('option', {value, text: say(prefix + value)}))); return made; };
  const paramName = (name) => { const own = say('param_' + name); return own === 'param_' + name ? name : own; };
  let unknown = {};  // what a file has and the form does not show

  // --- what is sent ---

  const kind = select('sweep_send_', ['prompt', 'messages', 'presets', 'cases']), prompt = area({rows: '4', 'aria-label': say('prompt')}), list = make('div', {class: 'pg-sweep-rows'});
  const adder = textButton(say('add_message'), () => { rows.push(message({role: rows.at(-1)?.role.value === 'user' ? 'assistant' : 'user', content: ''})); drawRows(); changed(); });
  const presets = make('div', {class: 'pg-sweep-presets'}), mode = select('sweep_mode_', ['auto', 'complete', 'chat']), variables = area({rows: '2', placeholder: 'name = text'});
  let rows = [], presetNames = [], chosen = new Set();
  function message({role, content, ...more}) {
    const plain = typeof content === 'string', roles = make('select', {class: 'pg-select', 'aria-label': say('sweep_role')}, ...ROLES.map((each) => make('option', {value: each, text: each}))), text = area({rows: '2', 'aria-label': say('sweep_message')}), remove = iconButton('close', say('remove'));
    roles.value = ROLES.includes(role) ? role : 'user';
    text.value = plain ? content : JSON.stringify(content ?? more);
    text.readOnly = !plain;  // pictures and calls stay as they were taken
    const made = {role: roles, node: make('div', {class: 'pg-sweep-row'}, roles, text, remove), value: () => plain ? {role: roles.value, content: text.value} : {role: roles.value, content, ...more}};
    remove.addEventListener('click', () => { rows = rows.filter((each) => each !== made); drawRows(); changed(); });
    return made;
  }
  const drawRows = () => swap(list, rows.map(({node}) => node));
  function drawPresets() {
    const all = [...new Set([...presetNames, ...chosen])];
    presets.replaceChildren(...(all.length ? all.map((name) => {
      const tick = make('input', {type: 'checkbox'});
      tick.checked = chosen.has(name);
      tick.addEventListener('change', () => { tick.checked ? chosen.add(name) : chosen.delete(name); changed(); });
      return make('label', {class: 'pg-versus-choice'}, tick, make('span', {text: name}));
    }) : [make('p', {class: 'pg-quiet', text: say('sweep_no_presets')})]));
  }

  // --- parameters: the same in all calls, and those that vary ---

  const spread = select('sweep_vary_', ['grid', 'list']);
  function paramRows(key, several, added = () => {}) {
    const node = make('div', {class: 'pg-sweep-rows'}), add = make('select', {class: 'pg-select', 'aria-label': say(key)});
    let all = [];
    const refill = () => add.replaceChildren(make('option', {value: '', text: say(key)}), ...[...AXES, ...names.filter((name) => !AXES.includes(name))].filter((name) => !all.some((each) => each.name === name)).map((name) => make('option', {value: name, text: paramName(name)})));
    add.addEventListener('change', () => { if (add.value) { added(add.value); put(add.value); draw(); all.at(-1).node.querySelector('input')?.focus(); changed(); } });
    const draw = () => { swap(node, all.map((each) => each.node)); refill(); };
    function put(name, value) {
      const label = make('strong', {text: paramName(name), title: name}), text = box({'aria-label': `${paramName(name)}: ${say(several ? 'sweep_values' : 'sweep_value')}`, placeholder: several ? name === 'stop' ? '["\\n"], ["."]' : '0, 0.5, 1' : ''}), remove = iconButton('close', `${say('remove')}: ${paramName(name)}`);
      const way = select('sweep_axis_', ['values', 'range']), ends = ['from', 'to', 'step'].map((end) => box({type: 'number', step: 'any', placeholder: say('sweep_' + end), 'aria-label': `${paramName(name)}: ${say('sweep_' + end)}`})), ranged = make('span', {class: 'pg-sweep-range'}, ...ends);
      way.setAttribute('aria-label', `${paramName(name)}: ${say('sweep_axis')}`);
      const isRange = several && value && typeof value === 'object' && !Array.isArray(value);
      if (isRange) { way.value = 'range'; ['from', 'to', 'step'].forEach((end, at) => { ends[at].value = value[end] ?? ''; }); }
      else if (value !== undefined) text.value = several ? (Array.isArray(value) ? value : [value]).map(written).join(', ') : written(value);
      const show = () => { text.hidden = several && way.value === 'range'; ranged.hidden = !several || way.value !== 'range'; };
      way.addEventListener('change', show);
      show();
      const row = make('div', {class: 'pg-sweep-row pg-sweep-field', 'data-field': name}, label, ...(several ? [way] : []), text, ranged, remove, make('p', {class: 'pg-wrong', hidden: ''}));
      const made = {name, node: row, value: () => several ? way.value === 'range' ? Object.fromEntries(['from', 'to', 'step'].map((end, at) => [end, ends[at].value === '' ? null : Number(ends[at].value)])) : values(text.value) : parsed(text.value)};
      remove.addEventListener('click', () => { all = all.filter((each) => each !== made); draw(); changed(); });
      all.push(made);
    }
    refill();
    return {node: make('div', {class: 'pg-sweep-dataset'}, node, add), put(given) { all = []; for (const [name, value] of Object.entries(given ?? {})) put(name, value); draw(); }, drop(gone) { all = all.filter(({name}) => !gone.includes(name)); draw(); }, value: () => Object.fromEntries(all.map(({name, value}) => [name, value()]))};
  }
  // What is one value on the page is one in the file: JSON, and a plain word as it is.
  const written = (value) => typeof value === 'string' && !/[,[\]{}"\\\n]/.test(value) && parsed(value) === value && value.trim() === value && value ? value : JSON.stringify(value);
  function values(text) {
    if (!text.trim()) return [];
    try { return JSON.parse(`[${text}]`); } catch { return text.split(',').map((each) => parsed(each.trim())); }
  }
  const fixed = paramRows('sweep_add_fixed', false), grid = paramRows('sweep_add_axis', true, (name) => fixed.drop([name])), combinations = area({rows: '4', placeholder: '{"temperature": 0}\n{"temperature": 1, "top_p": 0.5}'});
  const lines = () => combinations.value.split('\n').map((line) => line.trim()).filter(Boolean).map(parsed);

  // --- the rest ---

  const name = box({maxlength: '120', placeholder: say('sweep_name_placeholder')}), whom = models({say, changed}), cases = dataset({say, ask, changed, chosen: inside});
  const tags = box({placeholder: say('sweep_commas')}), share = select('sweep_rows_', ['all', 'first', 'sample']), count = box({type: 'number', min: '1', 'aria-label': say('sweep_count')}), repeats = box({type: 'number', min: '1', max: '1000', value: '1'}), measured = metrics({say, changed, kinds}), budget = box({inputmode: 'decimal', placeholder: '–'}), concurrency = box({type: 'number', min: '1', max: '64', placeholder: '4'}), training = dataset({say, ask: () => {}, changed}), batched = batch({say});
  const fields = {
    name: field('name', say('sweep_name'), name), models: field('models', say('sweep_models'), whom.node), send: field('send', say('sweep_send'), kind), prompt: field('prompt', say('prompt'), prompt, say('sweep_prompt_hint')), messages: field('messages', say('sweep_messages'), make('div', {class: 'pg-sweep-dataset'}, list, adder)), presets: field('presets', say('sweep_presets'), presets),
    variables: field('variables', say('sweep_values_of'), variables), mode: field('mode', say('sweep_mode'), mode), parameters: field('parameters', say('sweep_fixed'), fixed.node), vary: field('vary', say('sweep_vary'), spread), grid: field('grid', say('sweep_grid'), grid.node), list: field('list', say('sweep_list'), combinations, say('sweep_list_hint')),
    dataset: field('dataset', say('sweep_dataset'), cases.node), tags: field('rows.tags', say('sweep_only_tags'), tags), rows: field('rows', say('sweep_which'), make('div', {class: 'pg-sweep-pair'}, share, count)), repeats: field('repeats', say('sweep_repeats'), repeats), metrics: field('metrics', say('sweep_metrics'), measured.node), training: field('training', say('sweep_training'), training.node),
    budget: field('budget', say('sweep_cap'), budget), concurrency: field('concurrency', say('sweep_concurrency'), concurrency), batch: batched.node,
  };
  fields.rows.dataset.also = 'rows.first rows.sample rows.ids rows.seed';
  fields.grid.dataset.also = 'max_calls';
  fields.send.dataset.also = 'prompt messages presets';
  home.append(
    make('section', {class: 'pg-sweep-part'}, fields.name, fields.models), make('section', {class: 'pg-sweep-part'}, fields.send, fields.prompt, fields.messages, fields.presets, fields.dataset, make('div', {class: 'pg-sweep-pair'}, fields.tags, fields.rows)),
    make('section', {class: 'pg-sweep-part'}, fields.vary, fields.grid, fields.list, fields.parameters), make('section', {class: 'pg-sweep-part'}, fields.metrics, fields.training, make('div', {class: 'pg-sweep-three'}, fields.repeats, fields.budget, fields.concurrency), fields.batch),
    make('details', {class: 'pg-sweep-more'}, make('summary', {text: say('sweep_more')}), make('div', {class: 'pg-sweep-pair'}, fields.mode, fields.variables)),
  );

  function arrange() {
    for (const each of ['prompt', 'messages', 'presets']) fields[each].hidden = kind.value !== each;
    fields.grid.hidden = spread.value !== 'grid';
    fields.list.hidden = spread.value !== 'list';
    count.hidden = share.value === 'all';
    fields.tags.hidden = fields.rows.hidden = !cases.value();
    fields.training.hidden = !measured.value().some((each) => ['training_overlap', 'domain'].includes(typeof each === 'string' ? each : Object.keys(each)[0])) && !training.value();
  }
  function inside() { arrange(); }
  home.addEventListener('input', () => { arrange(); changed(); });
  home.addEventListener('change', arrange);

  const whole = (given) => given.value === '' ? null : Number(given.value);
  const filled = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value != null && value !== '' && !(Array.isArray(value) && !value.length) && !(typeof value === 'object' && !Array.isArray(value) && !Object.keys(value).length)));
  function spec() {
    const rowsOf = cases.value() ? {...unknown.rows, tags: tags.value.split(',').map((each) => each.trim()).filter(Boolean), ...(share.value !== 'all' ? {[share.value]: whole(count)} : {})} : {};
    const own = Object.fromEntries(variables.value.split('\n').filter((line) => line.includes('=')).map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]));
    return filled({
      name: name.value.trim(), models: whom.value(), ...(kind.value === 'prompt' ? {prompt: prompt.value} : kind.value === 'messages' ? {messages: rows.map((each) => each.value())} : kind.value === 'presets' ? {presets: [...chosen]} : {}),
      variables: own, mode: mode.value === 'auto' ? null : mode.value, parameters: fixed.value(), ...(spread.value === 'grid' ? {grid: grid.value()} : {list: lines()}), dataset: cases.value(), rows: filled(rowsOf), repeats: whole(repeats), metrics: measured.value(), training: fields.training.hidden ? null : training.value(), budget: budget.value.trim(), concurrency: whole(concurrency), max_calls: unknown.max_calls, batch: batched.value(),
    });
  }

  function put(given) {
    const list = (value) => value == null ? [] : Array.isArray(value) ? value : [value];
    name.value = given.name ?? '';
    whom.put(list(given.models ?? given.model));
    const named = list(given.presets ?? given.preset);
    kind.value = given.messages?.length ? 'messages' : named.length ? 'presets' : given.prompt != null ? 'prompt' : given.dataset ? 'cases' : 'prompt';
    prompt.value = given.prompt ?? '';
    rows = (given.messages ?? [{role: 'user', content: ''}]).map(message);
    chosen = new Set(named);
    drawRows();
    drawPresets();
    variables.value = Object.entries(given.variables ?? {}).map(([key, value]) => `${key} = ${value}`).join('\n');
    mode.value = given.mode ?? 'auto';
    fixed.put(given.parameters);
    spread.value = given.list?.length ? 'list' : 'grid';
    grid.put(given.grid);
    fixed.drop(Object.keys(given.grid ?? {}));  // a grid's own values go first anyway
    combinations.value = (given.list ?? []).map((each) => JSON.stringify(each)).join('\n');
    cases.put(given.dataset);
    const {tags: some, first, sample, ...more} = given.rows ?? {};
    tags.value = list(some).join(', ');
    share.value = first != null ? 'first' : sample != null ? 'sample' : 'all';
    count.value = first ?? sample ?? '';
    unknown = {rows: more, max_calls: given.max_calls ?? null};
    repeats.value = given.repeats ?? 1;
    measured.put(given.metrics);
    training.put(given.training);
    budget.value = given.budget ?? '';
    concurrency.value = given.concurrency ?? '';
    batched.put(given.batch);
    arrange();
  }

  put({});
  return {
    spec, put, cases,
    heard(value) {
      if (value.presets) { presetNames = value.presets; drawPresets(); return true; }
      if (value.datasets) training.heard(value);
      return cases.heard(value);
    },
  };
};
