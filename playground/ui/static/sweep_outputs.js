// A sweep's outputs, by pages: filtered by cell, status, text and score, sorted, each with all there is of it.
// `ask` asks the server; `id()` is the sweep's. Whatever a model wrote is text.
window.playground.sweepOutputs = ({say, ask, id}) => {
  const {make, iconButton, textButton, charts: {figure}} = playground;
  const PAGE = 50;  // answers of a page, as evaluate/outputs.py has it
  const seconds = (value) => value == null ? '–' : value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toLocaleString(playground.language(), {maximumFractionDigits: 1})} s`;
  let said = null, sent = '', cells = [], at = 0, total = 0, rows = [], order = {sort: 'number', descending: false}, shown = -1;

  const select = (key) => make('select', {class: 'pg-select', 'aria-label': say(key)}), input = (key, type = 'search') => make('input', {class: 'pg-filter', type, 'aria-label': say(key), placeholder: say(key), autocomplete: 'off'});
  const cell = select('sweep_cell'), status = select('sweep_status'), text = input('sweep_find'), measure = select('sweep_score'), low = input('sweep_from', 'number'), high = input('sweep_to', 'number'), count = make('span', {class: 'pg-quiet', role: 'status'});
  const head = make('thead'), body = make('tbody'), table = make('div', {class: 'pg-scroll'}, make('table', {class: 'pg-sweep-outputs'}, head, body)), back = iconButton('left', say('sweep_before')), next = iconButton('right', say('sweep_after'));
  const filters = make('div', {class: 'pg-sweep-filters'}, cell, status, text, measure, low, high), node = make('section', {class: 'pg-sweep-card', hidden: ''}, make('h3', {text: say('sweep_outputs')}), filters, table, make('div', {class: 'pg-prepare-actions'}, back, count, next));
  for (const each of [low, high]) { each.step = 'any'; each.classList.add('pg-sweep-short'); }
  for (const each of ['', 'done', 'failed', 'stopped']) status.append(make('option', {value: each, text: say(each ? 'sweep_output_' + each : 'sweep_any_status')}));

  const filter = () => ({cells, status: status.value || null, text: text.value.trim(), score: measure.value ? {measure: measure.value, low: low.value === '' ? null : Number(low.value), high: high.value === '' ? null : Number(high.value)} : {}, ...order, page: at});
  function look(page = 0) {
    at = page;
    if (id()) ask('outputs', {id: id(), ...filter()});
  }
  function took(value) {
    [rows, total, at] = [value.outputs, value.total, value.page];
    drawRows();
  }

  // --- the table ---

  const scored = () => said.measures.filter(({unit}) => unit === 'score');
  function drawHead() {
    const columns = [['number', '#'], ['cell', say('sweep_cell')], ['case', say('sweep_case')], [null, say('sweep_answer')], ...scored().map(({name}) => [name, name]), ['cost', say('cell_cost')], ['latency', say('cell_latency')]];
    head.replaceChildren(make('tr', {}, ...columns.map(([key, label]) => {
      if (!key) return make('th', {scope: 'col', text: label});
      const sorted = order.sort === key, button = make('button', {type: 'button', class: 'pg-sweep-sort', text: label + (sorted ? (order.descending ? ' ↓' : ' ↑') : '')});
      button.addEventListener('click', () => { order = {sort: key, descending: sorted ? !order.descending : !['number', 'cell', 'case'].includes(key)}; drawHead(); look(); });
      return make('th', {scope: 'col', ...(sorted ? {'aria-sort': order.descending ? 'descending' : 'ascending'} : {})}, button);
    })));
  }

  function drawRows() {
    body.replaceChildren(...rows.map((each) => {
      const open = make('button', {type: 'button', class: 'pg-sweep-answer', text: each.error || each.answer || '∅', 'aria-label': `${say('sweep_output')} ${each.number + 1}: ${each.error || each.answer}`});
      const line = make('tr', {'data-status': each.status}, make('td', {text: each.number + 1}), make('td', {class: 'pg-sweep-name', text: each.name}), make('td', {text: each.repeat ? `${each.case} · ${each.repeat + 1}` : each.case}), make('td', {}, open), ...scored().map(({name}) => make('td', {text: figure(each.scores[name])})), make('td', {text: each.cost ?? '–'}), make('td', {text: seconds(each.latency)}));
      line.addEventListener('click', () => detail(each.number));
      return line;
    }));
    if (!rows.length) body.append(make('tr', {}, make('td', {colspan: '20', class: 'pg-quiet', text: say('sweep_nothing_matches')})));
    const first = at * PAGE;
    count.textContent = total ? say('sweep_shown').replace('{first}', (first + 1).toLocaleString(playground.language())).replace('{last}', (first + rows.length).toLocaleString(playground.language())).replace('{total}', total.toLocaleString(playground.language())) : '';
    back.disabled = !at;
    next.disabled = first + rows.length >= total;
  }

  // --- one of them ---

  const titled = `pg-sweep-detail-${Math.random().toString(36).slice(2, 8)}`;
  const dialog = make('dialog', {class: 'pg-dialog pg-sweep-detail', 'aria-labelledby': titled}), close = iconButton('close', say('close')), heading = make('h2', {id: titled}), content = make('div'), earlier = textButton(say('sweep_before'), () => step(-1)), later = textButton(say('sweep_after'), () => step(1));
  dialog.append(make('header', {}, heading, close), content, make('footer', {}, earlier, later));
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  const place = () => rows.findIndex((each) => each.number === shown);
  function step(by) { const row = rows[place() + by]; if (row) detail(row.number); }

  function detail(number) {
    shown = number;
    ask('output', {id: id(), number});
  }

  function drawDetail(output) {
    const {sent, answer, expected, error, beside, judged} = output, block = (key, text) => text ? [make('h3', {text: say(key)}), make('div', {class: 'pg-run-text', tabindex: '0', text})] : [];
    const written = (message) => typeof message.content === 'string' ? message.content : JSON.stringify(message.content ?? message, null, 1);
    const asked = sent.prompt ?? (sent.messages ?? []).map((message) => `${message.role}: ${written(message)}`).join('\n\n');
    const facts = [[say('sweep_case'), output.repeat ? `${output.case} · ${output.repeat + 1}` : output.case], [say('sweep_status'), say('sweep_output_' + output.status)], ...Object.entries(output.scores).map(([name, value]) => [name, figure(value)]), [say('cell_cost'), output.cost ?? '–'], [say('cell_latency'), seconds(output.latency)], [say('cell_ttft'), seconds(output.time_to_first_token)], [say('tokens'), output.completion_tokens == null ? '–' : `${output.prompt_tokens ?? '?'} + ${output.completion_tokens}`], ...(output.finish_reason ? [[say('sweep_finish'), output.finish_reason]] : []), ...(output.attempts > 1 ? [[say('sweep_attempts'), String(output.attempts)]] : [])];
    heading.textContent = `${say('sweep_output')} ${output.number + 1} · ${output.name}`;
    content.replaceChildren(make('div', {class: 'pg-run-detail'}, make('dl', {}, ...facts.map(([name, value]) => make('div', {}, make('dt', {text: name}), make('dd', {text: value}))))), ...block('sweep_error', error), ...block('prompt', asked || JSON.stringify(sent.variables ?? {}, null, 1)), ...block('sweep_answer', answer), ...block('sweep_expected_answer', expected), ...block('sweep_opinions', judged.map(({judge, model, grade, reason}) => `${judge} · ${model}: ${grade ?? say('sweep_unread')}${reason ? `\n${reason}` : ''}`).join('\n\n')), ...block('thinking', beside?.reasoning), ...block('sweep_beside', beside && Object.keys(beside).some((key) => key !== 'reasoning') ? JSON.stringify(beside, null, 1) : ''));
    const now = place();
    earlier.disabled = now <= 0;
    later.disabled = now < 0 || now >= rows.length - 1;
    if (!dialog.open) { (document.querySelector('.pg-toolbar') ?? document.body).append(dialog); dialog.showModal(); }
    content.scrollTop = dialog.scrollTop = 0;
  }

  status.addEventListener('change', () => look());
  measure.addEventListener('change', () => { if (low.value !== '' || high.value !== '') look(); });
  cell.addEventListener('change', () => { cells = cell.value === '' ? [] : [Number(cell.value)]; look(); });
  for (const each of [text, low, high]) each.addEventListener('input', () => look());
  back.addEventListener('click', () => look(at - 1));
  next.addEventListener('click', () => look(at + 1));

  return {
    node, look, open: detail,
    // What is asked for along with a sweep's results: the page that is shown, or the first of another sweep.
    wanted(of) {
      const wanted = said?.id === of ? filter() : {cells: [], status: null, text: '', score: {}, sort: 'number', descending: false, page: 0};
      sent = JSON.stringify(wanted);
      return wanted;
    },
    // The results (`evaluate/report.py`) whose outputs are looked at, and `answers`, the page that came along.
    show({answers, ...now}) {
      const before = said, measures = JSON.stringify(now.measures);
      said = now;
      node.hidden = false;
      if (before?.id !== now.id) { cells = []; order = {sort: 'number', descending: false}; text.value = low.value = high.value = status.value = ''; at = 0; }
      if (before?.id !== now.id || JSON.stringify(before.measures) !== measures) {
        cell.replaceChildren(make('option', {value: '', text: say('sweep_all_cells')}), ...now.cells.map((each) => make('option', {value: each.cell, text: each.name})));
        measure.replaceChildren(make('option', {value: '', text: say('sweep_any_score')}), ...now.measures.map(({name}) => make('option', {value: name, text: name})));
        drawHead();
      }
      if (answers && sent === JSON.stringify(filter())) took(answers); else look(at);
    },
    // Those of some cells only: what a field of a heatmap stands for.
    of(some) {
      cells = [...some];
      cell.querySelector('[data-several]')?.remove();
      if (some.length > 1) cell.append(make('option', {value: 'several', 'data-several': '', text: say('sweep_several_cells').replace('{count}', some.length)}));
      cell.value = some.length === 1 ? String(some[0]) : some.length ? 'several' : '';
      look();
      node.scrollIntoView({behavior: 'smooth', block: 'start'});
    },
    hide() { node.hidden = true; said = null; rows = []; body.replaceChildren(); count.textContent = ''; if (dialog.open) dialog.close(); },
    heard(value) {
      if (value.of === 'outputs' && value.outputs) { took(value); return true; }
      if (value.of === 'output' && value.output) { if (value.output.number === shown) drawDetail(value.output); return true; }
      return false;
    },
  };
};
