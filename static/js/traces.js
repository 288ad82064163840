// Traces: new rows gather behind a button, what is typed is completed, Retry speaks where it stands.
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

// The form that saves a search follows what is searched for; the same search leaves it as it is, with the name typed so far.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  const query = (part) => part.querySelector("[name=query]")?.value;
  if (target.id === "save-here" && query(target) === query(fragment)) event.detail.shouldSwap = false;
});

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
