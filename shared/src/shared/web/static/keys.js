// Keyboard shortcuts: a letter presses the button with this label, J and K move between rows, and
// ? lists the shortcuts.
"use strict";
(() => {
  const KEPT = "letters-act";
  const byId = (id) => document.getElementById(id);
  const rows = () =>
    [...document.querySelectorAll("[data-row] > a")].filter((row) => row.checkVisibility());

  function walk(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const opened = all.findIndex((row) => row.getAttribute("aria-current") === "true");
    const chosen = at < 0 ? opened : at;
    const next = chosen < 0 ? (step > 0 ? 0 : all.length - 1) : chosen + step;
    all[Math.max(0, Math.min(all.length - 1, next))].focus();
  }

  // Look for the button in the focused row first, then in the open ticket, then on the page.
  function press(key) {
    const selector = `[data-key="${CSS.escape(key)}"]`;
    const row = document.activeElement.closest("[data-row]");
    const pane = byId("pane");
    const places = [row, pane, document].filter(Boolean);
    for (const place of places) {
      const found = [...place.querySelectorAll(selector)].find(
        (one) => !one.disabled && one.checkVisibility());
      if (found) {
        found.focus();
        found.click();
        if (found.tagName === "SUMMARY" && found.parentElement.open) {
          const first = found.parentElement.querySelector("button, select");
          requestAnimationFrame(() => first && first.focus());
        }
        return true;
      }
    }
    return false;
  }

  document.addEventListener("keydown", (event) => {
    const field = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape") {
      const menu = event.target.closest("details.menu[open]");
      if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
      else if (field) event.target.blur();
      return;
    }
    if (field || event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (!byId("keys-on").checked && event.key !== "?") return;
    const key = event.key.toLowerCase();
    if (key === "j" || key === "k") walk(key === "j" ? 1 : -1);
    else if (key === "arrowdown" || key === "arrowup") {
      if (!event.target.closest("[data-row]")) return;
      walk(key === "arrowdown" ? 1 : -1);
    } else if (key.length > 1 || !press(key)) return;
    event.preventDefault();
  });

  document.addEventListener("DOMContentLoaded", () => {
    const on = byId("keys-on");
    on.checked = localStorage.getItem(KEPT) !== "no";
    on.addEventListener("change", () => localStorage.setItem(KEPT, on.checked ? "yes" : "no"));
    byId("help-open").addEventListener("click", () => byId("help").showModal());
  });
})();
