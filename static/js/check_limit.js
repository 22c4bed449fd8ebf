// Asks what would come of saving the form, and says it beside the button.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-check]");
  if (!button) return;
  const said = button.parentElement.querySelector("output");
  const answer = await fetch(button.dataset.check, {
    method: "POST",
    body: new FormData(button.form),
  }).catch(() => null);
  said.textContent = answer?.ok ? await answer.text() : "This cannot be said now. Try again.";
});
