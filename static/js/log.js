// Reads the log while its panel is open and in view, and follows its end unless scrolled up.
const EVERY_MS = 2000;
const AT_END_PX = 8;

const panel = document.getElementById("log");
const log = document.getElementById("log-text");
let reading = false;

async function read() {
  if (!panel.open || document.hidden || reading) return;
  reading = true;
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < AT_END_PX;
  const { scrollTop } = log;
  try {
    await htmx.ajax("GET", panel.dataset.log, { target: log, swap: "innerHTML" });
  } catch {
    // The next reading may do better; what was read stays.
  } finally {
    reading = false;
  }
  log.scrollTop = follows ? log.scrollHeight : scrollTop;
}

let shown = "";
log.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event;
  // Putting the same text in again would end a selection.
  if (detail.serverResponse === shown) detail.shouldSwap = false;
  shown = detail.serverResponse;
});

panel.addEventListener("toggle", read);
setInterval(read, EVERY_MS);
