// The big chart: events a second by type, stacked, errors as red ticks. Continued from the snapshots' last seconds;
// asked for anew when the page was away for longer than those tell.
import { timeChart, token } from "./chart.js";
import { drawErrors } from "./error-strip.js";
import { rate } from "./formats.js";
import { hueOf } from "./hues.js";
import { openMoment } from "./moment.js";

const OTHER = "other";
const MOST_TYPES = 11;
// Types of one entity share its hue and differ in depth.
const SHADES = [100, 68, 46, 82, 57, 36];

// A short burst (a backlog taken in at once) must not press everything else flat: what rises far above nearly all the
// rest is cut off, and said so.
export function ceilingOf(totals) {
  const ordered = totals.filter((total) => total > 0).sort((a, b) => a - b);
  const most = ordered.at(-1) ?? 0;
  const usual = ordered[Math.floor(ordered.length * 0.93)] ?? 0;
  return ordered.length >= 12 && most > 5 * usual ? 2 * usual : Infinity;
}

export async function eventsChart(host, strip, legend, first) {
  const address = host.dataset.series;
  let data, counts, failed, dead, known, only = new Set(), ceiling = Infinity;
  load(first);

  const chart = await timeChart(host, {
    series: series(),
    format: rate,
    ceiling: () => ceiling,
    onZoom: (from, to) => go(Math.floor(from), Math.max(Math.ceil(to), Math.floor(from) + 1)),
    onPick: (at, place) => openMoment(host, at, data.step_s, place),
  });
  draw();
  legend.addEventListener("click", choose);
  document.addEventListener("eventhub:theme", () => chart.configure(series()));

  function load(fresh) {
    data = fresh;
    counts = new Map(fresh.types.map((type) => [type.name, type.counts]));
    ({ failed, dead_letters: dead } = fresh);
    known = new Map(); // second → what was counted of it after `until`
    paintLegend();
  }

  function series() {
    const types = shown().map((name) => ({ label: name, colour: colours().get(name) }));
    return data.before ? [...types, { label: "before", colour: "--text-2", dash: [5, 4], over: true }] : types;
  }

  function shown() {
    const names = [...counts.keys()];
    return only.size ? names.filter((name) => only.has(name)) : names;
  }

  function colours() {
    const used = new Map();
    return new Map(
      [...counts.keys()].map((name) => {
        if (name === OTHER) return [name, token("--unknown")];
        const hue = hueOf(name);
        const depth = used.get(hue) ?? 0;
        used.set(hue, depth + 1);
        return [name, `color-mix(in oklab, ${token(`--hue-${hue}`)} ${SHADES[depth % SHADES.length]}%, ${token("--surface")})`];
      }),
    );
  }

  // Steps slide along with time; each is told as a rate over the seconds of it that are complete.
  function draw() {
    const { step_s: step, start, until } = data;
    const length = failed.length;
    const times = Array.from({ length }, (_, index) => start + index * step);
    const rows = shown().map((name) => rates(counts.get(name), step, start, until));
    const totals = times.map((_, index) => rows.reduce((sum, row) => sum + (row[index] ?? 0), 0));
    const before = data.before?.slice(0, length) ?? [];
    ceiling = Math.max(ceilingOf(totals), ...before);
    const peak = Math.max(...totals);
    const note = host.parentElement.querySelector("[data-peak]");
    const said = peak > ceiling ? `peak of ${rate(peak)} cut off` : "";
    if (note && note.textContent !== said) note.textContent = said;
    chart.set(times, data.before ? [...rows, before] : rows);
    drawErrors(strip, failed.map((count, index) => count + dead[index]));
  }

  // The step that runs is completed with the rate of the one before, so that its first seconds do not leap.
  function rates(row, step, start, until) {
    return row.map((count, index) => {
      const covered = Math.min(step, until - start - index * step);
      if (covered <= 0) return null;
      if (covered === step || index === 0) return count / covered;
      return (count + (row[index - 1] / step) * (step - covered)) / step;
    });
  }

  function slide(until) {
    const { step_s: step } = data;
    data.until = until;
    while (data.start + failed.length * step < until) {
      const isFull = failed.length >= data.most_steps;
      if (isFull) {
        data.start += step;
        data.before?.shift();
      }
      for (const row of [...counts.values(), failed, dead]) {
        if (isFull) row.shift();
        row.push(0);
      }
    }
  }

  function add(row, second, change) {
    const index = Math.floor((second - data.start) / data.step_s);
    if (change && index >= 0 && index < row.length) row[index] += change;
  }

  function follow(recent) {
    if (!data.live) return;
    const end = recent.start + recent.failed.length;
    if (recent.start > data.until || data.before?.length < failed.length) return refresh();
    const from = data.first_until ?? (data.first_until = data.until);
    slide(recent.until);
    let isNew = false;
    for (let second = Math.max(recent.start, from); second < end; second += 1) {
      const index = second - recent.start;
      const before = known.get(second) ?? { types: {}, failed: 0, dead: 0 };
      const now = { types: {}, failed: recent.failed[index], dead: recent.dead_letters[index] };
      for (const type of recent.types) {
        let name = type.name;
        if (!counts.has(name)) {
          if (counts.has(OTHER) || counts.size >= MOST_TYPES) name = OTHER;
          if (!counts.has(name)) {
            counts.set(name, failed.map(() => 0));
            isNew = true;
          }
        }
        now.types[name] = (now.types[name] ?? 0) + type.counts[index];
      }
      for (const [name, count] of Object.entries(now.types)) add(counts.get(name), second, count - (before.types[name] ?? 0));
      add(failed, second, now.failed - before.failed);
      add(dead, second, now.dead - before.dead);
      known.set(second, now);
    }
    for (const second of known.keys()) if (second < recent.start) known.delete(second);
    if (isNew) {
      paintLegend();
      chart.configure(series());
    }
    tellRates(recent);
    draw();
  }

  async function refresh() {
    if (refresh.running) return;
    refresh.running = true;
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (answer.ok && !answer.redirected) {
        load(await answer.json());
        chart.configure(series());
        draw();
      }
    } catch {
      // The connection is away; the live button says so, and the next snapshot asks again.
    } finally {
      refresh.running = false;
    }
  }

  // Over five whole seconds: the last two may still grow.
  function tellRates(recent) {
    const rates = new Map();
    for (const type of recent.types) {
      const name = counts.has(type.name) ? type.name : OTHER;
      rates.set(name, (rates.get(name) ?? 0) + type.counts.slice(-7, -2).reduce((sum, count) => sum + count, 0) / 5);
    }
    for (const item of legend.querySelectorAll("[data-type]")) {
      const text = rate(rates.get(item.dataset.type) ?? 0);
      const told = item.querySelector("[data-type-rate]");
      if (told.textContent !== text) told.textContent = text;
    }
  }

  function paintLegend() {
    const items = new Map([...legend.querySelectorAll("[data-type]")].map((item) => [item.dataset.type, item]));
    for (const [name, colour] of colours()) {
      const item = items.get(name) ?? addItem(name);
      item.querySelector(".dot").style.background = colour;
    }
    for (const [name, item] of items) if (!counts.has(name)) item.remove();
  }

  function addItem(name) {
    const item = document.createElement("button");
    item.type = "button";
    item.className = "legend-type";
    item.dataset.type = name;
    item.title = `Show only ${name}`;
    item.setAttribute("aria-pressed", "false");
    const dot = document.createElement("i");
    dot.className = "dot";
    const told = document.createElement("b");
    told.dataset.typeRate = "";
    item.append(dot, name, told);
    legend.insertBefore(item, legend.querySelector(".legend-errors"));
    return item;
  }

  // One press shows that type alone, the next ones add to it; pressing the last one shows all again.
  function choose(event) {
    const item = event.target.closest("[data-type]");
    if (!item) return;
    const name = item.dataset.type;
    if (!only.delete(name)) only.add(name);
    if (only.size === counts.size) only = new Set();
    legend.classList.toggle("has-choice", only.size > 0);
    for (const each of legend.querySelectorAll("[data-type]")) each.setAttribute("aria-pressed", String(only.has(each.dataset.type)));
    chart.configure(series());
    draw();
  }

  function go(from, to) {
    const address = new URL(location.href);
    address.searchParams.delete("range");
    address.searchParams.set("from", from);
    address.searchParams.set("to", to);
    location.href = address;
  }

  return { follow };
}
