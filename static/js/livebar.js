// The top bar's live button, and every `data-live` text kept fresh from the snapshots.
import { FORMATS } from "./formats.js";

const WORDS = { connecting: "Connecting", live: "Live", slow: "Every 2 s", paused: "Paused", lost: "Reconnecting" };
const TITLES = {
  connecting: "Waiting for the first numbers",
  live: "Numbers are live: press to pause (p)",
  slow: "No live updates can be had now: the numbers are asked for every two seconds. Press to pause (p)",
  paused: "Numbers stand still: press to go on (p)",
  lost: "The connection is lost; the numbers are old. Trying again by itself",
};
const button = document.querySelector(".live-button");

function show(state) {
  if (!button || button.dataset.liveState === state) return;
  button.dataset.liveState = state;
  button.title = TITLES[state] ?? "";
  button.querySelector("[data-live-word]").textContent = WORDS[state] ?? state;
  document.documentElement.dataset.live = state;
}

export function togglePause() {
  if (!button) return;
  const paused = button.dataset.liveState !== "paused";
  document.dispatchEvent(new CustomEvent("eventhub:pause", { detail: { paused } }));
}
button?.addEventListener("click", togglePause);
document.addEventListener("eventhub:live", (event) => show(event.detail.state));

document.addEventListener("eventhub:snapshot", (event) => {
  for (const element of document.querySelectorAll("[data-live]")) {
    const value = element.dataset.live.split(".").reduce((part, key) => part?.[key], event.detail);
    if (value === undefined) continue;
    const text = (FORMATS[element.dataset.format] ?? FORMATS.text)(value);
    if (element.textContent !== text) element.textContent = text;
    if (element.hasAttribute("data-hide-zero")) element.hidden = !value;
  }
});
