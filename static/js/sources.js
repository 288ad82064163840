// The Sources pages, live: what changes is asked for anew every two seconds while the page is live and in view, and
// merged in place, so that nothing jumps and an open detail stays open.
import { sparkline, timeChart } from "./chart.js";
import { number, rate } from "./formats.js";
import { openMoment } from "./moment.js";

const EVERY_MS = 2000;
const region = document.querySelector("[data-live-region]");
let asked = Date.now();
let charts = null;

function drawSparks() {
  for (const canvas of region.querySelectorAll("canvas[data-values]")) {
    const colour = canvas.dataset.level === "broken" ? "--broken" : "--accent";
    sparkline(canvas, canvas.dataset.values.split(",").map(Number), colour);
  }
}

function zoom(from, to) {
  const address = new URL(location.href);
  address.searchParams.delete("range");
  address.searchParams.set("from", Math.floor(from));
  address.searchParams.set("to", Math.max(Math.ceil(to), Math.floor(from) + 1));
  location.href = address;
}

async function drawCharts() {
  const holder = region.querySelector("[data-chart]");
  if (!holder) return;
  const data = JSON.parse(holder.dataset.chart);
  charts ??= (async () => {
    const { traces, letters } = holder.dataset;
    const chart = (id, options) => {
      const host = document.getElementById(id);
      if (!host) return null;
      Object.assign(host.dataset, { traces, letters });
      const onPick = (at, place) => openMoment(host, at, data.step_s, place);
      return timeChart(host, { stack: false, legend: true, sync: "source", onZoom: zoom, onPick, ...options });
    };
    const before = data.before ? [{ label: "before", colour: "--text-2", dash: [8, 4] }] : [];
    return {
      in: await chart("chart-in", { series: [{ label: "messages in a second", colour: "--accent", fill: true }, ...before], format: rate }),
      waiting: await chart("chart-waiting", { series: [{ label: "waiting", colour: "--busy", fill: true }], format: number }),
    };
  })();
  const drawn = await charts;
  const perSecond = data.received.map((count, index) => {
    const covered = Math.min(data.step_s, data.until - data.times[index]);
    if (covered <= 0) return null;
    // The step that runs is completed with the rate of the one before, so that its first seconds do not leap.
    const before = index ? data.received[index - 1] / data.step_s : count / covered;
    return (count + before * (data.step_s - covered)) / data.step_s;
  });
  drawn.in.set(data.times, data.before ? [perSecond, data.before] : [perSecond]);
  drawn.in.marks(data.times.filter((_, index) => data.dead_letters[index] > 0));
  drawn.waiting?.set(data.times, [data.waiting]);
}

function draw() {
  drawSparks();
  drawCharts();
}

draw();
region.addEventListener("htmx:afterSettle", draw);
document.addEventListener("eventhub:snapshot", () => {
  if (Date.now() - asked < EVERY_MS) return;
  asked = Date.now();
  region.dispatchEvent(new CustomEvent("sources:refresh"));
});
