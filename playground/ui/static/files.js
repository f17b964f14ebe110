// Files that a person drops or chooses, brought to the server; and texts that the page gives out as files.
window.playground.files = (() => {
  const {make, icon} = playground;

  // One form for all of them: the server answers with where they stand, in the order in which they came.
  async function bring(files, onProgress) {
    const form = new FormData();
    for (const file of files) form.append('files', file);
    const asked = new XMLHttpRequest();
    const answer = new Promise((done, fail) => {
      asked.upload.onprogress = (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
      asked.onload = () => asked.status === 200 ? done(JSON.parse(asked.responseText)) : fail(new Error(String(asked.status)));
      asked.onerror = () => fail(new Error('offline'));
    });
    asked.open('POST', 'gradio_api/upload');
    asked.send(form);
    return (await answer).map((path, at) => ({path, name: files[at].name}));
  }

  // A place to drop files on. `taken` gets [{path, name}]; `say` has `${key}`, `choose_files`, `too_large`, `upload_failed`.
  function dropZone({home, say, key, accept, many = false, most, taken, problem}) {
    const button = make('button', {type: 'button', class: 'pg-button', text: say('choose_files')}), progress = make('progress', {max: '1', value: '0', hidden: ''});
    const input = make('input', {type: 'file', accept, hidden: '', 'aria-hidden': 'true', tabindex: '-1', ...(many ? {multiple: ''} : {})});
    const zone = make('div', {class: 'pg-dropzone'}, make('span', {class: 'pg-dropzone-icon'}, icon('file')), make('span', {class: 'pg-dropzone-text', text: say(key)}), button, progress, input);
    const go = async (given) => {
      const files = many ? given : given.slice(0, 1), large = files.find((file) => file.size > most);
      if (!files.length) return;
      if (large) return problem(say('too_large').replace('{name}', large.name).replace('{most}', Math.round(most / 1e6)));
      progress.hidden = false;
      button.disabled = true;
      try { taken(await bring(files, (share) => { progress.value = share; })); } catch { problem(say('upload_failed')); }
      progress.hidden = true;
      button.disabled = false;
    };
    button.addEventListener('click', () => { input.value = ''; input.click(); });
    input.addEventListener('change', () => go([...input.files]));
    for (const event of ['dragover', 'dragleave', 'drop']) {
      home.addEventListener(event, (dragged) => {
        if (!dragged.dataTransfer.types.includes('Files')) return;
        dragged.preventDefault();
        dragged.stopPropagation();
        zone.classList.toggle('pg-over', event === 'dragover');
        if (event === 'drop') go([...dragged.dataTransfer.files]);
      });
    }
    return zone;
  }

  function give(name, parts, type = 'text/plain;charset=utf-8') {
    const link = make('a', {href: URL.createObjectURL(new Blob(parts, {type})), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // A file that comes in parts, each with the number of the question that it answers.
  function gathering() {
    let n = 0, texts = null;
    return {
      get open() { return texts !== null; },
      begin(number) { n = number; texts = []; },
      // Whether `value` is a part of it, or its end, with which the person has the file. A stream's last value arrives twice.
      takes(value) {
        if (!texts || value?.of || value?.n !== n) return false;
        if (value.part !== undefined) texts[value.number - 1] = value.part;
        if (value.done) give(value.done, texts);
        if (value.done || value.notice) texts = null;
        return true;
      },
    };
  }

  return {dropZone, give, gathering};
})();

// Questions to the server one after another. Of those that only show what is there now, the newest waits; of others each.
// An answer says in `of` what it answers.
window.playground.asking = ({props, trigger, answered}) => {
  const VIEWS = ['curves', 'prepare', 'look', 'price', 'estimate', 'heatmap', 'outputs', 'families'];
  let waiting = [];
  let n = 0, open = null, timer = 0;
  function next() {
    if (open || !waiting.length) return;
    const [action, more] = waiting.shift();
    open = ++n;
    // An answer that was lost must not hold up the next question for ever.
    clearTimeout(timer);
    timer = setTimeout(() => { open = null; next(); }, 120000);
    props.value = {action, n, language: playground.language(), ...more};
    trigger('input');
  }
  return {
    ask(action, more = {}) {
      if (VIEWS.includes(action)) waiting = waiting.filter(([before]) => before !== action);
      waiting.push([action, more]);
      next();
    },
    heard(value) {
      if (!value?.of || value.n !== open) return;
      open = null;
      answered(value);
      next();
    },
  };
};
