// The dialog of the Results tab: finished jobs to pick from. `picked(job)` opens one.
window.playground.resultDialog = ({dialog, say, picked}) => {
  const {make, iconButton} = playground;

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

  return {pick};
};
