// What every page does: keeps times fresh, copies, opens sheets, listens to keys, shows messages and live state.
import "./time.js";
import "./copy.js";
import "./sheet.js";
import "./keyboard.js";
import "./messages.js";
import "./livebar.js";
import "./reach.js";

// Filters that are not set stay out of the address.
document.addEventListener("htmx:configRequest", (event) => {
  const { elt, parameters } = event.detail;
  if (!elt.matches("[data-filters]")) return;
  for (const [name, value] of Object.entries(parameters)) if (value === "") delete parameters[name];
});

// Menus close when one clicks or tabs elsewhere.
document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("focusin", (event) => closeMenus(event.target));

function closeMenus(target) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
}
