// The Flow review: the weeks of each score as a line, and the button that prints the report.
import { sparkline } from "./chart.js";

const COLOURS = { ok: "--ok", busy: "--busy", broken: "--broken" };

function draw() {
  for (const canvas of document.querySelectorAll("canvas[data-review-spark]")) {
    // Weeks before the first score say nothing; a single one is no line yet.
    const values = canvas.dataset.reviewSpark.split(",").filter((text) => text !== "").map(Number);
    canvas.hidden = values.length < 2;
    sparkline(canvas, values, COLOURS[canvas.dataset.level] ?? "--unknown");
  }
}

document.addEventListener("htmx:afterSwap", draw);
document.addEventListener("eventhub:theme", draw);
document.querySelector("[data-print]")?.addEventListener("click", () => window.print());
draw();
