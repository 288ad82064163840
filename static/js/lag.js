// The Lag pages, live: what changes is asked for anew every five seconds, as often as the brokers are, and merged in
// place. Without the live connection it is asked for just as often.
import { sparkline, timeChart } from "./chart.js";
import { number } from "./formats.js";
import { liveState } from "./live.js";

const EVERY_MS = 5000;
const region = document.querySelector("[data-live-region]");
let chart = null;

function zoom(from, to) {
  const address = new URL(location.href);
  address.searchParams.delete("range");
  address.searchParams.set("from", Math.floor(from));
  address.searchParams.set("to", Math.max(Math.ceil(to), Math.floor(from) + 60));
  location.href = address;
}

async function draw() {
  for (const canvas of region.querySelectorAll("canvas[data-values]")) {
    const colours = { broken: "--broken", busy: "--busy" };
    sparkline(canvas, canvas.dataset.values.split(",").map(Number), colours[canvas.dataset.level] ?? "--accent");
  }
  const holder = region.querySelector("[data-chart]");
  if (!holder) return;
  const data = JSON.parse(holder.dataset.chart);
  chart ??= timeChart(document.getElementById("lag-chart"), {
    series: [{ label: "waiting", colour: "--busy", fill: true }], stack: false, format: number, onZoom: zoom,
  });
  (await chart).set(data.times, [data.messages]);
}

draw();
region.addEventListener("htmx:afterSettle", draw);
setInterval(() => {
  if (!document.hidden && liveState() !== "paused") region.dispatchEvent(new CustomEvent("lag:refresh"));
}, EVERY_MS);
