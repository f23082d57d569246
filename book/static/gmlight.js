/* A page comes in quickly and never jumps. Formulas change their size when they are
   typeset: they are typeset in the order of the page, what can be seen at first before
   the rest, and until then what stands behind them is not shown (gmlight.css).
   Pictures are fetched when they come near the screen; those of a slider together. */
"use strict";

(() => {
  const root = document.documentElement;
  const BATCH = 60;
  const done = () => root.classList.remove("gm-typesetting");

  // A tab in the background draws no frames.
  const frame = () =>
    Promise.race([
      new Promise((go) => requestAnimationFrame(() => setTimeout(go))),
      new Promise((go) => setTimeout(go, 200)),
    ]);

  /* Formulas are shown a frame after they have their size, in their own font. */
  async function typeset(formulas) {
    await MathJax.typesetPromise(formulas);
    await frame();
    await document.fonts.ready;
    for (const formula of formulas) {
      formula.querySelectorAll("mjx-container").forEach(fitFormula);
    }
    await frame();
    for (const formula of formulas) formula.classList.add("gm-set");
  }

  const there = new Promise((go) => document.addEventListener("DOMContentLoaded", go));

  async function typesetAll() {
    await there; // and with it the other scripts
    const all = [...document.querySelectorAll(".math, .tex2jax_process, .mathjax_process")];
    const near = (e) => e.getBoundingClientRect().top < 2 * innerHeight;
    let first = all.findIndex((e) => !near(e));
    if (first < 0) first = all.length;
    for (let i = 0; i < all.length; i += i < first ? first : BATCH) {
      await typeset(all.slice(i, i < first ? first : i + BATCH));
    }
  }

  if (window.MathJax) {
    root.classList.add("gm-typesetting");
    MathJax.startup = {
      typeset: false,
      pageReady: () => MathJax.startup.defaultPageReady().then(typesetAll).finally(done),
    };
    // Nothing stays hidden where MathJax cannot be had.
    window.addEventListener("load", () => MathJax.version || done());
  }

  const fetchAll = (box) => {
    for (const image of box.querySelectorAll("img[loading=lazy]")) image.loading = "eager";
  };

  document.addEventListener("DOMContentLoaded", () => {
    const near = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          near.unobserve(target);
          fetchAll(target);
        }
      },
      { rootMargin: "100%" },
    );
    document.querySelectorAll(".gm-slider").forEach((box) => near.observe(box));
  });

  /* What is printed is not folded away; what was opened for it is closed again. */
  const opened = [];
  window.addEventListener("beforeprint", () => {
    fetchAll(document);
    for (const fold of document.querySelectorAll("main details:not([open])")) {
      fold.open = true;
      opened.push(fold);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const fold of opened.splice(0)) fold.open = false;
  });
})();
