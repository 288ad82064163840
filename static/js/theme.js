// Sets the theme before the page is drawn, so that nothing flashes. A classic script in the head on purpose.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("has-script"); // for what is there only without scripts, or only with them
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem("eventhub-theme");
    } catch {
      return null; // storage is forbidden: follow the system
    }
  }

  function apply() {
    var theme = chosen() || (dark.matches ? "dark" : "light");
    if (root.dataset.bsTheme === theme) return;
    root.dataset.bsTheme = theme;
    document.dispatchEvent(new CustomEvent("eventhub:theme", { detail: { theme: theme } }));
  }

  apply();
  dark.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  document.addEventListener("click", function (event) {
    if (!event.target.closest("[data-theme-toggle]")) return;
    var next = root.dataset.bsTheme === "dark" ? "light" : "dark";
    try {
      if (next === (dark.matches ? "dark" : "light")) localStorage.removeItem("eventhub-theme");
      else localStorage.setItem("eventhub-theme", next);
      apply();
    } catch {
      root.dataset.bsTheme = next;
    }
  });
})();
