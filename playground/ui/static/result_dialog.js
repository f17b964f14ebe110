// The dialog of the Results tab: finished jobs to pick from, and one prompt for base, checkpoint and final side by side.
// `picked(job)` opens one; `run(question)` asks all three and returns the question's number, `stop()` ends it.
window.playground.resultDialog = ({dialog, say, labelled, picked, run, stop}) => {
  const {make, iconButton} = playground;
  let comparing = null;
  dialog.addEventListener('close', () => { if (comparing) stop(); comparing = null; });

  function show(title, ...parts) {
    const close = iconButton('close', say('close'));
    close.addEventListener('click', () => dialog.close());
    dialog.replaceChildren(make('header', {}, make('h2', {text: title}), close), ...parts);
    if (!dialog.open) dialog.showModal();
  }

  const said = (notice) => playground.problem(notice).join(' ');

  function pick({jobs, failed, empty}) {
    const problems = [...failed.map((each) => `${each.server}: ${said(each)}`), ...(empty.length && jobs.length ? [`${say('results_without')} ${empty.join(', ')}`] : [])];
    const rows = jobs.map((job) => {
      const row = make('button', {type: 'button', class: 'pg-result-job'}, make('strong', {text: job.model}), make('span', {class: 'pg-quiet', text: [job.server, job.id, job.created && new Date(job.created * 1000).toLocaleString(playground.language(), {dateStyle: 'medium', timeStyle: 'short'})].filter(Boolean).join(' · ')}));
      row.addEventListener('click', () => { dialog.close(); picked(job); });
      return row;
    });
    show(say('results_jobs'), ...(problems.length ? [make('div', {class: 'pg-notice', 'data-tone': 'error'}, ...problems.map((text) => make('span', {text})))] : []),
      jobs.length ? make('div', {class: 'pg-result-jobs'}, ...rows) : make('p', {class: 'pg-empty', text: say('results_no_jobs')}));
  }

  function compare(file, mark) {
    const prompt = make('textarea', {class: 'pg-result-prompt', rows: '3', 'aria-label': say('prompt')}), most = make('input', {type: 'number', min: '1', value: '64', class: 'pg-filter'}), end = make('input', {type: 'text', class: 'pg-filter'});
    const go = make('button', {type: 'button', class: 'pg-button pg-primary', text: say('results_compare')}), halt = make('button', {type: 'button', class: 'pg-button', text: say('stop'), disabled: ''}), problem = make('div', {class: 'pg-notice', 'data-tone': 'error', role: 'alert', hidden: ''});
    const columns = [say('results_base'), `${say('results_checkpoint')} ${mark.step}`, say('results_final')].map((title) => {
      const model = make('code'), text = make('div', {class: 'pg-run-text'}), notice = make('div', {class: 'pg-notice', hidden: ''});
      return {node: make('section', {}, make('h3', {text: title}), model, text, notice), model, text, notice};
    });
    const busy = (on) => { go.disabled = on; halt.disabled = !on; };
    go.addEventListener('click', () => {
      busy(true);
      problem.hidden = true;
      comparing = {n: run({id: file.id, checkpoint: mark.number, prompt: prompt.value, most: most.value ? Number(most.value) : null, stop: end.value}), columns, busy, problem};
    });
    halt.addEventListener('click', stop);
    show(`${say('results_checkpoint')} ${mark.step}`, prompt, make('div', {class: 'pg-result-bar'}, labelled('results_most', most), labelled('results_stop', end), go, halt), problem, make('div', {class: 'pg-result-three'}, ...columns.map((column) => column.node)));
    prompt.focus();
  }

  function compared(value) {
    if (!comparing || value?.of || value?.n !== comparing.n) return;
    if (value.notice) { comparing.problem.hidden = false; comparing.problem.textContent = said(value.notice); }
    value.columns?.forEach((now, at) => {
      const {model, text, notice} = comparing.columns[at], lead = now.notice?.key ? say(now.notice.key).replace(/\{(\w+)\}/g, (_, key) => now.notice[key] ?? '') : '';
      model.textContent = now.model;
      text.textContent = now.text;
      notice.hidden = !now.notice;
      notice.dataset.tone = now.notice?.tone ?? '';
      notice.textContent = now.notice ? [lead, said(now.notice)].filter(Boolean).join(' ') : '';
    });
    if (value.done || value.notice) { comparing.busy(false); comparing = null; }
  }

  return {pick, compare, compared};
};
