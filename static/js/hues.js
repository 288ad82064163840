// The colour of an event type and of its series in charts: the same as eventhub/pages/hues.py.

export const HUES = 12;
const SEED = 2166158075;
const DOMAINS = new Set(["com", "org", "net", "io", "dev", "app", "co", "de", "eu", "ch"]);

export function entity(eventType) {
  const text = eventType.trim();
  const parts = text.split(".").filter(Boolean);
  if (parts.length >= 3 && DOMAINS.has(parts[0].toLowerCase())) return parts.at(-2).toLowerCase();
  if (parts.length >= 2) return parts[0].toLowerCase();
  const words = text.split(/[:/\-_\s]/).filter(Boolean);
  return words.length ? words[0].split(/(?<=[a-z0-9])(?=[A-Z])/)[0].toLowerCase() : "";
}

export function hueOf(eventType) {
  let value = SEED;
  for (const byte of new TextEncoder().encode(entity(eventType))) value = Math.imul(value ^ byte, 16777619) >>> 0;
  return ((value ^ (value >>> 16)) >>> 0) % HUES;
}

// The hue's colour in the theme of this moment, for canvases.
export function colourOf(eventType) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--hue-${hueOf(eventType)}`).trim();
}
