// What the page's line charts share: colours, figures, axes, and how the two sides of a run look.
window.playground.charts = (() => {
  const COLOURS = ['#10a37f', '#2563eb', '#d9480f', '#7c3aed', '#be185d', '#0891b2', '#a16207', '#475569'];
  const ORDER = ['loss', 'accuracy', 'classification', 'other'];
  const FEW = 80;
  const colourOf = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const written = (value, rules) => value.toLocaleString(playground.language(), rules);
  const figure = (value) => value == null ? '–' : Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : written(value, {maximumSignificantDigits: 4});
  // Steps, examples and tokens are whole; a million of them has no room below an axis.
  const place = (x) => x == null ? '–' : written(x);
  const tick = (x) => x == null ? '' : Math.abs(x) < 1e5 ? written(x) : written(x, {notation: 'compact', maximumSignificantDigits: 4});
  const WHOLE = Array.from({length: 16}, (_, power) => [1, 2, 5].map((times) => times * 10 ** power)).flat();
  // A line that is level stands in the middle.
  const padded = (low, high, share) => low === high ? [low - 0.5, high + 0.5] : [low - (high - low) * share, high + (high - low) * share];

  // uPlot's options but for the lines: `label` names the x axis, `within` is the part of it that is shown.
  function options({width, height, label, within = null, log = false}) {
    const grid = {stroke: colourOf('--pg-line'), width: 1}, ink = {stroke: colourOf('--pg-quiet'), grid, ticks: grid, font: '12px ui-sans-serif, system-ui, sans-serif'};
    return {
      width, height, padding: [null, 24, null, null], series: [{label, value: (_, x) => place(x)}],
      scales: {x: {time: false, range: (_, low, high) => within || padded(low, high, 0)}, y: log ? {distr: 3} : {range: (_, low, high) => padded(low, high, 0.06)}},
      axes: [{...ink, size: 34, space: 64, incrs: WHOLE, values: (_, ticks) => ticks.map(tick)}, {...ink, size: 60, values: (_, ticks) => ticks.map((each) => each == null ? '' : figure(each))}],
    };
  }

  // Points that exist are joined, whatever lies between them; few of them are shown as such.
  const line = ({label, stroke, points, dash, ...more}) => ({label, stroke, width: 1.75, dash, spanGaps: true, points: {show: points < FEW, size: 5}, value: (_, y) => figure(y), ...more});
  // One run alone: training in the first colour, validation in the second.
  const side = (curve) => curve.side === 'validation' ? COLOURS[1] : COLOURS[0];

  // Curves of one measure lie on one chart: {measure: {kind, lines}}, losses first.
  function together(curves) {
    const found = new Map();
    for (const curve of curves) {
      if (!curve.x.length) continue;
      if (!found.has(curve.measure)) found.set(curve.measure, {kind: curve.kind, lines: []});
      found.get(curve.measure).lines.push(curve);
    }
    return [...found].sort(([, a], [, b]) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  }

  return {COLOURS, colourOf, figure, options, line, side, together};
})();
