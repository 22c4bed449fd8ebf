// Opens the notebook, once, in the tab that launched it, as soon as it runs and the tab is in view.
const session = document.getElementById("session");
let wanted = "launched" in session.dataset;

function openWhenReady() {
  const { status, open } = document.getElementById("panel").dataset;
  if (!wanted || status !== "running" || document.hidden) return;
  wanted = false;
  // Coming back to this page must not lead away from it again.
  history.replaceState(null, "", location.pathname);
  location.assign(open);
}

openWhenReady();
document.addEventListener("htmx:afterSwap", openWhenReady);
document.addEventListener("visibilitychange", openWhenReady);
