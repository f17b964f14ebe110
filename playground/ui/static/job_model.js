// What can become of a finished job's model: one GGUF for other programs, or nothing. `say` gives the words.
window.playground.jobModel = (say) => {
  const {make, textButton} = playground;
  const kind = make('select', {class: 'pg-select', 'aria-label': say('jobs_export_type')}, ...['q8_0', 'f16'].map((name) => make('option', {value: name, text: say('jobs_export_' + name)})));
  const fetch = textButton(say('jobs_export'), () => begin('export', {kind: kind.value})), remove = textButton(say('jobs_delete'), () => asking(true));
  const yes = textButton(say('jobs_delete_yes'), () => { asking(false); begin('delete'); }), no = textButton(say('jobs_delete_no'), () => { asking(false); remove.focus(); });
  const out = make('span', {class: 'pg-job-export'}, kind, fetch), progress = make('progress', {max: '1', hidden: '', 'aria-label': say('jobs_export')});
  const sure = make('div', {class: 'pg-job-sure', role: 'group', hidden: ''}, make('p', {text: say('jobs_delete_about')}), make('div', {class: 'pg-prepare-actions'}, yes, no));
  const status = make('p', {class: 'pg-quiet', role: 'status'});
  const node = make('div', {class: 'pg-job-model', hidden: ''}, make('div', {class: 'pg-prepare-actions'}, out, remove), sure, progress, status);
  let job = null, open = null;

  function asking(now) {
    sure.hidden = !now;
    remove.hidden = now;
    if (now) no.focus();
  }

  function busy(now) {
    fetch.disabled = remove.disabled = kind.disabled = now;
    progress.hidden = !now;
    if (now) progress.removeAttribute('value');
  }

  function begin(action, more = {}) {
    open = {endpoint: job.endpoint, job: job.id, model: job.model, action, language: playground.language(), ...more};
    busy(true);
    status.textContent = say(action === 'export' ? 'jobs_export_merging' : 'jobs_deleting');
    playground.tell('make', open);
  }

  playground.hear('made', (said) => {
    if (said.n !== open?.n) return;
    if (said.share > 0) { progress.value = said.share; status.textContent = say('jobs_export_copying'); }
    if (said.share !== undefined) return;
    open = null;
    busy(false);
    status.classList.toggle('pg-job-error', Boolean(said.notice));
    if (said.notice) status.textContent = playground.problem(said.notice).join(' ');
    if (said.url) {
      const link = make('a', {href: said.url, download: said.name, text: said.name});
      status.replaceChildren(link, ` (${playground.bytes(said.bytes)}). ${say('jobs_export_done')}`);
      link.click();
    }
    if (said.deleted) { status.textContent = ''; playground.tell('deleted', said); }
  });

  return {
    node,
    // Only a model that was trained on this machine can be had as a file.
    show(now, local) {
      if (job?.id !== now.id || job?.endpoint !== now.endpoint) { open = null; busy(false); asking(false); status.textContent = ''; }
      job = now;
      node.hidden = !now.model;
      out.hidden = !local;
    },
  };
};
