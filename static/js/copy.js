// Copies on a click: `data-copy="text"`, and a button on every JSON tree.

// `what` names what was copied where the text itself would say little.
export async function copy(text, element, what = shown(text)) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyTheOldWay(text); // no clipboard outside of https and localhost
  }
  if (!element) return;
  element.classList.add("copied");
  setTimeout(() => element.classList.remove("copied"), 700);
  document.dispatchEvent(new CustomEvent("eventhub:toast", { detail: { text: `Copied ${what}`, kind: "success", brief: true } }));
}

function copyTheOldWay(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function shown(text) {
  const line = text.trim().split("\n")[0];
  return line.length > 60 || line !== text.trim() ? `${line.slice(0, 48)}…` : line;
}

document.addEventListener("click", (event) => {
  const element = event.target.closest("[data-copy]");
  if (!element || (element.tagName !== "BUTTON" && element.closest("a[href], button, summary"))) return;
  event.preventDefault();
  event.stopPropagation();
  copy(element.dataset.copy, element);
}, true);

// A tree's text is the JSON itself (whatever is folded), so nothing has to be sent twice.
function addButtons(root) {
  for (const tree of root.querySelectorAll("[data-json]:not([data-ready])")) {
    tree.dataset.ready = "1";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm json-copy";
    button.textContent = "Copy";
    button.addEventListener("click", () => {
      const lines = [...tree.querySelectorAll(".json-line")].map((line) => line.textContent.replace(/\n$/, ""));
      copy(lines.join("\n"), button, "the JSON");
    });
    tree.append(button);
  }
}
addButtons(document);
document.addEventListener("htmx:load", (event) => addButtons(event.target.parentNode ?? document));
