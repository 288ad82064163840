// What every page does: keeps times fresh, copies, opens sheets, listens to keys, shows messages and live state.
import "./time.js";
import "./copy.js";
import "./sheet.js";
import "./keyboard.js";
import "./messages.js";
import "./livebar.js";

// Menus close when one clicks or tabs elsewhere.
document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("focusin", (event) => closeMenus(event.target));

function closeMenus(target) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
}
