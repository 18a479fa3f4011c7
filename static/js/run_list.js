// The list: j k ↵ move and open, and "3 new" waits instead of pushing rows away under a finger.
"use strict";

(() => {
  const rows = [...document.querySelectorAll("[data-row]")];
  let picked = -1;

  function pick(place) {
    if (!rows.length) return;
    rows[picked]?.classList.remove("is-picked");
    picked = Math.max(0, Math.min(place, rows.length - 1));
    rows[picked].classList.add("is-picked");
    rows[picked].querySelector("a").focus({ preventScroll: true });
    rows[picked].scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "j") pick(picked + 1);
    if (event.key === "k") pick(picked - 1);
  });

  const newer = document.querySelector("[data-newer]");
  const url = `${newer.dataset.newer}&after=${newer.dataset.after}`;
  newer.addEventListener("click", () => location.reload());

  async function lookForNewer() {
    if (document.hidden) return;
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const count = (await answer.json()).new;
      newer.hidden = count === 0;
      newer.textContent = `${count} new`;
    } catch {
      // The server is away for a moment: the next look will tell.
    }
  }
  setInterval(lookForNewer, 10000);
})();
