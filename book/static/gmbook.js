/* Inline formulas that are wider than the text scroll in their own box (the rest keep
   their place on the line), and what scrolls can be reached from the keyboard. */
"use strict";

function fitBoxes() {
  for (const math of document.querySelectorAll(
    ".bd-article mjx-container:not([display])",
  )) {
    math.classList.remove("gm-wide");
    let block = math.parentElement;
    while (getComputedStyle(block).display === "inline") block = block.parentElement;
    const style = getComputedStyle(block);
    const room =
      block.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    math.classList.toggle("gm-wide", math.getBoundingClientRect().width > room);
  }
  for (const box of document.querySelectorAll(
    ".bd-article mjx-container, .bd-article div.math, .bd-article pre," +
      " .bd-article .output, .gm-table, .gm-scroll," +
      " .bd-article .pst-scrollable-table-container",
  )) {
    const scrolls =
      box.scrollWidth > box.clientWidth + 1 &&
      ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
    if (scrolls) box.tabIndex = 0;
  }
}

window.addEventListener("load", () => {
  const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();
  typeset.then(fitBoxes).then(() => (document.documentElement.dataset.fitted = "yes"));
  window.addEventListener("resize", fitBoxes);
  document.addEventListener("toggle", fitBoxes, true);
});
