// One fine-tuning job, while it runs and after. Only what changes is changed, so that focus and scrolling stay.
// `act(action, more)` asks the server; `words` are those of results files.
window.playground.jobDetail = ({home, say, words, act}) => {
  const {make, textButton, swap, duration, charts: {figure, line, side, options, together}} = playground;
  const STATES = ['validating_files', 'queued', 'running', 'succeeded', 'failed', 'cancelled', 'paused'];
  const rigid = new Set();  // servers that have said that they cannot pause
  const FRAME = 26, HIGH = 180;  // a chart's padding and border, and its height
  const model = playground.jobModel(say);
  let parts = null, said = null, plots = [], buttons = {}, timer = 0;

  const nameOf = (job) => job.model || [job.suffix, job.base, job.id].filter(Boolean).join(' · ');
  const status = (job) => make('span', {class: 'pg-job-status', 'data-status': job.status, text: STATES.includes(job.status) ? say('job_' + job.status) : job.status});
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; node.hidden = !text; };

  function begin() {
    parts = {
      head: make('h3'), about: make('p', {class: 'pg-quiet'}), error: make('p', {class: 'pg-job-error'}),
      wait: make('p', {class: 'pg-job-wait', role: 'status'}), due: make('p', {class: 'pg-job-wait', 'aria-hidden': 'true'}),
      progress: make('progress', {max: '1', 'aria-label': say('jobs_progress')}), pace: make('p', {class: 'pg-job-pace'}),
      actions: make('div', {class: 'pg-prepare-actions'}), model: model.node, saved: make('div', {class: 'pg-job-checkpoints'}),
      scores: make('div', {class: 'pg-scroll pg-job-scores'}), learns: make('p', {class: 'pg-quiet'}), curves: make('div', {class: 'pg-job-curves'}),
      title: make('h4', {text: say('jobs_events')}), events: make('ol', {class: 'pg-job-events', tabindex: '0', 'aria-label': say('jobs_events')}),
    };
    buttons = {};
    home.replaceChildren(make('section', {class: 'pg-prepare-card'}, ...Object.values(parts)));
  }

  // --- how far it is ---

  function drawProgress({about: job, progress, eta, steps, live}) {
    const {progress: bar} = parts, going = !job.ended;
    bar.hidden = !going && progress !== 1;
    progress == null ? bar.removeAttribute('value') : bar.value = progress;
    const tokens = job.tokens ?? live?.tokens, [step, total] = steps ?? [0, null];
    put(parts.pace, [
      going && step ? say(total ? 'jobs_step_of' : 'jobs_step').replace('{step}', step.toLocaleString(playground.language())).replace('{total}', (total ?? 0).toLocaleString(playground.language())) : '',
      going && live?.speed ? `${Number(live.speed.toPrecision(2)).toLocaleString(playground.language())} tok/s` : '', going && live?.memory ? playground.bytes(live.memory) : '',
      tokens ? say('jobs_tokens').replace('{tokens}', tokens.toLocaleString(playground.language())) : '',
      eta != null ? say('jobs_left').replace('{time}', duration(eta)) : '',
    ].filter(Boolean).join(' · '));
  }

  // The seconds until the next try are counted here: the server says them once.
  function drawWait(wait) {
    clearInterval(timer);
    put(parts.wait, wait ? `${say('jobs_reconnecting')} ${wait.message}` : '');
    if (!wait) return put(parts.due, '');
    const end = performance.now() + wait.seconds * 1000;
    const count = () => { const left = Math.ceil((end - performance.now()) / 1000); put(parts.due, left > 0 ? say('jobs_retry').replace('{seconds}', left) : say('jobs_retrying')); };
    count();
    timer = setInterval(count, 250);
  }

  // --- what can be done ---

  function drawActions(job) {
    const wanted = [
      job.model && ['complete', 'jobs_complete', () => act('use', {mode: 'complete'}), true], job.model && ['chat', 'jobs_chat', () => act('use', {mode: 'chat'})],
      job.results && ['results', 'jobs_results', () => act('results')], ['checkpoints', 'jobs_checkpoints', () => act('checkpoints')],
      job.validation && ['dataset', 'dataset_of_valid_file', () => act('dataset')],
      ['queued', 'running'].includes(job.status) && !rigid.has(job.endpoint) && ['pause', 'jobs_pause', () => act('pause')],
      job.status === 'paused' && ['resume', 'jobs_resume', () => act('resume'), true],
      !job.ended && ['cancel', 'jobs_cancel', () => act('cancel')],
    ].filter(Boolean);
    const before = buttons;
    buttons = Object.fromEntries(wanted.map(([key, label, fn, primary]) => [key, before[key] ?? button(label, fn, primary)]));
    swap(parts.actions, Object.values(buttons));
  }

  const button = (key, fn, primary = false) => textButton(say(key), fn, primary);

  // --- what was measured ---

  const measure = (name) => words['measure.' + name] ?? name.replaceAll('_', ' ');

  function drawScores(scores) {
    // A share of whole answers is said as so many of how many.
    const score = (value, {of}) => of && value != null ? say('jobs_of').replace('{count}', Math.round(value * of).toLocaleString(playground.language())).replace('{of}', of.toLocaleString(playground.language())) : figure(value);
    const rows = scores.map((each) => make('tr', {}, make('th', {scope: 'row', text: measure(each.measure)}), make('td', {text: score(each.base, each)}), make('td', {text: score(each.tuned, each)})));
    parts.scores.hidden = !rows.length;
    put(parts.learns, rows.length && said.local ? say('jobs_learns') : '');
    parts.scores.replaceChildren(...(rows.length ? [make('table', {}, make('caption', {text: say('jobs_scores')}), make('thead', {}, make('tr', {}, ...['jobs_measure', 'results_base', 'jobs_tuned'].map((key) => make('th', {scope: 'col', text: say(key)})))), make('tbody', {}, ...rows))] : []));
  }

  const share = (name, value) => /exact_match|accuracy/.test(name) ? value.toLocaleString(playground.language(), {style: 'percent', maximumFractionDigits: 1}) : figure(value);
  const latest = (lines) => lines.map((curve) => `${curve.name} ${figure(curve.y.at(-1))}`).join(' · ');
  const wide = () => Math.max(200, Math.floor((parts.curves.firstElementChild ?? parts.curves).clientWidth) - FRAME);

  // A chart whose lines are still the same is only told of its new points.
  function drawCurves(curves) {
    const found = together(curves), names = (lines) => lines.map((curve) => curve.name).join();
    if (found.length !== plots.length || found.some(([measure, {lines}], at) => plots[at].key !== measure + names(lines))) {
      for (const {chart} of plots) chart.destroy();
      const figures = found.map(([measure]) => make('figure', {class: 'pg-plot'}, make('figcaption', {}, make('span', {text: words['measure.' + measure] ?? measure}), make('small'))));
      parts.curves.replaceChildren(...figures);
      plots = found.map(([measure, {lines}], at) => {
        const drawn = options({width: wide(), height: HIGH, label: words['axis.step']});
        const chart = new uPlot({...drawn, series: [...drawn.series, ...lines.map((curve) => line({label: curve.name, stroke: side(curve), points: curve.points}))], cursor: {drag: {x: false, y: false}}}, [[]], figures[at]);
        return {key: measure + names(lines), chart, caption: figures[at].querySelector('small')};
      });
    }
    found.forEach(([, {lines}], at) => {
      const {chart, caption} = plots[at];
      chart.setData(uPlot.join(lines.map((curve) => [curve.x, curve.y])));
      caption.textContent = latest(lines);
    });
  }

  function drawEvents(events) {
    const key = JSON.stringify(events.slice(0, 2)) + events.length;
    parts.title.hidden = parts.events.hidden = !events.length;
    if (parts.events.dataset.key === key) return;
    parts.events.dataset.key = key;
    const at = (each) => each.at == null ? [] : [make('time', {text: new Date(each.at * 1000).toLocaleTimeString()}), ' '];
    parts.events.replaceChildren(...events.map((each) => make('li', {'data-level': each.level}, ...at(each), make('span', {text: each.text}))));
  }

  function show(now) {
    const job = now.about;
    if (!said || said.about.endpoint !== job.endpoint || said.about.id !== job.id) { for (const {chart} of plots) chart.destroy(); plots = []; begin(); }
    if (said?.about.model && !job.model) parts.saved.replaceChildren();  // deleted, and its checkpoints with it
    said = now;
    const title = nameOf(job);
    if (parts.head.dataset.key !== title + job.status) { parts.head.dataset.key = title + job.status; parts.head.replaceChildren(make('span', {text: title}), status(job)); }
    put(parts.about, [job.endpoint, job.id, job.base, ...Object.entries(job.settings).map(([name, value]) => `${name} ${value}`)].filter(Boolean).join(' · '));
    put(parts.error, job.error ?? '');
    drawWait(now.wait);
    drawProgress(now);
    drawActions(job);
    model.show(job, now.local);
    drawScores(now.live?.scores ?? []);
    drawCurves(now.curves ? JSON.parse(now.curves) : []);
    drawEvents(now.events ?? []);
  }

  function checkpoints(rows) {
    const items = rows.map((each) => make('li', {}, make('span', {class: 'pg-checkpoint-about'}, make('strong', {text: say('jobs_step').replace('{step}', each.step?.toLocaleString(playground.language()) ?? '–'), title: each.model}),
      make('span', {class: 'pg-quiet', text: Object.entries(each.scores).map(([name, value]) => `${measure(name)} ${share(name, value)}`).join(' · ')})),
      button('jobs_complete', () => act('use', {mode: 'complete', model: each.model})), button('jobs_chat', () => act('use', {mode: 'chat', model: each.model}))));
    parts?.saved.replaceChildren(items.length ? make('ul', {}, ...items) : make('p', {class: 'pg-quiet', text: say('jobs_no_checkpoints')}));
  }

  function clear() {
    clearInterval(timer);
    for (const {chart} of plots) chart.destroy();
    [parts, said, plots] = [null, null, []];
    home.replaceChildren();
  }

  new ResizeObserver(() => { if (parts && home.clientWidth) for (const {chart} of plots) { const width = wide(); if (chart.width !== width) chart.setSize({width, height: HIGH}); } }).observe(home);
  new MutationObserver(() => { if (said && plots.length) { for (const {chart} of plots) chart.destroy(); plots = []; drawCurves(JSON.parse(said.curves)); } }).observe(document.body, {attributes: true, attributeFilter: ['class']});
  return {show, checkpoints, clear, status, nameOf, rigid(endpoint) { rigid.add(endpoint); if (said) drawActions(said.about); }};
};
