"use strict";
{
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll("#findings tbody tr")];
  let words;
  const wanted = form.elements;

  const fits = (row, n, typed) =>
    (!wanted.outcome.value || row.dataset.outcome === wanted.outcome.value) &&
    (!wanted.area.value || row.dataset.area === wanted.area.value) &&
    (!wanted.service.value || row.dataset.service.includes(`,${wanted.service.value},`)) &&
    typed.every((word) => words[n].includes(word));

  const show = () => {
    const typed = wanted.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    words ??= typed.length ? rows.map((row) => row.textContent.toLowerCase()) : undefined;
    let shown = 0;
    rows.forEach((row, n) => {
      row.hidden = !fits(row, n, typed);
      shown += !row.hidden;
    });
    wanted.shown.value = `${shown} of ${rows.length} rows`;
  };

  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => event.preventDefault());
  wanted.shown.value = `${rows.length} of ${rows.length} rows`;

  // What does not scroll needs no stop of the Tab key; what goes on at the right shows it.
  const shade = (box) =>
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  const stop = new ResizeObserver((entries) => {
    for (const { target: box } of entries) {
      const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
      shade(box);
      scrolls ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll(".table, .panels[role]").forEach((box) => {
    stop.observe(box);
    box.addEventListener("scroll", () => shade(box), { passive: true });
  });

  const folds = [...document.querySelectorAll("details")];
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = folds.filter((fold) => !fold.open);
    folded.forEach((fold) => (fold.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((fold) => (fold.open = false)));
}
