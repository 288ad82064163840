// Short messages at the corner, and htmx errors shown where they happened, with "Try again".

const SECONDS = { success: 5, info: 6, warning: 10, error: 0 }; // an error stays until it is read

export function toast(text, kind = "info", seconds = SECONDS[kind] ?? 6) {
  const list = document.getElementById("toasts");
  const note = template(kind).content.firstElementChild.cloneNode(true);
  note.querySelector("p").textContent = text;
  if (kind === "error") note.setAttribute("role", "alert");
  // A modal dialog makes everything outside of it inert, so the message goes inside.
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (dialog && list.parentNode !== dialog) dialog.append(list);
  if (!dialog && list.parentNode !== document.body) document.body.append(list);
  while (list.children.length >= 4) list.firstElementChild.remove();
  list.append(note);
  dismissAfter(note, seconds);
}

const template = (kind) => document.getElementById(`toast-${kind}`) ?? document.getElementById("toast-info");

function dismissAfter(note, seconds) {
  if (seconds) setTimeout(() => (note.matches(":hover, :focus-within") ? dismissAfter(note, 2) : note.remove()), seconds * 1000);
}

document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest("[data-toast]")?.remove());
document.addEventListener("close", (event) => {
  const list = event.target.querySelector?.("#toasts");
  if (list) document.body.append(list);
}, true);
document.addEventListener("eventhub:toast", (event) => {
  const { text, kind, brief } = event.detail;
  toast(text, kind, brief ? 2 : undefined);
});
for (const note of document.querySelectorAll("#toasts > [data-toast]")) {
  dismissAfter(note, SECONDS[note.dataset.toast] ?? 6);
}

// -- htmx -------------------------------------------------------------------------------------------------

const REASONS = {
  400: "The server could not read the request.",
  403: "Your account may not do this. Ask an administrator for the right.",
  404: "It is not there any more. Reload the page.",
  409: "Someone else was faster. Reload the page to see how it stands.",
  413: "That is too large to send.",
  429: "Too many requests. Wait a moment.",
  500: "Something broke on the server; its log says what.",
  502: "The web process is not running or is just starting.",
  503: "The server is starting or overloaded.",
};

document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  const said = (xhr.getResponseHeader("Content-Type") ?? "").startsWith("text/plain") ? xhr.responseText.trim().slice(0, 300) : "";
  fail(event.detail, said || REASONS[xhr.status] || `The server answered ${xhr.status}.`);
});
document.addEventListener("htmx:sendError", (event) => fail(event.detail, "The server cannot be reached. Is the connection there?"));
document.addEventListener("htmx:timeout", (event) => fail(event.detail, "The server did not answer within 30 s."));

function fail(detail, reason) {
  const { elt, target, requestConfig } = detail;
  if (elt.closest("[data-quiet-errors]")) return;
  // What was asked for by hand and changes something is told in a message; a part that did not load says so in its place.
  if (requestConfig && requestConfig.verb !== "get") {
    toast(`${reason} Nothing was changed.`, "error");
    return;
  }
  const place = target && target.isConnected ? target : elt;
  if (place.id === "sheet-content" || place.matches("[data-part]")) {
    place.replaceChildren(failure(reason, elt));
    return;
  }
  document.querySelectorAll("[data-failure]").forEach((old) => old.remove());
  const note = failure(reason, elt);
  const inTable = place.closest("table, [data-pager]:is(tr)");
  (inTable ?? place).before(note);
}

function failure(reason, elt) {
  const note = document.getElementById("failure-template").content.firstElementChild.cloneNode(true);
  note.dataset.failure = "1";
  note.querySelector(".failure-title").textContent = reason;
  const again = document.createElement("button");
  again.type = "button";
  again.className = "btn btn-sm";
  again.textContent = "Try again";
  again.addEventListener("click", () => {
    note.remove();
    retry(elt);
  });
  note.append(again);
  return note;
}

function retry(elt) {
  if (!elt.isConnected) location.reload();
  else if (elt.matches("form")) htmx.trigger(elt, "submit");
  else if (elt.hasAttribute("hx-trigger")) htmx.trigger(elt, elt.getAttribute("hx-trigger").split(/[\s,]/)[0]);
  else htmx.trigger(elt, "click");
}

document.addEventListener("htmx:afterSwap", () => document.querySelectorAll("[data-failure]").forEach((note) => note.remove()));
document.addEventListener("htmx:beforeRequest", (event) => event.detail.target?.setAttribute("aria-busy", "true"));
document.addEventListener("htmx:afterRequest", (event) => event.detail.target?.removeAttribute("aria-busy"));
