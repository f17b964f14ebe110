// What is said of a run: its figures as cells, and what is going on or went wrong. Numbers come formatted; the words around them
// are said here, in the reader's language.
// A cell: {key, text, note, tone, title}. A notice: {tone, kind, message, hint, key, seconds, attempt, attempts, place, busy}.
window.playground.said = (() => {
  const {make} = playground, say = playground.saying();
  // Figures come as English writes them. Money stays so everywhere, and a model's name is no figure.
  const FIGURE = /(?<![\w.$-])(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?=$|\s)/g, language = playground.language();
  const figure = (text, whole, places = '') => Number(text.replaceAll(',', '')).toLocaleString(language, {minimumFractionDigits: places.length, maximumFractionDigits: places.length});
  const words = (text) => (language === 'en' ? text : text.replace(FIGURE, figure)).replace(/\{(\w+)\}/g, (_, key) => say(key));

  function cell({key, text, note, tone, title}) {
    const node = make('div', {class: 'pg-cell', 'data-key': key, 'data-tone': tone || ''},
      make('span', {class: 'pg-cell-label', text: say('cell_' + key)}), make('span', {class: 'pg-cell-value', text: words(text)}));
    if (note) node.append(make('span', {class: 'pg-cell-note', text: words(note)}));
    node.title = title ? words(title) : say('cell_' + key + '_help');
    return node;
  }

  // A notice is said in the reader's language by its kind; the server's own words follow as they are.
  function notice(node, data) {
    node.hidden = !data;
    if (!data) return;
    node.dataset.tone = data.tone;
    node.setAttribute('role', data.tone === 'error' ? 'alert' : 'status');
    node.textContent = '';
    const own = data.kind ? window.playgroundStrings[playground.language()]['error_' + data.kind] : null;
    const lead = data.key ? say(data.key).replace(/\{(seconds|attempt|attempts|place)\}/g, (_, name) => data[name] ?? '') : '';
    if (lead) node.append(make('strong', {text: lead}));
    const [message, hint] = data.texts?.[playground.language()] ?? [data.message, data.hint];
    if (own && !data.texts && playground.language() !== 'en') node.append(make('strong', {text: own}));
    if (data.busy) node.append(make('progress', {class: 'pg-notice-busy', 'aria-label': lead}));
    if (message) node.append(make('span', {text: message}));
    if (hint) node.append(make('span', {class: 'pg-hint', text: hint}));
  }

  return {cell, notice};
})();
