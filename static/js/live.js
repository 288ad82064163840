// The live connection of a page: one WebSocket, a snapshot a second.
//
// Dispatches on `document`:
//   eventhub:snapshot  detail = the snapshot (monitoring/snapshot.py), while the page is live and in view
//   eventhub:live      detail = {state: "live" | "slow" | "paused" | "lost", since: Date}; slow: snapshots are asked for
// Listens on `document` for `eventhub:pause` ({paused: true | false}). Paused, the page keeps what it shows; resumed, it
// jumps to now. A hidden page is not drawn, and after a while it hangs up; it is back at once when it is looked at again.
// Where no WebSocket can be had (Redis is down, a proxy lets none through), snapshots are asked for instead.

const NOT_LOGGED_IN = 4401;
const SILENT_AFTER_MS = 6000; // six snapshots missed: the connection is as good as gone
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15000;
const POLL_AFTER = 3; // attempts in vain
const POLL_EVERY_MS = 2000;
const SLEEP_AFTER_MS = 30000;

let socket = null;
let state = "";
let paused = false;
let newest = null;
let attempts = 0;
let retry = 0;
let watchdog = 0;
let polling = 0;
let falling = 0;

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

function take(snapshot) {
  newest = snapshot;
  if (!paused) tell(polling ? "slow" : "live");
  draw();
}

async function poll() {
  polling = setTimeout(poll, POLL_EVERY_MS);
  if (document.hidden || paused) return;
  try {
    const answer = await fetch("/live/snapshot", { headers: { Accept: "application/json" } });
    if (answer.redirected || answer.status === 401) location.reload();
    else if (answer.ok && polling) take(await answer.json());
  } catch {
    tell("lost");
  }
}

function stopPolling() {
  clearTimeout(polling);
  polling = 0;
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
    stopPolling();
    expectMessage(opened);
    take(JSON.parse(event.data));
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
  if (!paused && !polling) tell("lost");
  if (attempts >= POLL_AFTER && !polling) poll();
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempts++);
  retry = setTimeout(connect, longest * (0.5 + Math.random() / 2)); // spread, so that not all pages come back at once
}

function reconnectNow() {
  if (socket) return;
  attempts = 0;
  connect();
}

function sleep() {
  const open = socket;
  socket = null;
  clearTimeout(watchdog);
  clearTimeout(retry);
  open?.close();
}

document.addEventListener("eventhub:pause", (event) => (event.detail?.paused ?? true ? pause() : resume()));
document.addEventListener("visibilitychange", () => {
  clearTimeout(falling);
  if (document.hidden) {
    falling = setTimeout(sleep, SLEEP_AFTER_MS);
    return;
  }
  if (socket) draw();
  else reconnectNow();
});
addEventListener("online", reconnectNow);
addEventListener("pagehide", () => {
  sleep();
  stopPolling();
});
addEventListener("pageshow", (event) => event.persisted && reconnectNow());

connect();
