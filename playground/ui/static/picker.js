// The model picker: one list over all servers, by groups; filters as you type; a name typed by hand is taken as it is.
// Value: `endpoint/model`. `groups`: [{key, items: [{ref, id, endpoint, kind, context, price, local, about, size, loaded, shutdown, retired, replacement, step}]}].
const {make, iconButton} = playground, say = playground.saying();
const box = element.querySelector('.pg-picker-input'), list = element.querySelector('.pg-picker-list'), about = element.querySelector('.pg-picker-about');
let chosen = '', active = -1, shown = [];

const items = () => (props.groups || []).flatMap((group) => group.items);
const find = (ref) => items().find((item) => item.ref === ref);

function details(item) {
  const parts = [];
  if (item.context) parts.push(`${item.context.toLocaleString()} ${say('tokens')}`);
  if (item.about) parts.push(item.about);
  if (item.size) parts.push(playground.bytes(item.size));
  if (item.loaded) parts.push(say('in_memory'));
  if (item.local) parts.push(say('on_this_machine')); else if (item.price) parts.push(item.price);
  return parts.join(' · ');
}

function ending(item) {
  if (item.retired) return item.replacement ? say('retired_use').replace('{name}', item.replacement) : say('retired');
  return item.shutdown ? say('shuts_down').replace('{date}', item.shutdown) : '';
}

function option(item, group) {
  const row = make('div', {class: 'pg-option', role: 'option', id: 'pg-option-' + shown.length, 'data-ref': item.ref, 'aria-selected': String(item.ref === chosen)});
  const name = make('span', {class: 'pg-option-name', text: group.several ? item.ref : item.id});
  if (item.step != null) row.classList.add('pg-option-checkpoint');
  row.append(name, make('span', {class: 'pg-option-about', text: details(item)}));
  const end = ending(item);
  if (end) row.append(make('span', {class: 'pg-option-end', text: end}));
  row.addEventListener('mousedown', () => { pick(item.retired && item.replacement ? replacement(item) : item.ref); });
  shown.push(row);
  return row;
}

// A retired model is offered with what takes its place.
const replacement = (item) => find(`${item.endpoint}/${item.replacement}`)?.ref ?? `${item.endpoint}/${item.replacement}`;

function open(filter = '') {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean), several = new Set(items().map((item) => item.endpoint)).size > 1;
  list.textContent = ''; shown = []; active = -1;
  for (const group of props.groups || []) {
    const found = group.items.filter((item) => words.every((word) => item.ref.toLowerCase().includes(word)));
    if (!found.length) continue;
    list.append(make('div', {class: 'pg-group', role: 'presentation', text: say('group_' + group.key)}), ...found.slice(0, 300).map((item) => option(item, {several})));
  }
  if (filter && !find(filter)) list.append(make('div', {class: 'pg-typed', text: say('picker_typed').replace('{name}', filter)}));
  if (!shown.length && !filter) list.append(make('div', {class: 'pg-typed', text: say('no_models')}));
  list.hidden = false;
  box.setAttribute('aria-expanded', 'true');
  list.querySelector('[aria-selected="true"]')?.scrollIntoView({block: 'nearest'});
}

function close() {
  list.hidden = true;
  box.setAttribute('aria-expanded', 'false');
  box.removeAttribute('aria-activedescendant');
}

function move(step) {
  if (list.hidden) open();
  if (!shown.length) return;
  shown[active]?.classList.remove('pg-active');
  active = (active + step + shown.length) % shown.length;
  shown[active].classList.add('pg-active');
  shown[active].scrollIntoView({block: 'nearest'});
  box.setAttribute('aria-activedescendant', shown[active].id);
}

function pick(ref) {
  close();
  show(ref);
  if (props.value === ref) return;
  props.value = ref;
  trigger('input');
  if (find(ref)) playground.tell('model', find(ref));
  playground.recount();
}

function show(ref) {
  chosen = ref || '';
  box.value = chosen;
  box.title = chosen;
  tellAbout();
}

// What tells a fine-tune from others of its base, `sentimiento:ab12cd34:ckpt-step-25`: the box has no room for it.
const ownName = (ref) => /(?:^|\/)ft:[^:]+:[^:]*:(.+)$/.exec(ref)?.[1].replace(/^:/, '') ?? '';

// Below the box: what the model is, when it ends, and whether it is made for the open tab.
function tellAbout() {
  const item = find(chosen), parts = [], own = ownName(chosen);
  if (own) parts.push(make('span', {class: 'pg-picker-own', text: own}));
  if (item) {
    const text = details(item), end = ending(item);
    if (text) parts.push(make('span', {text}));
    if (end) parts.push(make('span', {class: 'pg-option-end', text: end}));
    if (item.embedded) parts.push(make('span', {class: 'pg-picker-default', text: say('default_brief')}));
    if (item.retired && item.replacement) parts.push(link(say('use_instead').replace('{name}', item.replacement), () => pick(replacement(item))));
    const mode = playground.mode(), wrong = (item.kind === 'completion' && (mode === 'chat' || mode === 'edit')) || (item.kind === 'chat' && mode === 'complete');
    if (wrong) parts.push(make('span', {class: 'pg-mismatch', text: say(item.kind === 'chat' ? 'chat_only' : 'completion_only')}), link(say(item.kind === 'chat' ? 'open_chat' : 'open_complete'), () => playground.openTab(item.kind === 'chat' ? 'chat' : 'complete')));
  }
  about.replaceChildren(...parts);
}

function link(text, fn) {
  const button = make('button', {type: 'button', class: 'pg-link', text});
  button.addEventListener('click', fn);
  return button;
}

element.querySelector('label').textContent = say('model');
list.setAttribute('aria-label', say('model'));
const refresh = iconButton('again', say('refresh_models'));
element.querySelector('.pg-picker-box').append(refresh);
refresh.addEventListener('click', () => { refresh.classList.add('pg-turning'); trigger('select'); });
// A click into the list, its scroll bar included, leaves the caret in the box: losing it would take what is typed as a name.
list.addEventListener('mousedown', (event) => event.preventDefault());
box.addEventListener('focus', () => { box.select(); open(); });
box.addEventListener('click', () => { if (list.hidden) open(); });
box.addEventListener('input', () => open(box.value.trim()));
box.addEventListener('blur', () => { close(); const typed = box.value.trim(); if (typed && typed !== chosen) pick(typed); else box.value = chosen; });
box.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { event.preventDefault(); move(event.key === 'ArrowDown' ? 1 : -1); }
  if (event.key === 'Enter') { event.preventDefault(); const row = shown[active]; pick(row ? row.dataset.ref : box.value.trim() || chosen); }
  if (event.key === 'Escape') { event.stopPropagation(); box.value = chosen; close(); }
});
watch('value', () => { show(props.value); playground.recount(); });
watch('groups', () => { refresh.classList.remove('pg-turning'); tellAbout(); if (!list.hidden) open(box.value === chosen ? '' : box.value); });
playground.hear('mode', tellAbout);
// A model of the library, or a better one that is already here, is taken as if it had been chosen from the list.
playground.hear('choose', ({ref}) => pick(ref));
// Who had chosen a model that was deleted, or a checkpoint of it, goes on with its base.
playground.hear('deleted', ({deleted, base}) => { if (chosen === deleted || chosen.startsWith(deleted + ':ckpt-')) pick(base); });
show(props.value);
