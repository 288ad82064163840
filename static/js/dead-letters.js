// Dead letters: choosing rows, the bar that appears then, the keys r, d and e, and asking again when something changed.

const list = () => document.getElementById("list");
const boxes = () => [...document.querySelectorAll("[data-letter]")];
const chosen = () => boxes().filter((box) => box.checked);

// -- choosing ---------------------------------------------------------------------------------------------

let lastBox = null;

function drawChoice() {
  const bar = document.querySelector("[data-choice]");
  if (!bar) return;
  const count = chosen().length;
  bar.hidden = count === 0;
  bar.querySelector("[data-choice-count]").textContent = count.toLocaleString("en");
  list()?.classList.toggle("is-choosing", count > 0);
  for (const box of boxes()) box.closest("[data-row]").classList.toggle("is-chosen", box.checked);
  const all = document.querySelector("[data-choose-all]");
  if (all) {
    all.checked = count > 0 && count === boxes().length;
    all.indeterminate = count > 0 && count < boxes().length;
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-choose-all]")) for (const box of boxes()) box.checked = event.target.checked;
  if (event.target.matches("[data-letter], [data-choose-all]")) drawChoice();
});

// Shift and a click choose everything from the last box to this one.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-choose-none]")) {
    for (const box of boxes()) box.checked = false;
    drawChoice();
  }
  if (event.target.closest("[data-refresh]")) refresh();
  const box = event.target.closest("[data-letter]");
  if (!box) return;
  const all = boxes();
  const [from, to] = [all.indexOf(lastBox), all.indexOf(box)].sort((a, b) => a - b);
  if (event.shiftKey && from >= 0) {
    for (const between of all.slice(from, to + 1)) between.checked = box.checked;
    drawChoice();
  }
  lastBox = box;
});

// -- keys -------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.matches?.("textarea, select, input:not([type=checkbox])") || document.querySelector("dialog[open]")) return;
  const key = event.key;
  if (key === "Escape" && chosen().length) {
    for (const box of boxes()) box.checked = false;
    drawChoice();
  } else if ((key === "r" || key === "d" || key === "e") && act(key)) {
    event.preventDefault();
  }
});

// On a letter's page the button itself; on the list what is chosen, else the row the keys stand on.
function act(key) {
  const button = document.querySelector(`[data-key="${key}"]:not(:disabled)`);
  if (button) {
    button.click();
    return true;
  }
  if (key === "e") {
    const row = document.querySelector("[data-row].is-current, [data-row].is-chosen");
    if (!row) return false;
    location.href = row.dataset.edit;
    return true;
  }
  const onBar = document.querySelector(key === "r" ? "[data-retry-chosen]" : "[data-discard-chosen]");
  if (!onBar) return false;
  if (!chosen().length) {
    const box = document.querySelector("[data-row].is-current [data-letter]");
    if (!box) return false;
    box.checked = true;
    drawChoice();
  }
  onBar.click();
  return true;
}

// -- asking again -----------------------------------------------------------------------------------------

function refresh() {
  if (list()) htmx.ajax("GET", location.pathname + location.search, { target: "#list", swap: "morph:innerHTML" });
}

document.addEventListener("dead-letters-changed", () => {
  for (const box of boxes()) box.checked = false;
  refresh();
});
document.addEventListener("htmx:afterSettle", drawChoice);
document.addEventListener("htmx:oobAfterSwap", drawChoice);
drawChoice();
