// The lines under the editor: figures as cells, and above them what is going on or went wrong, with what can be done about it.
// Value: {cells, notice}, as `said.js` shows them; a notice may also hold {lacks, offer, without}.
const {make, said} = playground, say = playground.saying();
const cells = element.querySelector('.pg-cells'), notice = element.querySelector('.pg-notice');

// What a fine-tuned model was trained with, and this prompt lacks: one click adds it.
function lacks({append, separator, ending}) {
  const said = (key, text) => make('span', {}, say(key) + ' ', make('code', {text: text.replaceAll(' ', '␣')}));
  if (separator) notice.append(said('lacks_separator', separator));
  if (ending) notice.append(said('lacks_ending', ending));
  const add = make('button', {type: 'button', class: 'pg-keep', text: say('lacks_add')});
  add.addEventListener('click', () => {
    if (append) playground.tell('append', {scope: props.scope, text: append});
    if (ending) playground.tell('stop', {text: ending});
  });
  notice.append(add);
}

// A better model at the moment it matters: one that is here is taken with one click, else the library opens. Who has put
// the line aside is not told again.
function offers({ref, name}) {
  const button = (text, fn) => { const made = make('button', {type: 'button', class: 'pg-keep', text}); made.addEventListener('click', fn); notice.append(made); };
  if (ref) button(say('offer_use').replace('{name}', () => name), () => playground.tell('choose', {ref}));
  else if (document.body.dataset.library) button(say('offer_look'), () => playground.tell('library', {first: 'spanish'}));
  const aside = playground.iconButton('close', say('offer_dismiss'), {class: 'pg-aside'});
  aside.addEventListener('click', () => { playground.keep('offer', false); tell(null); });
  notice.append(aside);
}

function tell(data) {
  if (data?.offer && playground.kept('offer') === false) data = null;
  said.notice(notice, data);
  if (!data) return;
  if (data.lacks) lacks(data.lacks);
  if (data.offer) offers(data.offer);
  if (data.without) {
    const again = make('button', {type: 'button', class: 'pg-keep pg-without', text: say('send_without').replace('{name}', data.without)});
    again.addEventListener('click', () => { again.disabled = true; playground.tell('again', {scope: props.scope, without: data.without}); });
    notice.append(again);
  }
}

function show(value) {
  cells.replaceChildren(...(value?.cells || []).map(said.cell));
  tell(value?.notice);
}

watch('value', () => show(props.value));
show(props.value);
