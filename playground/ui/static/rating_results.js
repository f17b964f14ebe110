// What people's ratings come to: for each criterion the systems with their intervals, the verdict, and how far raters agree.
window.playground.ratingResults = ({say, names, grades}) => {
  const {make} = playground, LOW = Math.min(...grades), HIGH = Math.max(...grades);
  const number = (value, digits) => value == null ? '–' : value.toLocaleString(playground.language(), {minimumFractionDigits: digits, maximumFractionDigits: digits});
  const cell = (tag, text) => make(tag, {text});
  const table = (heads, rows) => make('div', {class: 'pg-scroll'}, make('table', {}, make('thead', {}, make('tr', {}, ...heads.map((key) => cell('th', say(key))))), make('tbody', {}, ...rows)));
  const place = (value) => 100 * (value - LOW) / (HIGH - LOW) + '%';

  function track(figure) {
    const node = make('div', {class: 'pg-versus-track'}), span = make('i'), dot = make('b');
    [span.style.left, span.style.width, dot.style.left] = [place(figure.low), 100 * (figure.high - figure.low) / (HIGH - LOW) + '%', place(figure.value)];
    node.append(span, dot);
    return make('td', {}, node, make('span', {text: `${number(figure.low, 2)} – ${number(figure.high, 2)}`}));
  }

  function system({name, figure, graded, unsure}) {
    const between = figure ? track(figure) : cell('td', '–');
    return make('tr', {}, make('th', {scope: 'row', text: name}), cell('td', number(figure?.value, 2)), between, cell('td', String(figure?.count ?? 0)), cell('td', String(graded)), cell('td', String(unsure)));
  }

  const pair = ({raters, kappa, count, says}) => make('tr', {}, make('th', {scope: 'row', text: raters.join(' · ')}), cell('td', number(kappa, 2)), cell('td', String(count)), cell('td', says));

  function criterion(each) {
    const [title, asks] = names(each.criterion), alpha = each.alpha == null ? '' : say('rating_alpha').replace('{alpha}', number(each.alpha, 2)).replace('{items}', each.items);
    const parts = [make('h3', {text: title}), ...(asks ? [make('p', {class: 'pg-quiet', text: asks})] : []), make('p', {class: 'pg-rating-verdict', text: each.verdict_says})];
    parts.push(table(['rating_system', 'rating_mean', 'rating_interval', 'rating_cases', 'rating_graded', 'rating_unsure_count'], each.systems.map(system)));
    parts.push(make('h4', {text: say('rating_agreement')}), make('p', {text: [alpha, each.alpha_says].filter(Boolean).join(' ')}));
    if (each.kappas.length) parts.push(table(['rating_pair', 'rating_kappa', 'rating_shared', 'rating_meaning'], each.kappas.map(pair)));
    return make('section', {class: 'pg-rating-criterion'}, ...parts);
  }

  const rater = ({rater: name, done, count, seen}) => make('tr', {}, make('th', {scope: 'row', text: name}), cell('td', say('rating_progress').replace('{done}', done).replace('{count}', count)), cell('td', seen ? say('rating_seen') : ''));

  return (said) => {
    if (!said.criteria.length) return make('p', {class: 'pg-empty', text: say('rating_none')});
    const changed = said.changed ? [make('p', {class: 'pg-quiet', text: say('rating_changed').replace('{count}', said.changed)})] : [];
    return make('div', {class: 'pg-rating-results'}, ...said.criteria.map(criterion), make('section', {class: 'pg-rating-criterion'}, make('h3', {text: say('rating_raters')}), table(['rating_rater', 'rating_done', 'rating_note'], said.raters.map(rater)), ...changed), make('p', {class: 'pg-quiet', text: say('rating_how')}));
  };
};
