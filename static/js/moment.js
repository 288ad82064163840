// What was at a moment of a chart: a small menu with the ways from it to the traces and dead letters of that time.
// `import { openMoment } from "./moment.js"`.
const SHORTEST_S = 60; // "that minute", also where a chart's step is a second
const WAYS = [["traces", "Traces"], ["letters", "Dead letters"]];
const PAD = (n) => String(n).padStart(2, "0");

let open = null;

function close(isFocusWanted = true) {
  if (!open) return;
  document.removeEventListener("pointerdown", outside, true);
  open.menu.remove();
  if (isFocusWanted) open.host.focus({ preventScroll: true });
  open = null;
}

function outside(event) {
  if (!open.menu.contains(event.target)) close(false);
}

function clock(seconds) {
  const at = new Date(seconds * 1000);
  return `${PAD(at.getHours())}:${PAD(at.getMinutes())}${seconds % 60 ? `:${PAD(at.getSeconds())}` : ""}`;
}

/**
 * Opens the menu in `host`, whose data-traces and data-letters are the addresses to go on from.
 * at, step   the step that was chosen: Unix seconds, and how long it is; place: {left, top} in the host
 */
export function openMoment(host, at, step, place) {
  close(false);
  const seconds = Math.max(SHORTEST_S, step);
  const from = Math.floor(at / SHORTEST_S) * SHORTEST_S;
  const menu = document.createElement("div");
  menu.className = "moment-menu";
  menu.setAttribute("role", "group");
  menu.setAttribute("aria-label", `At ${clock(from)}`);
  const title = document.createElement("b");
  title.textContent = `${clock(from)} – ${clock(from + seconds)}`;
  menu.append(title);
  for (const [name, words] of WAYS) {
    if (!host.dataset[name]) continue;
    const address = new URL(host.dataset[name], location.href);
    address.searchParams.set("from", from);
    address.searchParams.set("to", from + seconds);
    const link = document.createElement("a");
    link.href = address;
    link.textContent = words;
    menu.append(link);
  }
  host.append(menu);
  menu.style.left = `${Math.max(0, Math.min(place.left, host.clientWidth - menu.offsetWidth))}px`;
  menu.style.top = `${Math.max(0, Math.min(place.top, host.clientHeight - menu.offsetHeight))}px`;
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
  });
  open = { menu, host };
  document.addEventListener("pointerdown", outside, true);
  menu.querySelector("a")?.focus({ preventScroll: true });
}
