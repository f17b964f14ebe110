// Models for this machine: a line below the picker, and the panel that it opens. What is under way is the server's: asked
// again and again while somebody looks or something comes, so that a reload and a second window show the same.
// Value to the server: {action, n, language, open, source, accept, id}; from it: {of, n, host, models, downloads, offers,
// machine, offline, use, removed, base, notice}.
const {make, textButton, iconButton, swap, bytes} = playground, say = playground.saying();
const home = element.querySelector('.pg-library'), dialog = element.querySelector('dialog');
const {ask, heard} = playground.asking({props, trigger, answered});
const SOON = 700, LATER = 3000;  // milliseconds between two looks: while something comes, while somebody reads
let said = null, ids = '', timer = 0, waiting = false, wanted = '', begun = '', cause = null;

const rows = playground.libraryRows({say, act});
const {fill} = rows;

// --- below the picker ---

const opener = textButton(say('library_open'), () => open()), status = make('span', {class: 'pg-library-status'});
opener.className = 'pg-link';
home.prepend(opener, status);

function brief() {
  const active = said.downloads.filter((each) => each.active), failed = said.downloads.filter((each) => each.phase === 'failed');
  const [first] = active;
  const share = first?.total ? ` ${Math.floor(100 * first.done / first.total)} %` : '';
  return first ? fill(active.length > 1 ? 'library_coming_more' : 'library_coming', {name: first.title, share, count: active.length - 1}) : failed.length ? fill('library_broke', {name: failed[0].title}) : '';
}

// --- the panel ---

const close = iconButton('close', say('close')), notice = make('div', {class: 'pg-notice', hidden: ''}), about = make('p', {class: 'pg-library-about'}), offline = make('p', {class: 'pg-notice', 'data-tone': 'limit', role: 'status', hidden: ''});
const tell = playground.telling(notice), here = make('div', {class: 'pg-models'}), coming = make('div', {class: 'pg-models'}), offers = make('div', {class: 'pg-models'});
const source = make('input', {type: 'text', class: 'pg-library-source', placeholder: say('library_source_like'), autocomplete: 'off', spellcheck: 'false', 'aria-label': say('library_source')}), get = textButton(say('library_get'), () => {}, true);
get.type = 'submit';
const other = make('form', {class: 'pg-share-row'}, source, get), place = make('div', {}, other), heads = Object.fromEntries(['here', 'arriving', 'offers', 'other'].map((key) => [key, make('h3', {text: say('library_' + key)})]));
notice.setAttribute('aria-live', 'polite');
dialog.append(make('header', {}, make('h2', {text: say('library_title'), id: 'pg-library-title'}), close), about, offline, heads.here, here, heads.arriving, coming, heads.offers, offers, heads.other, make('p', {class: 'pg-quiet', text: say('library_other_about')}), place);
dialog.setAttribute('aria-labelledby', 'pg-library-title');
// It opens from every tab, also from those beside which there is no picker: it stands in the header.
(document.querySelector('.pg-toolbar') ?? document.body).append(dialog);
close.addEventListener('click', () => dialog.close());
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener('close', () => { rows.calm(); look(); });
other.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!source.value.trim()) return source.focus();
  get.disabled = true;
  act('pull', {source: source.value}, place);
});

function open(first = '') {
  wanted = first;
  tell();
  if (!dialog.open) dialog.showModal();
  ask('state', {open: true});
}

function draw() {
  home.hidden = false;
  status.textContent = brief();
  if (!said.offers) return;
  const {total, free, most, disk} = said.machine;
  about.textContent = [say('library_about'), total ? fill('library_machine', {total: bytes(total), free: free ? bytes(free) : '?'}) : '', most ? fill('library_most', {most: bytes(most)}) : '', disk != null ? fill('library_disk', {disk: bytes(disk)}) : ''].filter(Boolean).join(' ');
  offline.textContent = said.offline;
  offline.hidden = !said.offline;
  const present = new Set(said.models.map((model) => model.id)), offered = said.offers.filter((each) => !present.has(each.id)), byId = Object.fromEntries(said.downloads.filter((each) => !['done', 'cancelled'].includes(each.phase)).map((each) => [each.id, each]));
  const nodes = [said.models.map((model) => rows.here({...model, fit: total && model.memory > total ? 'too_large' : model.fits ? null : most ? 'over_budget' : 'tight'}, document.getElementById('pg-picker-input')?.value)), Object.values(byId).filter((each) => !offered.some(({id}) => id === each.id)).map(rows.download), offered.map((each) => rows.offer(each, byId[each.id]))];
  [here, coming, offers].forEach((place, at) => swap(place, nodes[at]));
  heads.arriving.hidden = !nodes[1].length;
  heads.offers.hidden = !nodes[2].length;
  rows.forget(nodes.flat());
  // What has just begun is seen, wherever in the panel it was asked for.
  const [row] = ['download', 'offer'].map((key) => begun && dialog.querySelector(`.pg-model[data-key="${key} ${begun}"]`)).filter(Boolean);
  if (row && byId[begun]) { begun = ''; row.scrollIntoView({block: 'nearest'}); }
  if (wanted) show(dialog.querySelector(`.pg-model[data-${wanted}="true"]:not([data-fit="too_large"], [data-fit="over_budget"])`));
}

// What somebody came for is looked at first.
function show(row) {
  wanted = '';
  row?.scrollIntoView({block: 'center'});
  row?.querySelector('button')?.focus({preventScroll: true});
}

// --- asking ---

function look() {
  clearTimeout(timer);
  const moving = said?.downloads.some((each) => each.active) || waiting;
  if (!said?.host || !(dialog.open || moving)) return;
  timer = setTimeout(() => document.hidden ? look() : ask('state', {open: dialog.open}), moving ? SOON : LATER);
}

// What goes wrong is said in `home`, where it was asked for.
function act(action, more, home) {
  [waiting, cause] = [true, home];
  tell();
  ask(action, more);
}

function answered(value) {
  get.disabled = false;
  if (value.host === false) return;  // a visitor: there is nothing to see
  if (value.host) {
    const before = said, now = value.models.map((model) => model.id).join(' ');
    said = {offers: before?.offers, machine: before?.machine, offline: before?.offline, ...value};
    document.body.dataset.library = 'yes';
    // Something has come or gone, here or in another window: the picker has to know.
    if (before && now !== ids) changed(before.models);
    ids = now;
    draw();
  }
  if (value.of !== 'state') waiting = false;
  if (value.notice) failed(value);
  if (value.begun) { source.value = ''; begun = value.begun; ask('state', {open: dialog.open}); }
  if (value.changed) ask('state', {open: dialog.open});
  if (value.removed) { playground.tell('deleted', {deleted: value.removed, base: value.base}); ask('state', {open: dialog.open}); }
  if (value.use) { playground.tell('choose', {ref: value.use}); dialog.close(); }
  look();
}

function changed(before) {
  for (const gone of before.filter((model) => model.ref && !said.models.some(({id}) => id === model.id))) playground.tell('deleted', {deleted: gone.ref, base: said.models[0]?.ref ?? ''});
  ask('list');
}

function failed(value) {
  const texts = playground.problem(value.notice);
  cause ? cause.append(notice) : offline.after(notice);
  tell(...texts);
  notice.scrollIntoView({block: 'nearest'});
}

playground.hear('library', ({first = ''} = {}) => { if (said?.host) open(first); });
for (const event of ['visibilitychange', 'focus']) (event === 'focus' ? window : document).addEventListener(event, () => { if (said?.host && !document.hidden) ask('state', {open: dialog.open}); });
watch('value', () => heard(props.value));
ask('state');
