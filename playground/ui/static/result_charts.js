// The charts of the Results tab: one a measure, runs over each other, their legends, checkpoints, and all as a picture.
// `desk` is what is open and how it is shown. `zoom(within)` shows a part of it; `toggled()` is told that a legend has hidden
// or shown a line, `drawn(count)` how many charts there are, `compare(file, checkpoint)` of a click on a checkpoint.
window.playground.resultCharts = ({home, say, words, desk, zoom, toggled, drawn, compare}) => {
  const {make, files: {give}} = playground, {view} = desk, {colourOf} = playground.charts;
  const HIGH = 260, FRAME = 26;  // a chart's height, and its padding and border
  const wide = () => Math.max(260, home.clientWidth - FRAME);
  let plots = [];

  // Training and validation of every file, each with the points that it has.
  const measures = () => playground.charts.together(desk.files.flatMap((file) => (desk.curves[file.id]?.curves || []).map((curve) => ({...curve, file}))));

  const faint = (colour) => colour + '55';
  const positive = (values) => view.log ? values.map((y) => y > 0 ? y : null) : values;

  function series(curve) {
    const {file} = curve, single = desk.files.length === 1, colour = single ? playground.charts.side(curve) : file.colour;
    const label = (single ? '' : file.name + ' · ') + curve.name, dash = curve.side === 'validation' && !single ? [6, 4] : undefined;
    // A logarithm has no place for 0: the line is cut there, and what stands alone between two cuts is a dot.
    const cut = view.log && curve.y.some((y) => y <= 0);
    const line = playground.charts.line({label, stroke: colour, points: cut && curve.y.length < 500 ? 1 : curve.points, dash, show: !file.off.has(curve.name), curve, spanGaps: !cut});
    // What was measured stays faint behind what is smoothed, and goes with it when that is hidden.
    if (!curve.smooth_x) return [[line, [curve.x, positive(curve.y)]]];
    return [[{...line, raw: true, stroke: faint(colour), width: 1, dash: undefined, points: {...line.points, size: 3}}, [curve.x, positive(curve.y)]], [{...line, points: {show: false}}, [curve.smooth_x, positive(curve.smooth_y)]]];
  }

  function plot(measure, {kind, lines}, width) {
    // 2: a null cuts the line as far as the next points of its own, whatever stands between them on other lines.
    const all = lines.flatMap(series), data = uPlot.join(all.map(([, points]) => points), all.map(() => [0, 2]));
    const plain = playground.charts.options({width, height: HIGH, label: words['axis.' + desk.across()], within: view.within, log: view.log});
    const options = {
      ...plain, series: [...plain.series, ...all.map(([line]) => line)],
      cursor: {sync: {key: 'results'}, drag: {x: true, y: false, setScale: false}, focus: {prox: 24}, bind: {dblclick: () => () => { zoom(null); return null; }}},
      focus: {alpha: 0.3},
      hooks: {setSelect: [(chart) => { if (chart.select.width > 4) narrow(['left', 'right'].map((end) => chart.posToVal(chart.select.left + (end === 'right' ? chart.select.width : 0), 'x'))); }]},
    };
    // What the legend hides stays hidden when the chart is drawn anew; what was measured goes with what is smoothed.
    options.hooks.setSeries = [(chart, at, {show}) => {
      const {curve} = chart.series[at] ?? {};
      if (show == null || !curve) return;
      show ? curve.file.off.delete(curve.name) : curve.file.off.add(curve.name);
      toggled();
      if (chart.series[at - 1]?.raw && chart.series[at - 1].show !== show) chart.setSeries(at - 1, {show});
    }];
    if (kind === 'accuracy' && desk.floor && measure === 'token_accuracy') options.hooks.draw = [drawFloor];
    options.hooks.draw = [...(options.hooks.draw ?? []), mark];
    const node = make('figure', {class: 'pg-plot'}, make('figcaption', {text: words['measure.' + measure] ?? measure}));
    home.append(node);
    const cut = view.log && lines.some((curve) => curve.y.some((y) => y <= 0)) ? [make('p', {class: 'pg-quiet', text: words['report.not_positive']})] : [];
    if (cut.length && lines.every((curve) => curve.y.every((y) => y <= 0))) return node.append(...cut);
    const chart = new uPlot(options, data, node);
    plots.push(chart);
    chart.root.querySelectorAll('.u-legend .u-series').forEach((row, number) => { row.hidden = Boolean(chart.series[number].raw); if (number) pressed(row.querySelector('th')); });
    if (options.hooks.draw.includes(drawFloor)) node.append(make('p', {class: 'pg-quiet', text: desk.floor.why}));
    node.append(...cut);
  }

  // The legend by keyboard, too.
  function pressed(name) {
    name.tabIndex = 0;
    name.setAttribute('role', 'button');
    name.addEventListener('keydown', (event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); name.click(); } });
  }

  // What a wrong answer reaches all the same.
  function drawFloor(chart) {
    const y = chart.valToPos(desk.floor.value, 'y', true), {left, width, top, height} = chart.bbox, {ctx} = chart;
    if (y < top || y > top + height) return;
    ctx.save();
    ctx.strokeStyle = colourOf('--pg-amber');
    ctx.setLineDash([3, 4]);
    ctx.beginPath(); ctx.moveTo(left, y); ctx.lineTo(left + width, y); ctx.stroke();
    ctx.restore();
  }

  function draw() {
    for (const chart of plots) chart.destroy();
    plots = [];
    home.replaceChildren();
    const width = wide();
    for (const [measure, about] of measures()) plot(measure, about, width);
    drawn(plots.length);
  }

  // Whether there is anything in the part that is shown: the file that it was chosen on may have been closed.

  // A click on what is zoomed asks for the same part once more: drawing it anew would swallow a double click.
  const narrow = (within) => { if (!view.within?.every((end, at) => Math.abs(end - within[at]) < 1e-6 * (Math.abs(end) || 1))) zoom(within); };

  // Checkpoints stand on the chart where they were saved; the list in the file's card is the keyboard's way to them.
  function mark(chart) {
    chart.over.querySelectorAll('.pg-checkpoint').forEach((each) => each.remove());
    for (const file of desk.files) for (const each of desk.hidden(file) ? [] : file.checkpoints) {
      const x = each.at[desk.across()];
      if (x == null || x < chart.scales.x.min || x > chart.scales.x.max) continue;
      const name = `${say('results_checkpoint')} ${each.step}`, button = make('button', {type: 'button', class: 'pg-checkpoint', tabindex: '-1', title: name, 'aria-label': name});
      button.style.left = chart.valToPos(x, 'x') + 'px';
      button.addEventListener('mousedown', (event) => event.stopPropagation());
      button.addEventListener('click', () => compare(file, each));
      chart.over.append(button);
    }
  }

  // All charts, one below the other, with their names and their lines' names.
  function picture() {
    const ratio = devicePixelRatio || 1, LINE = 20 * ratio, canvas = make('canvas'), paper = canvas.getContext('2d');
    const heads = plots.map((chart) => [chart.root.parentNode.querySelector('figcaption').textContent, ...chart.series.slice(1).filter((line) => line.show && !line.raw).map((line) => line.label)]);
    const font = (row) => `${row ? '' : 'bold '}${13 * ratio}px sans-serif`, wide = (text, row) => { paper.font = font(row); return paper.measureText(text).width + 24 * ratio; };
    // As wide as the longest name, which on a phone is wider than the charts.
    canvas.width = Math.max(...plots.map((chart) => chart.ctx.canvas.width), ...heads.flatMap((texts) => texts.map(wide)));
    canvas.height = plots.reduce((sum, chart, at) => sum + chart.ctx.canvas.height + LINE * (heads[at].length + 1), 0);
    paper.fillStyle = colourOf('--pg-surface');
    paper.fillRect(0, 0, canvas.width, canvas.height);
    let top = 0;
    plots.forEach((chart, at) => {
      const lines = chart.series.slice(1).filter((line) => line.show && !line.raw);
      heads[at].forEach((text, row) => {
        paper.font = font(row);
        paper.fillStyle = row ? lines[row - 1].stroke() : colourOf('--pg-text');
        paper.fillText(text, 12 * ratio, top += LINE);
      });
      paper.drawImage(chart.ctx.canvas, 0, top + LINE / 2);
      top += chart.ctx.canvas.height + LINE;
    });
    canvas.toBlob((blob) => give('results.png', [blob], 'image/png'));
  }

  new ResizeObserver(() => { if (home.clientWidth) for (const chart of plots) if (chart.width !== wide()) chart.setSize({width: wide(), height: HIGH}); }).observe(home);
  new MutationObserver(() => { if (plots.length) draw(); }).observe(document.body, {attributes: true, attributeFilter: ['class']});
  return {draw, picture};
};
