// Traces: new rows gather behind a button, arrow keys move between a trace's events, Retry speaks where it stands.
import { toast } from "./messages.js";

const COUNT_EVERY_MS = 5000;

// -- the list: how many are new since its first row -------------------------------------------------------

async function countNew() {
  const button = document.querySelector("[data-new-rows][data-count-url]");
  if (!button || document.hidden || document.documentElement.dataset.live === "paused") return;
  try {
    const answer = await fetch(button.dataset.countUrl, { headers: { Accept: "application/json" }, redirect: "error" });
    if (!answer.ok) return;
    const { count, more } = await answer.json();
    if (!button.isConnected) return;
    button.hidden = !count;
    button.querySelector("[data-new-count]").textContent = more ? "99+" : String(count);
  } catch {
    // The top bar tells that the connection is lost; the next count comes by itself.
  }
}
if (document.querySelector("[data-new-rows][data-count-url]")) setInterval(countNew, COUNT_EVERY_MS);

// An id that was typed in full: Enter goes where it is.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches?.("[data-filters] input[type=search]")) return;
  const hit = document.querySelector("[data-direct-hit]");
  if (!hit) return;
  event.preventDefault();
  event.stopPropagation();
  location.href = hit.href;
}, true);

// What the word that is being typed may become.
const field = document.querySelector("[data-filters] input[type=search]");
const offers = document.getElementById("completions");
if (field && offers) {
  field.setAttribute("list", offers.id);
  let asked = "";
  field.addEventListener("input", async () => {
    const before = field.value.slice(0, field.value.lastIndexOf(" ") + 1);
    const word = field.value.slice(before.length);
    if (!word || word === asked) return;
    asked = word;
    try {
      const answer = await fetch(`/searches/complete?${new URLSearchParams({ word })}`, { headers: { Accept: "application/json" } });
      if (!answer.ok || word !== asked) return;
      const { suggestions } = await answer.json();
      offers.replaceChildren(...suggestions.map(({ text, hint }) => new Option(hint, before + text)));
    } catch {
      // Completion is a help; without it one types on.
    }
  });
}

// -- one trace: the chosen event --------------------------------------------------------------------------

const view = document.querySelector("[data-trace-view]");
const steps = () => [...document.querySelectorAll("[data-step]")];
const chosen = () => document.querySelector("[data-step].is-chosen");
const linkOf = (step) => step?.querySelector("a.row-link");
const idOf = (link) => new URL(link.href, location.href).searchParams.get("event");

function mark(id) {
  for (const step of steps()) step.classList.toggle("is-chosen", idOf(linkOf(step)) === id);
  chosen()?.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = steps();
  if (!all.length) return;
  const at = all.indexOf(chosen() ?? document.querySelector("[data-step].is-current"));
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  if (next !== chosen()) linkOf(next).click();
}

function closePanel() {
  const panel = document.getElementById("panel");
  panel.replaceChildren();
  view.classList.remove("has-panel");
  const url = new URL(location.href);
  url.searchParams.delete("event");
  history.replaceState(null, "", url);
  mark(null);
}

if (view) {
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
  // Marked at once, filled when it comes.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, target } = event.detail;
    if (target?.id === "panel") mark(idOf(elt));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "panel") return;
    view.classList.toggle("has-panel", Boolean(document.getElementById("panel").firstElementChild));
    document.querySelector(".panel-body")?.scrollTo(0, 0);
  });
}

// -- retry ------------------------------------------------------------------------------------------------

document.addEventListener("htmx:beforeRequest", (event) => {
  const button = event.detail.elt.closest?.("[data-retry]");
  if (button) button.disabled = true;
});
document.addEventListener("htmx:afterRequest", (event) => {
  const button = event.detail.elt.closest?.("[data-retry]");
  if (!button) return;
  const { successful, xhr } = event.detail;
  if (!successful) {
    button.disabled = false;
    return;
  }
  toast(detailOf(xhr) ?? "The retry is sent.", "success");
  for (const same of document.querySelectorAll(`[data-retry][hx-post="${button.getAttribute("hx-post")}"]`)) {
    const sent = document.createElement("span");
    sent.className = "letter-link is-sent";
    sent.textContent = "retry sent";
    (same.closest(".letter-action") ?? same).replaceChildren(sent);
  }
});

function detailOf(xhr) {
  try {
    return JSON.parse(xhr.responseText).detail;
  } catch {
    return null;
  }
}
