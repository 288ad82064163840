// The Overview, live: the health line, the tiles, the sources and the big chart. The server has already drawn every
// number; this only keeps them fresh.
import { sparkline } from "./chart.js";
import { eventsChart } from "./events-chart.js";
import { duration, number, rate } from "./formats.js";

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const STATES = ["ok", "busy", "broken", "unknown"];

function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function setState(element, state) {
  for (const each of STATES) element.classList.toggle(`state-${each}`, each === state);
}

const drawing = (level) => document.querySelector(`template[data-level="${level}"]`).content.cloneNode(true);

function showHealth(health) {
  const line = document.getElementById("health");
  const said = JSON.stringify(health);
  if (line.dataset.said === said) return;
  line.dataset.said = said;
  setState(line, health.level);
  line.querySelector(".health-icon").replaceChildren(drawing(health.level).querySelector("svg"));
  const bold = document.createElement("b");
  bold.textContent = health.text;
  const parts = health.findings.flatMap((finding, index) => {
    const link = document.createElement("a");
    link.className = `finding state-${finding.level}`;
    link.href = finding.href;
    link.textContent = finding.text;
    return [" ", link, index < health.findings.length - 1 ? "," : ""];
  });
  line.querySelector(".health-text").replaceChildren(bold, ...parts);
}

function showTiles(tiles) {
  for (const tile of tiles) {
    const box = document.querySelector(`[data-tile="${tile.name}"]`);
    if (!box) continue;
    say(box.querySelector(".tile-value"), tile.value);
    say(box.querySelector(".tile-unit"), tile.note);
    const delta = box.querySelector(".tile-delta");
    say(delta, tile.delta);
    setState(delta, tile.delta_state);
    setState(box, tile.state);
    if (box.getAttribute("href") !== tile.href) box.setAttribute("href", tile.href);
    sparkline(box.querySelector("canvas"), tile.spark, tile.state ? `--${tile.state}` : "--accent");
  }
}

function showSources(sources) {
  const body = document.getElementById("sources-now");
  if (!body) return;
  const rows = new Map([...body.querySelectorAll("[data-source]")].map((row) => [row.dataset.source, row]));
  if (rows.size !== sources.length || sources.some((source) => !rows.has(source.name))) {
    document.dispatchEvent(new CustomEvent("overview:sources-changed"));
    return;
  }
  for (const source of sources) {
    const row = rows.get(source.name);
    const state = row.querySelector('[data-cell="state"]');
    if (state.dataset.said !== source.state) {
      state.dataset.said = source.state;
      const badge = drawing(source.level).querySelector(".state");
      badge.title = source.advice;
      badge.lastChild.textContent = source.state;
      state.replaceChildren(badge);
    }
    say(row.querySelector('[data-cell="rate"]'), rate(source.per_s));
    say(row.querySelector("[data-lag]"), source.lag_s === null ? "" : duration(source.lag_s));
    say(row.querySelector("[data-waiting]"), waiting(source));
    row.querySelector('[data-cell="lag"]').title = source.lag_error;
    sparkline(row.querySelector("canvas"), source.spark, source.level === "broken" ? "--broken" : "--accent");
  }
}

function waiting(source) {
  if (source.lag_messages === null) return source.lag_s !== null ? "" : source.is_polled ? "unknown" : "–";
  return source.lag_messages ? `${number(source.lag_messages)} waiting` : "";
}

function show(snapshot) {
  showHealth(snapshot.health);
  showTiles(snapshot.tiles);
  showSources(snapshot.sources);
}

show(read("snapshot-data"));
const chart = await eventsChart(
  document.getElementById("events-chart"), document.getElementById("error-strip"), document.getElementById("events-legend"),
  read("chart-data"),
);
document.addEventListener("eventhub:snapshot", ({ detail }) => {
  show(detail);
  chart.follow(detail.recent);
});
