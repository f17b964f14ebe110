// While tokens are counted, which takes seconds the first time.
window.playground.priceWaits = (home, say) => { if (!home.firstChild) home.replaceChildren(playground.make('p', {class: 'pg-quiet', role: 'status', text: say('price_counting')})); };
// What a training would cost: a row a base, its arithmetic unfolded by a click. `again` is told other epochs.
window.playground.priceTable = ({home, say, found, again}) => {
  const {make} = playground;
  const rows = found.candidates.map((each) => {
    const lines = make('tr', {class: 'pg-price-lines', hidden: ''}, make('td', {colspan: '4'}, ...each.lines.map((text) => make('p', {text})))), open = make('button', {type: 'button', class: 'pg-link', 'aria-expanded': 'false', text: each.base});
    open.addEventListener('click', () => { lines.hidden = !lines.hidden; open.setAttribute('aria-expanded', String(!lines.hidden)); });
    return [make('tr', {'data-status': each.status}, make('th', {scope: 'row'}, open, make('small', {text: say('base_' + each.status)})), make('td', {text: each.training}), make('td', {text: each.tuned ?? '–'}), make('td', {text: each.untuned ?? '–'})), lines];
  }).flat();
  const epochs = make('input', {type: 'number', min: '1', max: '50', value: String(found.epochs), class: 'pg-filter', 'aria-label': say('epochs')});
  epochs.addEventListener('change', () => again(Number(epochs.value)));
  home.replaceChildren(make('section', {class: 'pg-prepare-card'}, make('h3', {text: say('price_title')}),
    make('p', {class: 'pg-price-about'}, make('label', {}, say('epochs') + ' ', epochs), make('span', {class: 'pg-quiet', text: found.records < found.of ? say('price_part').replace('{records}', found.records.toLocaleString(playground.language())).replace('{of}', found.of.toLocaleString(playground.language())) : ''})),
    make('div', {class: 'pg-scroll'}, make('table', {}, make('thead', {}, make('tr', {}, ...['base', 'training', 'tuned', 'untuned'].map((key) => make('th', {scope: 'col', text: say('price_' + key)})))), make('tbody', {}, ...rows))),
    make('p', {class: 'pg-quiet', text: `${say('price_source')} ${found.source}`})));
};
