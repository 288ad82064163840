// Errors over the big chart: a red tick for each step with any, the taller the more there were. The ticks stand where
// the chart's plot does.
import { token } from "./chart.js";

const drawn = new Map(); // canvas → counts

export function drawErrors(canvas, counts) {
  if (!drawn.has(canvas)) widths.observe(canvas);
  drawn.set(canvas, counts);
  requestAnimationFrame(() => draw(canvas)); // the chart has its size only then
}

function draw(canvas) {
  const counts = drawn.get(canvas);
  const height = canvas.clientHeight;
  const plot = canvas.parentElement.querySelector(".u-over")?.getBoundingClientRect();
  if (!counts || !canvas.clientWidth || !plot) return;
  const left = plot.left - canvas.getBoundingClientRect().left;
  const width = plot.width;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = height * ratio;
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  ctx.fillStyle = token("--broken");
  const most = Math.max(...counts, 1);
  const room = width / Math.max(1, counts.length - 1);
  const thickness = Math.max(1, Math.min(3, room * 0.55));
  counts.forEach((count, index) => {
    if (!count) return;
    // By the square root, so that single errors are seen beside a storm.
    const tall = Math.max(3, Math.sqrt(count / most) * height);
    const x = Math.min(Math.max(index * room - thickness / 2, 0), width - thickness);
    ctx.fillRect(left + x, height - tall, thickness, tall);
  });
}

const widths = new ResizeObserver((changes) => changes.forEach((change) => draw(change.target)));
document.addEventListener("eventhub:theme", () => drawn.forEach((_, canvas) => draw(canvas)));
