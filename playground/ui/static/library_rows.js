// Which trainer takes a model, and with about what memory: {trainable: "numpy" | "torch" | "" | null, training_memory}.
window.playground.trainedBy = (say, {trainable, training_memory: memory}) => {
  if (trainable == null) return '';
  if (!trainable) return say('library_not_trainable');
  return say(memory ? 'library_trainable' : 'library_trainable_by').replace('{trainer}', say('library_trainer_' + trainable)).replace('{memory}', memory ? playground.bytes(memory) : '');
};

// The rows of the library: one a model, whether it is offered, coming or here. Only what changes is changed, so that focus
// stays. `act(action, more, node)` asks the server, for what is shown in `node`.
window.playground.libraryRows = ({say, act}) => {
  const {make, textButton, swap, language, bytes, duration} = playground;
  const fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; node.hidden = !text; };
  const rows = new Map();  // by kind and id: what is drawn of it

  // The reader's own language and English first; of many the number.
  const called = new Intl.DisplayNames([language()], {type: 'language', fallback: 'code'});
  function spoken(codes) {
    const first = [language(), 'en'].filter((code, at, all) => codes.includes(code) && all.indexOf(code) === at), rest = codes.filter((code) => !first.includes(code));
    const named = [...first, ...rest].slice(0, rest.length > 3 ? Math.max(first.length, 2) : undefined).map((code) => { try { return called.of(code); } catch { return code; } });
    const more = codes.length - named.length;
    return named.join(', ') + (more > 0 ? ' ' + fill('library_more_languages', {count: more}) : '');
  }

  function needs({memory, fit}) {
    if (!memory) return '';
    const said = fill('library_needs', {memory: bytes(memory)});
    return fit && fit !== 'fits' ? `${said} (${say('library_' + fit)})` : said;
  }

  const link = (url, text) => make('a', {class: 'pg-link', href: url, target: '_blank', rel: 'noopener noreferrer', text});

  // --- one row ---

  function begin(key) {
    const parts = {
      title: make('strong', {class: 'pg-model-title'}), about: make('p', {class: 'pg-model-about'}), facts: make('p', {class: 'pg-quiet pg-model-facts'}), licence: make('p', {class: 'pg-quiet pg-model-licence', hidden: ''}),
      fit: make('p', {class: 'pg-model-fit', hidden: ''}), progress: make('progress', {max: '1', hidden: ''}), pace: make('p', {class: 'pg-quiet pg-model-pace', hidden: ''}), error: make('p', {class: 'pg-job-error', role: 'alert', hidden: ''}),
      sure: make('div', {class: 'pg-job-sure', role: 'group', hidden: ''}), actions: make('div', {class: 'pg-prepare-actions'}),
    };
    const node = make('section', {class: 'pg-model', 'data-key': key}, ...Object.values(parts));
    return {node, parts, buttons: {}, asking: ''};
  }

  // What must be answered first: a licence, or whether it is really to go. It takes the place of the buttons.
  function question(row, kind, texts, yes, fn) {
    row.asking = kind;
    const close = row.calm = () => { row.asking = ''; row.parts.sure.hidden = true; row.parts.actions.hidden = false; };
    const no = textButton(say('library_no'), () => { close(); row.parts.actions.querySelector('button')?.focus(); }), go = textButton(yes, () => { close(); fn(); }, kind === 'licence');
    row.parts.sure.replaceChildren(...texts, make('div', {class: 'pg-prepare-actions'}, go, no));
    row.parts.sure.hidden = false;
    row.parts.actions.hidden = true;
    no.focus();
  }

  function actions(row, wanted) {
    const before = row.buttons, shown = wanted.filter(Boolean);
    row.buttons = Object.fromEntries(shown.map(([key, fn, primary]) => {
      const button = before[key] ?? textButton(say('library_' + key), () => row.fns[key](), primary);
      button.dataset.key = key;
      if (key !== 'in_use') button.setAttribute('aria-label', `${say('library_' + key)}: ${row.parts.title.textContent}`);
      button.disabled = key === 'in_use';
      return [key, button];
    }));
    row.fns = Object.fromEntries(shown);
    swap(row.parts.actions, Object.values(row.buttons));
  }

  function take(key) {
    if (!rows.has(key)) rows.set(key, begin(key));
    return rows.get(key);
  }

  function drawDownload(row, coming) {
    const {progress, pace, error} = row.parts, moving = coming && !['failed', 'cancelled', 'done'].includes(coming.phase);
    progress.hidden = !moving;
    if (moving) {
      progress.setAttribute('aria-label', fill('library_progress', {name: coming.title}));
      coming.total ? progress.value = coming.done / coming.total : progress.removeAttribute('value');
    }
    put(pace, moving ? pacing(coming) : '');
    put(error, coming?.error ? playground.problem(coming.error).join(' ') : '');
  }

  function pacing({phase, done, total, speed, left}) {
    if (phase === 'checking') return say('library_checking');
    const share = total ? `${Math.floor(100 * done / total)} %` : '', come = total ? fill('library_of', {done: bytes(done), total: bytes(total)}) : bytes(done);
    const parts = [phase === 'downloading' ? '' : say('library_' + phase), share, come];
    if (phase === 'downloading') parts.push(speed ? `${bytes(speed)}/s` : '', left != null ? fill('jobs_left', {time: duration(left)}) : '');
    return parts.filter(Boolean).join(' · ');
  }

  const downloadActions = ({id, phase, resumable, active}, {node}) => [
    active && phase !== 'verifying' && ['pause', () => act('pause', {id}, node)],
    phase === 'paused' && ['resume', () => act('resume', {id}, node), true],
    phase === 'failed' && resumable && ['again', () => act('resume', {id}, node), true],
    [phase === 'failed' ? 'discard' : 'cancel', () => act('cancel', {id}, node)],
  ];

  // --- the three kinds ---

  function offer(said, coming) {
    const row = take('offer ' + said.id), {parts} = row;
    put(parts.title, said.title);
    put(parts.about, say('library_about_' + said.id));
    put(parts.facts, [said.bytes ? fill('library_download_of', {size: bytes(said.bytes)}) : '', spoken(said.languages), needs(said), say(said.thinks ? 'library_thinks' : '')].filter(Boolean).join(' · '));
    if (!parts.licence.hasChildNodes()) {
      const sources = [...new Map(said.facts.map((fact) => [fact.source, fact])).values()];
      parts.licence.append(say('library_licence') + ' ', link(said.licence.url, said.licence.name), ` · ${say('library_from')} `, make('code', {text: said.source}));
      parts.licence.title = [say('library_sources'), ...sources.map((fact) => `${fact.source} (${fact.date})`)].join('\n');
      parts.licence.hidden = false;
    }
    row.node.dataset.fit = said.fit ?? '';
    row.node.dataset.spanish = String(said.languages.includes('es'));
    drawDownload(row, coming);
    const fetch = (accept) => act('pull', {source: said.id, accept}, row.node);
    const licence = () => question(row, 'licence', [make('p', {}, say('library_accept') + ' ', link(said.licence.url, said.licence.name))], say('library_accept_yes'), () => fetch(true));
    actions(row, coming ? downloadActions(coming, row) : [['download', said.licence.must_accept ? licence : () => fetch(false)]]);
    return row.node;
  }

  function download(coming) {
    const row = take('download ' + coming.id), {parts} = row;
    put(parts.title, coming.title);
    put(parts.about, '');
    put(parts.facts, coming.source);
    drawDownload(row, coming);
    actions(row, downloadActions(coming, row));
    return row.node;
  }

  function here(said, chosen) {
    const row = take('here ' + said.id), {parts} = row;
    put(parts.title, said.default ? say('library_default_title') : said.title);
    const known = 'library_about_' + said.id;
    put(parts.about, said.default ? say('library_default') : say(known) === known ? '' : say(known));
    put(parts.facts, [said.bytes ? bytes(said.bytes) : '', said.languages.length ? spoken(said.languages) : '', needs(said), said.loaded ? say('library_loaded') : '', said.licence?.name ?? ''].filter(Boolean).join(' · '));
    put(parts.fit, playground.trainedBy(say, said));
    const gone = () => question(row, 'remove', [make('p', {text: fill('library_remove_sure', {name: said.title, size: bytes(said.bytes ?? 0)})}), ...(said.tunes ? [make('p', {text: fill('library_remove_tunes', {count: said.tunes})})] : [])], say('library_remove_yes'), () => act('remove', {id: said.id}, row.node));
    actions(row, [chosen === said.ref && said.ref ? ['in_use', () => {}] : ['use', () => act('use', {id: said.id}, row.node), true], said.removable && ['remove', gone]]);
    return row.node;
  }

  // Rows of what is no longer there are forgotten: one of the same name begins anew.
  const forget = (nodes) => { for (const [key, row] of rows) if (!nodes.includes(row.node)) rows.delete(key); };

  // Questions that were left open are not found again by who comes back.
  const calm = () => { for (const row of rows.values()) if (row.asking) row.calm(); };

  return {offer, download, here, forget, calm, fill};
};
