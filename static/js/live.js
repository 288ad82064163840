// The live connection of a page: one WebSocket, a snapshot a second.
//
// Dispatches on `document`:
//   eventhub:snapshot  detail = the snapshot (monitoring/snapshot.py), while the page is live and in view
//   eventhub:live      detail = {state: "live" | "paused" | "lost", since: Date}
// Listens on `document` for `eventhub:pause` ({paused: true | false}). Paused, the page keeps what it shows; resumed, it
// jumps to now. A hidden page is not drawn at all.

const NOT_LOGGED_IN = 4401;
const SILENT_AFTER_MS = 6000; // six snapshots missed: the connection is as good as gone
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15000;

let socket = null;
let state = "";
let paused = false;
let newest = null;
let attempts = 0;
let retry = 0;
let watchdog = 0;

export const liveState = () => state;
export const latestSnapshot = () => newest;

export function pause() {
  paused = true;
  tell("paused");
}

export function resume() {
  paused = false;
  if (socket?.readyState === WebSocket.OPEN) {
    tell("live");
    draw();
  } else {
    reconnectNow();
  }
}

function tell(next) {
  if (next === state) return;
  state = next;
  document.dispatchEvent(new CustomEvent("eventhub:live", { detail: { state, since: new Date() } }));
}

function draw() {
  if (newest && !paused && !document.hidden) document.dispatchEvent(new CustomEvent("eventhub:snapshot", { detail: newest }));
}

function connect() {
  clearTimeout(retry);
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const opened = new WebSocket(`${scheme}://${location.host}/ws/live/`);
  socket = opened;
  expectMessage(opened);
  opened.addEventListener("message", (event) => {
    if (socket !== opened) return;
    attempts = 0;
    expectMessage(opened);
    newest = JSON.parse(event.data);
    if (!paused) tell("live");
    draw();
  });
  opened.addEventListener("close", (event) => {
    if (socket === opened) lost(event.code);
  });
}

// A connection that died without a word (a laptop that slept, a proxy that gave up) is noticed here.
function expectMessage(opened) {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => {
    if (socket !== opened) return;
    opened.close();
    lost(0);
  }, SILENT_AFTER_MS);
}

function lost(code) {
  clearTimeout(watchdog);
  socket = null;
  if (code === NOT_LOGGED_IN) {
    location.reload(); // the session has ended: the server asks for the login
    return;
  }
  if (!paused) tell("lost");
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempts++);
  retry = setTimeout(connect, longest * (0.5 + Math.random() / 2)); // spread, so that not all pages come back at once
}

function reconnectNow() {
  if (socket) return;
  attempts = 0;
  connect();
}

document.addEventListener("eventhub:pause", (event) => (event.detail?.paused ?? true ? pause() : resume()));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (socket) draw();
  else reconnectNow();
});
addEventListener("online", reconnectNow);
addEventListener("pagehide", () => {
  const open = socket;
  socket = null;
  clearTimeout(watchdog);
  open?.close();
});
addEventListener("pageshow", (event) => event.persisted && reconnectNow());

connect();
