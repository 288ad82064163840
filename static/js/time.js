// Keeps `<time data-time="ago">` fresh, says the exact and the local time on hover; a click copies ISO.
import { ago, exact, local } from "./formats.js";
import { copy } from "./copy.js";

function refresh() {
  if (document.hidden) return;
  const now = new Date();
  for (const element of document.querySelectorAll('time[data-time="ago"]')) {
    const text = ago(new Date(element.dateTime), now);
    if (element.textContent !== text) element.textContent = text;
  }
}

document.addEventListener("pointerover", (event) => {
  const element = event.target.closest?.("time[data-time]");
  if (!element || element.dataset.told) return;
  const at = new Date(element.dateTime);
  element.title = `${exact(at)}\n${local(at)}\nClick to copy`;
  element.dataset.told = "1";
});

document.addEventListener("click", (event) => {
  const element = event.target.closest("time[data-time]");
  if (!element || element.closest("a[href], button, summary")) return;
  event.stopPropagation();
  copy(element.dateTime, element);
}, true);

setInterval(refresh, 1000);
document.addEventListener("visibilitychange", refresh);
document.addEventListener("htmx:load", refresh);
