// The approval page while it is open: counts down, asks whether it changed, and swaps its inside in place.
"use strict";

(() => {
  const holder = document.getElementById("approval");
  if (!holder) return;
  const settled = ["denied", "expired", "void", "consumed", "answered"];
  let left = 0;
  let timer = 0;

  const inside = () => holder.firstElementChild;

  function words(seconds) {
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    const hours = Math.floor(minutes / 60);
    if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
    return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
  }

  async function refresh() {
    const url = `${holder.dataset.part}?version=${encodeURIComponent(inside().dataset.version)}`;
    const answer = await fetch(url, { headers: { "X-Requested-With": "fetch" }, redirect: "error" });
    if (answer.status === 200) swap(await answer.text());
  }

  // The answer is the server's own template, escaped there; a half-written reason survives the swap.
  function swap(html) {
    const reason = document.getElementById("reason")?.value ?? "";
    const ticked = [...holder.querySelectorAll("[name=because]:checked")].map((box) => box.value);
    const denying = holder.querySelector(".deny")?.open ?? false;
    const parsed = new DOMParser().parseFromString(html, "text/html").querySelector(".approval");
    holder.replaceChildren(document.importNode(parsed, true));
    const field = document.getElementById("reason");
    if (field) {
      field.value = reason;
      const deny = holder.querySelector(".deny");
      if (deny) deny.open = denying;
      for (const box of holder.querySelectorAll("[name=because]")) box.checked = ticked.includes(box.value);
    }
    start();
  }

  async function look() {
    try { await refresh(); } catch { /* away for a moment: the next look tries again, and the server checks every vote */ }
    schedule();
  }

  function schedule() {
    clearTimeout(timer);
    if (settled.includes(inside().dataset.phase)) return;
    timer = setTimeout(look, document.hidden ? 15_000 : 3_000);
  }

  function tick() {
    if (inside().dataset.phase !== "open") return;
    left -= 1;
    const shown = holder.querySelector("[data-left]");
    if (shown) shown.textContent = words(Math.max(0, left));
    if (left === 0) look();
  }

  // On a phone the buttons are under the thumb from the start; approving waits until the last argument was on screen.
  function readFirst() {
    const button = holder.querySelector("[data-approve]");
    const last = holder.querySelector("[data-last-argument]");
    if (!button || !last || !matchMedia("(max-width: 640px)").matches) return;
    const hint = holder.querySelector("[data-read-first]");
    button.disabled = true;
    hint.hidden = false;
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      button.disabled = false;
      hint.hidden = true;
      observer.disconnect();
    });
    observer.observe(last);
  }

  function start() {
    left = Number(inside().dataset.secondsLeft);
    const title = document.title.replace(/^✋ /, "");
    document.title = inside().dataset.phase === "open" ? `✋ ${title}` : title;
    const favicon = document.getElementById("favicon");
    favicon.href = inside().dataset.phase === "open" ? favicon.dataset.hand : favicon.dataset.plain;
    readFirst();
    schedule();
  }

  setInterval(tick, 1_000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  start();
})();
