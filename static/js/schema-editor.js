// The editor of a schema: line numbers, colours, lines with flaws marked, Tab and brackets as an editor has them.

const form = document.querySelector("[data-schema-form]");
const text = form?.querySelector("[data-text]");

if (text) {
  const lines = form.querySelector("[data-lines]");
  const paint = form.querySelector("[data-paint]");
  const TOKEN = /("(?:[^"\\\n]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  let isLeaving = false;

  const span = (name, content) => {
    const made = document.createElement("span");
    made.className = name;
    made.textContent = content;
    return made;
  };
  const colour = () => {
    const parts = [];
    let last = 0;
    for (const token of text.value.matchAll(TOKEN)) {
      parts.push(text.value.slice(last, token.index));
      if (token[1]) {
        parts.push(span(token[2] ? "is-key" : "is-text", token[1]), token[2] ?? "");
      } else {
        parts.push(span("is-other", token[0]));
      }
      last = token.index + token[0].length;
    }
    paint.replaceChildren(...parts, text.value.slice(last), "\n");
  };
  const number = () => {
    const marked = new Set((document.getElementById("schema-check")?.dataset.flawLines ?? "").split(" "));
    const count = text.value.split("\n").length;
    const made = [];
    for (let n = 1; n <= count; n += 1) {
      made.push(marked.has(String(n)) ? span("is-flaw", n) : String(n), "\n");
    }
    lines.replaceChildren(...made);
    follow();
  };
  const follow = () => {
    lines.scrollTop = text.scrollTop;
    paint.scrollTop = text.scrollTop;
    paint.scrollLeft = text.scrollLeft;
  };
  // Undo keeps working when text goes in through the browser's own command.
  const insert = (typed) => document.execCommand("insertText", false, typed);

  // Once a frame: a text of many lines that is put in at once comes as many inputs.
  let isDue = false;
  text.addEventListener("input", () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      colour();
      number();
    });
  });
  text.addEventListener("scroll", follow);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey && !isLeaving) {
      event.preventDefault();
      insert("  ");
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      const line = text.value.slice(0, text.selectionStart).split("\n").pop();
      const indent = line.match(/^\s*/)[0] + (/[{[]\s*$/.test(line) ? "  " : "");
      if (indent) {
        event.preventDefault();
        insert(`\n${indent}`);
      }
    }
    // Escape, then Tab leaves the editor: nobody is caught in it.
    isLeaving = event.key === "Escape";
  });
  document.body.addEventListener("htmx:afterSettle", number);
  colour();
  number();
  text.setSelectionRange(0, 0);
}
