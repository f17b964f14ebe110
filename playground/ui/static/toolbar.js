// The header: presets with Save, rename, delete, export and import; View code with the effective request; Share.
// Value to the server: {action, mode, id, name, text, replace}; from it: {presets, dialog, file, done, notice}.
const {make, icon, iconButton} = playground, say = playground.saying();
const right = element.querySelector('.pg-toolbar-right'), dialog = element.querySelector('.pg-dialog');
// Of Compare, these act on one column: `column` is its place, null for the one that the others are compared with.
const OF_TAB = ['save', 'code', 'share', 'deploy'];
let list = [], current = null, menu = null, n = 0, column = null;

// The editors put what they hold into their values first: images travel only when they are needed.
function ask(action, more = {}) {
  playground.tell('ask', {scope: playground.mode()});
  const of = OF_TAB.includes(action) && compared();
  if (of?.hidden) return tellNotice({tone: 'info', message: say('compare_vote_first')});
  props.value = {action, mode: playground.mode(), n: ++n, ...(of ? {column: of.column} : {}), ...more};
  trigger('input');
}

const compared = () => playground.mode() === 'compare' ? playground.tell('column?', {at: column}) : null;

// Which column a dialog is about; `again` shows it anew for another one.
function chooser(key, again = () => {}) {
  const of = compared();
  if (!of?.names) return [];
  const choice = make('select', {class: 'pg-select', id: 'pg-of-column'}, ...of.names.map((name, at) => make('option', {value: String(at), text: name})));
  choice.value = String(of.at);
  choice.addEventListener('change', () => { column = Number(choice.value); again(); });
  return [make('div', {class: 'pg-of-column'}, make('label', {for: 'pg-of-column', text: say('compare_column')}), choice, make('p', {class: 'pg-quiet', text: say(key)}))];
}

// --- buttons ---

const button = (key, fn) => { const made = make('button', {type: 'button', class: 'pg-button', text: say(key)}); made.addEventListener('click', fn); return made; };
const choose = make('button', {type: 'button', class: 'pg-button pg-preset', 'aria-haspopup': 'listbox'}, make('span', {text: say('load_preset')}), icon('chevron'));
const dots = iconButton('more', say('more_actions'), {'aria-haspopup': 'menu', class: 'pg-button'});
choose.addEventListener('click', () => menu ? closeMenu() : openMenu(choose, presetMenu));
dots.addEventListener('click', () => menu ? closeMenu() : openMenu(dots, moreMenu));
right.append(choose, ...[['save', openSave], ['view_code', () => ask('code')], ['share', share]].map(([key, fn]) => button(key, () => { column = null; fn(); })), dots);

function share() { ask('share', {name: current?.name}); }

function openMenu(anchor, fill) {
  closeMenu();
  menu = make('div', {class: 'pg-menu', role: 'menu'});
  fill(menu);
  anchor.after(menu);
  anchor.setAttribute('aria-expanded', 'true');
  menu.querySelector('button')?.focus();
}

function closeMenu() {
  menu?.remove();
  menu = null;
  for (const anchor of [choose, dots]) anchor.setAttribute('aria-expanded', 'false');
}

function entry(text, fn, about = '') {
  const made = make('button', {type: 'button', role: 'menuitem', class: 'pg-entry'}, make('span', {text}));
  if (about) made.append(make('small', {text: about}));
  made.addEventListener('click', () => { closeMenu(); fn(); });
  return made;
}

// One's own first; of the examples, those in the reader's language before the others.
function presetMenu(into) {
  const own = list.filter((each) => !each.builtin), lang = playground.language();
  const examples = list.filter((each) => each.builtin).sort((a, b) => (b.language === lang) - (a.language === lang));
  for (const [key, each] of [['your_presets', own], ['examples', examples]]) {
    if (!each.length && key === 'your_presets') { into.append(make('div', {class: 'pg-group', text: say(key)}), make('p', {class: 'pg-empty', text: say('no_presets')})); continue; }
    into.append(make('div', {class: 'pg-group', text: say(key)}), ...each.map((preset) => entry(preset.name, () => { current = preset.builtin ? null : preset; ask('load', {id: preset.id}); }, preset.about || say('tab_' + preset.mode))));
  }
}

