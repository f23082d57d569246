/* Previews of what a link leads to; arrows turn the pages.

   A preview appears when a link within the text is pointed at or reached by keyboard. It
   stays while the pointer is on the link or on it, goes with Escape, and takes no focus.
   Its content comes from _static/previews/, a file for each page. */
"use strict";

const gmPreviews = {};
const gmLoading = {};
const gmRoot = new URL(
  document.documentElement.dataset.content_root ?? "./",
  location.href,
);
const WAIT = 250; // ms on a link before its preview comes, and off it before it goes
let gmTip, gmShown, gmTimer;

/* The page and the id that a link names, if it is within the book. */
function gmTarget(link) {
  const url = new URL(link.href, location.href);
  const id = decodeURIComponent(url.hash.slice(1));
  url.hash = url.search = "";
  if (!id || !url.href.startsWith(gmRoot.href)) return null;
  const page = url.href.slice(gmRoot.href.length).replace(/\.html$/, "") || "index";
  return page.startsWith("_") ? null : { page, id };
}

function gmLoad(page) {
  gmLoading[page] ??= new Promise((done) => {
    const script = document.createElement("script");
    script.src = new URL(`_static/previews/${page}.js`, gmRoot).href;
    script.onload = script.onerror = () => done();
    document.head.append(script);
  });
  return gmLoading[page];
}

/* A formula that is too wide for the preview is set smaller. */
function gmFit() {
  for (const math of gmTip.querySelectorAll("mjx-container")) {
    const formula = math.querySelector("mjx-math") ?? math;
    const room = gmTip.clientWidth - 34;
    const width = formula.getBoundingClientRect().width;
    if (width > room) math.style.fontSize = `${Math.max(60, (105 * room) / width)}%`;
    math.removeAttribute("tabindex");
  }
}

function gmPlace() {
  const [line] = gmShown.getClientRects();
  if (!line) return gmHide();
  const { width, height } = gmTip.getBoundingClientRect();
  const page = document.documentElement;
  const left = Math.min(line.left, page.clientWidth - width - 8);
  const below = line.bottom + 4;
  const fits = below + height < page.clientHeight;
  const top = fits || line.top < height + 4 ? below : line.top - height - 4;
  gmTip.style.left = `${Math.max(8, left)}px`;
  gmTip.style.top = `${top}px`;
}

async function gmShow(link) {
  const target = gmTarget(link);
  if (!target || link === gmShown) return;
  gmHide();
  gmShown = link;
  await gmLoad(target.page);
  const html = gmPreviews[target.page]?.[target.id];
  const math = window.MathJax?.startup?.promise;
  // Where nothing can typeset it, a formula is no help.
  if (!html || gmShown !== link || (html.includes('class="math') && !math)) return;
  gmTip ??= document.createElement("div");
  gmTip.className = "gm-tip bd-article";
  gmTip.id = "gm-tip";
  gmTip.setAttribute("role", "tooltip");
  gmTip.innerHTML = html;
  gmTip.onpointerenter = () => clearTimeout(gmTimer);
  gmTip.onpointerleave = gmLeave;
  (document.querySelector("main") ?? document.body).append(gmTip);
  await math;
  await window.MathJax?.typesetPromise?.([gmTip]);
  if (gmShown !== link) return;
  gmFit();
  gmTip.classList.toggle("gm-cut", gmTip.scrollHeight > gmTip.clientHeight + 2);
  gmPlace();
  link.setAttribute("aria-describedby", "gm-tip");
  gmTip.dataset.ready = "yes";
}

function gmHide() {
  clearTimeout(gmTimer);
  gmShown?.removeAttribute("aria-describedby");
  gmShown = null;
  if (!gmTip) return;
  window.MathJax?.typesetClear?.([gmTip]);
  gmTip.remove();
  delete gmTip.dataset.ready;
}

function gmLeave() {
  clearTimeout(gmTimer);
  gmTimer = setTimeout(gmHide, WAIT);
}

function gmLink(event) {
  const link = event.target.closest?.(".bd-article a[href*='#']");
  return link?.matches(".headerlink, .gm-tip *") ? null : link;
}

document.addEventListener("pointerover", (event) => {
  const link = gmLink(event);
  if (!link || event.pointerType === "touch") return;
  clearTimeout(gmTimer);
  gmTimer = setTimeout(() => gmShow(link), WAIT);
});
document.addEventListener("pointerout", (event) => gmLink(event) && gmLeave());
document.addEventListener("focusin", (event) => {
  const link = gmLink(event);
  if (link?.matches(":focus-visible")) gmShow(link);
});
document.addEventListener("focusout", (event) => gmLink(event) && gmHide());
document.addEventListener("click", gmHide);
document.addEventListener("scroll", () => gmShown && gmTip?.isConnected && gmPlace(), {
  passive: true,
});

/* An arrow turns the page where it can mean nothing else: not while one types, moves a
   slider, plays with a figure, or scrolls a box sideways. */
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return gmHide();
  const way = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  if (!way || event.defaultPrevented) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const at = document.activeElement;
  if (at && at !== document.body && !at.matches("a[href], summary")) return;
  if (at?.closest(".gm-live, [role=tablist], dialog")) return;
  const page = document.scrollingElement;
  if (page.scrollWidth > page.clientWidth) return;
  const next = document.querySelector(`link[rel="${way}"]`);
  if (next) location.assign(next.href);
});
