// The new-run form: examples fill the field without a reload, the counter warns near the limit, Ctrl-Enter sends.
"use strict";

(() => {
  const goal = document.getElementById("id_goal");
  if (!goal) return;
  const counter = document.querySelector("[data-count]");
  const limit = Number(goal.dataset.limit);

  function count() {
    const length = [...goal.value].length;
    counter.textContent = length > limit * 0.8 ? `${length.toLocaleString("en")} of ${limit.toLocaleString("en")} characters` : "";
  }

  goal.addEventListener("input", count);
  goal.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) goal.form.requestSubmit();
  });
  for (const example of document.querySelectorAll("[data-example]")) {
    example.addEventListener("click", (event) => {
      event.preventDefault();
      goal.value = example.textContent;
      goal.focus();
      count();
    });
  }
  count();
})();
