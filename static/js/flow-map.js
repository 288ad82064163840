// The flow map, and the graph of one trace: boxes from left to right, edges as thick as their rate.
import cytoscape from "../vendor/cytoscape@3.34.4/cytoscape.esm.min.mjs";

const COLUMN = 250;
const ROW = 110;
const NARROW = 600;
let drawn = null;
let drawnUrl = "";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function style() {
  return [
    { selector: "node", style: {
      shape: "round-rectangle", width: "data(width)", height: 34, padding: "10px", label: "data(label)",
      "background-color": token("--surface"), "border-width": 1.5, "border-color": token("--line-strong"),
      color: token("--text"), "font-size": 13, "text-valign": "center", "text-halign": "center", "text-wrap": "wrap",
      "font-family": "system-ui, sans-serif" } },
    { selector: "node.is-failed", style: { "border-color": token("--broken"), color: token("--broken-text") } },
    { selector: "edge", style: {
      width: "data(width)", "curve-style": "bezier", "control-point-step-size": 46, "target-arrow-shape": "triangle", "arrow-scale": 0.8,
      "line-color": "data(colour)", "target-arrow-color": "data(colour)", label: "data(label)", "font-size": 10.5,
      color: token("--text-2"), "text-background-color": token("--surface"), "text-background-opacity": 0.9,
      "text-background-padding": "2px", "text-rotation": "autorotate", "loop-direction": "-45deg" } },
    { selector: "edge.is-inferred", style: { "line-style": "dashed" } },
    { selector: ".is-dim", style: { opacity: 0.16 } },
  ];
}

const COLOURS = { ok: "--ok", busy: "--busy", broken: "--broken", unknown: "--line-strong" };

const labelOf = (node) => (node.rate ? `${node.id}\n${node.rate}` : node.label ?? node.id);

function elements(data, isNarrow) {
  const nodes = data.nodes.map((node) => ({
    data: { id: `n:${node.id}`, name: node.id, label: labelOf(node), width: 7.4 * Math.max(...labelOf(node).split("\n").map((line) => line.length)) + 4, url: node.url },
    classes: node.failed ? "is-failed" : "",
    // In a narrow window the flow runs downwards: from left to right nobody could read it.
    position: isNarrow
      ? { x: node.row * COLUMN * 0.7 + (node.column % 2) * 50, y: node.column * ROW }
      : { x: node.column * COLUMN, y: node.row * ROW + (node.column % 2) * 40 },
  }));
  const most = Math.max(...data.edges.map((edge) => edge.per_s), 1e-9);
  const edges = data.edges.map((edge) => ({
    data: {
      id: `e:${edge.id}`, source: `n:${edge.source}`, target: `n:${edge.target}`, label: edge.label ?? edge.type, type: edge.type,
      width: 1.5 + 5 * Math.sqrt(edge.per_s / most), colour: token(COLOURS[edge.state] ?? "--line-strong"),
      said: edge.rate ? `${edge.type}: ${edge.rate}, p95 ${edge.p95}, errors ${edge.failed}` : edge.said,
    },
    classes: edge.inferred ? "is-inferred" : "",
  }));
  return [...nodes, ...edges];
}

async function draw(container) {
  let data;
  try {
    const answer = await fetch(container.dataset.url, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    data = await answer.json();
  } catch {
    return; // The table below says the same, and the next refresh comes by itself.
  }
  if (!container.isConnected) return;
  const keep = drawn && drawnUrl === container.dataset.url && drawn.container() === container
    ? { zoom: drawn.zoom(), pan: { ...drawn.pan() } } : null;
  drawn?.destroy();
  drawn = cytoscape({
    container, elements: elements(data, container.clientWidth < NARROW), style: style(), layout: { name: "preset", fit: !keep, padding: 28 },
    minZoom: 0.2, maxZoom: 2.5, userZoomingEnabled: true, boxSelectionEnabled: false, autoungrabify: true,
  });
  if (keep) drawn.viewport(keep);
  drawnUrl = container.dataset.url;
  container.dataset.drawn = String(data.nodes.length);
  drawn.on("mouseover", "node", (event) => drawn.elements().not(event.target.closedNeighborhood()).addClass("is-dim"));
  drawn.on("mouseover", "edge", (event) => {
    drawn.elements().not(event.target.union(event.target.connectedNodes())).addClass("is-dim");
    container.title = event.target.data("said") ?? "";
  });
  drawn.on("mouseout", () => { drawn.elements().removeClass("is-dim"); container.title = ""; });
  drawn.on("tap", "node, edge", (event) => {
    if (event.target.data("url")) { location.assign(event.target.data("url")); return; }
    const address = container.dataset.address;
    if (!address) return;
    const url = new URL(location.href);
    url.searchParams.set("focus", event.target.isNode() ? event.target.data("name") : event.target.data("type"));
    location.assign(url);
  });
}

const drawAll = () => document.querySelectorAll("[data-flow-map]").forEach(draw);
drawAll();
let swapped = null;
document.addEventListener("htmx:afterSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target.id !== "flow" || xhr === swapped) return; // told once for each element that was put in
  swapped = xhr;
  drawAll();
});
new MutationObserver(drawAll).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-flow-back]")) event.target.form.requestSubmit();
});
