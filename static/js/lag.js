// The Lag pages, live: what changes is asked for anew every five seconds, as often as the brokers are, and merged in
// place. Without the live connection it is asked for just as often.
import { sparkline, timeChart } from "./chart.js";
import { duration, number } from "./formats.js";
import { liveState } from "./live.js";
import { openMoment } from "./moment.js";

const EVERY_MS = 5000;
const region = document.querySelector("[data-live-region]");
let charts = null;

function zoom(from, to) {
  const address = new URL(location.href);
  address.searchParams.delete("range");
  address.searchParams.set("from", Math.floor(from));
  address.searchParams.set("to", Math.max(Math.ceil(to), Math.floor(from) + 60));
  location.href = address;
}

function lagChart(holder, id, data, line, format) {
  const host = document.getElementById(id);
  Object.assign(host.dataset, { traces: holder.dataset.traces, letters: holder.dataset.letters });
  const before = data.before && format === number ? [{ label: "before", colour: "--text-2", dash: [8, 4] }] : [];
  return timeChart(host, {
    series: [{ colour: "--busy", fill: true, ...line }, ...before], stack: false, legend: true, sync: "lag", format,
    onZoom: zoom, onPick: (at, place) => openMoment(host, at, data.step_s, place),
  });
}

async function draw() {
  for (const canvas of region.querySelectorAll("canvas[data-values]")) {
    const colours = { broken: "--broken", busy: "--busy" };
    sparkline(canvas, canvas.dataset.values.split(",").map(Number), colours[canvas.dataset.level] ?? "--accent");
  }
  const holder = region.querySelector("[data-chart]");
  if (!holder) return;
  const data = JSON.parse(holder.dataset.chart);
  charts ??= Promise.all([
    lagChart(holder, "lag-chart", data, { label: "messages waiting" }, number),
    lagChart(holder, "lag-behind", data, { label: "behind" }, duration),
  ]);
  const [waiting, behind] = await charts;
  waiting.set(data.times, data.before ? [data.messages, data.before] : [data.messages]);
  behind.set(data.times, [data.seconds]);
}

draw();
region.addEventListener("htmx:afterSettle", draw);
setInterval(() => {
  if (!document.hidden && liveState() !== "paused") region.dispatchEvent(new CustomEvent("lag:refresh"));
}, EVERY_MS);
