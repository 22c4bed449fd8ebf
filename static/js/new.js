// Says in the summary what is chosen.
const form = document.getElementById("new");

function show() {
  for (const place of form.querySelectorAll("[data-shows]")) {
    const chosen = form.querySelector(`[name="${place.dataset.shows}"]:checked`);
    const parts = chosen?.parentElement.querySelectorAll("strong, .amount") ?? [];
    place.textContent = Array.from(parts, (part) => part.textContent).join(" · ") || "none chosen";
  }
}

form?.addEventListener("change", show);

// A page that comes back from the browser's cache asks for another session.
addEventListener("pageshow", (event) => {
  if (!event.persisted || !form) return;
  const random = crypto.getRandomValues(new Uint8Array(16));
  form.elements.key.value = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
});
