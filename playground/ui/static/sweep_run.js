// What the Sweep and the Evaluate tab do with a sweep: what it costs before it runs, how far it is, its end, and those of before.
// The sweep runs on the server whether or not this page is there: it is asked how far it is, so that a reload and a second
// window show the same. `tab` names what is kept; `spec()` is the form's; `wrong(param, texts)` says at a field what is wrong
// with it, true where there is one; `results(said, row)` is told of results, `none()` that no sweep is shown.
window.playground.sweepRun = ({home, say, ask, tab, spec, wrong, results, none}) => {
  const {make, textButton, swap, keep, kept, duration} = playground;
  const SOON = 600, LATER = 3000, COUNTED = 350;  // milliseconds: between two looks, and after a letter that was typed
  const number = (value) => value.toLocaleString(playground.language()), fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const notice = make('div', {class: 'pg-notice', 'aria-live': 'polite', hidden: ''}), tell = playground.telling(notice);
  let chosen = kept('sweep.' + tab), row = null, rows = [], timer = 0, due = 0, opening = 0, openedAt = 0, took = 0, seen = -1, measure = '', waiting = false;
  if (typeof chosen !== 'string') chosen = null;

  // --- before it runs ---

  const foretold = make('div', {class: 'pg-sweep-estimate', role: 'status'}), run = textButton(say('sweep_run'), begin, true);
  run.classList.add('pg-sweep-go');
  const foot = make('div', {class: 'pg-sweep-foot'}, foretold, run);

  function changed() {
    clearTimeout(due);
    foretold.classList.add('pg-sweep-stale');
    due = setTimeout(() => ask('estimate', {spec: spec()}), COUNTED);
  }

  function begin() {
    clearTimeout(due);
    run.disabled = true;
    run.textContent = say('sweep_beginning');
    tell();
    ask('begin', {spec: spec()});
  }

  function drawEstimate(said) {
    foretold.classList.remove('pg-sweep-stale');
    if (!said) return foretold.replaceChildren();
    const {calls, cells, cases, repeats, free, expected, worst, exact, seconds, worst_seconds, budget, judged, notes, batch} = said;
    const cost = free ? say('sweep_free') : expected == null && worst == null ? say('price_unknown') : expected === worst ? expected : fill('sweep_cost', {expected: expected ?? say('price_unknown'), worst: worst ?? say('price_unknown')});
    const parts = [['sweep_calls', fill('sweep_calls_of', {calls: number(calls), cells: number(cells), cases: number(cases), repeats: number(repeats)})], ['sweep_costs', `${exact || free ? '' : '≈ '}${cost}`],
      ['sweep_takes', batch ? say('sweep_batch_takes') : seconds == null ? say('sweep_unknown_time') : `≈ ${duration(seconds)}${worst_seconds != null && worst_seconds > seconds * 1.05 ? ` (${fill('sweep_at_most', {value: duration(worst_seconds)})})` : ''}`], ...(budget ? [['sweep_budget', budget]] : []), ...(judged ? [['sweep_judged_calls', number(judged)]] : [])];
    foretold.replaceChildren(make('div', {class: 'pg-cells'}, ...parts.map(([key, text]) => make('span', {class: 'pg-cell', 'data-key': key}, make('span', {class: 'pg-cell-label', text: say(key)}), make('span', {class: 'pg-cell-value', text})))), ...(batch?.discount ? [fill('sweep_batch_discount', {discount: batch.discount.toLocaleString(playground.language(), {style: 'percent'}), date: batch.as_of})] : []).concat(notes).map((text) => make('p', {class: 'pg-quiet', text})));
  }

  // --- the one that is shown ---

  const title = make('h3'), bar = make('progress', {max: '1', 'aria-label': say('sweep_progress')}), pace = make('p', {class: 'pg-sweep-pace'}), why = make('p', {class: 'pg-sweep-why'}), latest = make('ul', {class: 'pg-sweep-latest', 'aria-label': say('sweep_latest')}), actions = make('div', {class: 'pg-prepare-actions'});
  const more = make('input', {class: 'pg-filter', type: 'text', inputmode: 'decimal', autocomplete: 'off', 'aria-label': say('sweep_new_budget'), placeholder: say('sweep_new_budget')});
  const now = make('section', {class: 'pg-sweep-card pg-sweep-now', hidden: ''}, title, bar, pace, why, actions, latest);
  const act = (action, extra = {}) => { waiting = true; drawActions(); tell(); ask(action, {id: chosen, ...extra}); };
  const buttons = {pause: textButton(say('sweep_pause'), () => act('pause')), stop: textButton(say('stop'), () => act('stop')), go_on: textButton(say('sweep_go_on'), () => act('go_on', row.state === 'budget' && more.value.trim() ? {budget: more.value.trim()} : {}), true)};
  const running = () => row?.state === 'running';

  function drawActions() {
    const left = (row.done < row.calls || row.judges?.done < row.judges?.calls) && row.state !== 'running';
    swap(actions, [...(running() && row.here ? [buttons.pause, buttons.stop] : []), ...(left && row.state === 'budget' ? [more] : []), ...(left ? [buttons.go_on] : [])]);
    for (const each of Object.values(buttons)) each.disabled = waiting;
    // A batch goes on at its server whoever follows it here.
    buttons.pause.textContent = say(row.batch ? 'sweep_leave_batch' : 'sweep_pause');
    buttons.stop.textContent = say(row.batch ? 'sweep_cancel_batch' : 'stop');
  }

  function drawNow() {
    now.hidden = !row;
    if (!row) return;
    const {name, state, calls, done, failed, spent, budget, eta, held, limit, here, judges} = row, judging = judges && running() && judges.name, over = judging ? judges.done + judges.failed : done + failed, all = judging ? judges.calls : calls;
    const head = name + state;
    if (title.dataset.key !== head) { title.dataset.key = head; title.replaceChildren(make('span', {text: name}), status(row)); }
    bar.value = all ? over / all : 1;
    pace.textContent = [fill('sweep_done', {done: number(done), calls: number(calls)}), failed ? fill('sweep_failed', {failed: number(failed)}) : '', judges?.calls ? fill('sweep_judged', {done: number(judges.done), calls: number(judges.calls)}) : '', judges?.failed ? fill('sweep_judges_failed', {failed: number(judges.failed)}) : '', fill('sweep_spent', {spent: budget ? `${spent} / ${budget}` : spent}), running() && eta != null ? say('jobs_left').replace('{time}', duration(eta)) : '', running() && held >= 1 ? fill('sweep_held', {seconds: Math.round(held)}) : '', running() && row.batches ? row.batches : running() && here && !row.batch ? fill('sweep_at_once', {limit}) : '', running() && !here ? say('sweep_elsewhere') : ''].filter(Boolean).join(' · ');
    why.textContent = row.why ?? '';
    why.hidden = !row.why;
    drawActions();
    const lines = running() ? row.latest ?? [] : [];
    latest.hidden = !lines.length;
    latest.replaceChildren(...lines.map((each) => make('li', {'data-status': each.status}, make('span', {class: 'pg-quiet', text: `${each.case} · ${each.name}`}), make('span', {text: each.text || '∅'}))));
  }

  const status = ({state}) => make('span', {class: 'pg-job-status', 'data-status': state === 'done' ? 'succeeded' : state, text: say('sweep_state_' + state)});

  function choose(id) {
    if (chosen !== id) { row = rows.find((each) => each.id === id) ?? null; seen = -1; none(); drawNow(); }
    chosen = id;
    keep('sweep.' + tab, id);
    tell();
    drawList();
    if (!id) { row = null; none(); return drawNow(); }
    // The list says how far it was: its results are asked for at once, and whether there are more by now after them.
    if (row) refresh();
    ask('state', {id});
  }

  const visible = () => !document.hidden && home.getClientRects().length > 0;
  function look() {
    clearTimeout(timer);
    if (chosen && running()) timer = setTimeout(() => visible() ? ask('state', {id: chosen}) : look(), row.here ? SOON : LATER);
  }

  // Results are read again when there are more of them; the longer that takes, the less often.
  function refresh(always = false) {
    const count = `${row.done + row.failed} ${row.judges?.done ?? 0} ${row.state}`;
    if (opening || (!always && (count === seen || (running() && performance.now() - openedAt < Math.max(LATER, 8 * took))))) return;
    if (!row.done && !row.failed) return none();
    [seen, opening] = [count, performance.now()];
    ask('open', {id: chosen, measure});
  }

  // --- those of before ---

  const list = make('div', {class: 'pg-sweep-list'}), past = make('details', {class: 'pg-sweep-past'}, make('summary', {text: say('sweep_past')}), list);
  let sure = null;

  function drawList() {
    const items = rows.map((each) => {
      const open = make('button', {type: 'button', class: 'pg-job', 'aria-pressed': String(each.id === chosen), 'data-key': each.id}, make('strong', {text: each.name}), status(each), make('span', {class: 'pg-quiet', text: [new Date(each.created * 1000).toLocaleString(playground.language(), {dateStyle: 'medium', timeStyle: 'short'}), fill('sweep_done', {done: number(each.done), calls: number(each.calls)}), each.spent].join(' · ')}));
      open.addEventListener('click', () => choose(each.id));
      const remove = sure === each.id ? textButton(say('sweep_delete_sure'), () => { sure = null; ask('delete', {id: each.id}); }) : playground.iconButton('trash', `${say('delete')}: ${each.name}`);
      if (sure === each.id) remove.classList.add('pg-danger'); else remove.addEventListener('click', () => { sure = each.id; drawList(); list.querySelector('.pg-danger')?.focus(); });
      remove.disabled = each.state === 'running';
      return make('div', {class: 'pg-sweep-item'}, open, remove);
    });
    list.replaceChildren(...(items.length ? items : [make('p', {class: 'pg-quiet', text: say('sweep_none')})]));
  }

  const known = () => { const ids = kept('sweeps'); return Array.isArray(ids) ? ids : []; };
  const reload = () => ask('list', {known: known()});

  // Whether an answer of the server was for this.
  function heard(value) {
    const {of} = value;
    if (!['estimate', 'begin', 'state', 'pause', 'stop', 'go_on', 'list', 'delete', 'open'].includes(of)) return false;
    if (of === 'begin') { run.disabled = false; run.textContent = say('sweep_run'); }
    if (['pause', 'stop', 'go_on'].includes(of)) waiting = false;
    if (of === 'open') { took = performance.now() - opening; [opening, openedAt] = [0, performance.now()]; }
    if (value.notice) return failed(value), true;
    if (of === 'estimate') { wrong(); drawEstimate(value.estimate); }
    if (value.begun) {
      wrong();
      const {id} = value.begun;
      keep('sweeps', [...new Set([id, ...known()])].slice(0, 100));
      if (chosen !== id) { seen = -1; none(); }
      [chosen, row] = [id, value.begun];
      keep('sweep.' + tab, id);
      drawNow();
      now.scrollIntoView({block: 'nearest'});
      refresh();  // a quick one may be over before its beginning is told
      look();
      reload();
    }
    if (value.sweep && value.sweep.id === chosen) {
      const ended = running() && value.sweep.state !== 'running';
      row = value.sweep;
      drawNow();
      refresh();
      look();
      if (ended) reload();
    }
    if (of === 'open' && value.id === chosen) {
      results(JSON.parse(value.results), row);
      if (row && !running()) refresh();  // what came while it was read
    }
    if (value.sweeps) {
      rows = value.sweeps;
      drawList();
      past.hidden = !rows.length;
    }
    if (value.deleted) {
      keep('sweeps', known().filter((id) => id !== value.deleted));
      if (value.deleted === chosen) choose(null);
      reload();
    }
    return true;
  }

  function failed({of, notice: said}) {
    const texts = playground.problem(said);
    if (of === 'estimate') {
      drawEstimate(null);
      if (!wrong(said.param, texts)) foretold.replaceChildren(make('p', {class: 'pg-wrong', text: texts.join(' ')}));
      return;
    }
    if (of === 'begin' && wrong(said.param, texts)) return;
    // What was looked at before a reload may be gone by now.
    if (of === 'state' && said.param === 'sweep') { choose(null); return reload(); }
    if (row) drawNow();
    tell(...texts);
    notice.scrollIntoView({block: 'nearest'});
    if (of === 'state') { clearTimeout(timer); timer = setTimeout(() => ask('state', {id: chosen}), LATER); }
  }

  drawList();
  past.hidden = true;
  document.addEventListener('visibilitychange', () => { if (chosen && running() && visible()) look(); });
  return {
    foot, now, past, notice, tell, changed, heard, choose,
    get id() { return chosen; }, get row() { return row; },
    by(name) { measure = name; refresh(true); },
    // The tab is open: what there is, and what is kept from before a reload.
    enter() { reload(); if (chosen) ask('state', {id: chosen}); },
  };
};
