// What the page's own components share: the reader's language, DOM building, icons, the mode, and the run button.
window.playground = (() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const language = () => (navigator.language || 'en').toLowerCase().startsWith('es') ? 'es' : 'en';

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) name === 'text' ? node.textContent = value : node.setAttribute(name, value);
    node.append(...children);
    return node;
  };

  // One open set (Lucide, ISC licence), 24 units, drawn in the text's colour.
  const ICONS = {
    undo: 'M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3',
    redo: 'M15 14l5-5-5-5M20 9H10a6 6 0 0 0 0 12h3',
    again: 'M21 12a9 9 0 1 1-2.6-6.4L21 8M21 3v5h-5',
    up: 'M12 19V5M5 12l7-7 7 7',
    down: 'M12 5v14M19 12l-7 7-7-7',
    chevron: 'M6 9l6 6 6-6',
    left: 'M15 18l-6-6 6-6',
    right: 'M9 18l6-6-6-6',
    trash: 'M3 6h18M8 6V4h8v2M19 6l-1 14H6L5 6M10 11v5M14 11v5',
    image: 'M4 4h16v16H4zM9 11a2 2 0 1 0 0-4 2 2 0 0 0 0 4M20 15l-4-4L6 20',
    plus: 'M12 5v14M5 12h14',
    copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
    close: 'M18 6 6 18M6 6l12 12',
    more: 'M5 12h.5M12 12h.5M19 12h.5',
    thumb_up: 'M7 10v11M7 10l4-8a3 3 0 0 1 3 3v4h5.5a2 2 0 0 1 2 2.3l-1.3 8a2 2 0 0 1-2 1.7H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1z',
    thumb_down: 'M17 14V3M17 14l-4 8a3 3 0 0 1-3-3v-4H4.500a2 2 0 0 1-2-2.300l1.300-8A2 2 0 0 1 5.800 3H20a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1z',
    file: 'M14 3H6v18h12V7zM14 3v4h4M12 18v-6M9 15l3-3 3 3',
    check: 'M20 6 9 17l-5-5',
  };
  const icon = (name) => {
    const svg = document.createElementNS(SVG, 'svg'), path = document.createElementNS(SVG, 'path');
    for (const [key, value] of Object.entries({width: 18, height: 18, viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': 2, 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true'})) svg.setAttribute(key, value);
    path.setAttribute('d', ICONS[name]);
    svg.append(path);
    return svg;
  };
  // A button that is only an icon: its name is its title and what a screen reader says.
  const iconButton = (name, label, attributes = {}) => {
    const {class: more = '', ...rest} = attributes;
    return make('button', {type: 'button', class: ('pg-icon ' + more).trim(), title: label, 'aria-label': label, ...rest}, icon(name));
  };

  const textButton = (text, fn, primary = false) => {
    const made = make('button', {type: 'button', class: 'pg-button' + (primary ? ' pg-primary' : ''), text});
    made.addEventListener('click', fn);
    return made;
  };
  // Other children, where they are others; what has the focus keeps it, or its neighbour of the same kind gets it.
  const swap = (home, nodes) => {
    const now = [...home.childNodes];
    if (now.length === nodes.length && now.every((node, at) => node === nodes[at])) return;
    const focused = home.contains(document.activeElement) ? document.activeElement : null;
    home.replaceChildren(...nodes);
    if (focused) (home.contains(focused) ? focused : home.querySelector(`[data-key="${CSS.escape(focused.dataset.key ?? '')}"], button`))?.focus();
  };

  // The page's words, once for all of its parts.
  const saying = () => {
    const strings = window.playgroundStrings, table = strings[language()];
    return (key) => table[key] ?? strings.en[key] ?? key;
  };

  // Heard at once: what a listener writes into `detail` is its answer.
  // Two ends: where a comma is part of numbers, a semicolon stands between them.
  const range = (low, high) => `[${low}${language() === 'es' ? ';' : ','} ${high}]`;
  const tell = (event, detail) => { document.dispatchEvent(new CustomEvent('playground:' + event, {detail})); return detail; };
  const hear = (event, fn) => document.addEventListener('playground:' + event, (said) => fn(said.detail));

  const bytes = (count) => count < 1e6 ? `${Math.round(count / 1e3).toLocaleString(language())} kB` : count < 1e9 ? `${Math.round(count / 1e6).toLocaleString(language())} MB` : `${(count / 1e9).toLocaleString(language(), {maximumFractionDigits: 1})} GB`;

  const duration = (seconds) => seconds < 90 ? `${Math.ceil(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toLocaleString(language(), {maximumFractionDigits: 1})} h`;

  // What a browser keeps: storage may be full or off, and what it holds may be anything.
  // Another window of the same browser keeps here too: where nothing has changed in this one, what that one wrote stays.
  const known = {};
  const keep = (key, value) => {
    try {
      const now = JSON.stringify(value);
      if (known[key] !== now) localStorage.setItem('playground.' + key, now);
      known[key] = now;
      return true;
    } catch { return false; }
  };
  // The first of these forms that fits, the whole one before the lighter ones. What can't be kept is told of once.
  const unkept = new Set();
  const keepFirst = (key, ...forms) => {
    if (forms.some((form) => keep(key, form()))) return void unkept.delete(key);
    if (!unkept.has(key)) tell('notice', {tone: 'error', key: 'draft_full', message: ''});
    unkept.add(key);
  };
  const kept = (key) => { try { known[key] = localStorage.getItem('playground.' + key); return JSON.parse(known[key] || 'null'); } catch { return null; } };

  // Whether a request with this value gets through: of a larger one the server only says 413, to nobody.
  const MOST_SENT = 11_500_000;
  const sendable = (value) => { const said = JSON.stringify(value); return 3 * said.length < MOST_SENT || new Blob([said]).size < MOST_SENT; };

  // What a part's notice says: its parts in a row; nothing hides it.
  const telling = (notice) => (...parts) => {
    const said = parts.filter(Boolean);
    notice.hidden = !said.length;
    notice.dataset.tone = 'error';
    notice.replaceChildren(...said.map((text) => make('span', {text})));
  };

  // A problem's words: what servers' errors are called in the reader's language, then what was said of it.
  const CALLED = ['AuthenticationFailed', 'PermissionDenied', 'RateLimited', 'QuotaExceeded', 'ServerFailed', 'ConnectionFailed', 'TimedOut', 'BadStream'];
  const problem = ({texts, kind, message, hint, own}) => [language() !== 'en' && !own && CALLED.includes(kind) ? window.playgroundStrings[language()]['error_' + kind] : '', ...texts?.[language()] ?? [message, hint]].filter(Boolean);

  // Which tab is open, as the sidebar and the header need it.
  const mode = () => document.body.dataset.mode || 'complete';
  // Which of Complete, Chat and Edit the open tab asks as: Compare does as one of them.
  const asks = () => mode() === 'compare' ? document.body.dataset.asks || 'chat' : mode();
  const setMode = (now) => { document.body.dataset.mode = now; keep('mode', now); tell('mode', now); recount(); };
  // What stands beside the tabs has changed: the open tab, and no other, counts again what its next run would read.
  let due = 0;
  const recount = () => { clearTimeout(due); due = setTimeout(() => tell('recount', mode()), 30); };
  const openTab = (name) => { const tab = document.getElementById(`pg-tab-${name}-button`); if (tab?.getAttribute('aria-selected') !== 'true') tab?.click(); };
  const lastMode = kept('mode');  // before Gradio selects its first tab, which counts as a choice
  const link = new URLSearchParams(location.search);  // before a part takes out what it has opened
  // The contents stand below Gradio's tab bar: said to screen readers. A reload opens the tab that was open.
  const startTabs = () => {
    // Gradio mounts its tab bar when it likes.
    if (!document.getElementById('pg-tab-complete-button')) return setTimeout(startTabs, 50);
    for (const panel of document.querySelectorAll('.pg-panel')) { panel.setAttribute('role', 'tabpanel'); panel.setAttribute('aria-labelledby', panel.id.replace('pg-panel-', 'pg-tab-') + '-button'); }
    const first = link.has('rate') ? 'rate' : lastMode;
    if (typeof first === 'string' && first !== mode() && !link.has('preset')) openTab(first);
  };
  // What a link asks for is opened once: a reload (Gradio's own after a lost connection, too) shows what was made of it.
  const opened = (...names) => {
    const now = new URL(location);
    for (const name of names) now.searchParams.delete(name);
    if (now.href !== location.href) history.replaceState(history.state, '', now);
  };
  hear('open', (said) => {
    openTab(said.mode);
    opened('preset');
  });

  // Submit, which is Stop while a run is under way. `begin` and `halt` are called; `release` when no answer comes to Stop.
  const DOUBLE_CLICK = 500, NO_ANSWER = 3000, ON_TOP = 'dialog[open], .pg-menu, .pg-popover, .pg-picker-list:not([hidden])';
  function runButton({element, say, begin, halt, release, label = 'submit'}) {
    const button = element.querySelector('.pg-submit');
    let busy = false, begunAt = 0, timer = 0;
    const stop = () => {
      if (!busy || performance.now() - begunAt < DOUBLE_CLICK) return;
      halt();
      // A server that is gone can't answer: the editor is the person's again after three seconds.
      clearTimeout(timer);
      timer = setTimeout(() => { if (busy) release(); }, NO_ANSWER);
    };
    const set = (now) => {
      if (!now) clearTimeout(timer);
      if (now && !busy) begunAt = performance.now();
      busy = now;
      button.classList.toggle('pg-stop', now);
      button.querySelector('.pg-submit-label').textContent = say(now ? 'stop' : label);
      button.querySelector('kbd').textContent = now ? 'Esc' : (navigator.platform.startsWith('Mac') ? '⌘' : 'Ctrl') + ' ↵';
    };
    button.addEventListener('click', () => busy ? stop() : begin());
    // The keys are for the editor one is in, or that one looks at when one is nowhere: a tab was just opened.
    const nowhere = () => [null, document.body].includes(document.activeElement) || !document.activeElement.getClientRects().length;
    const meant = () => element.contains(document.activeElement) || (element.offsetParent && nowhere() && !document.querySelector(ON_TOP));
    // Before anybody else hears the key: what is open on top takes Esc for itself, and is gone a moment later.
    document.addEventListener('keydown', (event) => {
      if (event.isComposing) return;
      if ((event.ctrlKey || event.metaKey) && event.key === 'Enter' && !busy && meant()) { event.preventDefault(); if (!event.repeat) begin(); }
      if (event.key === 'Escape' && busy && element.offsetParent && !document.querySelector(ON_TOP)) { event.preventDefault(); stop(); }
    }, true);
    set(false);
    return {set, get busy() { return busy; }};
  }

  // Undo and Redo of an editor: `take` gives what it holds, `put` shows it again, `same` says whether two are one.
  const STEPS = 30;
  function timeline({element, say, take, put, same}) {
    const undo = element.querySelector('.pg-undo'), redo = element.querySelector('.pg-redo'), past = [], ahead = [];
    let blocked = false;
    const buttons = () => { undo.disabled = blocked || !past.length; redo.disabled = blocked || !ahead.length; };
    // To be called before anything changes.
    const remember = () => {
      const now = take();
      ahead.length = 0;
      if (!past.length || !same(past.at(-1), now)) past.push(now);
      if (past.length > STEPS) past.shift();
      buttons();
    };
    const step = (from, to) => {
      const now = take();
      while (from.length && same(from.at(-1), now)) from.pop();
      if (!blocked && from.length) { to.push(now); put(from.pop()); }
      buttons();
    };
    for (const [button, key, from, to] of [[undo, 'undo', past, ahead], [redo, 'redo', ahead, past]]) {
      button.title = say(key); button.setAttribute('aria-label', say(key)); button.append(icon(key));
      button.addEventListener('click', () => step(from, to));
    }
    buttons();
    return {remember, past, block(now) { blocked = now; buttons(); }};
  }

  // {{names}} in a text, as playground/variables.py finds them.
  const VARIABLE = /(\\?)\{\{\s*([\p{L}_][\p{L}\p{N}_]{0,63})\s*\}\}/gu;
  const variables = (text) => text.includes('{{') ? [...text.matchAll(VARIABLE)].filter((found) => !found[1]).map((found) => found[2]) : [];

  // What `now` keeps of `before`, what it dropped and what it added, word by word: [["same" | "out" | "in", text], …].
  // The longest common subsequence between what both begin and end with; null where that is too long to be shown usefully.
  const MOST = 9_000_000;
  function diff(before, now) {
    const a = before.match(/\s*[\p{L}\p{N}_]+|\s*[^\s\p{L}\p{N}_]|\s+/gu) || [], b = now.match(/\s*[\p{L}\p{N}_]+|\s*[^\s\p{L}\p{N}_]|\s+/gu) || [];
    let head = 0, tail = 0;
    while (head < a.length && head < b.length && a[head] === b[head]) head++;
    while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
    const x = a.slice(head, a.length - tail), y = b.slice(head, b.length - tail), width = y.length + 1;
    if (x.length * y.length > MOST) return null;
    const best = new Uint16Array((x.length + 1) * width), parts = [];
    for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) best[i * width + j] = x[i] === y[j] ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    const put = (kind, text) => { if (text) parts.at(-1)?.[0] === kind ? parts.at(-1)[1] += text : parts.push([kind, text]); };
    put('same', a.slice(0, head).join(''));
    let i = 0, j = 0;
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) { put('same', x[i++]); j++; }
      else if (j >= y.length || (i < x.length && best[(i + 1) * width + j] >= best[i * width + j + 1])) put('out', x[i++]);
      else put('in', y[j++]);
    }
    put('same', a.slice(a.length - tail).join(''));
    return parts;
  }

  // A text with what the other does not have marked; all of it, where there is none to compare it with.
  function marked(text, other) {
    const parts = other == null || other === text ? null : diff(other, text);
    return parts ? parts.filter(([kind]) => kind !== 'out').map(([kind, part]) => kind === 'in' ? make('mark', {text: part}) : part) : [text];
  }

  document.documentElement.lang = language();
  document.addEventListener('DOMContentLoaded', () => { document.body.dataset.mode ||= 'complete'; });
  return {language, make, icon, iconButton, textButton, swap, saying, bytes, duration, range, tell, hear, keep, keepFirst, kept, sendable, telling, problem, mode, asks, setMode, openTab, opened, startTabs, recount, runButton, timeline, variables, diff, marked};
})();
