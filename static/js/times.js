// Keeps times true as they pass. The words are those of the `times` template tags.
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// The server's clock is the one that counts: this one may be minutes off.
const offset = Number(document.documentElement.dataset.now) * 1000 - Date.now();
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
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
}

tick();
setInterval(tick, 1000);
document.addEventListener("htmx:afterSwap", tick);
