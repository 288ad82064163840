// The slider says its number while it is moved; the state follows a moment later (htmx).
for (const slider of document.querySelectorAll("[data-shows]")) {
  const shown = document.getElementById(slider.dataset.shows);
  slider.addEventListener("input", () => { shown.textContent = slider.value; });
}

// What was asked for by time moves the slider to where that is.
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "at") return;
  const version = event.target.querySelector("[data-version]")?.dataset.version;
  const slider = document.getElementById("stream-version");
  if (version !== undefined && document.activeElement !== slider) {
    slider.value = version;
    document.getElementById(slider.dataset.shows).textContent = version;
  }
  event.target.querySelector(".is-here")?.scrollIntoView({ block: "nearest" });
});
