// The approval queue by keyboard: j and k move over the rows, Enter follows the link as in every browser.
"use strict";

(() => {
  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("textarea, select, input:not([type=checkbox])")) return;
    const step = { j: 1, k: -1 }[event.key];
    if (!step) return;
    const all = rows();
    const here = all.indexOf(document.activeElement);
    all[Math.min(all.length - 1, Math.max(0, here + step))]?.focus();
  });
})();
