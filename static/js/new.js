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

// More rows than the page came with. Each is like the last, and empty.
for (const button of document.querySelectorAll("[data-add-row]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const rows = button.parentElement.querySelectorAll("[data-row]");
    const row = rows[rows.length - 1].cloneNode(true);
    for (const error of row.querySelectorAll("[data-error]")) error.remove();
    const fields = row.querySelectorAll("input, textarea, select");
    for (const field of fields) {
      field.value = field.dataset.usual ?? "";
      field.removeAttribute("aria-invalid");
      if (field.ariaLabel) field.ariaLabel = field.ariaLabel.replace(/\d+$/, rows.length + 1);
    }
    button.before(row);
    fields[0].focus();
  });
}

// A page that comes back from the browser's cache asks for another session.
addEventListener("pageshow", (event) => {
  if (!event.persisted || !form) return;
  const random = crypto.getRandomValues(new Uint8Array(16));
  form.elements.key.value = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
});
