// What came of a sweep: the winner with its evidence, a heatmap over any two axes, cost, quality and latency, every combination.
// `ask` asks the server; `pick(cells)` is told whose answers somebody wants to see, `act(action, cell)` what to do with one.
window.playground.sweepFigures = ({say, ask, id, pick, act, by}) => {
  const {make, textButton, charts: {figure}} = playground, SVG = 'http://www.w3.org/2000/svg', MOST = 50;
  const number = (value) => value.toLocaleString(playground.language()), fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const percent = (value) => value == null ? '–' : value.toLocaleString(playground.language(), {style: 'percent', maximumFractionDigits: 0});
  const seconds = (value) => value == null ? '–' : value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toLocaleString(playground.language(), {maximumFractionDigits: 1})} s`;
  const dollars = (value) => value == null ? '–' : value === 0 ? '$0' : `$${value < 0.01 ? Number(value.toPrecision(4)) : value.toFixed(2)}`;
  const score = (value) => value == null ? '–' : value.toLocaleString(playground.language(), {maximumSignificantDigits: 3}), UNITS = {dollars, seconds, tokens: figure, score};
  const axisName = (name) => ['model', 'preset'].includes(name) ? say(name) : name, shownValue = (value) => value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
  const measureName = (measure) => measure.unit === 'score' ? measure.name : say('sweep_measure_' + measure.name);
  let said = null, x = '', y = '', all = false;

  const verdict = make('div', {class: 'pg-sweep-verdict', role: 'status'}), measure = make('select', {class: 'pg-select', 'aria-label': say('sweep_measure')}), across = make('select', {class: 'pg-select', 'aria-label': say('sweep_across')}), down = make('select', {class: 'pg-select', 'aria-label': say('sweep_down')});
  const control = (key, node) => make('label', {class: 'pg-sweep-option'}, make('span', {text: say(key)}), node);
  const axes = make('div', {class: 'pg-sweep-axes'}, control('sweep_measure', measure), control('sweep_across', across), control('sweep_down', down)), heat = make('div', {class: 'pg-scroll'}), legend = make('p', {class: 'pg-quiet', text: say('sweep_square_hint')});
  const scatter = make('figure', {class: 'pg-chart pg-sweep-scatter'}), table = make('div', {class: 'pg-scroll'}), more = textButton(say('sweep_all_rows'), () => { all = true; drawTable(); });
  const node = make('section', {class: 'pg-sweep-card pg-sweep-results', hidden: ''}, make('h3', {text: say('sweep_results')}), verdict, axes, heat, legend, scatter, table, more);

  // --- the winner ---

  function drawVerdict() {
    const {verdict: found, cells} = said, p = found?.against?.length ? Math.max(...found.against.map((each) => each.p_value)) : null;
    const text = !found ? say('sweep_no_score') : cells.length < 2 ? '' : found.winner != null ? fill('sweep_winner', {name: found.winner}) : fill('sweep_no_difference', {name: found.best, level: number(found.level.length), others: number(cells.length - 1)});
    const best = found ? found.winner_cell ?? found.best_cell : null;
    verdict.dataset.kind = found?.winner != null ? 'winner' : 'none';
    verdict.replaceChildren(...(text ? [make('strong', {text})] : []), ...(found && p != null ? [make('span', {class: 'pg-quiet', text: fill('sweep_evidence', {p: figure(p)})})] : []), ...(best != null ? [buttons(best)] : []), ...said.notes.map((note) => make('span', {class: 'pg-quiet', text: note})));
  }

  const buttons = (cell) => make('span', {class: 'pg-prepare-actions'}, textButton(say('sweep_use'), () => act('use', cell)), textButton(say('deploy'), () => act('deploy', cell)));

  const links = (cell) => make('span', {class: 'pg-prepare-actions'}, ...[['use', 'sweep_use'], ['deploy', 'deploy']].map(([action, key]) => { const made = make('button', {type: 'button', class: 'pg-link', text: say(key)}); made.addEventListener('click', () => act(action, cell)); return made; }));

  // --- over two axes ---

  const drawAxes = () => {
    const names = Object.keys(said.axes), options = (some, none) => [...(none ? [make('option', {value: '', text: say('sweep_no_axis')})] : []), ...some.map((name) => make('option', {value: name, text: axisName(name)}))];
    measure.replaceChildren(...said.measures.map((each) => make('option', {value: each.name, text: measureName(each)})));
    measure.value = said.measure.name;
    if (!names.includes(x)) x = said.heatmap?.x ?? '';
    if (y && (!names.includes(y) || y === x)) y = names.find((name) => name !== x) ?? '';
    across.replaceChildren(...options(names, false));
    across.value = x;
    down.replaceChildren(...options(names.filter((name) => name !== x), true));
    down.value = y;
    for (const each of [across, down]) each.parentElement.hidden = names.length < (each === down ? 2 : 1);
    heat.hidden = legend.hidden = !names.length;
  };

  function drawHeat(found) {
    if (!found) return heat.replaceChildren();
    const there = found.squares.map((each) => each.figure).filter(Boolean), low = Math.min(...there.map((each) => each.low)), high = Math.max(...there.map((each) => each.high)), write = UNITS[found.measure.unit];
    const at = new Map(found.squares.map((each) => [`${each.x} ${each.y}`, each])), cellOf = (square) => {
      if (!square) return make('td', {text: ''});
      const {figure: of, agreement, count, cells} = square, share = of && high > low ? (of.value - low) / (high - low) : 0.5;
      const inside = make('button', {type: 'button', class: 'pg-sweep-square'}, make('b', {text: of ? write(of.value) : '–'}), ...(of ? [make('span', {text: `${playground.range(write(of.low), write(of.high))}`})] : []), make('small', {text: [agreement == null ? '' : fill('sweep_agree', {share: percent(agreement)}), `n = ${number(count)}`].filter(Boolean).join(' · ')}));
      inside.style.setProperty('--heat', of ? `${Math.round(8 + 52 * (found.measure.higher_is_better ? share : 1 - share))}%` : '0%');
      inside.setAttribute('aria-label', `${found.x} ${shownValue(found.x_values[square.x])}${found.y ? `, ${found.y} ${shownValue(found.y_values[square.y])}` : ''}: ${inside.textContent}`);
      inside.addEventListener('click', () => pick(cells));
      return make('td', {}, inside);
    };
    const head = make('tr', {}, make('th', {scope: 'col', text: found.y ? `${axisName(found.y)} ╲ ${axisName(found.x)}` : axisName(found.x)}), ...found.x_values.map((value) => make('th', {scope: 'col', text: shownValue(value)})));
    heat.replaceChildren(make('table', {class: 'pg-sweep-heat'}, make('thead', {}, head), make('tbody', {}, ...found.y_values.map((value, row) => make('tr', {}, make('th', {scope: 'row', text: found.y ? shownValue(value) : ''}), ...found.x_values.map((_, column) => cellOf(at.get(`${column} ${row}`))))))));
  }

  const lookHeat = () => ask('heatmap', {id: id(), measure: measure.value, x, y});
  measure.addEventListener('change', () => by(measure.value));
  across.addEventListener('change', () => { const before = x; x = across.value; if (y === x) y = before; drawAxes(); lookHeat(); });
  down.addEventListener('change', () => { y = down.value; lookHeat(); });

  // --- cost, quality, latency ---

  // Across what a call costs, or where nothing does how long it takes; a larger dot takes longer. A green one nothing beats.
  function drawScatter() {
    const priced = said.cells.some((each) => each.cost), key = priced ? 'cost' : 'latency', points = said.cells.filter((each) => each.quality && each[key] != null);
    scatter.hidden = points.length < 2;
    if (scatter.hidden) return;
    const W = Math.max(280, Math.min(720, scatter.clientWidth - 26 || 640)), H = 280, LEFT = 64, BELOW = 44, EDGE = 16, svg = (tag, attributes, text) => { const made = document.createElementNS(SVG, tag); for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value); if (text != null) made.textContent = text; return made; };
    const ends = (values) => { const low = Math.min(...values), high = Math.max(...values), room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 0.5; return [low - room, high + room]; };
    const [x0, x1] = ends(points.map((each) => each[key])), [y0, y1] = ends(points.map((each) => each.quality.value)), slowest = Math.max(...points.map((each) => each.latency ?? 0)) || 1, up = UNITS[said.measure.unit];
    const px = (value) => LEFT + (value - x0) / (x1 - x0) * (W - LEFT - EDGE), py = (value) => H - BELOW - (value - y0) / (y1 - y0) * (H - BELOW - EDGE);
    const drawn = svg('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': `${measureName(said.measure)} · ${say('sweep_per_' + key)}`});
    const SHARES = [0, 0.5, 1], xs = SHARES.map((share) => x0 + share * (x1 - x0)), ys = SHARES.map((share) => y0 + share * (y1 - y0)), xTexts = apart(xs, priced ? 'dollars' : 'seconds'), yTexts = apart(ys, said.measure.unit);
    for (const [at, share] of SHARES.entries()) {
      const yv = ys[at], xv = xs[at];
      drawn.append(svg('line', {class: 'pg-grid', x1: LEFT, x2: W - EDGE, y1: py(yv), y2: py(yv)}), svg('text', {x: LEFT - 8, y: py(yv) + 4, 'text-anchor': 'end'}, yTexts[at]), svg('text', {x: px(xv), y: H - BELOW + 18, 'text-anchor': share === 1 ? 'end' : 'middle'}, xTexts[at]));
    }
    for (const each of [...points].sort((a, b) => a.front - b.front)) {
      const dot = svg('circle', {class: each.front ? 'pg-sweep-front' : 'pg-sweep-dot', cx: px(each[key]), cy: py(each.quality.value), r: 4 + 5 * Math.sqrt((each.latency ?? 0) / slowest)});
      dot.append(svg('title', {}, `${each.name}: ${up(each.quality.value)}, ${dollars(each.cost)}, ${seconds(each.latency)}`));
      dot.addEventListener('click', () => pick([each.cell]));
      drawn.append(dot);
    }
    drawn.append(svg('text', {x: (LEFT + W) / 2, y: H - 6, 'text-anchor': 'middle'}, say('sweep_per_' + key)));
    scatter.replaceChildren(make('figcaption', {text: `${measureName(said.measure)} · ${say('sweep_per_' + key)}`}), drawn, make('p', {class: 'pg-quiet', text: say('sweep_front_hint')}));
  }

  // Three ticks with three digits, or as many as it takes to tell them apart.
  function apart(values, unit) {
    const text = (value, digits) => {
      const small = unit === 'seconds' && values.every((each) => each < 1), plain = (small ? value * 1000 : value).toLocaleString(playground.language(), {maximumSignificantDigits: digits});
      return unit === 'dollars' ? `$${Number(value.toPrecision(digits))}` : unit === 'seconds' ? `${plain} ${small ? 'ms' : 's'}` : plain;
    };
    for (let digits = 3; ; digits++) {
      const texts = values.map((value) => text(value, digits));
      if (new Set(texts).size === values.length || digits > 12) return texts;
    }
  }

  // --- every combination ---

  function drawTable() {
    const up = said.measure.higher_is_better ? -1 : 1, write = UNITS[said.measure.unit], ranked = [...said.cells].sort((a, b) => (a.quality == null) - (b.quality == null) || up * ((a.quality?.value ?? 0) - (b.quality?.value ?? 0)));
    const wholes = Object.keys(said.cells[0]?.whole ?? {}), heads = [say('sweep_cell'), measureName(said.measure), 'n', say('sweep_agreement'), ...wholes, say('sweep_per_cost'), say('cell_latency'), 'p95', ''];
    const rows = (all ? ranked : ranked.slice(0, MOST)).map((each) => {
      const name = make('button', {type: 'button', class: 'pg-link', text: each.name}), of = each.quality;
      name.addEventListener('click', () => pick([each.cell]));
      return make('tr', {'data-front': String(each.front)}, make('th', {scope: 'row'}, name, ...(each.front ? [make('small', {text: say('sweep_on_front')})] : [])), make('td', {text: of ? `${write(of.value)} ${playground.range(write(of.low), write(of.high))}` : '–'}), make('td', {text: number(each.answered) + (each.failed ? ` + ${fill('sweep_failed', {failed: number(each.failed)})}` : '')}), make('td', {text: percent(each.agreement)}), ...wholes.map((key) => make('td', {text: figure(each.whole[key])})), make('td', {text: dollars(each.cost)}), make('td', {text: seconds(each.latency)}), make('td', {text: seconds(each.latency_p95)}), make('td', {}, links(each.cell)));
    });
    table.replaceChildren(make('table', {class: 'pg-sweep-cells'}, make('thead', {}, make('tr', {}, ...heads.map((text) => make('th', {scope: 'col', text})))), make('tbody', {}, ...rows)));
    more.hidden = all || ranked.length <= MOST;
  }

  return {
    node,
    show(now) {
      if (said?.id !== now.id) { all = false; x = now.heatmap?.x ?? ''; y = now.heatmap?.y ?? ''; }
      said = now;
      node.hidden = false;
      drawVerdict();
      drawAxes();
      const usual = now.heatmap && x === now.heatmap.x && y === (now.heatmap.y ?? '');
      if (usual || !x) drawHeat(now.heatmap); else lookHeat();
      drawScatter();
      drawTable();
    },
    hide() { node.hidden = true; said = null; },
    heard(value) { if (value.of !== 'heatmap' || !value.heatmap || !said) return false; if (value.heatmap.x === x && (value.heatmap.y ?? '') === y) drawHeat(value.heatmap); return true; },
  };
};
