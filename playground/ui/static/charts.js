// What the page's line charts share: colours, figures, axes, and how the two sides of a run look.
window.playground.charts = (() => {
  const COLOURS = ['#10a37f', '#3b82f6', '#d9480f', '#7c3aed', '#be185d', '#0891b2', '#a16207', '#475569'];
  const ORDER = ['loss', 'accuracy', 'classification', 'other'];
  const FEW = 80;
  const colourOf = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const written = (value, rules) => value.toLocaleString(playground.language(), rules);
  const figure = (value) => value == null ? '–' : Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : written(value, {maximumSignificantDigits: 4});
  // Steps, examples and tokens are whole; a million of them has no room below an axis.
  const place = (x) => x == null ? '–' : written(x);
  const tick = (x, digits) => Math.abs(x) < 1e5 ? written(x, {maximumSignificantDigits: digits + 4}) : Math.abs(x) < 1e15 ? written(x, {notation: 'compact', maximumSignificantDigits: digits}) : exponential(x, digits);
  const level = (y, digits) => y && (Math.abs(y) >= 1e5 || Math.abs(y) < 1e-3) ? exponential(y, digits) : written(y, {maximumSignificantDigits: digits});
  const exponential = (value, digits) => Number(value.toPrecision(digits)).toExponential();
  // With as few digits as tell them apart: near step 654,321 "654K" is no answer.
  function labels(values, write) {
    for (let digits = 4; ; digits += 1) {
      const texts = values.map((value) => value == null ? '' : write(value, digits)), said = texts.filter(Boolean);
      if (digits >= 15 || new Set(said).size === said.length) return texts;
    }
  }
  // 1, 2 or 5 times a power of ten, of any size; of whole places whole ones. uPlot's own end at 1e±32.
  function increments(low, high, whole) {
    const power = Math.floor(Math.log10(high - low)), found = [];
    for (let at = power - 3; at <= power; at += 1) for (const times of [1, 2, 5]) found.push(Number(`${times}e${at}`));
    const enough = whole ? found.filter((each) => each >= 1) : found;
    return enough.length ? enough : [1];
  }
  function splits(low, high, increment) {
    const first = Math.ceil(low / increment), found = [];
    for (let at = 0; at < 100 && (first + at) * increment <= high; at += 1) found.push(Number(((first + at) * increment).toPrecision(14)));
    return found;
  }
  const isWhole = (chart) => chart.data[0].every(Number.isInteger);
  const linear = {splits: (_, __, low, high, increment) => splits(low, high, increment)};
  const wide = (texts) => 20 + 7 * Math.max(0, ...(texts ?? []).map((text) => text?.length ?? 0));
  // A line that is level stands in the middle.
  const padded = (low, high, share) => low === high ? [low - 0.5, high + 0.5] : [low - (high - low) * share, high + (high - low) * share];

  // uPlot's options but for the lines: `label` names the x axis, `within` is the part of it that is shown.
  function options({width, height, label, within = null, log = false}) {
    const grid = {stroke: colourOf('--pg-line'), width: 1}, ink = {stroke: colourOf('--pg-quiet'), grid, ticks: grid, font: '12px ui-sans-serif, system-ui, sans-serif'};
    return {
      width, height, padding: [null, 24, null, null], series: [{label, value: (_, x) => place(x)}],
      scales: {x: {time: false, range: (_, low, high) => within || padded(low, high, 0)}, y: log ? {distr: 3} : {range: (_, low, high) => padded(low, high, 0.06)}},
      axes: [
        {...ink, ...linear, size: 34, space: 50, incrs: (chart, _, low, high) => increments(low, high, isWhole(chart)), values: (_, ticks) => labels(ticks, tick)},
        {...ink, ...(log ? {} : {...linear, incrs: (_, __, low, high) => increments(low, high, false)}), size: (_, texts) => Math.max(60, wide(texts)), values: (_, ticks) => labels(ticks, level)},
      ],
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

  return {COLOURS, colourOf, figure, labels: {tick: (values) => labels(values, tick), level: (values) => labels(values, level)}, increments, splits, options, line, side, together};
})();
