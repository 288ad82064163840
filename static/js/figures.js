// The Figures page: charts that share one crosshair, asked for anew every five seconds while they follow the clock. Lines
// are told apart by how they are dashed, not by colour alone.
import { timeChart } from "./chart.js";
import { duration, number, rate } from "./formats.js";
import { liveState } from "./live.js";
import { openMoment } from "./moment.js";

const EVERY_MS = 5000;
const DASHED = [8, 4], DOTTED = [2, 3];
const page = document.getElementById("figures");
const TIMES = [
  { label: "p50", colour: "--ok" },
  { label: "p95", colour: "--busy", dash: DASHED },
  { label: "p99", colour: "--broken", dash: DOTTED },
];
let step = 1;

function zoom(from, to) {
  const address = new URL(location.href);
  address.searchParams.delete("range");
  address.searchParams.set("from", Math.floor(from));
  address.searchParams.set("to", Math.max(Math.ceil(to), Math.floor(from) + 1));
  location.href = address;
}

function chart(id, options) {
  const host = document.getElementById(id);
  if (!host) return null; // hops are told of types and services only
  Object.assign(host.dataset, { traces: page.dataset.traces, letters: page.dataset.letters });
  const onPick = (at, place) => openMoment(host, at, step, place);
  return timeChart(host, { stack: false, legend: true, sync: "figures", onZoom: zoom, onPick, ...options });
}

const before = page.dataset.compare ? [{ label: page.dataset.compare, colour: "--text-2", dash: DASHED }] : [];
const [rates, failed, processing, arrival, hops] = await Promise.all([
  chart("chart-rate", {
    series: [{ label: "events", colour: "--accent", fill: true }, ...before],
    format: rate,
  }),
  chart("chart-failed", {
    series: [{ label: "failed", colour: "--broken", fill: true }, { label: "dead letters", colour: "--busy", dash: DASHED }],
    format: number,
  }),
  chart("chart-processing", { series: TIMES, format: duration }),
  chart("chart-arrival", { series: TIMES, format: duration }),
  chart("chart-hops", { series: TIMES, format: duration }),
]);

async function draw() {
  const answer = await fetch(page.dataset.series, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) return;
  const data = await answer.json();
  step = data.step_s;
  // The step that runs is told when it is over.
  const isOver = (index) => data.times[index] + step <= data.until;
  const over = (row) => row.map((value, index) => (isOver(index) ? value : null));
  rates.set(data.times, [over(data.counts.received.map((count) => count / step)), data.before ?? []]);
  failed.set(data.times, [over(data.counts.failed), over(data.counts.dead_letters)]);
  processing.set(data.times, data.processing);
  arrival.set(data.times, data.arrival);
  hops?.set(data.hops.times, data.hops.quantiles);
}

await draw();
if (page.dataset.live) setInterval(() => !document.hidden && liveState() !== "paused" && draw().catch(() => {}), EVERY_MS);
