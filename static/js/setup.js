// The form for what a session starts with: more rows, and what is said of the volumes it names.
const setup = document.querySelector("[data-setup]");

// More rows than the page came with. Each is like the last, and empty.
for (const button of document.querySelectorAll("[data-add-row]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const rows = button.parentElement.querySelectorAll("[data-row]");
    const last = rows[rows.length - 1];
    const row = last.cloneNode(true);
    for (const error of row.querySelectorAll("[data-error]")) error.remove();
    const fields = row.querySelectorAll("input, textarea, select");
    for (const field of fields) {
      field.value = field.dataset.usual ?? "";
      field.removeAttribute("aria-invalid");
      if (field.ariaLabel) field.ariaLabel = field.ariaLabel.replace(/\d+$/, rows.length + 1);
    }
    last.after(row);
    fields[0].focus();
  });
}

function chosenVolumes() {
  return Array.from(setup.querySelectorAll("[name=mount-volume]"), (select) =>
    select.selectedOptions.item(0),
  ).filter((option) => option?.value);
}

// Who has a volume is said of those that are chosen.
function showNotes() {
  const chosen = chosenVolumes();
  for (const note of setup.querySelectorAll("[data-note-of]")) {
    note.hidden = !chosen.some((option) => option.value === note.dataset.noteOf);
  }
  const place = setup.querySelector("[data-shows-volumes]");
  if (!place) return;
  const names = chosen.map((option) => option.dataset.name);
  if (place.dataset.showsVolumes) names.unshift(place.dataset.showsVolumes);
  place.textContent = names.join(", ") || "none";
}

if (setup) {
  setup.addEventListener("change", showNotes);
  showNotes();
}
