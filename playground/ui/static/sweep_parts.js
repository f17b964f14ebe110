// Parts of the Sweep and the Evaluate tab's forms: texts as chips, several models, a stored dataset, metrics with their options.
// Each has a `node`, a `value()`, a `put(value)`, and tells `changed` of every change that a person makes.
window.playground.sweepParts = (() => {
  const {make, iconButton, textButton} = playground;
  let ids = 0;

  // A label above what it is about; what is wrong with it is said below.
  function field(name, text, control, hint = '') {
    const id = control.id || (control.id = `pg-sweep-${name}-${++ids}`), said = make('p', {class: 'pg-wrong', hidden: '', id: `${id}-wrong`});
    const group = control.matches('input, select, textarea') ? make('label', {for: id, text}) : make('span', {class: 'pg-sweep-label', id: `${id}-label`, text});
    if (group.id) { control.setAttribute('role', 'group'); control.setAttribute('aria-labelledby', group.id); }
    const node = make('div', {class: 'pg-sweep-field', 'data-field': name}, group, control, ...(hint ? [make('small', {class: 'pg-quiet', text: hint})] : []), said);
    return node;
  }

  // Says what is wrong at the field that it is about; false where there is none. Without texts nothing is wrong anywhere.
  function wrong(form, param = '', texts = []) {
    for (const said of form.querySelectorAll('.pg-sweep-field > .pg-wrong')) { said.hidden = true; said.textContent = ''; }
    for (const node of form.querySelectorAll('[aria-invalid]')) node.removeAttribute('aria-invalid');
    const there = [...form.querySelectorAll('.pg-sweep-field')].filter((each) => each.getClientRects().length);
    const at = param && (there.find((each) => each.dataset.field === param) ?? there.find((each) => (each.dataset.also ?? '').split(' ').includes(param)));
    if (!at) return false;
    const said = at.querySelector(':scope > .pg-wrong'), control = at.querySelector('input, select, textarea, button');
    said.textContent = texts.filter(Boolean).join(' ');
    said.hidden = false;
    control?.setAttribute('aria-invalid', 'true');
    at.scrollIntoView({block: 'nearest'});
    return true;
  }

  function chips({texts, put, label}) {
    return texts.map((text, at) => {
      const remove = iconButton('close', `${playground.saying()('remove')}: ${text}`);
      remove.addEventListener('click', () => put(texts.filter((_, each) => each !== at)));
      return make('span', {class: 'pg-chip pg-sweep-chip', title: text}, make('code', {text: label ? label(text) : text}), remove);
    });
  }

  // Several models of those that the picker lists, or any name that is typed.
  function models({say, changed, most = 50}) {
    const id = `pg-sweep-models-${++ids}`, shown = make('div', {class: 'pg-sweep-chips'});
    const box = make('input', {class: 'pg-picker-input', type: 'text', role: 'combobox', 'aria-expanded': 'false', 'aria-autocomplete': 'list', 'aria-controls': id, 'aria-label': say('sweep_add_model'), placeholder: say('sweep_add_model'), autocomplete: 'off', spellcheck: 'false'});
    const list = make('div', {class: 'pg-picker-list', role: 'listbox', id, hidden: ''});
    const node = make('div', {class: 'pg-sweep-models'}, shown, make('div', {class: 'pg-picker'}, make('div', {class: 'pg-picker-box'}, box), list));
    let chosen = [];
    const picker = playground.modelBox({box, list, groups: () => playground.tell('model?', {}).groups ?? [], picked(ref) {
      picker.show('');
      picker.close();
      if (ref && !chosen.includes(ref) && chosen.length < most) put([...chosen, ref], true);
    }});
    function put(now, told = false) {
      chosen = [...new Set(now)];
      shown.replaceChildren(...chips({texts: chosen, put: (texts) => put(texts, true)}));
      shown.hidden = !chosen.length;
      if (told) changed();
    }
    put([]);
    return {node, value: () => [...chosen], put};
  }

  // A select of what is stored; `chosen` is told what is in the dataset: {name, count, expected, own, variables, tags}.
  function dataset({say, ask, changed, chosen = () => {}}) {
    const box = make('select', {class: 'pg-select'}), about = make('small', {class: 'pg-quiet', role: 'status', hidden: ''}), node = make('div', {class: 'pg-sweep-dataset'}, box, about);
    let listed = [], wanted = '', inside = null;
    const draw = () => {
      const missing = wanted && !listed.some(({name}) => name === wanted);
      box.replaceChildren(make('option', {value: '', text: say('sweep_no_dataset')}), ...listed.map(({name, count}) => make('option', {value: name, text: `${name} (${count.toLocaleString(playground.language())})`})), ...(missing ? [make('option', {value: wanted, text: wanted})] : []));
      box.value = wanted;
    };
    function look() {
      inside = null;
      if (wanted && listed.some(({name}) => name === wanted)) ask('dataset', {name: wanted});
      else { about.hidden = true; chosen(null); }
    }
    box.addEventListener('change', () => { wanted = box.value; look(); changed(); });
    draw();
    return {
      node, value: () => wanted || null, inside: () => inside,
      put(name) { wanted = name ?? ''; draw(); look(); },
      refresh() { ask('datasets'); },
      // Whether an answer of the server was for this.
      heard(value) {
        if (value.datasets) { listed = value.datasets; draw(); if (wanted && !inside) look(); return true; }
        if (value.of !== 'dataset') return false;
        if (value.dataset && value.dataset.name === wanted) {
          inside = value.dataset;
          const {expected, variables, tags} = inside;
          about.textContent = [variables.length ? `${say('sweep_variables')} ${variables.map((name) => `{{${name}}}`).join(' ')}` : '', expected ? say('sweep_expected').replace('{count}', expected.toLocaleString(playground.language())) : say('sweep_no_expected'), tags.length ? `${say('sweep_tags')} ${tags.join(', ')}` : ''].filter(Boolean).join(' · ');
          about.hidden = false;
          chosen(inside);
        }
        return !value.notice;
      },
    };
  }

  // What each kind of metric may be told: as OPTIONS of evaluate/metrics/build.py has it.
  const OPTIONS = {
    exact_match: {ignore_case: 'bool', ignore_punctuation: 'bool'}, contains: {text: 'text', ignore_case: 'bool'}, regex: {pattern: 'text', whole: 'bool'}, json_schema: {schema: 'json'},
    label: {labels: 'texts'}, macro_f1: {labels: 'texts'}, bleu: {}, chrf: {}, meteor: {}, distinct: {n: 'count'}, self_bleu: {}, training_overlap: {n: 'count'}, domain: {}, off_domain: {}, judge: {model: 'model', criterion: 'criterion', max_tokens: 'tokens'},
  };

  const NUMBERS = {count: {min: '1', max: '10'}, tokens: {min: '1', max: '100000', placeholder: '500'}}, CRITERIA = ['correctness', 'grammar', 'context'];
  const known = () => (playground.tell('model?', {}).groups ?? []).flatMap(({items}) => items.map(({ref}) => ref));

  // What may be typed besides anything else; looked up when the box is entered.
  function suggesting(box, found) {
    const list = make('datalist', {id: `pg-sweep-suggested-${++ids}`});
    box.setAttribute('list', list.id);
    box.addEventListener('focus', () => list.replaceChildren(...found().map((value) => make('option', {value}))));
    return list;
  }

  // What one metric may be told: its boxes, and the metric as a spec has it, its options in it where they are set. `begin`
  // fills in what is wanted of somebody who has just chosen it.
  function options({say, kind, given = {}}) {
    const boxes = {}, nodes = [];
    const begin = () => { for (const [name, box] of Object.entries(boxes)) if (OPTIONS[kind][name] === 'model' && !box.value) box.value = playground.tell('model?', {}).ref ?? ''; };
    for (const [name, type] of Object.entries(OPTIONS[kind] ?? {})) {
      const value = given[name], label = say('metric_option_' + name);
      const box = boxes[name] = type === 'bool' ? make('input', {type: 'checkbox'}) : make('input', {class: 'pg-filter', type: NUMBERS[type] ? 'number' : 'text', autocomplete: 'off', placeholder: type === 'json' ? '{"type": "object"}' : type === 'texts' ? say('sweep_commas') : type === 'criterion' ? CRITERIA[0] : '', ...(NUMBERS[type] ?? {})});
      if (type === 'model' || type === 'criterion') nodes.push(suggesting(box, type === 'model' ? known : () => CRITERIA));
      if (type === 'bool') box.checked = value ?? (name === 'ignore_case' && kind === 'contains');
      else if (value !== undefined) box.value = type === 'json' ? JSON.stringify(value) : Array.isArray(value) ? value.join(', ') : value;
      nodes.push(make('label', {class: type === 'bool' ? 'pg-versus-choice' : 'pg-sweep-option'}, ...(type === 'bool' ? [box, make('span', {text: label})] : [make('span', {text: label}), box])));
    }
    function value() {
      const found = given.as ? {as: given.as} : {};
      for (const [name, box] of Object.entries(boxes)) {
        const type = OPTIONS[kind][name], text = box.value.trim();
        if (type === 'bool') { if (box.checked !== (name === 'ignore_case' && kind === 'contains')) found[name] = box.checked; }
        else if (text) found[name] = NUMBERS[type] ? Number(text) : type === 'json' ? parsed(text) : type === 'texts' ? text.split(',').map((each) => each.trim()).filter(Boolean) : box.value;
      }
      return Object.keys(found).length ? {[kind]: found} : kind;
    }
    return {nodes, value, begin};
  }

  // Metrics as a spec has them: "exact_match", or {contains: {text: "Paris"}}. `kinds` are those that are offered.
  function metrics({say, changed, kinds}) {
    const rows = make('div', {class: 'pg-sweep-rows'}), adder = make('select', {class: 'pg-select', 'aria-label': say('sweep_add_metric')}), node = make('div', {class: 'pg-sweep-metrics'}, rows, adder);
    let entries = [];
    adder.append(make('option', {value: '', text: say('sweep_add_metric')}), ...kinds.map((kind) => make('option', {value: kind, text: say('metric_' + kind)})));
    adder.addEventListener('change', () => { if (adder.value) { entries.push(entry(adder.value, {}, true)); draw(); changed(); } adder.value = ''; });

    function entry(kind, given = {}, fresh = false) {
      const {nodes, value, begin} = options({say, kind, given}), row = make('div', {class: 'pg-sweep-row', 'data-metric': kind}, make('strong', {text: say('metric_' + kind)}), ...nodes);
      const remove = iconButton('close', `${say('remove')}: ${say('metric_' + kind)}`), made = {kind, row, value};
      remove.addEventListener('click', () => { entries = entries.filter((each) => each !== made); draw(); changed(); });
      row.append(remove);
      if (fresh) begin();
      row.addEventListener('input', () => changed());
      return made;
    }
    const draw = () => playground.swap(rows, entries.map(({row}) => row));
    return {
      node, value: () => entries.map((each) => each.value()),
      put(given) {
        const listed = given == null ? [] : Array.isArray(given) ? given : [given];
        entries = listed.map((each) => typeof each === 'string' ? entry(each) : entry(...Object.entries(each ?? {})[0])).filter(({kind}) => kind in OPTIONS);
        draw();
      },
    };
  }

  // Whether the calls are sent as a batch, and what that means.
  function batch({say}) {
    const tick = make('input', {type: 'checkbox'}), node = make('label', {class: 'pg-versus-choice'}, tick, make('span', {text: say('sweep_batch')}));
    return {node: field('batch', say('sweep_how'), node, say('sweep_batch_hint')), value: () => tick.checked || null, put(given) { tick.checked = given === true; }};
  }

  // A value that a person typed: JSON where it is, else its text.
  function parsed(text) {
    try { return JSON.parse(text); } catch { return text; }
  }

  return {field, wrong, chips, models, dataset, metrics, options, batch, parsed, textButton};
})();
