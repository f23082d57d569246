/* What does not fit scrolls in its own box, which is as high as what it holds and can be
   reached from the keyboard; all else keeps its place on the line. */
"use strict";

function inside(box) {
  const style = getComputedStyle(box);
  return box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
}

/* A formula that is wider than its line gets a box (.gm-wide). Such a box hides what
   sticks out of it: it is padded by as much as glyphs and lines stick out. */
function fitFormula(math) {
  math.classList.remove("gm-wide");
  math.style.paddingBlock = "";
  let block = math.hasAttribute("display") ? math : math.parentElement;
  while (getComputedStyle(block).display === "inline") block = block.parentElement;
  const formula = math.querySelector("mjx-math") ?? math;
  if (formula.getBoundingClientRect().width <= inside(block)) return;
  math.classList.add("gm-wide");
  const box = math.getBoundingClientRect();
  let above = 0;
  let below = 0;
  for (const part of formula.querySelectorAll("*")) {
    const { top, bottom, width, height } = part.getBoundingClientRect();
    if (!width || !height) continue;
    above = Math.max(above, box.top - top);
    below = Math.max(below, bottom - box.bottom);
  }
  math.style.paddingBlock = `${Math.ceil(above) + 1}px ${Math.ceil(below) + 1}px`;
}

function fitBoxes() {
  document.querySelectorAll(".bd-article mjx-container").forEach(fitFormula);
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

/* What a link points to, and what is printed, is not folded away. */
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target; fold; fold = fold.parentElement) {
    if (fold.tagName === "DETAILS") fold.open = true;
  }
  target?.scrollIntoView();
}

window.addEventListener("hashchange", unfold);
window.addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details.gm-second")) fold.open = true;
});

window.addEventListener("load", () => {
  const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();
  Promise.all([typeset, document.fonts.ready])
    .then(fitBoxes)
    .then(() => location.hash && unfold())
    .then(() => (document.documentElement.dataset.fitted = "yes"));
  window.addEventListener("resize", fitBoxes);
  document.addEventListener("toggle", fitBoxes, true);
});
