// The colours that were chosen, set before the first paint. Without storage it is as the system.
(() => {
  "use strict";
  const KEY = "theme";
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(KEY) ?? "system";
    } catch {
      return "system";
    }
  }

  function apply(theme) {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  }

  apply(stored());
  // Another tab chose.
  addEventListener("storage", (event) => {
    if (event.key === KEY) apply(stored());
  });

  document.addEventListener("DOMContentLoaded", () => {
    const menu = document.getElementById("theme-menu");
    menu.hidden = false;
    menu.querySelector(`[value="${CSS.escape(stored())}"]`).checked = true;
    menu.addEventListener("change", (event) => {
      apply(event.target.value);
      try {
        localStorage.setItem(KEY, event.target.value);
      } catch {
        // The choice holds for this page.
      }
    });
  });
})();
