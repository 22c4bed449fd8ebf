// Says in the summary what is chosen, what will be in use then, and why it cannot be launched.
const form = document.getElementById("new");

function show() {
  for (const place of form.querySelectorAll("[data-shows]")) {
    const chosen = form.querySelector(`[name="${place.dataset.shows}"]:checked`);
    const parts = chosen?.parentElement.querySelectorAll("strong, .amount") ?? [];
    place.textContent = Array.from(parts, (part) => part.textContent).join(" · ") || "none chosen";
  }
  const size = form.querySelector("[name=profile]:checked");
  const use = form.querySelector("[data-shows-use]");
  use.innerHTML = size?.parentElement.querySelector("template").innerHTML ?? "";
  use.parentElement.hidden = !use.querySelector("li");
  const reason = document.getElementById("why-not");
  reason.textContent = size ? size.dataset.whyNot : "";
  reason.hidden = !reason.textContent;
  document.getElementById("launch").disabled = !size || !reason.hidden;
}

if (form) {
  form.addEventListener("change", show);
  form.addEventListener("htmx:afterSwap", show);
  show();
}

// A page that comes back from the browser's cache asks for another session.
addEventListener("pageshow", (event) => {
  if (!event.persisted || !form) return;
  const random = crypto.getRandomValues(new Uint8Array(16));
  form.elements.key.value = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
});
