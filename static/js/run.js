// A run's page, live: appends step lines, swaps the parts that changed, says how fresh it is. A reload shows the same.
"use strict";

(() => {
  const page = document.getElementById("run");
  const timeline = document.getElementById("timeline");
  const live = document.getElementById("live");
  const follow = document.getElementById("follow");
  const favicon = document.getElementById("favicon");
  const SILENCE_MS = 20000; // several ticks of the server missed: the line is dead
  const QUIET_MS = 400; // nothing is swapped while a hand is on the page

  let after = Number(page.dataset.after);
  let isOver = page.dataset.terminal === "1";
  let socket = null;
  let failures = 0;
  let lastHeard = Date.now();
  let lastTouched = 0;

  // What the page says of itself

  function hour(ms) {
    return new Date(ms).toISOString().slice(11, 19);
  }

  function say(state, words) {
    live.dataset.live = state;
    live.textContent = words;
  }

  function showBadge() {
    const badge = document.getElementById("badge");
    if (!badge) return;
    const needsYou = badge.dataset.state === "NEEDS_APPROVAL";
    const ended = badge.dataset.terminal === "1";
    document.title = `${needsYou ? "✋ " : ended ? "✔ " : ""}${page.dataset.title}`;
    favicon.href = needsYou ? favicon.dataset.hand : ended ? favicon.dataset.done : favicon.dataset.plain;
    const announce = document.getElementById("announce");
    const words = badge.textContent.trim();
    if (announce.dataset.last && announce.dataset.last !== words) announce.textContent = words;
    announce.dataset.last = words;
  }

  function words(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  }

  function runClock() {
    const clock = document.querySelector("[data-seconds]");
    if (!clock) return;
    // Counted from when the server wrote it, so that a wrong clock on this machine does not matter.
    clock.started ??= performance.now() - Number(clock.dataset.seconds) * 1000;
    clock.textContent = words((performance.now() - clock.started) / 1000);
  }

  // Steps

  function cycleSection(number) {
    let section = timeline.querySelector(`[data-cycle="${number}"].cycle`);
    if (section) return section;
    for (const toggle of timeline.querySelectorAll(".cycle__toggle")) {
      if (!toggle.dataset.touched) toggle.checked = false;
    }
    section = document.createElement("section");
    section.className = "cycle";
    section.dataset.cycle = number;
    const id = `cycle-${Number(number)}`;
    const toggle = made("input", { type: "checkbox", id, checked: true, className: "cycle__toggle visually-hidden" });
    const label = made("label", { className: "cycle__head", htmlFor: id });
    label.append(made("strong", { textContent: `Cycle ${Number(number)}` }), " ", made("span", { className: "soft cycle__summary" }));
    section.append(toggle, label, made("ol", { className: "lines" }));
    timeline.append(section);
    return section;
  }

  function made(name, properties) {
    return Object.assign(document.createElement(name), properties);
  }

  // What the server's own templates rendered, as nodes: parsed apart from the page, so nothing in it runs.
  function nodesOf(html) {
    return document.importNode(new DOMParser().parseFromString(html, "text/html").body, true);
  }

  // What is being said towards the next step: shown while it comes, replaced by that step, kept nowhere.
  const SPOKEN_MS = 15000; // nothing more came of it

  function speak(message) {
    if (message.seq !== after + 1) return;
    let line = document.getElementById("speaking");
    if (line && Number(line.dataset.seq) !== message.seq) { line.remove(); line = null; }
    const before = line ? line.lastElementChild.textContent : "";
    if (message.offset > before.length) return; // a piece was dropped; the next ones may overlap what is here
    if (!line) {
      line = made("li", { id: "speaking", className: "line line--speaking" });
      line.dataset.seq = message.seq;
      const sections = timeline.querySelectorAll(".cycle");
      const icon = made("span", { className: "line__icon", textContent: "…" });
      line.append(made("span", { className: "line__time soft", textContent: "now" }), icon, made("span", { className: "line__text" }));
      (sections.length ? sections[sections.length - 1] : cycleSection(1)).querySelector(".lines").append(line);
    }
    line.heard = Date.now();
    line.lastElementChild.textContent = before.slice(0, message.offset) + message.text;
    if (follow.checked) line.scrollIntoView({ block: "nearest" });
  }

  function hush() {
    document.getElementById("speaking")?.remove();
  }

  function addStep(message) {
    if (message.seq <= after) return;
    after = message.seq;
    hush();
    if (document.getElementById(`step-${message.seq}`)) return;
    const lines = cycleSection(message.cycle).querySelector(".lines");
    if (message.kind === "tool_result") {
      lines.querySelector(`[data-kind="tool_intent"][data-call="${Number(message.call)}"]`)?.remove();
    }
    const line = nodesOf(message.html).firstElementChild;
    line.classList.add("is-new");
    lines.append(line);
    if (follow.checked) line.scrollIntoView({ block: "nearest" });
    refreshSoon();
  }

  timeline.addEventListener("change", (event) => { event.target.dataset.touched = "1"; });
  follow.closest("label").hidden = isOver;
  follow.checked = false;
  addEventListener("wheel", (event) => { if (event.deltaY < 0) follow.checked = false; }, { passive: true });
  addEventListener("keydown", (event) => { if (["ArrowUp", "PageUp", "Home"].includes(event.key)) follow.checked = false; });

  // Parts

  const shown = new Map();
  for (const part of document.querySelectorAll("[data-part]")) shown.set(part.dataset.part, part.innerHTML);

  for (const kind of ["pointerdown", "pointermove", "touchmove", "keydown", "wheel"]) {
    addEventListener(kind, () => { lastTouched = Date.now(); }, { passive: true });
  }

  function isHeld(part) {
    return part.contains(document.activeElement) && document.activeElement !== document.body;
  }

  function key(details) {
    return details.id || details.dataset.evidence || details.querySelector("summary")?.textContent;
  }

  function swap(part, fresh) {
    const open = new Map([...part.querySelectorAll("details[open]")].map((details) => [key(details), details]));
    part.replaceChildren(...document.importNode(fresh, true).childNodes);
    for (const details of part.querySelectorAll("details")) {
      const before = open.get(key(details));
      if (!before) continue;
      // What was opened and filled stays as it is: the row moves over, with what the reader was looking at.
      if (details.dataset.evidence) details.replaceWith(before); else details.open = true;
    }
    document.dispatchEvent(new CustomEvent("partswapped", { detail: part.dataset.part }));
  }

  async function refresh(url, withTimeline) {
    const answer = await fetch(url, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.redirected || answer.status === 404) return location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    let isLate = false;
    for (const fresh of parsed.querySelectorAll("[data-part]")) {
      const name = fresh.dataset.part;
      const part = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
      if (!part || shown.get(name) === fresh.innerHTML) continue;
      const isBar = name === "bar" || name === "pills";
      if (!isBar && (isHeld(part) || Date.now() - lastTouched < QUIET_MS)) { isLate = true; continue; }
      shown.set(name, fresh.innerHTML);
      swap(part, fresh);
    }
    for (const fresh of parsed.querySelectorAll("[data-summary]")) {
      const summary = timeline.querySelector(`[data-cycle="${Number(fresh.dataset.summary)}"] .cycle__summary`);
      if (summary) summary.textContent = fresh.textContent;
    }
    if (withTimeline) readTimeline(parsed);
    showBadge();
    if (isLate) refreshSoon(600);
    return undefined;
  }

  function readTimeline(parsed) {
    // Only while no socket opens: the whole page is read instead, and its new lines are taken over.
    for (const line of parsed.querySelectorAll("#timeline .line")) {
      addStep({ seq: Number(line.dataset.seq), cycle: line.dataset.cycle, kind: line.dataset.kind, call: line.dataset.call, html: line.outerHTML });
    }
    if (parsed.getElementById("run")?.dataset.terminal === "1") finish();
  }

  let timer = null;
  function refreshSoon(ms = 150 + Math.random() * 150) {
    if (timer) return;
    timer = setTimeout(async () => {
      timer = null;
      try { await refresh(page.dataset.top, false); } catch { refreshSoon(3000); }
      followSubRuns();
    }, ms);
  }

  function followSubRuns() {
    // Their notices go to their own pages; this one asks how far they are while somebody looks.
    if (!isOver && !document.hidden && document.querySelector("[data-under-way]")) refreshSoon(2000);
  }

  // The socket

  function finish() {
    isOver = true;
    hush();
    say("finished", "Finished");
    follow.closest("label").hidden = true;
    refreshSoon(50);
  }

  function hear(event) {
    lastHeard = Date.now();
    failures = 0;
    const message = JSON.parse(event.data);
    if (message.type === "step") addStep(message);
    if (message.type === "delta") speak(message);
    if (message.type === "finished") finish();
    if (message.type === "tick") {
      if (message.live) say("live", "Live"); else say("delayed", "Live updates delayed");
    }
  }

  function connect() {
    if (isOver || (socket && socket.readyState <= WebSocket.OPEN)) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/ws/runs/${page.dataset.run}?after=${after}`);
    socket.addEventListener("message", hear);
    socket.addEventListener("open", () => refreshSoon());
    socket.addEventListener("close", (event) => {
      if (isOver) return;
      if (event.code === 4404) { location.reload(); return; }
      failures += 1;
      say("reconnecting", `Reconnecting, as of ${hour(lastHeard)}`);
      if (failures >= 3) refresh(location.href, true).catch(() => {});
      setTimeout(connect, Math.min(500 * 2 ** failures, 10000) * (0.7 + Math.random() * 0.6));
    });
  }

  setInterval(() => {
    runClock();
    const line = document.getElementById("speaking");
    if (line && Date.now() - line.heard > SPOKEN_MS) hush();
    if (!isOver && socket?.readyState === WebSocket.OPEN && Date.now() - lastHeard > SILENCE_MS) socket.close();
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { connect(); followSubRuns(); } });
  addEventListener("online", connect);

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }

  showBadge();
  connect();
})();
