// Names for screen readers where Django's widgets give none: its select2 boxes stand apart from their labels.
const name = () => {
  for (const box of document.querySelectorAll(".select2-selection:not([aria-label])")) {
    const select = box.closest(".select2-container")?.previousElementSibling;
    const label = select?.id && document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
    if (!label) continue;
    const said = label.textContent.replace(/:\s*$/, "").trim();
    box.setAttribute("aria-label", said);
    box.querySelector("[role=textbox]")?.setAttribute("aria-label", said);
  }
};
window.addEventListener("load", name);
new MutationObserver(name).observe(document.documentElement, { childList: true, subtree: true });
