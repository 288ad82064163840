// A thin wrapper around uPlot in our colours: stacked series over time, and sparklines. Redraws on a change of theme
// or width. `import { timeChart, sparkline } from "./chart.js"`.
import { ago, exact, number } from "./formats.js";

const VENDOR = new URL("../vendor/uplot@1.6.32/uPlot.iife.min.js", import.meta.url);
let loading;

function uplot() {
  if (window.uPlot) return Promise.resolve(window.uPlot);
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = VENDOR;
    script.onload = () => done(window.uPlot);
    script.onerror = () => failed(new Error("The chart library could not be loaded: reload the page."));
    document.head.append(script);
  });
  return loading;
}

// A token's colour in the theme of this moment; anything that is not a token's name is a colour already.
export function token(name) {
  return name.startsWith("--") ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : name;
}

// A share of one #rrggbb colour over another: stacked areas are opaque, or those beneath would tint them.
function mixed(over, under, share) {
  const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const [a, b] = [parts(over), parts(under)];
  return a.some(Number.isNaN) ? over : `rgb(${a.map((value, at) => Math.round(value * share + b[at] * (1 - share))).join(" ")})`;
}

// Each series on top of those before it; a gap counts as nothing. Returns the sums, bottom first.
export function stacked(rows) {
  const sums = [];
  rows.forEach((row, index) => {
    sums.push(row.map((value, at) => (value ?? 0) + (index ? sums[index - 1][at] : 0)));
  });
  return sums;
}

const PAD = (n) => String(n).padStart(2, "0");
// Axis labels in local time, as precise as the distance between them.
function clock(seconds, step) {
  const at = new Date(seconds * 1000);
  if (step >= 86400) return `${at.getDate()}.${at.getMonth() + 1}.`;
  const time = `${PAD(at.getHours())}:${PAD(at.getMinutes())}`;
  return step < 60 ? `${time}:${PAD(at.getSeconds())}` : time;
}

/**
 * A chart over time.
 *
 * host     the element to fill (its height is the chart's)
 * options  series: [{label, colour ("--hue-3" or any CSS colour), fill?: true, dash?: [on, off], over?: true: a line over
 *          what is stacked}], stack: true|false, legend: true names the lines below, each as it is drawn,
 *          format: value → text, onZoom(fromSeconds, toSeconds), onPick(seconds, {left, top} in the host; by a click, or
 *          by the arrow keys and Enter), marks: [seconds] drawn as red ticks, sync: charts of one name share their crosshair,
 *          ceiling: () → the highest value the axis shows (what is above is cut off), empty: text shown without data
 * Returns {set(times, rows), configure(series), marks(list), destroy()}: times in Unix seconds, one row a series.
 */
