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
    // Halved: the difference of the largest numbers is infinite.
    const power = Math.floor(Math.log10(high / 2 - low / 2) + Math.log10(2)), found = [];
    if (!Number.isFinite(power)) return [1];
    for (let at = power - 3; at <= power; at += 1) for (const times of [1, 2, 5]) found.push(Number(`${times}e${at}`));
    const enough = found.filter((each) => whole ? each >= 1 : each > 0 && Number.isFinite(each));
    return enough.length ? enough : [1];
  }
  function splits(low, high, increment) {
    const first = Math.ceil(low / increment), found = [];
    for (let at = 0; at < 100 && (first + at) * increment <= high; at += 1) found.push(Number(((first + at) * increment).toPrecision(14)));
    return found;
  }
  // From low to high powers of ten; within two of them 1, 2 and 5 times such, and where that is too few what a linear axis has.
  // As report_scale.py has it. uPlot's own never end beyond 1e±32.
  function powers(low, high, most = 7) {
    const [least, largest] = [low, high].map(Math.log10), from = Math.ceil(least), to = Math.floor(largest);
    if (to - from > 1) return splits(least, largest, increments(least, largest, true).find((each) => (largest - least) / each <= most) ?? to - from).map((power) => Number(`1e${power}`));
    const found = [];
    for (let power = from - 1; power <= to; power += 1) for (const times of [1, 2, 5]) found.push(Number(`${times}e${power}`));
    const near = found.filter((each) => each >= low && each <= high);
    return near.length > 2 ? near : splits(low, high, increments(low, high, false).find((each) => (high - low) / each <= most));
  }
  const isWhole = (chart) => chart.data[0].every(Number.isInteger);
  // Figures of our own: uPlot drops an axis whose steps it holds too small to be written, but takes 5, which it need not write.
  function linear(whole) {
    let step = 1;
    return {
      incrs(chart, _, low, high, width, space) {
        const all = increments(low, high, whole(chart));
        step = all.find((each) => each / (high - low) * width >= space) ?? all.at(-1);
        return [Math.max(5, step)];
      },
      splits: (_, __, low, high) => splits(low, high, step),
    };
  }
  const wide = (texts) => 20 + 7 * Math.max(0, ...(texts ?? []).map((text) => text?.length ?? 0));
  const MOST = Number.MAX_VALUE / 2;
  const held = (ends) => ends.map((end) => Math.max(-MOST, Math.min(MOST, end)));
  // A line that is level stands in the middle; what is 0 has nothing below it.
  const aroundLevel = (y) => y ? [y - Math.abs(y) / 2, y + Math.abs(y) / 2] : [0, 1];
  const padded = (low, high, share) => held(low === high ? aroundLevel(low) : [low - (high - low) * share, high + (high - low) * share]);

  // The same of powers of ten, within what a number can hold.
  function padded10(low, high) {
    const pad = low === high ? 0.5 : (Math.log10(high) - Math.log10(low)) * 0.04, least = Math.log10(low) - pad, largest = Math.log10(high) + pad;
    return [10 ** Math.max(least, -323), 10 ** Math.min(largest, 308.25)];
  }

  // uPlot's options but for the lines: `label` names the x axis, `within` is the part of it that is shown.
  function options({width, height, label, within = null, log = false}) {
    const grid = {stroke: colourOf('--pg-line'), width: 1}, ink = {stroke: colourOf('--pg-quiet'), grid, ticks: grid, font: '12px ui-sans-serif, system-ui, sans-serif'};
    return {
      width, height, padding: [null, 24, null, null], series: [{label, value: (_, x) => place(x)}],
      scales: {x: {time: false, range: (_, low, high) => within || held(low === high ? [low - 0.5, high + 0.5] : [low, high])}, y: log ? {distr: 3, range: (_, low, high) => padded10(low, high)} : {range: (_, low, high) => padded(low, high, 0.06)}},
      axes: [
        {...ink, ...linear(isWhole), size: 34, space: 50, values: (_, ticks) => labels(ticks, tick)},
        {...ink, ...linear(() => false), ...(log ? {splits: (_, __, low, high) => powers(low, high), filter: (_, all) => all} : {}), size: (_, texts) => Math.max(60, wide(texts)), values: (_, ticks) => labels(ticks, level)},
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

  return {COLOURS, colourOf, figure, labels: {tick: (values) => labels(values, tick), level: (values) => labels(values, level)}, increments, splits, powers, options, line, side, together};
})();