function moreMenu(into) {
  if (current) into.append(entry(say('rename_preset').replace('{name}', current.name), () => openName('rename', current)), entry(say('delete_preset').replace('{name}', current.name), () => openDelete(current)), entry(say('export_preset').replace('{name}', current.name), () => ask('export', {id: current.id})));
  into.append(entry(say('export_presets'), () => ask('export')), entry(say('import_presets'), pickFile));
}

function pickFile() {
  const picker = make('input', {type: 'file', accept: '.json,application/json'});
  picker.addEventListener('change', async () => {
    const [file] = picker.files;
    if (!file) return;
    if (file.size > 8_000_000) return tellNotice({tone: 'error', message: say('file_too_large')});
    ask('import', {text: await file.text()});
  });
  picker.click();
}

// --- dialogs ---

function show(title, ...parts) {
  const close = iconButton('close', say('close'));
  close.addEventListener('click', () => dialog.close());
  dialog.replaceChildren(make('header', {}, make('h2', {text: say(title), id: 'pg-dialog-title'}), close), ...parts);
  dialog.setAttribute('aria-labelledby', 'pg-dialog-title');
  if (!dialog.open) dialog.showModal();
}

function form(title, label, value, done, note = '', before = []) {
  const box = make('input', {type: 'text', id: 'pg-name', maxlength: '120', autocomplete: 'off'}), ok = make('button', {type: 'submit', class: 'pg-button pg-primary', text: say(label)});
  const made = make('form', {method: 'dialog'}, ...before, make('label', {for: 'pg-name', text: say('preset_name')}), box, ...(note ? [make('p', {text: note})] : []), make('footer', {}, ok));
  box.value = value;
  made.addEventListener('submit', (event) => { event.preventDefault(); const name = box.value.trim(); if (!name) { box.focus(); return; } dialog.close(); done(name); });
  show(title, made);
  box.select();
}

function openSave() {
  if (!['complete', 'chat', 'edit', 'compare'].includes(playground.mode()) || compared()?.hidden) return ask('save', {name: '-'});
  form('save_preset', 'save', current?.name || '', (name) => ask('save', {name, replace: current?.name === name}), '', chooser('compare_saves'));
}

const openName = (action, preset) => form('rename', 'rename', preset.name, (name) => { current = {...preset, name}; ask(action, {id: preset.id, name}); });

function openDelete(preset) {
  const yes = make('button', {type: 'button', class: 'pg-button pg-danger', text: say('delete')});
  yes.addEventListener('click', () => { dialog.close(); current = null; ask('delete', {id: preset.id}); });
  show('delete', make('p', {text: say('delete_preset_sure').replace('{name}', preset.name)}), make('footer', {}, yes));
}

function copier(text) {
  const made = make('button', {type: 'button', class: 'pg-button'}, icon('copy'), make('span', {text: say('copy')}));
  made.addEventListener('click', async () => {
    try { await navigator.clipboard.writeText(text()); }
    catch { // no clipboard without https: the old way works from a click
      const box = make('textarea', {class: 'pg-offscreen'}); box.value = text(); dialog.append(box); box.select(); document.execCommand('copy'); box.remove();
    }
    made.lastChild.textContent = say('copied');
    setTimeout(() => { made.lastChild.textContent = say('copy'); }, 1500);
  });
  return made;
}

