// A file on its way into the Datasets tab: what its columns are, its first cases, its name. Nothing is kept before Import.
window.playground.datasetImport = ({home, say, fill, ask}) => {
  const {make, textButton} = playground, ROLES = ['variable', 'prompt', 'messages', 'expected', 'tags', 'id', 'ignored'];
  const name = make('input', {type: 'text', class: 'pg-filter', maxlength: '120', autocomplete: 'off'}), problem = make('div', {class: 'pg-notice', 'aria-live': 'polite', hidden: ''}), tell = playground.telling(problem);
  let id = null, roles = {};

  function column({name: called, role, cells}) {
    roles[called] = role;
    const box = make('select', {class: 'pg-select', 'aria-label': fill('dataset_column_is', {name: called})}, ...ROLES.map((each) => make('option', {value: each, text: say('dataset_role_' + each)})));
    box.value = role;
    box.addEventListener('change', () => {
      // What was that so far is a variable from now on.
      if (!['variable', 'ignored'].includes(box.value)) for (const other of Object.keys(roles)) if (roles[other] === box.value) roles[other] = 'variable';
      roles[called] = box.value;
      ask('columns', {id, columns: roles});
    });
    return make('tr', {}, make('th', {scope: 'row', text: called}), make('td', {}, box), make('td', {}, ...cells.map((text) => make('div', {class: 'pg-ds-cell', text}))));
  }

  function example(each) {
    const asked = each.asked ? [make('div', {text: each.asked})] : [], values = each.variables.map(([called, text]) => make('div', {}, make('code', {text: called}), ' ', text));
    return make('tr', {}, make('td', {}, ...asked, ...values), make('td', {text: each.expected ?? '–'}), make('td', {text: each.tags.join(', ')}));
  }

  function table(label, heads, rows) {
    return make('div', {class: 'pg-scroll'}, make('table', {class: 'pg-ds-table', 'aria-label': label}, make('thead', {}, make('tr', {}, ...heads.map((text) => make('th', {scope: 'col', text})))), make('tbody', {}, ...rows)));
  }

  function close() {
    id = null;
    home.hidden = true;
    home.replaceChildren();
  }

  function show(source) {
    const focused = home.contains(document.activeElement) && document.activeElement.getAttribute('aria-label');
    if (source.file) { name.value = source.name; home.dataset.file = source.file; }
    id = source.id;
    roles = {};
    tell(...(source.wrong ? playground.problem(source.wrong) : []));
    const ok = textButton(fill('dataset_import', {count: source.count}), () => { ok.disabled = true; ask('import', {id, name: name.value, columns: roles}); }, true);
    ok.disabled = Boolean(source.wrong);
    const columns = source.columns.length ? [make('p', {class: 'pg-quiet', text: say('dataset_columns_about')}), table(say('dataset_columns'), [say('dataset_column'), say('dataset_is'), say('dataset_sample')], source.columns.map(column))] : [];
    home.replaceChildren(make('section', {class: 'pg-prepare-card'}, make('h3', {text: home.dataset.file}), ...source.notes.map((text) => make('p', {class: 'pg-quiet', text})), ...columns,
      ...(source.cases.length ? [make('p', {class: 'pg-quiet', text: say('dataset_first_cases')}), table(say('dataset_first_cases'), [say('dataset_asks'), say('dataset_expected'), say('dataset_tags')], source.cases.map(example))] : []),
      problem, make('div', {class: 'pg-ds-actions'}, make('label', {class: 'pg-result-control'}, make('span', {text: say('dataset_name')}), name), ok, textButton(say('dataset_cancel'), close))));
    home.hidden = false;
    if (source.file) home.scrollIntoView({block: 'nearest'});
    if (focused) home.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  return {show, close, failed(texts) { tell(...texts); const ok = home.querySelector('.pg-primary'); if (ok) ok.disabled = false; }};
};
