// The form of a source: asks only what the answers so far make necessary, and keeps what is secret out of sight until
// it is replaced. Without this script every question is there, and the server leaves out what does not matter.

const form = () => document.querySelector("[data-source-form]");

function answers() {
  return new FormData(form());
}

function ask() {
  const given = answers();
  for (const field of form().querySelectorAll("[data-when]")) {
    const conditions = Object.entries(JSON.parse(field.dataset.when));
    const isAsked = conditions.every(([name, wanted]) => wanted.includes(given.get(name) ?? ""));
    field.toggleAttribute("data-off", !isAsked);
  }
}

document.addEventListener("change", (event) => {
  if (event.target.closest("[data-source-form]") && event.target.matches("[type=radio], select")) ask();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-replace]");
  if (!button) return;
  const secret = button.closest("[data-secret]");
  secret.removeAttribute("data-set");
  secret.querySelector(".form-control").focus();
});

// What was typed into a field is no longer wrong until the server says so again.
document.addEventListener("input", (event) => {
  const field = event.target.closest("[data-source-form] .field");
  if (!field) return;
  event.target.removeAttribute("aria-invalid");
  const error = field.querySelector(".field-error");
  if (error) error.textContent = "";
});

// A tested connection that is changed afterwards is tested again when it is saved; the words of the test would lie.
document.addEventListener("input", (event) => {
  if (!event.target.name?.startsWith("config-")) return;
  document.querySelector("#test .test-result")?.classList.add("is-old");
});

// After a refused save the first thing that is wrong is where the eye goes.
document.addEventListener("htmx:afterSettle", (event) => {
  if (!event.target.matches?.("[data-source-form]") && event.detail.elt?.id !== "source-form") return;
  ask();
  const wrong = form()?.querySelector("[role=alert], [aria-invalid=true]");
  wrong?.scrollIntoView({ block: "center", behavior: "smooth" });
});

ask();
