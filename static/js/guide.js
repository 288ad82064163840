// The style guide's samples of charts and messages.
import { sparkline, timeChart } from "./chart.js";
import { hueOf } from "./hues.js";
import { rate } from "./formats.js";
import { toast } from "./messages.js";

const wave = (at, seed) => 60 + 40 * Math.sin(at / 9 + seed) + 14 * Math.sin(at / 2.3 + seed * 7);
document.querySelectorAll("[data-spark]").forEach((canvas, index) => {
  const colour = { 1: "--busy", 4: "--broken" }[index] ?? "--accent";
  sparkline(canvas, Array.from({ length: 60 }, (_, at) => wave(at, index)), colour);
});

const types = ["order", "payment", "inventory", "shipment", "email", "customer"];
const now = Math.floor(Date.now() / 1000);
const times = Array.from({ length: 120 }, (_, at) => now - (120 - at) * 30);
const series = types.map((name) => ({ label: name, colour: `--hue-${hueOf(name)}` }));
const chart = await timeChart(document.querySelector("[data-guide-chart]"), {
  series,
  format: rate,
  marks: times.filter((_, at) => at % 23 === 5),
  onZoom: (from, to) => toast(`Zoom from ${new Date(from * 1000).toLocaleTimeString()} to ${new Date(to * 1000).toLocaleTimeString()}`),
});
chart.set(times, types.map((_, seed) => times.map((__, at) => wave(at, seed) / (1 + seed / 3))));
document.querySelector("[data-legend]").append(
  ...series.map((each, index) => {
    const line = document.createElement("span");
    const dot = document.createElement("i");
    dot.className = `dot hue-${hueOf(types[index])}`;
    line.append(dot, each.label);
    return line;
  }),
);

document.querySelector("[data-guide-toast]").addEventListener("click", () => toast("12 letters go back to shop.payments", "success"));
document.dispatchEvent(new CustomEvent("eventhub:live", { detail: { state: "live" } }));
