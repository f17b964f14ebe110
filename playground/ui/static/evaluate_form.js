// The Evaluate tab's form: test cases, systems, what is sent, metrics by the course's ways. `spec()` is what stands in it, as
// a sweep whose only axis is the model; `put(spec)` shows one. `groups` are the metrics of each way that is computed.
window.playground.evaluateForm = ({home, say, ask, groups, changed}) => {
  const {make, textButton, swap, sweepParts: {field, models, dataset, options, batch}} = playground;
  const TRAINED = ['training_overlap', 'domain', 'off_domain'], LABEL = 60;
  const box = (attributes = {}) => make('input', {class: 'pg-filter', type: 'text', autocomplete: 'off', ...attributes});
  const area = (attributes = {}) => make('textarea', {class: 'pg-filter pg-evaluate-text', spellcheck: 'false', autocomplete: 'off', ...attributes});
  const select = (prefix, values) => { const made = make('select', {class: 'pg-select'}); made.append(...values.map((value) => make('option', {value, text: say(prefix + value)}))); return made; };
  const escaped = (text) => JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"'), plain = (text) => { try { return JSON.parse(`"${text.replace(/"/g, '\\"')}"`); } catch { return text; } };
  let families = [], more = {}, fields = null, fetching = false;

  // --- the cases and the systems ---

  const cases = dataset({say, ask, changed, chosen() { arrange(); if (fields) look(); }}), bring = make('div', {class: 'pg-evaluate-member', hidden: ''}, make('span', {text: say('evaluate_no_cases')}), textButton(say('evaluate_to_datasets'), () => playground.openTab('datasets'))), share = select('evaluate_rows_', ['all', 'first', 'sample']), count = box({type: 'number', min: '1', 'aria-label': say('evaluate_count')});
  const whom = models({say, changed: () => { look(); changed(); }}), family = make('div', {class: 'pg-evaluate-family'}), baseline = make('select', {class: 'pg-select'});
  let wanted = '', looked = '';
  baseline.addEventListener('change', () => { wanted = baseline.value; changed(); });
  function look() {
    drawBaseline();
    const asked = {models: whom.value(), dataset: cases.value()}, now = JSON.stringify(asked);
    if (now !== looked) ask('families', asked);
    looked = now;
  }
  function drawBaseline() {
    const all = whom.value();
    if (!all.includes(wanted)) wanted = families.map(({base}) => base).find((each) => all.includes(each)) ?? all[0] ?? '';
    baseline.replaceChildren(...all.map((each) => make('option', {value: each, text: each})));
    baseline.value = wanted;
    arrange();
  }

  // What belongs to a fine-tune that was chosen: its base and checkpoints, what it was trained with, its training file.
  function drawFamily() {
    const rows = families.flatMap((each) => {
      const all = whom.value(), missing = each.members.filter((member) => !all.includes(member)), name = each.model.length > LABEL ? '…' + each.model.slice(1 - LABEL) : each.model, buttons = [];
      if (missing.length) buttons.push(textButton(say('evaluate_add_family').replace('{count}', missing.length), () => { whom.put([...new Set([...all, ...missing])]); wanted = each.base ?? wanted; look(); drawFamily(); changed(); }));
      if (each.ending && !stops().includes(each.ending)) buttons.push(textButton(`${say('evaluate_take_stop')} ${escaped(each.ending)}`, () => { stop.value = [...stops(), each.ending].map(escaped).join('\n'); drawFamily(); changed(); }));
      if (each.separator && !(kind.value === 'prompt' && prompt.value.endsWith(each.separator))) buttons.push(textButton(`${say('evaluate_take_separator')} ${escaped(each.separator)}`, () => { prompt.value = (kind.value === 'prompt' && prompt.value ? prompt.value : '{{prompt}}') + each.separator; kind.value = 'prompt'; arrange(); drawFamily(); changed(); }));
      if (each.training && !training.value()) {
        const take = textButton(say(fetching ? 'evaluate_taking_training' : 'evaluate_take_training'), () => { fetching = true; drawFamily(); ask('training', {model: each.model}); });
        take.disabled = fetching;
        buttons.push(take);
      }
      return buttons.length ? [make('div', {class: 'pg-evaluate-member'}, make('code', {text: name, title: each.model}), ...buttons)] : [];
    });
    swap(family, rows);
  }

  // --- what is sent ---

  const kind = select('evaluate_send_', ['cases', 'prompt']), prompt = area({rows: '4', 'aria-label': say('prompt')}), mode = select('evaluate_mode_', ['auto', 'complete', 'chat']);
  const temperature = box({type: 'number', min: '0', max: '2', step: 'any', value: '0'}), longest = box({type: 'number', min: '1', value: '64'}), stop = area({rows: '1'}), repeats = box({type: 'number', min: '1', max: '1000', value: '1'}), budget = box({inputmode: 'decimal', placeholder: '–'}), concurrency = box({type: 'number', min: '1', max: '64', placeholder: '4'}), name = box({maxlength: '120', placeholder: say('evaluate_name')});
  const stops = () => stop.value.split('\n').filter((line) => line !== '').map(plain);
  kind.addEventListener('change', drawFamily);
  stop.addEventListener('change', drawFamily);

  // --- metrics by the four ways ---

  const ticks = new Map(), training = dataset({say, ask: () => {}, changed: () => { drawFamily(); changed(); }});
  function metric(name) {
    const tick = make('input', {type: 'checkbox'}), told = make('div', {class: 'pg-sweep-rows pg-evaluate-options', hidden: ''}), about = make('small', {class: 'pg-quiet', text: say('evaluate_about_' + name)});
    const state = {tick, value: () => name, fill(given) { const made = options({say, kind: name, given}); told.replaceChildren(...made.nodes); state.value = made.value; state.begin = made.begin; told.hidden = !tick.checked || !made.nodes.length; }};
    state.fill({});
    tick.addEventListener('change', () => { if (tick.checked) state.begin(); told.hidden = !tick.checked || !told.childElementCount; arrange(); });
    ticks.set(name, state);
    return make('div', {class: 'pg-evaluate-metric', 'data-metric': name}, make('label', {class: 'pg-versus-choice'}, tick, make('strong', {text: say('metric_' + name)})), about, told);
  }
  const ways = Object.entries(groups).map(([way, kinds]) => make('section', {class: 'pg-evaluate-way'}, make('h4', {text: say('evaluate_way_' + way)}), ...kinds.map(metric)));
  const human = make('section', {class: 'pg-evaluate-way'}, make('h4', {text: say('evaluate_way_human')}), make('small', {class: 'pg-quiet', text: say('evaluate_about_human')}), textButton(say('evaluate_to_rate'), () => playground.openTab('rate')));
  const chosen = () => [...ticks].filter(([, {tick}]) => tick.checked).map(([, {value}]) => value());
  const kindOf = (each) => typeof each === 'string' ? each : Object.keys(each)[0];

  // --- all of it ---

  const batched = batch({say});
  fields = {
    name: field('name', say('evaluate_called'), name), dataset: field('dataset', say('evaluate_cases'), make('div', {class: 'pg-sweep-dataset'}, cases.node, bring)), rows: field('rows', say('evaluate_which'), make('div', {class: 'pg-evaluate-pair'}, share, count)),
    models: field('models', say('evaluate_systems'), make('div', {class: 'pg-sweep-dataset'}, whom.node, family), say('evaluate_systems_hint')), baseline: field('baseline', say('evaluate_baseline'), baseline, say('evaluate_baseline_hint')),
    send: field('send', say('evaluate_send'), kind), prompt: field('prompt', say('prompt'), prompt, say('evaluate_prompt_hint')), mode: field('mode', say('evaluate_mode'), mode), temperature: field('temperature', say('param_temperature'), temperature), max_tokens: field('max_tokens', say('param_max_tokens'), longest), stop: field('stop', say('param_stop'), stop, say('evaluate_stop_hint')),
    metrics: field('metrics', say('evaluate_metrics'), make('div', {class: 'pg-evaluate-ways'}, ...ways, human)), training: field('training', say('evaluate_training'), training.node, say('evaluate_training_hint')), repeats: field('repeats', say('evaluate_repeats'), repeats), budget: field('budget', say('evaluate_budget'), budget), concurrency: field('concurrency', say('evaluate_concurrency'), concurrency), batch: batched.node,
  };
  fields.rows.dataset.also = 'rows.first rows.sample';
  fields.send.dataset.also = 'prompt';
  const part = (...nodes) => make('section', {class: 'pg-evaluate-part'}, ...nodes), three = (...nodes) => make('div', {class: 'pg-evaluate-three'}, ...nodes);
  const whole = part(fields.metrics, fields.training);
  whole.classList.add('pg-evaluate-wide');
  home.append(part(fields.dataset, fields.rows, fields.models, fields.baseline), part(fields.send, fields.prompt, three(fields.temperature, fields.max_tokens, fields.mode), fields.stop, three(fields.repeats, fields.budget, fields.concurrency), fields.batch, fields.name), whole);

  function arrange() {
    if (!fields) return;
    fields.prompt.hidden = kind.value !== 'prompt';
    fields.rows.hidden = !cases.value();
    count.hidden = share.value === 'all';
    fields.baseline.hidden = whom.value().length < 2;
    fields.training.hidden = !chosen().some((each) => TRAINED.includes(kindOf(each)));
  }
  home.addEventListener('input', () => { arrange(); changed(); });
  home.addEventListener('change', arrange);

  const number = (given) => given.value === '' ? null : Number(given.value);
  const filled = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value != null && value !== '' && !(Array.isArray(value) && !value.length) && !(typeof value === 'object' && !Array.isArray(value) && !Object.keys(value).length)));
  const spec = () => filled({
    ...more, name: name.value.trim(), models: whom.value(), ...(kind.value === 'prompt' ? {prompt: prompt.value} : {}), mode: mode.value === 'auto' ? null : mode.value, parameters: filled({temperature: number(temperature), max_tokens: number(longest), stop: stops()}),
    dataset: cases.value(), rows: cases.value() && share.value !== 'all' ? filled({[share.value]: number(count)}) : null, repeats: number(repeats), metrics: chosen(), training: fields.training.hidden ? null : training.value(), baseline: whom.value().length > 1 ? baseline.value : null, budget: budget.value.trim(), concurrency: number(concurrency), max_calls: 100000, batch: batched.value(),
  });

  function put(given) {
    const {temperature: heat, max_tokens: most, stop: ends, ...others} = given.parameters ?? {temperature: 0, max_tokens: 64}, {first, sample} = given.rows ?? {};
    more = Object.keys(others).length ? {parameters: others} : {};
    name.value = given.name ?? '';
    kind.value = given.prompt != null ? 'prompt' : 'cases';
    prompt.value = given.prompt ?? '';
    mode.value = given.mode ?? 'auto';
    temperature.value = heat ?? '';
    longest.value = most ?? '';
    stop.value = [ends ?? []].flat().map(escaped).join('\n');
    share.value = first != null ? 'first' : sample != null ? 'sample' : 'all';
    count.value = first ?? sample ?? '';
    repeats.value = given.repeats ?? 1;
    budget.value = given.budget ?? '';
    concurrency.value = given.concurrency ?? '';
    batched.put(given.batch);
    const told = new Map([given.metrics ?? []].flat().map((each) => typeof each === 'string' ? [each, {}] : Object.entries(each)[0]));
    for (const [key, state] of ticks) { state.tick.checked = told.has(key); state.fill(told.get(key) ?? {}); }
    whom.put([given.models ?? []].flat());
    wanted = given.baseline ?? '';
    cases.put(given.dataset);
    training.put(given.training);
    drawBaseline();
    drawFamily();
  }

  put({metrics: ['exact_match']});
  return {
    spec, put, cases, look,
    // Whether an answer of the server was for this.
    heard(value) {
      if (value.families) { families = value.families; drawBaseline(); drawFamily(); changed(); return true; }
      if (value.of === 'training') { fetching = false; drawFamily(); }
      if (value.trained) { training.put(value.trained); cases.refresh(); drawFamily(); changed(); return true; }
      if (value.datasets) { training.heard(value); bring.hidden = value.datasets.length > 0; }
      return cases.heard(value);
    },
  };
};
