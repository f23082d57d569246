/* A page comes in quickly and never jumps. Formulas change their size when they are
   typeset: they are typeset in the order of the page, what can be seen at first before
   the rest, and until then what stands behind them is not shown (gmlight.css).
   Pictures are fetched when they come near the screen; those of a slider together. */
"use strict";

(() => {
  const root = document.documentElement;
  const BATCH = 60;
  const later = []; // the blocks that wait, in the order of the page
  const coming = new MutationObserver(hide);

  function done() {
    coming.disconnect();
    root.classList.remove("gm-typesetting");
  }

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
    fitFormulas(formulas.flatMap((f) => [...f.querySelectorAll("mjx-container")]));
    await frame();
    for (const formula of formulas) formula.classList.add("gm-set");
    show();
  }

  const UNSET = ".math:not(.gm-set)";
  const waits = (block) => block.matches(UNSET) || block.querySelector(UNSET);

  /* Blocks are shown up to the next formula that is not typeset. */
  function show() {
    while (later.length && !waits(later[0])) later.shift().classList.remove("gm-later");
  }

  /* From the first block with such a formula on, blocks are not shown: marked while the
     page comes in, before it is painted. */
  function hide() {
    const blocks = ".bd-article section > :not(section, .gm-later)";
    for (const block of document.querySelectorAll(blocks)) {
      if (!later.length && !waits(block)) continue;
      block.classList.add("gm-later");
      later.push(block);
    }
  }

  const there = new Promise((go) => document.addEventListener("DOMContentLoaded", go));

  async function typesetAll() {
    await there; // and with it the other scripts
    hide();
    coming.disconnect();
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
    coming.observe(root, { childList: true, subtree: true });
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