function openCode({path, request, codes, left_out: leftOut}) {
  const texts = {request, ...codes}, tabs = make('div', {class: 'pg-code-tabs', role: 'tablist'}), shown = make('pre', {class: 'pg-code', tabindex: '0'});
  let chosen = 'request';
  const pick = (name) => {
    chosen = name;
    shown.textContent = texts[name];
    for (const each of tabs.children) each.setAttribute('aria-selected', String(each.dataset.name === name));
  };
  for (const name of Object.keys(texts)) {
    const tab = make('button', {type: 'button', role: 'tab', 'data-name': name, text: say('code_' + name)});
    tab.addEventListener('click', () => pick(name));
    tabs.append(tab);
  }
  const out = leftOut.length ? [make('p', {class: 'pg-left-out', text: say('left_out') + ': ' + leftOut.map(([name, reason]) => `${name} (${say('left_out_' + reason)})`).join(', ')})] : [];
  const bundle = make('button', {type: 'button', class: 'pg-button pg-deploy', text: say('deploy')});
  bundle.addEventListener('click', () => { bundle.disabled = true; ask('deploy', {name: current?.name, language: playground.language()}); setTimeout(() => { bundle.disabled = false; }, 3000); });
  show('view_code', ...chooser('compare_code', () => ask('code')), make('p', {text: say('view_code_about')}), make('div', {class: 'pg-code-head'}, make('code', {text: path}), tabs, copier(() => texts[chosen])), shown, ...out, make('p', {class: 'pg-quiet', text: say('view_code_key')}), make('div', {class: 'pg-deploy-row'}, make('p', {text: say('deploy_about')}), bundle));
  pick('request');
}

function openShare({query}) {
  const url = `${location.origin}${location.pathname}?preset=${query}`, box = make('input', {type: 'text', readonly: '', class: 'pg-share-link', 'aria-label': say('share')});
  box.value = url;
  show('share', ...chooser('compare_shares', share), make('p', {text: say('share_about')}), make('div', {class: 'pg-share-row'}, box, copier(() => url)));
  box.select();
}

function tellNotice(notice) {
  const toast = make('div', {class: 'pg-toast', role: notice.tone === 'error' ? 'alert' : 'status', 'data-tone': notice.tone || 'info'});
  if (notice.kind && !notice.own && playground.language() !== 'en' && say('error_' + notice.kind) !== 'error_' + notice.kind) toast.append(make('strong', {text: say('error_' + notice.kind)}));
  toast.append(...(notice.texts?.[playground.language()] ?? [notice.message, notice.hint]).filter(Boolean).map((text) => make('span', {text})));
  const close = iconButton('close', say('close'));
  close.addEventListener('click', () => toast.remove());
  if (notice.act) toast.append(playground.textButton(notice.act.text, () => { toast.remove(); notice.act.fn(); }));
  toast.append(close);
  document.querySelectorAll('.pg-toast').forEach((old) => old.remove());
  document.body.append(toast);
  if (notice.tone !== 'error') setTimeout(() => toast.remove(), notice.act ? 12000 : 3500);
}

function save({name, text, base64}) {
  const blob = base64 ? new Blob([Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))], {type: 'application/zip'}) : new Blob([text], {type: 'application/json'});
  const link = make('a', {href: URL.createObjectURL(blob), download: name});
  link.click();
  URL.revokeObjectURL(link.href);
}

function heard(value) {
  if (!value || value.action) return;
  if (value.presets) list = value.presets;
  if (value.done === 'preset_saved') current = list.find((each) => !each.builtin && each.name === value.name) || null;
  choose.firstChild.textContent = current?.name || say('load_preset');
  if (value.done && value.done !== 'preset_loaded') tellNotice({tone: 'info', message: say(value.done).replace('{name}', value.name)});
  if (value.notice) tellNotice({...value.notice, tone: value.notice.tone});
  if (value.file) save(value.file);
  if (value.dialog?.kind === 'code') openCode(value.dialog);
  if (value.dialog?.kind === 'share') openShare(value.dialog);
}

document.addEventListener('click', (event) => { if (menu && !right.contains(event.target)) closeMenu(); });
element.addEventListener('keydown', (event) => { if (event.key === 'Escape' && menu) { closeMenu(); choose.focus(); } });
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
playground.hear('presets', () => ask('list'));
playground.hear('notice', (said) => tellNotice({...said, message: [said.key ? say(said.key) : '', said.message].filter(Boolean).join(' ')}));
watch('value', () => heard(props.value));
heard(props.value);
setTimeout(playground.startTabs);
