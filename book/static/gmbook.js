/* What does not fit scrolls in its own box, which is as high as what it holds and can be
   reached from the keyboard; all else keeps its place on the line. */
"use strict";

function inside(box) {
  const style = getComputedStyle(box);
  return box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
}

function isWide(math) {
  let block = math.hasAttribute("display") ? math : math.parentElement;
  while (getComputedStyle(block).display === "inline") block = block.parentElement;
  const formula = math.querySelector("mjx-math") ?? math;
  return formula.getBoundingClientRect().width > inside(block);
}

/* How far a formula sticks out of its box, above and below. */
function sticksOut(math) {
  const box = math.getBoundingClientRect();
  let above = 0;
  let below = 0;
  for (const part of (math.querySelector("mjx-math") ?? math).querySelectorAll("*")) {
    const { top, bottom, width, height } = part.getBoundingClientRect();
    if (!width || !height) continue;
    above = Math.max(above, box.top - top);
    below = Math.max(below, bottom - box.bottom);
  }
  return `${Math.ceil(above) + 1}px ${Math.ceil(below) + 1}px`;
}

/* A formula that is wider than its line gets a box (.gm-wide). Such a box hides what
   sticks out of it: it is padded by as much as glyphs and lines stick out. All are
   measured together: a page is laid out anew at each look that follows a change. */
function fitFormulas(all) {
  for (const math of all) {
    math.classList.remove("gm-wide");
    math.style.paddingBlock = "";
  }
  const wide = [...all].filter(isWide);
  for (const math of wide) math.classList.add("gm-wide");
  const room = wide.map(sticksOut);
  wide.forEach((math, i) => (math.style.paddingBlock = room[i]));
}

function fitBoxes() {
  fitFormulas(document.querySelectorAll(".bd-article mjx-container"));
  const boxes = document.querySelectorAll(
    ".bd-article mjx-container, .bd-article div.math, .bd-article pre," +
      " .bd-article .output, .gm-table, .gm-scroll," +
      " .bd-article .pst-scrollable-table-container",
  );
  const scrolls = [...boxes].filter(
    (box) =>
      box.scrollWidth > box.clientWidth + 1 &&
      ["auto", "scroll"].includes(getComputedStyle(box).overflowX),
  );
  for (const box of scrolls) box.tabIndex = 0;
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
