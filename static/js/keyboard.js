// Ctrl-K goes anywhere; g then a letter to a page; j, k, Enter and x in lists; / filters; ? shows all of it.
import { open } from "./sheet.js";
import { togglePause } from "./livebar.js";

const pages = [...document.querySelectorAll(".rail [data-go]")].map((link) => ({
  key: link.dataset.go,
  label: link.dataset.label,
  url: link.href,
  icon: link.querySelector(".icon"),
}));

// -- keys -------------------------------------------------------------------------------------------------

let going = 0; // when `g` was pressed

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    palette.toggle();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape" && !event.target.closest("dialog")) event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  if (Date.now() - going < 1200) {
    going = 0;
    const page = pages.find((each) => each.key === event.key);
    if (page) {
      event.preventDefault();
      location.href = page.url;
      return;
    }
  }
  if (press(event.key)) event.preventDefault();
});

function press(key) {
  switch (key) {
    case "g":
      going = Date.now();
      return true;
    case "/":
      return focusFilter();
    case "?":
      return Boolean(open("keys-sheet"));
    case "p":
      togglePause();
      return true;
    case "j":
      return move(1);
    case "k":
      return move(-1);
    case "Enter":
      return document.activeElement.matches("a, button, summary, input, select") ? false : openCurrent();
    case "x":
      return choose();
    case "Escape":
      current()?.classList.remove("is-current");
      return false;
    default:
      return false;
  }
}

const isTyping = (element) => element.matches?.("textarea, select, [contenteditable='true'], input:not([type=checkbox], [type=radio], [type=button])");

function focusFilter() {
  const field = document.querySelector("[data-filter-focus]") ?? document.querySelector(".topbar-search input");
  field?.focus();
  field?.select();
  return Boolean(field);
}

// -- lists ------------------------------------------------------------------------------------------------

const rows = () => [...document.querySelectorAll("[data-list] [data-row]")].filter((row) => row.offsetParent !== null);
const current = () => document.querySelector("[data-row].is-current");

function move(step) {
  const all = rows();
  if (!all.length) return false;
  const from = all.indexOf(current());
  const next = all[Math.min(Math.max(from + step, 0), all.length - 1)];
  current()?.classList.remove("is-current");
  next.classList.add("is-current");
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

const linkOf = (row) => row?.querySelector("a.row-link, a[href]") ?? (row?.matches("a[href]") ? row : null);

function openCurrent() {
  const link = linkOf(current());
  link?.click();
  return Boolean(link);
}

function choose() {
  const box = current()?.querySelector('input[type="checkbox"]');
  box?.click();
  return Boolean(box);
}

// A click anywhere on a row opens it, unless it meant something else or marked text.
document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-row]");
  if (!row || event.defaultPrevented || event.target.closest("a, button, input, label, select, summary, time, [data-copy], form")) return;
  if (String(getSelection())) return;
  const link = linkOf(row);
  if (!link) return;
  if (event.ctrlKey || event.metaKey) window.open(link.href);
  else link.click();
});

// -- palette ----------------------------------------------------------------------------------------------

const palette = {
  dialog: document.getElementById("palette"),
  items: [],
  found: [], // what the server knows of the typed letters
  at: 0,
  moved: false,

  toggle() {
    if (!this.dialog) return;
    if (this.dialog.open) {
      this.dialog.close();
      return;
    }
    document.querySelectorAll("dialog[open]").forEach((other) => other.close());
    this.field.value = "";
    this.found = [];
    this.moved = false;
    this.draw();
    this.dialog.showModal();
  },

  get field() {
    return this.dialog.querySelector("input");
  },

  draw() {
    const typed = this.field.value.trim();
    // Who has moved to a line stays on it; else the first is what Enter means.
    const chosen = this.moved ? this.items[this.at]?.url : undefined;
    this.items = [...matching(typed), ...this.found, ...searches(typed)];
    this.at = Math.max(0, this.items.findIndex((item) => chosen && item.url === chosen));
    const list = this.dialog.querySelector("[role=listbox]");
    list.replaceChildren(...this.items.map((item, index) => this.line(item, index)));
    this.mark();
  },

  // Asks the server a moment after the last key; an answer that comes too late is left alone.
  find() {
    const typed = this.field.value.trim();
    clearTimeout(this.timer);
    if (!typed) {
      this.found = [];
      return;
    }
    this.timer = setTimeout(async () => {
      const answer = await fetch(`${this.dialog.dataset.find}?q=${encodeURIComponent(typed)}`).catch(() => null);
      const hits = answer?.ok ? await answer.json().catch(() => []) : [];
      if (this.field.value.trim() !== typed) return;
      this.found = hits.map((hit) => ({ ...hit, icon: pages.find((page) => page.key === hit.key)?.icon }));
      this.draw();
    }, 120);
  },

  line(item, index) {
    const line = document.createElement("li");
    line.setAttribute("role", "option");
    line.id = `palette-${index}`;
    line.className = "palette-item";
    if (item.icon) line.append(item.icon.cloneNode(true));
    const words = document.createElement("span");
    words.textContent = item.label;
    const hint = document.createElement("small");
    hint.textContent = item.hint ?? "";
    line.append(words, hint);
    line.addEventListener("click", () => this.go(index));
    line.addEventListener("pointermove", () => {
      if (this.at !== index) {
        this.at = index;
        this.mark();
      }
    });
    return line;
  },

  mark() {
    const lines = [...this.dialog.querySelectorAll("[role=option]")];
    lines.forEach((line, index) => line.setAttribute("aria-selected", String(index === this.at)));
    this.field.setAttribute("aria-activedescendant", lines.length ? `palette-${this.at}` : "");
    lines[this.at]?.scrollIntoView({ block: "nearest" });
  },

  go(index) {
    const item = this.items[index];
    if (!item) return;
    this.dialog.close();
    if (item.act) item.act();
    else location.href = item.url;
  },
};

const icon = (selector) => document.querySelector(selector)?.querySelector(".icon");
const actions = [
  ...[...document.querySelectorAll("[data-help]")].map((link) => ({ label: link.textContent.trim(), hint: "help", icon: link.querySelector(".icon"), url: link.href })),
  { label: "Switch between light and dark", icon: icon(".theme-moon"), act: () => document.querySelector("[data-theme-toggle]").click() },
  { label: "Pause or resume live numbers", hint: "p", icon: icon(".live-icon-pause"), act: togglePause },
  { label: "Keyboard shortcuts", hint: "?", icon: icon("[data-opens=keys-sheet]"), act: () => open("keys-sheet") },
];

function matching(typed) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...pages.map((page) => ({ ...page, hint: `g ${page.key}` })), ...actions];
  return all.filter((item) => words.every((word) => item.label.toLowerCase().includes(word)));
}

// Whatever was typed can be searched for.
function searches(typed) {
  if (!typed) return [];
  const search = document.querySelector(".topbar-search");
  const action = search?.getAttribute("action");
  if (!action) return [];
  const glass = search.querySelector(".icon");
  const found = [{ label: `Search traces for “${typed}”`, hint: "search", icon: glass, url: `${action}?q=${encodeURIComponent(typed)}` }];
  return found;
}

if (palette.dialog) {
  palette.field.addEventListener("input", () => {
    palette.moved = false;
    palette.found = [];
    palette.draw();
    palette.find();
  });
  palette.field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      palette.moved = true;
      palette.at = (palette.at + step + palette.items.length) % Math.max(palette.items.length, 1);
      palette.mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      palette.go(palette.at);
    }
  });
  document.addEventListener("eventhub:palette", () => palette.toggle());
}
