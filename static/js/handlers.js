// The Handlers pages, live: what changes is asked for anew every two seconds while the page is live and in view, and
// merged in place.
import { sparkline } from "./chart.js";

const EVERY_MS = 2000;
const region = document.querySelector("[data-live-region]");
let asked = Date.now();

function draw() {
  for (const canvas of region.querySelectorAll("canvas[data-values]")) {
    const colour = canvas.dataset.level === "broken" ? "--broken" : "--accent";
    sparkline(canvas, canvas.dataset.values.split(",").map(Number), colour);
  }
}

draw();
region.addEventListener("htmx:afterSettle", draw);
document.addEventListener("eventhub:theme", draw);
document.addEventListener("eventhub:snapshot", () => {
  if (Date.now() - asked < EVERY_MS) return;
  asked = Date.now();
  region.dispatchEvent(new CustomEvent("handlers:refresh"));
});