export async function timeChart(host, options) {
  const Plot = await uplot();
  let { series, marks = [] } = options;
  const { stack = true, format = number } = options;
  let plot, times = [], rows = [];
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  const legend = document.createElement("div");
  legend.className = "legend chart-legend";
  if (options.legend) host.after(legend);
  if (options.onPick) {
    host.tabIndex = 0;
    host.addEventListener("keydown", walk);
  }

  function data() {
    const shown = series.map((_, index) => rows[index] ?? times.map(() => null));
    // uPlot paints later series over earlier ones: the tallest sum comes first, and lines over them last.
    const lies = (isOver) => shown.filter((_, index) => Boolean(series[index].over) === isOver);
    return [times, ...(stack ? [...stacked(lies(false)).reverse(), ...lies(true)] : shown)];
  }

  function build() {
    plot?.destroy();
    const text = token("--text-3"), line = token("--line");
    const order = stack ? [...series.filter((each) => !each.over).reverse(), ...series.filter((each) => each.over)] : series;
    const axis = { stroke: text, font: "12px system-ui, sans-serif", ticks: { show: false } };
    const width = Math.max(host.clientWidth, 100);
    plot = new Plot(
      {
        width,
        height: Math.max(host.clientHeight, 120),
        padding: [8, 18, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: Boolean(options.onZoom), y: false, setScale: false }, ...(options.sync && { sync: { key: options.sync } }) },
        scales: { x: { time: true }, y: { range: (_, __, max) => [0, niceMax(Math.min(max, options.ceiling?.() ?? max))] } },
        axes: [
          { ...axis, size: 26, gap: 6, space: 72, grid: { show: false }, values: (_, splits, __, ___, step) => splits.map((at) => clock(at, step)) },
          { ...axis, size: (_, labels) => Math.max(52, 16 + 6.6 * Math.max(0, ...(labels ?? []).map((label) => label.length))), gap: 6, space: 36, grid: { stroke: line, width: 1 }, values: (_, splits) => splits.map(format) },
        ],
        series: [
          {},
          ...order.map((each) => {
            const colour = token(each.colour);
            const isStacked = stack && !each.over;
            return { label: each.label, stroke: colour, width: isStacked ? 1 : 1.5, dash: each.dash, fill: isStacked || each.fill ? mixed(colour, token("--surface"), stack ? 0.7 : 0.14) : undefined, points: { show: false } };
          }),
        ],
        hooks: {
          draw: [drawMarks],
          setCursor: [showTip],
          setSelect: [
            (u) => {
              if (!options.onZoom || u.select.width < 6) return;
              options.onZoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
              u.setSelect({ width: 0, height: 0 }, false);
            },
          ],
        },
      },
      data(),
      host,
    );
    host.append(tip);
    if (options.onPick) plot.over.addEventListener("click", () => plot.select.width < 6 && pick());
    if (options.legend) drawLegend();
  }

  function pick() {
    const { idx, left, top } = plot.cursor;
    if (idx != null && left >= 0) options.onPick(times[idx], { left: plot.over.offsetLeft + left, top: Math.max(0, top) });
  }

  // The crosshair by keyboard: the arrows move it, Enter chooses.
  function walk(event) {
    if (event.target !== host || !times.length) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) {
      const from = plot.cursor.left >= 0 && plot.cursor.idx != null ? plot.cursor.idx : times.length;
      const index = Math.max(0, Math.min(times.length - 1, from + by * (event.shiftKey ? 10 : 1)));
      plot.setCursor({ left: plot.valToPos(times[index], "x"), top: 12 });
    } else if (event.key === "Enter") pick();
    else return;
    event.preventDefault();
  }

  function drawLegend() {
    legend.replaceChildren(
      ...series.map((each) => {
        const item = document.createElement("span");
        const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        line.setAttribute("viewBox", "0 0 26 8");
        line.setAttribute("class", "legend-line");
        const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
        for (const [name, value] of Object.entries({ x1: 0, x2: 26, y1: 4, y2: 4, stroke: token(each.colour), "stroke-width": 2, "stroke-dasharray": (each.dash ?? []).join(" ") })) stroke.setAttribute(name, value);
        line.append(stroke);
        item.append(line, each.label);
        return item;
      }),
    );
  }

  function drawMarks(u) {
    const { ctx } = u;
    ctx.save();
    ctx.fillStyle = token("--broken");
    const ratio = window.devicePixelRatio || 1;
    for (const at of marks) {
      const x = Math.round(u.valToPos(at, "x", true));
      if (x >= u.bbox.left && x <= u.bbox.left + u.bbox.width) ctx.fillRect(x - ratio, u.bbox.top + u.bbox.height - 7 * ratio, 2 * ratio, 7 * ratio);
    }
    ctx.restore();
  }

  function showTip(u) {
    const { left, idx } = u.cursor;
    if (idx == null || left < 0 || times[idx] === undefined) {
      tip.hidden = true;
      return;
    }
    const at = new Date(times[idx] * 1000);
    const when = document.createElement("time");
    when.textContent = `${clock(times[idx], 1)} · ${ago(at)}`;
    when.title = exact(at);
    const lines = series
      .map((each, index) => ({ ...each, value: rows[index]?.[idx] }))
      .filter((each) => each.value)
      .sort((a, b) => b.value - a.value);
    const shown = lines.slice(0, 10).map((each) => tipLine(each.label, format(each.value), each.colour));
    if (lines.length > 10) shown.push(tipLine(`${lines.length - 10} more`, format(lines.slice(10).reduce((sum, each) => sum + each.value, 0))));
    const together = lines.filter((each) => !each.over);
    if (together.length > 1 && stack) shown.push(tipLine("Together", format(together.reduce((sum, each) => sum + each.value, 0))));
    tip.replaceChildren(when, ...shown);
    tip.hidden = false;
    const x = u.over.offsetLeft + left;
    const room = host.clientWidth - x > tip.offsetWidth + 24;
    tip.style.left = `${room ? x + 12 : Math.max(0, x - tip.offsetWidth - 12)}px`;
    tip.style.top = "8px";
  }

  function tipLine(label, value, colour) {
    const line = document.createElement("div");
    if (colour) {
      const dot = document.createElement("i");
      dot.className = "dot";
      dot.style.background = token(colour);
      line.append(dot);
    }
    const figure = document.createElement("b");
    figure.textContent = value;
    line.append(label, figure);
    return line;
  }

  build();
  const resize = new ResizeObserver(() => {
    if (host.clientWidth && (host.clientWidth !== plot.width || Math.abs(host.clientHeight - plot.height) > 1)) plot.setSize({ width: host.clientWidth, height: Math.max(host.clientHeight, 120) });
  });
  resize.observe(host);
  document.addEventListener("eventhub:theme", build);

  return {
    set(newTimes, newRows) {
      times = newTimes;
      rows = newRows;
      plot.setData(data());
    },
    configure(newSeries) {
      series = newSeries;
      build();
    },
    marks(list) {
      marks = list;
      plot.redraw(false);
    },
    destroy() {
      resize.disconnect();
      document.removeEventListener("eventhub:theme", build);
      host.removeEventListener("keydown", walk);
      plot.destroy();
      tip.remove();
      legend.remove();
    },
  };
}

