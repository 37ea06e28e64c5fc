// The formulas of this page, written by KaTeX once the page is there.
document.addEventListener("DOMContentLoaded", () => {
  for (const e of document.querySelectorAll(".math.notranslate"))
    katex.render(e.textContent, e, { displayMode: e.classList.contains("display"), throwOnError: false, trust: false });
});
