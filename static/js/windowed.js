// Long lists: only the rows around what is in view are in the page. The others are gaps as high as their rows, filled
// by the chunk as they come near, so the page scrolls as if all were there. All rows have the same height.
const AHEAD_PX = 700;
const WAIT_MS = 50; // a chunk that is only passed by is not asked for
const MOST_HELD = 60; // chunks whose HTML is kept

const windows = new WeakMap();

/** The window of a list whose rows the server sends in chunks; null for a list that is whole. */
export function windowOf(list) {
  return windows.get(list) ?? null;
}

/** Begin with the rows that the server just drew. */
export function openWindow(list) {
  windows.get(list)?.close();
  windows.delete(list);
  if (list?.matches("[data-window]")) windows.set(list, new Windowed(list));
}

class Windowed {
  constructor(list) {
    this.list = list;
    this.total = Number(list.dataset.total);
    this.size = Number(list.dataset.chunk);
    this.chunks = Array.from({ length: Math.ceil(this.total / this.size) }, (_, number) => ({ number, rows: null, gap: null, html: null, asked: null }));
    for (const gap of list.querySelectorAll(":scope > .gap-row")) gap.remove();
    const drawn = this.drawn();
    this.height = drawn.length > 1 ? (drawn.at(-1).getBoundingClientRect().bottom - drawn[0].getBoundingClientRect().top) / drawn.length : 44;
    for (const row of drawn) {
      const chunk = this.chunks[Math.floor(Number(row.dataset.index) / this.size)];
      (chunk.rows ??= []).push(row);
    }
    this.fill();
    this.look = this.look.bind(this);
    addEventListener("scroll", this.look, { passive: true });
    addEventListener("resize", this.look, { passive: true });
    this.look();
  }

  drawn() {
    return [...this.list.querySelectorAll(":scope > [data-step]")];
  }

  // Every chunk is rows or a gap, in order.
  fill() {
    let before = null;
    for (const chunk of this.chunks) {
      if (!chunk.rows) {
        chunk.gap = this.gapFor(chunk);
        if (before) before.after(chunk.gap);
        else this.list.prepend(chunk.gap);
      }
      before = chunk.rows ? chunk.rows.at(-1) : chunk.gap;
    }
  }

  gapFor(chunk) {
    const inTable = this.list.matches("tbody");
    const gap = document.createElement(inTable ? "tr" : "li");
    gap.className = "gap-row";
    gap.setAttribute("aria-hidden", "true");
    const count = Math.min(this.size, this.total - chunk.number * this.size);
    gap.style.height = `${count * this.height}px`;
    gap.style.setProperty("--gap-row", `${this.height}px`);
    if (inTable) {
      const cell = document.createElement("td");
      cell.colSpan = 20;
      gap.append(cell);
    }
    return gap;
  }

  look() {
    if (this.due) return;
    this.due = requestAnimationFrame(() => {
      this.due = null;
      if (this.list.isConnected) this.update();
      else this.close();
    });
  }

  close() {
    removeEventListener("scroll", this.look);
    removeEventListener("resize", this.look);
  }

  // The numbers of the first and the last chunk that are near the view.
  near() {
    const top = this.list.getBoundingClientRect().top;
    const at = (y) => Math.floor((y - top) / this.height / this.size);
    const last = this.chunks.length - 1;
    return [Math.max(0, Math.min(at(-AHEAD_PX), last)), Math.max(0, Math.min(at(innerHeight + AHEAD_PX), last))];
  }

  update() {
    const [first, last] = this.near();
    for (const chunk of this.chunks) {
      const wanted = chunk.number >= first && chunk.number <= last;
      if (wanted && !chunk.rows) {
        if (chunk.html !== null) this.show(chunk);
        else this.askSoon(chunk);
      } else if (!wanted && chunk.rows && (chunk.number < first - 1 || chunk.number > last + 1)) this.hide(chunk);
    }
  }

  askSoon(chunk) {
    if (chunk.asked || chunk.waits) return;
    chunk.waits = setTimeout(() => {
      chunk.waits = null;
      const [first, last] = this.near();
      if (this.list.isConnected && chunk.number >= first && chunk.number <= last) this.ask(chunk);
    }, WAIT_MS);
  }

  ask(chunk) {
    chunk.asked ??= this.load(chunk).finally(() => {
      chunk.asked = null;
    });
    return chunk.asked;
  }

  async load(chunk) {
    const address = new URL(this.list.dataset.url, location.href);
    address.searchParams.set("first", String(chunk.number * this.size));
    try {
      const answer = await fetch(address, { headers: { "HX-Request": "true", "HX-Target": "rows" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      chunk.html = await answer.text();
    } catch {
      this.fail(chunk);
      return;
    }
    const held = this.chunks.filter((one) => one.html !== null && !one.rows && one !== chunk);
    if (held.length > MOST_HELD) held.sort((a, b) => Math.abs(b.number - chunk.number) - Math.abs(a.number - chunk.number))[0].html = null;
    if (this.list.isConnected) this.show(chunk);
  }

  fail(chunk) {
    const place = chunk.gap?.matches("tr") ? chunk.gap.firstElementChild : chunk.gap;
    if (!place || place.firstElementChild) return;
    chunk.gap.removeAttribute("aria-hidden");
    const again = document.createElement("button");
    again.type = "button";
    again.className = "btn btn-sm";
    again.textContent = "These events could not be loaded. Try again";
    again.addEventListener("click", () => this.ask(chunk));
    place.append(again);
  }

  show(chunk) {
    if (chunk.rows) return;
    const made = document.createElement("template");
    made.innerHTML = chunk.html;
    const rows = [...made.content.children].filter((row) => row.matches("[data-step]"));
    if (!rows.length) return;
    chunk.gap.replaceWith(...rows);
    chunk.gap = null;
    chunk.rows = rows;
    for (const row of rows) window.htmx?.process(row);
    this.list.dispatchEvent(new CustomEvent("eventhub:rows", { bubbles: true }));
  }

  hide(chunk) {
    if (chunk.rows.some((row) => row.contains(document.activeElement))) return; // the focus is never taken away
    chunk.html ??= chunk.rows.map((row) => row.outerHTML).join("");
    chunk.gap = this.gapFor(chunk);
    chunk.rows[0].before(chunk.gap);
    for (const row of chunk.rows) row.remove();
    chunk.rows = null;
  }

  /** The row at a place (from 0), scrolled to when it is not drawn; null past the ends or when it cannot be loaded. */
  async row(index) {
    if (index < 0 || index >= this.total) return null;
    const chunk = this.chunks[Math.floor(index / this.size)];
    if (!chunk.rows) {
      const top = this.list.getBoundingClientRect().top + scrollY + index * this.height;
      scrollTo({ top: Math.max(0, top - innerHeight / 2) });
      if (chunk.html !== null) this.show(chunk);
      else await this.ask(chunk);
    }
    return chunk.rows?.[index - chunk.number * this.size] ?? null;
  }
}
