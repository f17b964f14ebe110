// What came of an evaluation (`evaluate/table.py`): who is best, the table of systems by figures, their intervals drawn, confusion
// matrices, what is off the domain, where they disagree. `open(number)` shows an answer whole; `by({measure, baseline})` asks anew.
window.playground.evaluateTable = ({say, open, by}) => {
  const {make} = playground, node = make('div', {class: 'pg-evaluate-results', hidden: ''});
  const locale = () => playground.language(), digits = (value) => value.toLocaleString(locale(), {maximumSignificantDigits: 3});
  const money = (value) => '$' + (value >= 0.01 || value === 0 ? value.toFixed(2) : value.toPrecision(4).replace(/\.?0+$/, ''));
  const seconds = (value) => Math.abs(value) < 1 ? `${Math.round(value * 1000)} ms` : `${value.toLocaleString(locale(), {maximumFractionDigits: 1})} s`;
  const figure = (value, unit) => value == null ? '–' : unit === 'dollars' ? money(value) : unit === 'seconds' ? seconds(value) : digits(value);
  const signed = (value, unit) => (value < 0 ? '−' : '+') + figure(Math.abs(value), unit), p = (value) => value < 0.0001 ? 'p < 0.0001'.replace('.', locale() === 'es' ? ',' : '.') : `p = ${value.toLocaleString(locale(), {maximumSignificantDigits: 2})}`;
  const fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const card = (title, ...nodes) => make('section', {class: 'pg-prepare-card'}, make('h3', {text: title}), ...nodes), scroll = (...nodes) => make('div', {class: 'pg-scroll'}, ...nodes), long = (...nodes) => make('div', {class: 'pg-scroll pg-evaluate-long', tabindex: '0'}, ...nodes), quiet = (text) => make('p', {class: 'pg-quiet', text});
  const many = (said) => said.systems.length > 1, best = (column, at) => column.verdict?.winner_cell === at;

  // --- who is best, in words ---

  function verdicts(said) {
    if (!many(said)) return [make('div', {class: 'pg-evaluate-verdict'}, quiet(say('evaluate_one')))];
    const lines = said.columns.filter((column) => column.unit === 'score' && column.said);
    const box = make('div', {class: 'pg-evaluate-verdict'}, ...lines.map((column) => make('p', {'data-shown': String(column.verdict.winner !== null), text: column.said})));
    box.append(quiet(lines.length ? say('evaluate_tests') : say('evaluate_no_score')));
    return [box];
  }

  // --- the table ---

  function cell(said, column, at) {
    const found = column.figures[at], difference = column.differences[at];
    if (!found) return make('td', {text: '–'});
    const lines = [make('b', {text: figure(found.value, column.unit)}), make('span', {class: 'pg-quiet', text: `${playground.range(figure(found.low, column.unit), figure(found.high, column.unit))} n = ${found.count.toLocaleString(locale())}`})];
    if (many(said) && at === said.baseline) lines.push(make('span', {class: 'pg-quiet', text: say('evaluate_is_baseline')}));
    else if (difference) lines.push(make('span', {text: `${signed(difference.value, column.unit)} · ${p(difference.p_value)}`, title: difference.low == null ? '' : `${playground.range(signed(difference.low, column.unit), signed(difference.high, column.unit))} · ${say('evaluate_test_' + difference.test)}`}));
    if (best(column, at)) lines.push(make('span', {class: 'pg-evaluate-best', text: say('evaluate_best')}));
    return make('td', best(column, at) ? {'data-best': ''} : {}, make('div', {}, ...lines));
  }

  function table(said) {
    const head = make('tr', {}, make('th', {scope: 'col', text: say('evaluate_figure')}), ...said.systems.map(({name, answered, failed}) => make('th', {scope: 'col'}, make('span', {text: name}), make('small', {text: [fill('evaluate_answered', {count: answered.toLocaleString(locale())}), failed ? fill('sweep_failed', {failed: failed.toLocaleString(locale())}) : ''].filter(Boolean).join(' · ')}))));
    const rows = [];
    let way;
    for (const column of said.columns) {
      if (column.group !== way) { way = column.group; rows.push(make('tr', {class: 'pg-evaluate-group'}, make('th', {scope: 'colgroup', colspan: String(said.systems.length + 1), text: say('evaluate_way_' + (way ?? 'run'))}))); }
      const about = [say(column.higher_is_better ? 'evaluate_higher' : 'evaluate_lower'), column.judged ? say('metric_judge') : ''].filter(Boolean).join(' · ');
      rows.push(make('tr', {'data-figure': `${column.name} ${column.kind}`}, make('th', {scope: 'row'}, make('span', {text: column.title}), make('small', {text: about})), ...said.systems.map((_, at) => cell(said, column, at))));
    }
    const notes = [say('evaluate_intervals'), ...(said.columns.some(({jackknifed}) => jackknifed) ? [say('evaluate_jackknife')] : []), ...said.notes];
    return card(say('evaluate_table'), scroll(make('table', {class: 'pg-evaluate-table'}, make('thead', {}, head), make('tbody', {}, ...rows))), ...notes.map(quiet));
  }

  // --- all intervals of a figure on one scale: what overlaps is seen to ---

  function bars(said, column) {
    const there = column.figures.filter(Boolean), low = Math.min(...there.map((each) => each.low)), high = Math.max(...there.map((each) => each.high));
    const place = (value) => high > low ? 100 * (value - low) / (high - low) : 50;
    const rows = said.systems.map(({name}, at) => {
      const found = column.figures[at], bar = make('span', {class: 'pg-evaluate-bar'});
      if (found) {
        const line = make('i'), point = make('b');
        line.style.left = place(found.low) + '%';
        line.style.width = Math.max(1, place(found.high) - place(found.low)) + '%';
        point.style.left = place(found.value) + '%';
        bar.append(line, point);
      }
      return make('div', {class: 'pg-evaluate-row', ...(best(column, at) ? {'data-best': ''} : {})}, make('span', {text: name}), bar, make('span', {text: found ? figure(found.value, column.unit) : '–'}));
    });
    return make('figure', {class: 'pg-evaluate-chart'}, make('figcaption', {}, make('strong', {text: column.title}), make('span', {class: 'pg-quiet', text: `${figure(low, column.unit)} – ${figure(high, column.unit)}`})), ...rows);
  }

  // --- what was taken for what ---

  function confusion({name}, found) {
    const head = make('tr', {}, make('th', {scope: 'col', text: say('evaluate_expected')}), ...[...found.labels, say('evaluate_no_label')].map((text) => make('th', {scope: 'col', text})), ...[say('evaluate_precision'), say('evaluate_recall'), 'F1'].map((text) => make('th', {scope: 'col', text})));
    const rows = found.labels.map((label, at) => {
      const total = found.matrix[at].reduce((sum, count) => sum + count, 0), each = found.classes[label];
      const fields = found.matrix[at].map((count, column) => {
        const field = make('span', {class: 'pg-evaluate-field', text: count.toLocaleString(locale()), 'data-right': String(column === at)});
        field.style.setProperty('--heat', `${total ? Math.round(70 * count / total) : 0}%`);
        return make('td', {}, field);
      });
      return make('tr', {}, make('th', {scope: 'row', text: label}), ...fields, ...[each.precision, each.recall, each.f1].map((value) => make('td', {text: digits(value)})));
    });
    return make('figure', {class: 'pg-evaluate-matrix'}, make('figcaption', {}, make('strong', {text: name}), make('span', {class: 'pg-quiet', text: `${say('evaluate_accuracy')} ${digits(found.accuracy)} · macro F1 ${digits(found.macro.f1)}`})), scroll(make('table', {}, make('thead', {}, head), make('tbody', {}, ...rows))));
  }

  // --- answers to look at ---

  function answer(number, text, beside = '') {
    const button = make('button', {type: 'button', class: 'pg-sweep-answer', text: text || '∅', 'aria-label': `${say('sweep_output')}: ${text}`});
    if (number == null) return make('td', {text: '–'});
    button.addEventListener('click', () => open(number));
    return make('td', {}, button, ...(beside ? [make('span', {class: 'pg-quiet', text: beside})] : []));
  }

  function off({count, answers}) {
    if (!count) return card(say('evaluate_off').replace('{count}', 0), quiet(say('evaluate_off_none')));
    const head = make('tr', {}, ...['evaluate_system', 'sweep_case', 'evaluate_closeness', 'sweep_answer'].map((key) => make('th', {scope: 'col', text: say(key)})));
    const rows = answers.map((each) => make('tr', {}, make('td', {text: each.name}), make('td', {text: each.case}), make('td', {text: each.closeness == null ? '–' : digits(each.closeness)}), answer(each.number, each.answer)));
    return card(fill('evaluate_off', {count: count.toLocaleString(locale())}), quiet(say('evaluate_off_note')), long(make('table', {}, make('thead', {}, head), make('tbody', {}, ...rows))));
  }

  function disagreements(said) {
    const measure = make('select', {class: 'pg-select', 'aria-label': say('evaluate_by')});
    measure.append(...said.measures.map(({name}) => make('option', {value: name, text: said.columns.find((column) => column.name === name && column.kind === 'mean')?.title ?? name})));
    measure.value = said.measure.name;
    measure.addEventListener('change', () => by({measure: measure.value}));
    const head = make('tr', {}, ...['sweep_case', 'evaluate_expected'].map((key) => make('th', {scope: 'col', text: say(key)})), ...said.systems.map(({name}) => make('th', {scope: 'col', text: name})));
    const unit = said.measure.unit, rows = said.disagreements.map((each) => make('tr', {}, make('td', {text: each.case}), make('td', {text: each.expected ?? '–'}), ...each.answers.map(({number, answer: text, score}) => answer(number, text, figure(score, unit)))));
    return card(say('evaluate_disagree'), make('div', {class: 'pg-evaluate-by'}, measure), rows.length ? long(make('table', {class: 'pg-evaluate-answers'}, make('thead', {}, head), make('tbody', {}, ...rows))) : quiet(say('evaluate_agree')));
  }

  function against(said) {
    const box = make('select', {class: 'pg-select', 'aria-label': say('evaluate_baseline')});
    box.append(...said.systems.map(({name, model}) => make('option', {value: model, text: name})));
    box.value = said.systems[said.baseline].model;
    box.addEventListener('change', () => by({baseline: box.value}));
    return make('label', {class: 'pg-evaluate-against'}, make('span', {text: say('evaluate_baseline')}), box);
  }

  return {
    node,
    show(said) {
      const focused = node.contains(document.activeElement) ? document.activeElement.getAttribute('aria-label') : null;
      node.hidden = false;
      node.replaceChildren(...verdicts(said));
      if (!said.columns.length) return;
      if (many(said)) node.append(against(said));
      node.append(table(said), card(say('evaluate_intervals_drawn'), make('div', {class: 'pg-evaluate-charts'}, ...said.columns.map((column) => bars(said, column)))));
      if (said.classes) node.append(card(say('evaluate_confusion'), make('div', {class: 'pg-evaluate-charts pg-evaluate-matrices'}, ...said.classes.flatMap((found, at) => found ? [confusion(said.systems[at], found)] : []))));
      if (said.off_domain) node.append(off(said.off_domain));
      if (many(said)) node.append(disagreements(said));
      if (focused) node.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
    },
    // The figures are being worked out; of many answers that takes a while.
    wait() { if (node.hidden) { node.hidden = false; node.replaceChildren(make('p', {class: 'pg-quiet', role: 'status', text: say('evaluate_reading')})); } },
    hide() { node.hidden = true; node.replaceChildren(); },
  };
};
