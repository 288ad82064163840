// The editor of a dead letter: line numbers, Tab and brackets as an editor has them, starting over, Ctrl-S sends.

const form = document.querySelector("[data-edit]");
const body = form?.querySelector("[data-edit-body]");
const lines = form?.querySelector("[data-edit-lines]");

if (body) {
  const began = { body: body.value, headers: form.elements.headers.value, key: form.elements.key.value };
  let isSent = false;

  const number = () => {
    const count = body.value.split("\n").length;
    lines.textContent = Array.from({ length: count }, (_, n) => n + 1).join("\n");
    lines.scrollTop = body.scrollTop;
  };
  const typed = () => {
    number();
    body.dispatchEvent(new Event("input", { bubbles: true }));
  };
  // Undo keeps working when text goes in through the browser's own command.
  const insert = (text) => document.execCommand("insertText", false, text);

  body.addEventListener("input", number);
  body.addEventListener("scroll", () => (lines.scrollTop = body.scrollTop));
  body.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey && !isLeaving) {
      event.preventDefault();
      insert("  ");
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      const line = body.value.slice(0, body.selectionStart).split("\n").pop();
      const indent = line.match(/^\s*/)[0] + (/[{[]\s*$/.test(line) ? "  " : "");
      if (indent) {
        event.preventDefault();
        insert(`\n${indent}`);
      }
    }
    // Escape, then Tab leaves the editor: nobody is caught in it.
    isLeaving = event.key === "Escape";
  });
  let isLeaving = false;

  form.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && (event.key === "s" || event.key === "Enter")) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  form.querySelector("[data-edit-reset]").addEventListener("click", () => {
    body.value = began.body;
    form.elements.headers.value = began.headers;
    form.elements.key.value = began.key;
    typed();
    body.focus();
  });

  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt === form && event.detail.xhr.status < 300) isSent = true;
  });
  addEventListener("beforeunload", (event) => {
    if (!isSent && body.value !== began.body) event.preventDefault();
  });
  number();
  body.setSelectionRange(0, 0);
  body.scrollTop = 0;
}
