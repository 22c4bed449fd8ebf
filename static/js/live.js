// Keeps the part of the page marked `data-live` true: it is fetched again when the server says that
// something changed, when the page comes into view, and every 15 s in case a hint was lost.
const NET_MS = 15_000;

const part = document.querySelector("[data-live]");
let stream = null;
let net = 0;
let stale = false;
// The latest request whose answer is for this part.
let underWay = null;

// Nothing moves under the hands: not while a menu or question is open, or text is being selected.
function inUse() {
  const selection = getSelection();
  return (
    document.querySelector("dialog[open]") !== null ||
    part.querySelector("details.menu[open]") !== null ||
    (!selection.isCollapsed && part.contains(selection.anchorNode))
  );
}

function refresh() {
  stale = true;
  if (underWay || document.hidden || inUse()) return;
  stale = false;
  htmx.trigger(part, "refresh");
}

function refreshIfStale() {
  if (stale) refresh();
}

// A button's own answer is newer than what is being fetched, and must find the button in place: the
// answer to an earlier request is not shown. The request itself says when it is over, because the
// button's events are lost with the button.
part.addEventListener("htmx:beforeRequest", ({ detail: { target, xhr } }) => {
  if (target !== part) return;
  underWay = xhr;
  xhr.addEventListener("loadend", () => {
    if (underWay !== xhr) return;
    underWay = null;
    refreshIfStale();
  });
});
document.addEventListener("toggle", refreshIfStale, true);
document.addEventListener("close", refreshIfStale, true);

// Only a page in view listens: a browser has six connections to a site, for all of its tabs.
function listen() {
  stream?.close();
  clearInterval(net);
  if (document.hidden) return;
  stream = new EventSource(part.dataset.live);
  stream.addEventListener("change", ({ data: id }) => {
    if (!id || !part.dataset.liveId || id === part.dataset.liveId) refresh();
  });
  net = setInterval(() => {
    refresh();
    // The server has as many streams open as it may.
    if (stream.readyState === EventSource.CLOSED) listen();
  }, NET_MS);
}

document.addEventListener("visibilitychange", () => {
  listen();
  if (!document.hidden) refresh();
});
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    listen();
    refresh();
  }
});
listen();

// What the new content does not say by itself: what was open, where the focus was, what changed.
let focused = null;

function noteFocus() {
  const element = document.activeElement;
  if (part.contains(element)) focused = { id: element.id, row: element.closest("li")?.id };
}

function giveFocusBack() {
  if (focused && document.activeElement === document.body) {
    const { id, row } = focused;
    const same = document.getElementById(id);
    const near = document.getElementById(row) ?? part;
    (same ?? near.querySelector(".actions :is(a, button, summary)"))?.focus();
  }
  focused = null;
}

function states() {
  const told = part.querySelectorAll("[data-announce]");
  return new Map(Array.from(told, (element) => [element.id, element.dataset.announce]));
}

function announceChanges(before, after) {
  const news = [...after].filter(([id, text]) => before.has(id) && before.get(id) !== text);
  if (news.length) {
    document.getElementById("announcer").textContent = news.map(([, text]) => text).join(". ");
  }
}

let before = new Map();
let open = [];
let shown = "";

// Before the request, because the button that sends it is then disabled and loses the focus.
part.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt !== part) noteFocus();
});

part.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event;
  if (detail.target !== part) return;
  if (detail.xhr !== underWay) {
    detail.shouldSwap = false;
    return;
  }
  if (detail.requestConfig.elt === part) {
    if (inUse()) {
      stale = true;
      detail.shouldSwap = false;
    }
    if (detail.serverResponse === shown) detail.shouldSwap = false;
    if (!detail.shouldSwap) return;
    shown = detail.serverResponse;
    noteFocus();
  }
  before = states();
  open = Array.from(part.querySelectorAll("details[open]:not(.menu)"), (details) => details.id);
});

part.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== part) return;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  giveFocusBack();
  announceChanges(before, states());
});

// The session is gone: the page says so when it is loaded again.
part.addEventListener("htmx:responseError", (event) => {
  if (event.detail.elt === part && event.detail.xhr.status === 404) location.reload();
});
