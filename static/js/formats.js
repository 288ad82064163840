// The words for live numbers: the same as eventhub/pages/formats.py says on the server (a test compares them).

const MINUTE = 60, HOUR = 3600, DAY = 86400;
export const NOTHING = "–";

const trim = (text) => (text.endsWith(".0") ? text.slice(0, -2) : text);
const missing = (value) => value === null || value === undefined || value === "" || Number.isNaN(Number(value));

// Rounds half to even, as Python does, so that both sides say the same.
function fixed(value, digits) {
  const text = value.toFixed(digits);
  if (digits > 0) return text;
  const low = Math.floor(value);
  return value - low === 0.5 ? String(low % 2 === 0 ? low : low + 1) : text;
}
function grouped(text) {
  const [whole, part] = text.split(".");
  const withCommas = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? withCommas : `${withCommas}.${part}`;
}
const short = (value) => (value < 9.95 ? trim(fixed(value, 1)) : number(Number(fixed(value, 0))));
const two = (large, largeUnit, small, smallUnit) => (small ? `${large} ${largeUnit} ${small} ${smallUnit}` : `${large} ${largeUnit}`);

export function number(value) {
  if (missing(value)) return NOTHING;
  value = Number(value);
  const size = Math.abs(value);
  if (size < 9999.5) return size >= 100 || Number.isInteger(value) ? grouped(fixed(value, 0)) : trim(grouped(fixed(value, 1)));
  if (size < 999950) return `${trim(fixed(value / 1e3, 1))} k`;
  if (size < 999950000) return `${trim(fixed(value / 1e6, 1))} M`;
  return `${trim(grouped(fixed(value / 1e9, 1)))} G`;
}

export function rate(perSecond) {
  if (missing(perSecond)) return NOTHING;
  perSecond = Number(perSecond);
  if (perSecond === 0 || perSecond >= 0.95) return `${short(perSecond)}/s`;
  if (perSecond * MINUTE >= 0.95) return `${short(perSecond * MINUTE)}/min`;
  return `${short(perSecond * HOUR)}/h`;
}

export function duration(seconds) {
  if (missing(seconds)) return NOTHING;
  seconds = Number(seconds);
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds === 0) return "0 s";
  if (seconds < 0.0009995) return `${Math.max(1, Number(fixed(seconds * 1e6, 0)))} µs`;
  if (seconds < 0.9995) return `${short(seconds * 1e3)} ms`;
  if (seconds < 59.5) return `${short(seconds)} s`;
  const whole = Number(fixed(seconds, 0));
  if (whole < HOUR) return two(Math.floor(whole / MINUTE), "min", whole % MINUTE, "s");
  const minutes = Number(fixed(seconds / MINUTE, 0));
  if (minutes < 24 * 60) return two(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Number(fixed(seconds / HOUR, 0));
  return hours < 240 ? two(Math.floor(hours / 24), "d", hours % 24, "h") : `${number(Math.floor(hours / 24))} d`;
}

export function size(bytes) {
  if (missing(bytes)) return NOTHING;
  bytes = Number(bytes);
  const amount = Math.abs(bytes);
  if (amount < 1000) return `${fixed(bytes, 0)} B`;
  if (amount < 999950) return `${trim(fixed(bytes / 1e3, 1))} kB`;
  if (amount < 999950000) return `${trim(fixed(bytes / 1e6, 1))} MB`;
  return `${trim(grouped(fixed(bytes / 1e9, 1)))} GB`;
}

export function percent(share) {
  if (missing(share)) return NOTHING;
  const value = Number(share) * 100;
  if (value === 0 || Math.abs(value) >= 9.95) return `${fixed(value, 0)} %`;
  if (Math.abs(value) < 0.005) return "< 0.01 %";
  return `${trim(fixed(value, Math.abs(value) < 0.995 ? 2 : 1))} %`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function ago(at, now = new Date()) {
  const seconds = (now - at) / 1000;
  const distance = Math.abs(seconds);
  if (distance < 1) return "now";
  if (distance >= 30 * DAY) return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
  const [length, unit] =
    distance < MINUTE ? [1, "s"] : distance < HOUR ? [MINUTE, "min"] : distance < DAY ? [HOUR, "h"] : [DAY, "d"];
  const text = `${Math.floor(distance / length)} ${unit}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

export function exact(at) {
  return `${at.toISOString().replace("T", " ").replace("Z", "")} UTC`;
}

export function local(at) {
  return at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
}

export const shortId = (text, head = 8, tail = 6) => (text.length <= head + tail + 4 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`);

export const FORMATS = { number, rate, duration, size, percent, text: (value) => (missing(value) && value !== 0 ? String(value ?? NOTHING) : String(value)) };
