// What scrolls by itself is reached by the keyboard too: it takes the focus while it has more than it shows.
const SCROLLS = ".table-wrap, pre:not([aria-hidden]), .stream-events, .sheet-body";

function reach() {
  for (const part of document.querySelectorAll(SCROLLS)) {
    const scrolls = part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1;
    if (scrolls) part.tabIndex = 0;
    else if (part.tabIndex === 0) part.removeAttribute("tabindex");
  }
}

window.addEventListener("load", reach);
window.addEventListener("resize", reach);
document.addEventListener("htmx:afterSettle", reach);
