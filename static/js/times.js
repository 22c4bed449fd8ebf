// Keeps times true as they pass. The words are those of the `times` template tags.
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// The server's clock is the one that counts: this one may be minutes off.
const offset = Number(document.documentElement.dataset.now) * 1000 - Date.now();
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

function secondsSince(iso) {
  return Math.max(Math.floor((Date.now() + offset - Date.parse(iso)) / 1000), 0);
}

function ago(iso) {
  const seconds = secondsSince(iso);
  if (seconds < 45) return "just now";
  if (seconds < HOUR) return `${Math.max(Math.floor(seconds / MINUTE), 1)} min ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ago`;
  if (seconds < 30 * DAY) return `${Math.floor(seconds / DAY)} d ago`;
  return date.format(new Date(iso));
}

function span(seconds) {
  const units = [[DAY, "d", HOUR, "h"], [HOUR, "h", MINUTE, "min"], [MINUTE, "min", 1, "s"]];
  const unit = units.find(([size]) => seconds >= size);
  if (!unit) return `${seconds} s`;
  const [size, name, smaller, smallerName] = unit;
  const rest = Math.floor((seconds % size) / smaller);
  return `${Math.floor(seconds / size)} ${name}${rest ? ` ${rest} ${smallerName}` : ""}`;
}

function until(iso) {
  const seconds = Math.floor((Date.parse(iso) - Date.now() - offset) / 1000);
  return seconds <= 0 ? "soon" : `in ${span(seconds)}`;
}

function at(iso) {
  const when = new Date(iso);
  const now = new Date(Date.now() + offset);
  const midnight = (day) => Date.UTC(day.getFullYear(), day.getMonth(), day.getDate());
  const days = (midnight(when) - midnight(now)) / (DAY * 1000);
  const near = { 0: "today", 1: "tomorrow" };
  return `${hour.format(when)} ${near[days] ?? `on ${date.format(when)}`}`;
}

function show(element, text) {
  // An equal text is not written again: it would end a selection.
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  for (const element of document.querySelectorAll("[data-ago]")) {
    show(element, ago(element.dateTime));
    element.title = exact.format(new Date(element.dateTime));
  }
  for (const element of document.querySelectorAll("[data-clock]")) {
    show(element, span(secondsSince(element.dataset.clock)));
    element.title = `since ${exact.format(new Date(element.dataset.clock))}`;
  }
  for (const element of document.querySelectorAll("[data-until]")) {
    show(element, until(element.dataset.until));
    element.title = exact.format(new Date(element.dataset.until));
  }
  for (const element of document.querySelectorAll("[data-at]")) {
    show(element, at(element.dateTime));
    element.title = exact.format(new Date(element.dateTime));
  }
}

tick();
setInterval(tick, 1000);
document.addEventListener("htmx:afterSwap", tick);
