// One answer as a rater has it before them, with a row of grades for each criterion; by mouse, finger or keys.
// `on` has `changed()`, `next()`, `move(step)`, `undo()`. A grade of null: it cannot be judged.
window.playground.ratingItem = ({say, about, on}) => {
  const {make, icon, textButton} = playground;
  const NAMES = {correctness: ['rating_correctness', 'rating_correctness_ask'], grammar: ['rating_grammar', 'rating_grammar_ask'], context: ['rating_context', 'rating_context_ask']};
  const names = (criterion) => NAMES[criterion] ? NAMES[criterion].map(say) : [criterion, ''];
  const LOW = Math.min(...about.grades), HIGH = Math.max(...about.grades);
  let desk = null, item = null, grades = {}, current = 0, rows = [], hidden = false, waiting = false;

  const progress = make('progress', {class: 'pg-rating-progress', 'aria-hidden': 'true'}), count = make('strong', {'aria-live': 'polite'}), who = make('span', {class: 'pg-quiet'});
  const block = (key, box) => { const id = `pg-rating-${key}`; box.setAttribute('aria-labelledby', id); box.setAttribute('role', 'region'); box.tabIndex = 0; return make('section', {class: `pg-rating-${key}`}, make('h3', {id, text: say(key === 'answer' ? 'rating_answer' : 'rating_task')}), box); };
  const task = make('div', {class: 'pg-rating-text'}), answer = make('div', {class: 'pg-rating-text'}), expected = make('div', {class: 'pg-rating-text'});
  const fold = make('button', {type: 'button', class: 'pg-link'}), expects = make('section', {class: 'pg-rating-expected'}, make('h3', {}, say('rating_expected'), fold), expected);
  fold.addEventListener('click', () => { hidden = !hidden; unfold(); on.changed(); });
  const home = make('div', {class: 'pg-rating-grades'});
  const comment = make('textarea', {class: 'pg-rating-comment', rows: '1', maxlength: String(about.limits.comment), placeholder: say('rating_comment'), 'aria-label': say('rating_comment')});
  comment.addEventListener('input', on.changed);
  const back = textButton(say('rating_back'), () => on.move(-1)), later = textButton(say('rating_later'), () => on.move(1)), undo = textButton(say('rating_undo'), on.undo), unsure = textButton(say('rating_unsure'), () => rest(null));
  const next = make('button', {type: 'button', class: 'pg-button pg-primary pg-rating-next'}, say('rating_next'), make('kbd', {text: '↵'}));
  unsure.title = say('rating_unsure_help');
  undo.title = say('rating_undo_help');
  later.title = say('rating_later_help');
  next.addEventListener('click', send);
  const keys = make('p', {class: 'pg-quiet pg-rating-keys', text: say('rating_keys')});
  const node = make('div', {class: 'pg-rating-desk'}, make('header', {}, count, progress, who), block('task', task), expects, block('answer', answer), home, comment, make('footer', {}, back, later, undo, make('span', {class: 'pg-push'}), unsure, next), keys);

  function unfold() {
    expects.hidden = item?.expected == null;
    expected.hidden = hidden;
    fold.textContent = say(hidden ? 'rating_expected_show' : 'rating_expected_hide');
    fold.setAttribute('aria-expanded', String(!hidden));
  }

  function row(criterion, at) {
    const [title, asks] = names(criterion), label = make('span', {class: 'pg-rating-name'}, make('b', {text: title}), ' ', asks), group = make('div', {class: 'pg-rating-scale', role: 'group', 'aria-label': title});
    const button = (grade, text, name) => {
      const made = make('button', {type: 'button', class: 'pg-rating-grade', text, title: name, 'aria-label': `${title}: ${name}`, 'aria-pressed': 'false'});
      made.addEventListener('click', () => { current = at; give(grade); });
      return made;
    };
    const buttons = about.grades.map((grade) => button(grade, String(grade), grade === LOW ? `${grade}, ${say('rating_low')}` : grade === HIGH ? `${grade}, ${say('rating_high')}` : String(grade)));
    const none = button(null, '?', say('rating_unsure_one'));
    none.classList.add('pg-rating-none');
    group.append(...buttons, none);
    return {criterion, node: make('div', {class: 'pg-rating-row'}, label, group), buttons: [...buttons, none], values: [...about.grades, null]};
  }

  function mark() {
    rows.forEach(({criterion, node: line, buttons, values}, at) => {
      line.dataset.current = String(at === current);
      buttons.forEach((button, place) => button.setAttribute('aria-pressed', String(criterion in grades && grades[criterion] === values[place])));
    });
    next.disabled = waiting || rows.some(({criterion}) => !(criterion in grades));
    for (const button of [back, later, undo, unsure]) button.disabled = waiting;
    back.disabled ||= item?.at === 1;
    undo.disabled ||= !desk?.done;
  }

  // A grade for the row that one is at, and on to the next that has none.
  function give(grade) {
    if (waiting) return;
    grades[rows[current].criterion] = grade;
    const open = rows.findIndex(({criterion}) => !(criterion in grades));
    current = open < 0 ? current : open;
    mark();
    on.changed();
  }

  // What has no grade yet gets this one, and off it goes.
  function rest(grade) {
    if (waiting) return;
    for (const {criterion} of rows) if (!(criterion in grades)) grades[criterion] = grade;
    mark();
    send();
  }

  function send() { if (!next.disabled) on.next(); }

  // Whether this answer is on the page. A key that is meant for a field, or for what is open on top, is left alone.
  const ON_TOP = 'dialog[open], .pg-menu, .pg-popover, .pg-picker-list:not([hidden])';
  document.addEventListener('keydown', (event) => {
    if (!node.offsetParent || event.isComposing || event.altKey || document.querySelector(ON_TOP)) return;
    const {target, key} = event, writes = target.matches?.('input, textarea, select'), presses = target.matches?.('button, a, summary, [role="tab"]');
    if (writes && key === 'Escape') return target.blur();
    if (key === 'Enter' && (writes ? event.ctrlKey || event.metaKey : !presses || target.closest('.pg-rating-scale'))) { event.preventDefault(); if (!event.repeat) send(); return; }
    if (writes || event.ctrlKey || event.metaKey) return;
    const grade = key === '0' || key === '?' ? null : about.grades.find((each) => String(each) === key);
    const does = grade !== undefined ? () => give(grade) : {ArrowUp: () => turn(-1), ArrowDown: () => turn(1), ArrowLeft: () => back.disabled || on.move(-1), ArrowRight: () => later.disabled || on.move(1)}[key];
    // The arrows scroll a long text that has the focus.
    if (!does || (key.startsWith('Arrow') && target.closest?.('.pg-rating-text'))) return;
    event.preventDefault();
    if (!event.repeat) does();
  });

  function turn(step) { current = Math.min(Math.max(current + step, 0), rows.length - 1); mark(); }

  return {
    node, names,
    // `draft`: what had been given and not sent when the page was left.
    show(now, shown, draft = null) {
      [desk, item] = [now, shown];
      grades = {...(draft?.grades ?? item.grades)};
      comment.value = draft?.comment ?? item.comment;
      rows = desk.queue.criteria.map(row);
      current = Math.max(rows.findIndex(({criterion}) => !(criterion in grades)), 0);
      const held = node.contains(document.activeElement);
      home.replaceChildren(...rows.map((each) => each.node));
      task.textContent = item.task;
      expected.textContent = item.expected ?? '';
      answer.textContent = item.answer;
      answer.dataset.empty = say('rating_empty');
      count.textContent = say('rating_progress').replace('{done}', desk.done).replace('{count}', desk.count);
      [progress.max, progress.value] = [desk.count, desk.done];
      who.textContent = say('rating_who').replace('{rater}', desk.rater).replace('{at}', item.at);
      for (const box of [task, expected, answer]) box.scrollTop = 0;
      unfold();
      mark();
      if (held) rows[current].buttons[0].focus({preventScroll: true});
      node.scrollIntoView({block: 'nearest'});
    },
    wait(now) { waiting = now; mark(); },
    take() { return {item: item?.key, grades: {...grades}, comment: comment.value, hidden}; },
    hide(now) { hidden = now; },
  };
};
