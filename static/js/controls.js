// Menus, the dialog, toasts and copying: what plain HTML leaves open.

// A fragment that turns out to be the page to sign in on: show that page.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { pathname } = new URL(event.detail.xhr.responseURL);
  if (pathname !== document.body.dataset.signIn) return;
  event.detail.shouldSwap = false;
  location.reload();
});

// A press outside closes a menu, and so does its choice; Escape gives the focus back.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const chosen = event.target.closest("a, button");
    if (!menu.contains(event.target) || (chosen && menu.contains(chosen))) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (event.key !== "Escape" || !menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});

// A question's link has its form put into the dialog; without script it leads to a page.
const dialog = document.getElementById("dialog");
let asker = null;

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== dialog) return;
  const { elt } = event.detail.requestConfig;
  asker = elt.closest("details.menu")?.querySelector("summary") ?? elt;
  dialog.showModal();
});

dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("[data-close]")) {
    event.preventDefault();
    dialog.close();
  }
});

// By its id, for the list it stood in may have been refreshed meanwhile.
dialog.addEventListener("close", () => (document.getElementById(asker.id) ?? asker).focus());

// Two clicks are one: a form that is on its way is not sent again.
document.addEventListener("submit", (event) => {
  if ("sent" in event.target.dataset) event.preventDefault();
  event.target.dataset.sent = "";
});

// A page that comes back from the browser's cache can be used again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.forms) delete form.dataset.sent;
});

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest(".toast").remove();
});

function showCopyButtons() {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

showCopyButtons();
document.addEventListener("htmx:afterSwap", showCopyButtons);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    // No clipboard without https: what is to be copied is selected.
    button.textContent = "Press Ctrl+C";
  }
});

function toast(text) {
  const element = document.createElement("div");
  element.className = "toast error";
  element.innerHTML = '<p></p><button type="button" data-dismiss>Dismiss</button>';
  element.firstChild.textContent = text;
  document.getElementById("toasts").replaceChildren(element);
  return element;
}

function isRefresh({ detail }) {
  return detail.requestConfig.triggeringEvent?.type === "refresh";
}

let outOfDate = null;

document.addEventListener("htmx:sendError", (event) => {
  if (!isRefresh(event)) toast("The service did not answer. Try again.");
  else outOfDate ??= toast("The service does not answer. What is shown may be out of date.");
});

document.addEventListener("htmx:afterOnLoad", () => {
  outOfDate?.remove();
  outOfDate = null;
});

document.addEventListener("htmx:responseError", (event) => {
  if (!isRefresh(event)) toast("That did not work. Load the page again, then try again.");
});
