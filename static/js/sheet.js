// Dialogs: `data-opens="ID"` opens, `data-closes` closes, a click beside it closes, focus comes back to where it was.

export function open(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return dialog;
  dialog.showModal();
  return dialog;
}

export function close(dialog = document.querySelector("dialog[data-sheet][open]")) {
  dialog?.close();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    event.preventDefault();
    const id = opener.dataset.opens;
    if (id === "sheet") showLoading();
    if (id === "palette") document.dispatchEvent(new CustomEvent("eventhub:palette"));
    else open(id);
    return;
  }
  if (event.target.closest("[data-closes]")) {
    close(event.target.closest("dialog"));
    return;
  }
  const dialog = event.target;
  if (dialog instanceof HTMLDialogElement && dialog.matches("[data-sheet], .palette") && isOutside(dialog, event)) close(dialog);
});

function isOutside(dialog, event) {
  const box = dialog.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

function showLoading() {
  const content = document.getElementById("sheet-content");
  content.replaceChildren(document.getElementById("sheet-loading").content.cloneNode(true));
}

document.addEventListener("eventhub:close-sheet", () => close());
