// The wall: asks every two seconds, turns to the next view every fifteen, and stays where something is wrong a while
// longer. Keys: left and right turn it, space holds it.
import { duration, number, rate } from "./formats.js";

const ASK_MS = 2000;
const TURN_MS = 15000;
const OLD_MS = 15000;
const body = document.body;
const views = [...document.querySelectorAll("[data-view]")];
let shown = 0, held = false, answered = Date.now(), turned = Date.now(), loud = [];

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function row(cells, level) {
  const made = element("tr", level ? `state-${level}` : "");
  made.append(...cells.map(([text, className]) => element("td", className ?? "", text)));
  return made;
}

function show({ snapshot, groups, alerts }) {
  const { health } = snapshot;
  document.getElementById("wall-health").textContent = [health.text, ...health.findings.map((one) => one.text)].join(" ");
  document.getElementById("wall-tiles").replaceChildren(...snapshot.tiles.map((tile) => {
    const box = element("div", `wall-tile${tile.state ? ` state-${tile.state}` : ""}`);
    box.append(element("span", "", tile.label), element("b", "", tile.value), element("span", "", [tile.note, tile.delta].filter(Boolean).join(" · ")));
    return box;
  }));
  document.getElementById("wall-sources").replaceChildren(...snapshot.sources.map((one) => row([[one.name], [one.state, "wall-word"], [rate(one.per_s)], [one.lag_s === null ? "–" : duration(one.lag_s)]], one.level)));
  document.getElementById("wall-groups").replaceChildren(...groups.map((one) => row([[one.name], [one.status, "wall-word"], [one.seconds === null ? "unknown" : duration(one.seconds)], [one.messages === null ? "unknown" : number(one.messages)], [one.outlook]], one.level)));
  document.getElementById("wall-alerts").replaceChildren(...(alerts.length ? alerts.map((one) => element("div", "wall-alert state-broken", `${one.rule}: ${one.evidence}`)) : [element("p", "", "Nothing fires.")]));
  loud = [alerts.length > 0 && "alerts", groups.some((one) => one.level === "broken") && "lag"].filter(Boolean);
}

async function ask() {
  try {
    const answer = await fetch(body.dataset.wall, { headers: { Accept: "application/json" } });
    if (answer.status === 403) {
      document.getElementById("wall-health").textContent = "This link has ended.";
      body.classList.add("is-old");
      return;
    }
    if (answer.ok) {
      show(await answer.json());
      answered = Date.now();
    }
  } catch {
    // It is tried again; what is shown pales when it is old.
  }
  body.classList.toggle("is-old", Date.now() - answered > OLD_MS);
  setTimeout(ask, ASK_MS);
}

function turn(by) {
  shown = (shown + by + views.length) % views.length;
  turned = Date.now();
  views.forEach((view, index) => (view.hidden = index !== shown));
  dots.forEach((dot, index) => dot.setAttribute("aria-current", String(index === shown)));
}

const dots = views.map((view, index) => {
  const dot = element("button", "wall-dot");
  dot.type = "button";
  dot.setAttribute("aria-label", view.getAttribute("aria-label"));
  dot.addEventListener("click", () => turn(index - shown));
  return dot;
});
document.getElementById("wall-dots").append(...dots);
turn(0);
ask();
setInterval(() => {
  document.getElementById("wall-clock").textContent = new Date().toLocaleTimeString();
  const stay = loud.includes(views[shown].dataset.view) ? 2 * TURN_MS : TURN_MS;
  if (!held && Date.now() - turned > stay) turn(1);
}, 1000);
addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") turn(1);
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === " ") held = !held;
});
