// A box for a model's name with the list of those there are: by groups, filtered as you type; any name is taken as it is.
// `groups()` are the picker's; `picked(ref)` is told what was chosen, and shows it.
window.playground.modelBox = ({box, list, groups, picked}) => {
  const {make} = playground, say = playground.saying();
  let chosen = '', active = -1, shown = [];

  const items = () => groups().flatMap((group) => group.items);
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
    const row = make('div', {class: 'pg-option', role: 'option', id: `${list.id}-option-${shown.length}`, 'data-ref': item.ref, 'aria-selected': String(item.ref === chosen)});
    const name = make('span', {class: 'pg-option-name', text: group.several ? item.ref : item.id});
    if (item.step != null) row.classList.add('pg-option-checkpoint');
    row.append(name, make('span', {class: 'pg-option-about', text: details(item)}));
    const end = ending(item);
    if (end) row.append(make('span', {class: 'pg-option-end', text: end}));
    row.addEventListener('mousedown', () => { picked(item.retired && item.replacement ? replacement(item) : item.ref); });
    shown.push(row);
    return row;
  }

  // A retired model is offered with what takes its place.
  const replacement = (item) => find(`${item.endpoint}/${item.replacement}`)?.ref ?? `${item.endpoint}/${item.replacement}`;

  function open(filter = '') {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean), several = new Set(items().map((item) => item.endpoint)).size > 1;
    list.textContent = ''; shown = []; active = -1;
    for (const group of groups()) {
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

  function show(ref) {
    chosen = ref || '';
    box.value = chosen;
    box.title = chosen;
  }

  list.setAttribute('aria-label', say('model'));
  // A click into the list, its scroll bar included, leaves the caret in the box: losing it would take what is typed as a name.
  list.addEventListener('mousedown', (event) => event.preventDefault());
  box.addEventListener('focus', () => { box.select(); open(); });
  box.addEventListener('click', () => { if (list.hidden) open(); });
  box.addEventListener('input', () => open(box.value.trim()));
  box.addEventListener('blur', () => { close(); const typed = box.value.trim(); if (typed && typed !== chosen) picked(typed); else box.value = chosen; });
  box.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { event.preventDefault(); move(event.key === 'ArrowDown' ? 1 : -1); }
    if (event.key === 'Enter') { event.preventDefault(); const row = shown[active]; picked(row ? row.dataset.ref : box.value.trim() || chosen); }
    if (event.key === 'Escape') { event.stopPropagation(); box.value = chosen; close(); }
  });
  return {find, details, ending, replacement, show, close, refresh() { if (!list.hidden) open(box.value === chosen ? '' : box.value); }};
};
