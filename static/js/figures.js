// The Figures page: four charts that share one crosshair, asked for anew every five seconds while they follow the clock.
import { timeChart } from "./chart.js";
import { duration, number, rate } from "./formats.js";
import { liveState } from "./live.js";

const EVERY_MS = 5000;
const page = document.getElementById("figures");
const TIMES = [["p50", "--ok"], ["p95", "--busy"], ["p99", "--broken"]];
let step = 1;

function go(address, from, to) {
  const url = new URL(address, location.href);
  url.searchParams.set("from", Math.floor(from));
  url.searchParams.set("to", Math.max(Math.ceil(to), Math.floor(from) + 1));
  if (page.dataset.type && address !== location.href) url.searchParams.set("type", page.dataset.type);
  location.href = url;
}

function zoom(from, to) {
  const address = new URL(location.href);
  address.searchParams.delete("range");
  go(address.href, from, to);
}

const common = { stack: false, onZoom: zoom, sync: "figures" };
const chart = (id, options) => timeChart(document.getElementById(id), { ...common, ...options });
const timesChart = (id) => chart(id, { series: TIMES.map(([label, colour]) => ({ label, colour })), format: duration });
const [rates, failed, processing, arrival] = await Promise.all([
  chart("chart-rate", {
    series: [{ label: "events", colour: "--accent", fill: true }, { label: "before", colour: "--unknown" }],
    format: rate, onPick: (at) => go(page.dataset.traces, at, at + Math.max(60, step)),
  }),
  chart("chart-failed", {
    series: [{ label: "failed", colour: "--broken", fill: true }, { label: "dead letters", colour: "--busy" }],
    format: number, onPick: (at) => go(page.dataset.letters, at, at + Math.max(60, step)),
  }),
  timesChart("chart-processing"),
  timesChart("chart-arrival"),
]);

async function draw() {
  const answer = await fetch(page.dataset.series, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) return;
  const data = await answer.json();
  step = data.step_s;
  // The step that runs is told when it is over.
  const isOver = (index) => data.times[index] + step <= data.until;
  const over = (row) => row.map((value, index) => (isOver(index) ? value : null));
  rates.set(data.times, [over(data.counts.received.map((count) => count / step)), data.before ?? data.times.map(() => null)]);
  failed.set(data.times, [over(data.counts.failed), over(data.counts.dead_letters)]);
  processing.set(data.times, data.processing);
  arrival.set(data.times, data.arrival);
}

await draw();
if (page.dataset.live) setInterval(() => !document.hidden && liveState() !== "paused" && draw().catch(() => {}), EVERY_MS);
