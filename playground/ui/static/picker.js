// The model picker: one list over all servers, by groups; filters as you type; a name typed by hand is taken as it is.
// Value: `endpoint/model`. `groups`: [{key, items: [{ref, id, endpoint, kind, context, price, local, about, size, loaded, shutdown, retired, replacement, step}]}].
const {make, iconButton} = playground, say = playground.saying();
const box = element.querySelector('.pg-picker-input'), list = element.querySelector('.pg-picker-list'), about = element.querySelector('.pg-picker-about');
const models = playground.modelBox({box, list, groups: () => props.groups || [], picked: pick});
const {find, details, ending, replacement} = models;
let chosen = '';

function pick(ref) {
  models.close();
  show(ref);
  if (props.value === ref) return;
  props.value = ref;
  trigger('input');
  if (find(ref)) playground.tell('model', find(ref));
  playground.recount();
}

function show(ref) {
  chosen = ref || '';
  models.show(chosen);
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
    const mode = playground.asks(), wrong = (item.kind === 'completion' && (mode === 'chat' || mode === 'edit')) || (item.kind === 'chat' && mode === 'complete');
    if (wrong) parts.push(make('span', {class: 'pg-mismatch', text: say(item.kind === 'chat' ? 'chat_only' : 'completion_only')}), link(say(item.kind === 'chat' ? 'open_chat' : 'open_complete'), () => playground.openTab(item.kind === 'chat' ? 'chat' : 'complete')));
  }
  if (['complete', 'chat'].includes(playground.mode()) && chosen) parts.push(link(say('compare_with'), () => playground.tell('compare', {kind: playground.mode(), from: playground.mode(), columns: [{model: chosen}, {model: chosen}]})));
  about.replaceChildren(...parts);
}

function link(text, fn) {
  const button = make('button', {type: 'button', class: 'pg-link', text});
  button.addEventListener('click', fn);
  return button;
}

element.querySelector('label').textContent = say('model');
const refresh = iconButton('again', say('refresh_models'));
element.querySelector('.pg-picker-box').append(refresh);
refresh.addEventListener('click', () => { refresh.classList.add('pg-turning'); trigger('select'); });
watch('value', () => { show(props.value); playground.recount(); });
watch('groups', () => { refresh.classList.remove('pg-turning'); tellAbout(); models.refresh(); playground.tell('models', {groups: props.groups || []}); });
playground.hear('mode', tellAbout);
// Who asks is told which model is chosen, and which there are.
playground.hear('model?', (into) => Object.assign(into, {ref: chosen, groups: props.groups || []}));
// A model of the library, or a better one that is already here, is taken as if it had been chosen from the list.
playground.hear('choose', ({ref}) => pick(ref));
// Who had chosen a model that was deleted, or a checkpoint of it, goes on with its base.
playground.hear('deleted', ({deleted, base}) => { if (chosen === deleted || chosen.startsWith(deleted + ':ckpt-')) pick(base); });
show(props.value);