// The axis ends at a round number a little above the highest value.
export function niceMax(max) {
  if (!max || max <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  for (const factor of [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]) {
    if (max <= factor * power * 0.98) return factor * power;
  }
  return 12 * power;
}

const sparks = new Map(); // canvas → what it shows

/** Draws values (numbers or null) as a small line with a soft area on a canvas; colour is a token or a CSS colour. */
export function sparkline(canvas, values, colour = "--accent") {
  if (!sparks.has(canvas)) watch.observe(canvas);
  sparks.set(canvas, { values, colour });
  drawSpark(canvas);
}

const watch = new ResizeObserver((changes) => changes.forEach((change) => drawSpark(change.target)));

function drawSpark(canvas) {
  const spark = sparks.get(canvas);
  if (!canvas.isConnected) {
    watch.unobserve(canvas);
    sparks.delete(canvas);
    return;
  }
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!spark || !width || !height) return;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  const values = spark.values.map((value) => value ?? 0);
  if (values.length < 2) return;
  const max = Math.max(...values) || 1;
  const base = height - 1.5;
  const x = (index) => (index / (values.length - 1)) * width;
  const y = (value) => base - (value / max) * (height - 5);
  const colour = token(spark.colour);
  ctx.beginPath();
  values.forEach((value, index) => (index ? ctx.lineTo(x(index), y(value)) : ctx.moveTo(x(0), y(value))));
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5;
  ctx.lineJoin = "round";
  ctx.stroke();
  ctx.lineTo(width, height);
  ctx.lineTo(0, height);
  ctx.closePath();
  ctx.globalAlpha = 0.12;
  ctx.fillStyle = colour;
  ctx.fill();
}

document.addEventListener("eventhub:theme", () => {
  for (const canvas of sparks.keys()) drawSpark(canvas);
});
