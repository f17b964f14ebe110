// One dataset of the Datasets tab: what there is to say of it, the filters, a page of its cases.
window.playground.datasetRows = ({say, fill, find, go, edit, double, drop, pick, picked, add, dropPicked}) => {
  const {make, icon, iconButton, textButton} = playground;
  const facts = make('div', {class: 'pg-ds-facts'}), filters = make('div', {class: 'pg-filters'}), bar = make('div', {class: 'pg-history-bar'}), list = make('div', {class: 'pg-rows pg-ds-rows', role: 'list'}), pager = make('nav', {class: 'pg-ds-pager', 'aria-label': say('dataset_pages')});
  const node = make('div', {class: 'pg-ds-one'}, facts, filters, bar, list, pager), fields = {};
  let now = null;

  // --- filters ---

  const select = (options) => make('select', {class: 'pg-select'}, ...options.map(([value, text]) => make('option', {value, text})));
  function field(name, box, event = 'change') {
    fields[name] = box;
    if (name === 'text') box.classList.add('pg-filter');
    box.addEventListener(event, () => find(event === 'input'));
    const made = make('label', {class: 'pg-filter-field'}, make('span', {text: say('dataset_' + name)}), box);
    filters.append(made);
    return made;
  }
  field('text', make('input', {type: 'search', autocomplete: 'off', placeholder: say('dataset_text_placeholder')}), 'input');
  const tags = field('tag', select([['', say('all')]])), labels = field('label', select([['', say('all')]]));
  field('only', select([['', say('all')], ...['expected', 'unexpected', 'duplicate', 'conflict', 'empty'].map((each) => [each, say('dataset_only_' + each)])]));
  field('sort', select(['order', 'last', 'asked', 'expected', 'long', 'short'].map((each) => [each, say('dataset_sort_' + each)])));
  // A label may be an empty text: its option carries a mark in front.
  const wanted = () => ({text: fields.text.value, tag: fields.tag.value, label: fields.label.value ? fields.label.value.slice(1) : null, only: fields.only.value, sort: fields.sort.value});
  const narrowed = () => ['text', 'tag', 'label', 'only'].some((name) => fields[name].value);
  function set(name, value) { fields[name].value = fields[name].value === value ? '' : value; find(false); }

  function options(box, home, pairs) {
    const before = box.value;
    box.replaceChildren(make('option', {value: '', text: say('all')}), ...pairs.map(([value, text]) => make('option', {value, text})));
    // What is filtered by stays, though nothing has it any more: the person sees why nothing is found.
    if (before && !pairs.some(([value]) => value === before)) box.append(make('option', {value: before, text: before}));
    box.value = before;
    home.hidden = !pairs.length && !before;
  }

  // --- what there is to say of it ---

  // Of all but a few it is not said that it is all.
  const percent = (part, whole) => (part === whole ? 1 : Math.min(part / whole, 0.999)).toLocaleString(playground.language(), {style: 'percent', maximumFractionDigits: part === whole ? 0 : 1});
  const short = (text) => text.length > 40 ? text.slice(0, 39) + '…' : text;
  function chip(text, name, value, tone = '') {
    const made = make('button', {type: 'button', class: 'pg-ds-chip', 'data-tone': tone, 'aria-pressed': String(fields[name].value === value), text});
    made.addEventListener('click', () => set(name, value));
    return made;
  }
  function line(key, ...parts) { return parts.length ? [make('dt', {text: say(key)}), make('dd', {}, ...parts)] : []; }

  function drawFacts({facts: of}) {
    const numbers = (key, many) => many ? [chip(fill('dataset_has_' + key, {count: many}), 'only', key, 'warn')] : [];
    facts.replaceChildren(make('dl', {},
      ...line('dataset_facts', make('span', {text: fill('dataset_cases', {count: of.count})}), chip(fill('dataset_with_expected', {share: percent(of.expected, of.count)}), 'only', 'expected'), ...numbers('duplicate', of.duplicate), ...numbers('conflict', of.conflict), ...numbers('empty', of.empty)),
      ...line('dataset_variables', ...of.variables.map(([name, many]) => make('span', {class: 'pg-ds-variable'}, make('code', {text: `{{${name}}}`}), make('small', {text: many === of.count ? '' : fill('dataset_in', {count: many})})))),
      ...line('dataset_labels', ...of.labels.slice(0, 12).map(([text, many]) => chip(`${short(text) || '∅'} ${many.toLocaleString(playground.language())}`, 'label', '=' + text))),
      ...line('dataset_tags', ...of.tags.slice(0, 12).map(([text, many]) => chip(`${text} ${many.toLocaleString(playground.language())}`, 'tag', text)))));
    options(fields.tag, tags, of.tags.map(([text]) => [text, text]));
    options(fields.label, labels, of.labels.map(([text]) => ['=' + text, short(text) || '∅']));
  }

  // --- the bar ---

  const all = make('input', {type: 'checkbox', 'aria-label': say('dataset_choose_page')}), found = make('span', {class: 'pg-quiet', 'aria-live': 'polite'}), remove = textButton(say('delete'), () => dropPicked([...picked()])), every = textButton('', () => dropPicked('found'));
  remove.classList.add('pg-danger');
  every.classList.add('pg-danger');
  bar.append(all, found, remove, every, make('span', {class: 'pg-push'}), textButton(say('dataset_add'), add));
  all.addEventListener('change', () => { for (const row of now.rows) pick(row.id, all.checked); for (const box of list.querySelectorAll('.pg-ds-row > input')) box.checked = all.checked; marks(); });

  function marks() {
    const chosen = picked(), here = now.rows.filter((row) => chosen.has(row.id)).length;
    all.checked = here > 0 && here === now.rows.length;
    all.indeterminate = here > 0 && here < now.rows.length;
    remove.hidden = !chosen.size;
    remove.textContent = fill('dataset_delete_chosen', {count: chosen.size});
    // More than this page's: only where something narrows them down.
    every.hidden = !(all.checked && narrowed() && now.found > now.rows.length);
    every.textContent = fill('dataset_delete_found', {count: now.found});
    found.textContent = narrowed() ? fill('dataset_found', {found: now.found, count: now.facts.count}) : fill('dataset_cases', {count: now.found});
  }

  // --- rows ---

  const value = ([name, text]) => make('div', {class: 'pg-ds-value'}, make('code', {text: name}), ' ', make('span', {text: text || '∅'}));

  function row(each) {
    const box = make('input', {type: 'checkbox', 'aria-label': fill('dataset_choose', {id: each.id})});
    box.checked = picked().has(each.id);
    box.addEventListener('change', () => { pick(each.id, box.checked); marks(); });
    const open = make('button', {type: 'button', class: 'pg-ds-open', title: say('dataset_edit')}, ...(each.asked ? [make('div', {class: 'pg-ds-asked', text: each.asked})] : []), ...each.variables.map(value), ...(each.marks.includes('empty') ? [make('div', {class: 'pg-quiet', text: say('dataset_nothing')})] : []));
    open.addEventListener('click', () => edit(each.id));
    const facts = [`#${each.place.toLocaleString(playground.language())}`, each.id === String(each.place) ? '' : `${say('dataset_id')} ${each.id}`, each.turns ? fill('dataset_turns', {count: each.turns}) : '', each.more ? fill('dataset_more', {count: each.more}) : ''].filter(Boolean);
    const under = make('div', {class: 'pg-run-facts'}, ...facts.map((text) => make('span', {text})), ...each.tags.map((text) => make('span', {class: 'pg-ds-tag', text})), ...each.marks.map((name) => make('span', {class: 'pg-ds-mark', text: say('dataset_mark_' + name)})));
    const tools = make('span', {class: 'pg-thumbs'});
    for (const [name, key, fn] of [['copy', 'dataset_double', double], ['trash', 'dataset_delete', drop]]) {
      const made = iconButton(name, say(key));
      made.addEventListener('click', () => fn(each.id));
      tools.append(made);
    }
    const answer = make('div', {class: 'pg-ds-expected'}, make('small', {text: say('dataset_expected')}), make('div', {text: each.expected ?? '–'}));
    return make('div', {class: 'pg-ds-row', role: 'listitem', 'data-id': each.id}, box, make('div', {class: 'pg-run-body'}, open, under), answer, tools);
  }

  function turn(name, key, to, off) {
    const made = iconButton(name, say(key), {class: 'pg-button', 'data-key': key});
    made.disabled = off;
    made.addEventListener('click', () => { go(to); list.scrollIntoView({block: 'nearest'}); });
    return made;
  }

  // `forms` are the cases being written, by their ids: each stands in the place of its row, or above all.
  function draw(value, forms) {
    now = value;
    drawFacts(value);
    const inside = new Set(value.rows.map((each) => each.id));
    list.replaceChildren(...[...forms].filter(([id]) => !inside.has(id)).map(([, form]) => form), ...value.rows.map((each) => forms.get(each.id) ?? row(each)));
    if (!list.children.length) list.append(make('p', {class: 'pg-empty', text: say('dataset_none_found')}));
    const first = value.page * value.size + 1, last = first + value.rows.length - 1;
    pager.hidden = value.pages < 2;
    playground.swap(pager, [turn('left', 'dataset_before', value.page - 1, value.page === 0), make('span', {text: fill('dataset_range', {first, last, found: value.found})}), turn('right', 'dataset_next', value.page + 1, value.page + 1 >= value.pages)]);
    marks();
  }

  return {node, fields, wanted, draw};
};
