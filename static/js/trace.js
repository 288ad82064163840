// One trace: arrow keys move between its events, a panel shows the chosen one, new events slide in where they belong.
import { openWindow, windowOf } from "./windowed.js";

const view = document.querySelector("[data-trace-view]");
const list = () => document.querySelector("[data-steps]");
const steps = () => [...document.querySelectorAll("[data-step]")];
const chosen = () => document.querySelector("[data-step].is-chosen");
const linkOf = (step) => step?.querySelector("a.row-link");
const idOf = (link) => new URL(link.href, location.href).searchParams.get("event");

let chosenId = new URL(location.href).searchParams.get("event");
let chosenIndex = chosen() ? Number(chosen().dataset.index) : -1;

function mark(id, { follow = true } = {}) {
  chosenId = id;
  for (const step of steps()) step.classList.toggle("is-chosen", id !== null && idOf(linkOf(step)) === id);
  const step = chosen();
  if (!step) return;
  chosenIndex = Number(step.dataset.index);
  if (follow) step.scrollIntoView({ block: "nearest" });
}

async function move(by) {
  const windowed = windowOf(list());
  if (windowed) {
    const current = document.querySelector("[data-step].is-current");
    const at = chosenId === null && current ? Number(current.dataset.index) : chosenIndex;
    const next = at < 0 ? (by > 0 ? 0 : windowed.total - 1) : Math.min(Math.max(at + by, 0), windowed.total - 1);
    const step = next === chosenIndex && chosenId !== null ? null : await windowed.row(next);
    if (step) linkOf(step).click();
    return;
  }
  const all = steps();
  if (!all.length) return;
  const at = all.indexOf(chosen() ?? document.querySelector("[data-step].is-current"));
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  if (next !== chosen()) linkOf(next).click();
}

function closePanel() {
  document.getElementById("panel").replaceChildren();
  view.classList.remove("has-panel");
  const url = new URL(location.href);
  url.searchParams.delete("event");
  history.replaceState(null, "", url);
  mark(null);
  chosenIndex = -1;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input, select, textarea, .panel-body")) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Escape" && view.classList.contains("has-panel")) closePanel();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-close-panel]")) return;
  event.preventDefault();
  closePanel();
});

// Marked at once, filled when it comes. The address keeps what else it holds: the tab, and what was looked for.
document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt, target } = event.detail;
  if (target?.id === "panel") mark(idOf(elt));
  else if (elt.matches("[data-looks-for-news]") && (document.hidden || document.documentElement.dataset.live === "paused")) event.preventDefault();
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "panel") return;
  view.classList.toggle("has-panel", Boolean(document.getElementById("panel").firstElementChild));
  document.querySelector(".panel-body")?.scrollTo(0, 0);
});

// -- rows that come and go ----------------------------------------------------------------------------------

document.addEventListener("eventhub:rows", () => mark(chosenId, { follow: false }));

// What is looked for stands in the address, so that it can be shared and the rows that come later are of it.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches("[data-find]")) return;
  const url = new URL(location.href);
  const words = event.detail.parameters.find ?? event.detail.elt.querySelector("[name=find]").value;
  if (words) url.searchParams.set("find", words);
  else url.searchParams.delete("find");
  for (const name of ["first", "near"]) url.searchParams.delete(name);
  history.replaceState(history.state, "", url);
});

// -- live: the view stays on the events that are read, and what is new is told by its place in the log -----------

let held = null;
let drawn = null;

document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches("[data-news]")) return;
  const { parameters } = event.detail;
  const here = new URL(location.href).searchParams;
  for (const name of ["event", "find", "clock", "with"]) if (here.get(name)) parameters[name] = here.get(name);
  const first = topRow();
  if (first) parameters.near = idOf(linkOf(first));
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "trace-main" || !event.detail.requestConfig?.elt.matches("[data-news]")) return;
  const first = topRow();
  held = { id: first?.id, top: first?.getBoundingClientRect().top, newest: Number(list()?.dataset.newest ?? 0) };
});
document.addEventListener("htmx:afterSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target.id !== "trace-main" || xhr === drawn) return; // told once for each element that was put in
  drawn = xhr;
  openWindow(list());
  mark(chosenId, { follow: false });
  if (!held) return;
  const { id, top, newest } = held;
  held = null;
  const again = id ? document.getElementById(id) : null;
  if (again) scrollBy({ top: again.getBoundingClientRect().top - top, behavior: "instant" });
  for (const step of steps()) if (Number(step.dataset.position) > newest) step.classList.add("is-new");
});

// The first row of which something is in view, when the page was scrolled at all.
function topRow() {
  if (scrollY === 0) return null;
  const edge = document.querySelector(".topbar")?.getBoundingClientRect().bottom ?? 0;
  return steps().find((step) => step.getBoundingClientRect().bottom > edge) ?? null;
}

openWindow(list());
if (chosenId) chosen()?.scrollIntoView({ block: "center" });
