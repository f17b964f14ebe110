// The tables of the Results tab: what each column says, its last and best values, and the rows in parts.
// `desk.files` are those that are open; `ask('rows', …)` asks for more rows, which come to `add`.
window.playground.resultTables = ({home, say, words, desk, ask}) => {
  const {make} = playground, {figure} = playground.charts;
  const at = (point) => point ? make('span', {}, make('strong', {text: figure(point[1])}), make('small', {text: ` ${words['axis.step'].toLowerCase()} ${point[0].toLocaleString(playground.language())}`})) : make('span', {text: '–'});

  // A file's table is made once: the rows that were opened stay open.
  const made = new Map();
  function draw() {
    home.replaceChildren(...desk.files.filter((file) => !desk.hidden(file)).map((file) => {
      if (!made.has(file.id)) made.set(file.id, table(file));
      const node = made.get(file.id);
      node.querySelector('h3').textContent = desk.files.length > 1 ? file.name : say('results_columns');
      return node;
    }));
  }

  function table(file) {
    const body = file.columns.map((column) => make('tr', {}, make('th', {scope: 'row'}, make('code', {text: column.name}), make('small', {text: words[column.explains] ?? ''})), make('td', {}, at(column.last)), make('td', {}, at(column.best))));
    const rows = make('div', {class: 'pg-result-rows'}), more = make('button', {type: 'button', class: 'pg-button', text: say('results_rows')});
    more.addEventListener('click', () => ask('rows', {id: file.id, start: rows.querySelectorAll('tbody tr').length}));
    return make('section', {class: 'pg-result-table'}, make('h3'),
      make('table', {}, make('thead', {}, make('tr', {}, ...['report.column', 'report.last', 'report.best'].map((key) => make('th', {scope: 'col', text: words[key]})))), make('tbody', {}, ...body)), rows, more);
  }

  function add({id, start, names, table}) {
    const rows = made.get(id)?.querySelector('.pg-result-rows'), file = desk.files.find((each) => each.id === id);
    if (!rows || !file) return;
    if (!rows.firstChild) rows.append(make('table', {}, make('thead', {}, make('tr', {}, ...names.map((text) => make('th', {scope: 'col', text})))), make('tbody')));
    if (rows.querySelectorAll('tbody tr').length !== start) return;
    rows.querySelector('tbody').append(...table.map((cells) => make('tr', {}, ...cells.map((cell) => make('td', {text: cell == null ? '' : cell.toLocaleString(playground.language(), Number.isInteger(cell) ? {} : {maximumSignificantDigits: 6})})))));
    rows.nextSibling.hidden = start + table.length >= file.rows;
  }

  return {draw, add, forget: (file) => made.delete(file.id)};
};
