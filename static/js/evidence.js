// Claims and evidence rows open their Evidence in place, fetched once from its own page's partial. Anchors open them.
"use strict";

(() => {
  async function fill(details) {
    const place = details.querySelector(".claim__evidence");
    if (!details.open || details.dataset.filled) return;
    details.dataset.filled = "1";
    const url = new URL(details.dataset.evidence, location.href);
    url.searchParams.set("part", "1");
    try {
      const answer = await fetch(url, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
      const article = parsed.querySelector("article");
      // One page may show the same Evidence twice: only its own page keeps the mark's id.
      for (const marked of article.querySelectorAll("#mark")) marked.removeAttribute("id");
      place.replaceChildren(article);
    } catch {
      delete details.dataset.filled;
      const words = document.createElement("p");
      words.className = "soft small";
      words.textContent = "The evidence could not be read just now. Its own page is behind the link.";
      place.append(words);
    }
  }

  // `toggle` does not bubble, so it is caught on its way down.
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details[data-evidence]")) fill(event.target);
  }, true);

  function openTarget() {
    const target = location.hash === "" ? null : document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target === null ? null : (target.matches("details") ? target : target.querySelector("details"));
    if (details) details.open = true;
    target?.scrollIntoView({ block: "start" });
  }
  addEventListener("hashchange", openTarget);
  openTarget();
})();
