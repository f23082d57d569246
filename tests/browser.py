"""A browser that visits pages of the site, and what it looks for there.

No time limit decides anything: a page says itself when it is ready (`data-fitted`), and
only pytest's own limit ends a visit that hangs.
"""

import os
import shutil
from contextlib import contextmanager
from urllib.parse import urlparse

from axe_playwright_python.sync_playwright import Axe
from serve import base

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAPER = 665  # CSS pixels between the margins of A4
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def launch(playwright):
    """Start the system's browser, or playwright's own."""
    named = [os.environ.get("CHROMIUM"), *map(shutil.which, BROWSERS)]
    path = next(filter(None, named), None)
    return playwright.chromium.launch(executable_path=path, args=FLAGS)


class Visit:
    """A page in the browser, with all that went wrong while it loaded."""

    def __init__(self, browser, server, page, width=1280, prepare=None):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="light",
            reduced_motion="reduce",
        )
        if prepare:
            prepare(self.context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(0)
        self.problems, self.hosts = [], set()
        self.page.on(
            "console",
            lambda m: m.type in ("error", "warning") and self.problems.append(m.text),
        )
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))
        self.page.on(
            "requestfailed", lambda r: self.problems.append(f"failed: {r.url}")
        )
        self.page.on(
            "response",
            lambda r: r.status >= 400 and self.problems.append(f"{r.status}: {r.url}"),
        )
        self.page.on("request", lambda r: self.hosts.add(urlparse(r.url).netloc))
        address = f"http://127.0.0.1:{server.server_port}{base()}{page}"
        answer = self.page.goto(address, wait_until="load")
        # A page without the book's script would never say that it is ready.
        there = self.page.evaluate("typeof fitBoxes === 'function'")
        assert there, f"{page}: {answer.status}, {self.problems}"
        self.page.wait_for_selector("html[data-fitted]")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def unfold(self, which="details"):
        """Open what is folded: it is to be read as well."""
        self.page.evaluate(UNFOLD, which)

    def resize(self, width):
        """Give the page another width; as it learns of it, it fits its boxes."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.wait_for_function("width => innerWidth === width", arg=width)

    def wear(self, name, font):
        """Set the page's text in a font file, as where the reader has no other."""
        self.page.evaluate(WEAR, [name, font])

    @contextmanager
    def on_paper(self):
        """Let the page be as it is printed: on A4, with what is folded unfolded."""
        self.page.emulate_media(media="print")
        self.resize(PAPER)
        self.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        yield
        self.page.evaluate("dispatchEvent(new Event('afterprint'))")
        self.page.emulate_media(media="screen")

    def out_of_place(self):
        """Return what is wider than the page, and formulas that are cut."""
        return self.page.evaluate(OVERFLOW) + self.page.evaluate(CUT)

    def wider_than_paper(self):
        """Return what does not fit a sheet: the browser would shrink the whole page."""
        return self.page.evaluate(WIDER)

    def screens(self):
        """Return how many screens of 800 px the text of the page is long."""
        return self.page.evaluate(
            "document.querySelector('.bd-article').getBoundingClientRect().height / 800"
        )

    def cut_tables(self):
        """Return the tables of results that do not fit their column."""
        return self.page.evaluate(
            "[...document.querySelectorAll('.gm-table')]"
            ".filter(box => box.scrollWidth > box.clientWidth + 1)"
            ".map(box => `${box.scrollWidth} px: ${box.innerText.slice(0, 60)}`)"
        )

    def in_dark(self):
        """Switch to the dark colours."""
        self.page.emulate_media(color_scheme="dark")
        self.page.wait_for_selector('html[data-theme="dark"]')

    def in_light(self):
        """Switch back to the light colours."""
        self.page.emulate_media(color_scheme="light")
        self.page.wait_for_selector('html[data-theme="light"]')

    def shorten(self):
        """Leave a letter of each formula, and of coloured code a word of each colour.

        axe-core takes a time that grows with the number of elements; most of a
        lecture's are glyphs and words of code.
        """
        self.page.evaluate(SHORTEN)

    def violations(self, only_contrast=False, within=None):
        """Return what axe-core finds, a line each, on the page or in a part of it.

        Contrast is tried on an element of every look, within a part on all.
        """
        self.page.evaluate(LOOKS)
        axe, found = Axe(), []
        # The style sheets are here; of what is well, nothing is reported.
        here = {"preload": False, "resultTypes": ["violations"]}
        contrast = here | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
        looks = within or "[data-look]"
        found += axe.run(self.page, looks, contrast).response["violations"]
        if not only_contrast:
            # Beyond axe's defaults: what a button shows is what it is called.
            rules = {"label-content-name-mismatch": {"enabled": True}}
            rules |= {"color-contrast": {"enabled": False}}
            rest = here | {"rules": rules}
            found += axe.run(self.page, within, rest).response["violations"]
        return [
            f"{rule['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for rule in found
            for node in rule["nodes"][:3]
        ]


UNFOLD = """which => {
  document.querySelectorAll(which).forEach(e => { e.open = true; });
  if (which === 'details') document.querySelectorAll('.toggle-hidden').forEach(
    e => e.classList.remove('toggle-hidden'));
  document.getAnimations().forEach(a => a.finish());
  fitBoxes();
}"""

WEAR = """async ([name, font]) => {
  const face = new FontFace(name, `url(data:font/ttf;base64,${font})`);
  document.fonts.add(await face.load());
  const root = document.documentElement.style;
  root.setProperty('--pst-font-family-base', name);
  root.setProperty('--pst-font-family-heading', name);
  await document.fonts.ready;
  fitBoxes();
}"""

OVERFLOW = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) found.push('the page itself');
  const inBox = e => {
    for (let p = e; p && p !== document.body; p = p.parentElement) {
      const s = getComputedStyle(p);
      if (['auto', 'scroll', 'hidden'].includes(s.overflowX)) return true;
      if (s.position === 'fixed') return true;
    }
    return false;
  };
  for (const e of document.querySelectorAll('main *')) {
    const r = e.getBoundingClientRect();
    if (r.width && r.right > width + 1 && !inBox(e))
      found.push(e.tagName + '.' + e.className + ' ' + Math.round(r.right));
  }
  return found.slice(0, 5);
}"""

WIDER = """() => {
  const width = document.documentElement.clientWidth;
  return [...document.querySelectorAll('.bd-article *')].filter(e => {
    const r = e.getBoundingClientRect();
    return r.width && r.right > width + 1 && !e.closest('mjx-assistive-mml');
  }).map(e => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 40)}`);
}"""

# A formula is cut where a box around it hides what sticks out above or below it, or at
# its sides without letting one scroll there.
CUT = """() => {
  const found = [], hides = v => v !== 'visible';
  for (const math of document.querySelectorAll('main mjx-container')) {
    let top = Infinity, bottom = -Infinity, left = Infinity, right = -Infinity;
    for (const e of math.querySelectorAll('mjx-math *')) {
      const r = e.getBoundingClientRect();
      if (!r.width || !r.height) continue;
      top = Math.min(top, r.top); bottom = Math.max(bottom, r.bottom);
      left = Math.min(left, r.left); right = Math.max(right, r.right);
    }
    if (top === Infinity) continue;
    for (let e = math; e.tagName !== 'MAIN'; e = e.parentElement) {
      const s = getComputedStyle(e);
      if (s.display === 'inline') continue;
      const b = e.getBoundingClientRect();
      const up = b.top - top, down = bottom - b.bottom;
      const aside = Math.max(b.left - left, right - b.right);
      if (hides(s.overflowY) && Math.max(up, down) > 1)
        found.push(`${Math.round(Math.max(up, down))} px cut off ` +
          `by ${e.tagName}.${e.className}: ${math.textContent.slice(0, 40)}`);
      if (s.overflowX === 'hidden' && aside > 1)
        found.push(`cut at the side by ${e.tagName}.${e.className}`);
      if (['auto', 'scroll'].includes(s.overflowX)) { left = b.left; right = b.right; }
    }
  }
  return found.slice(0, 5);
}"""

# Mark one element of each look: colour, what it stands on, size and weight.
LOOKS = """() => {
  document.querySelectorAll('[data-look]').forEach(e => e.removeAttribute('data-look'));
  const ground = new Map(), seen = new Set();
  const under = e => {
    if (!e) return '';
    if (!ground.has(e)) {
      const s = getComputedStyle(e), own = s.backgroundColor;
      const solid = !own.startsWith('rgba') && own !== 'transparent';
      const image = s.backgroundImage + s.opacity + s.filter;
      ground.set(e, (solid ? '' : under(e.parentElement)) + own + image);
    }
    return ground.get(e);
  };
  for (const e of document.body.querySelectorAll('*')) {
    const words = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!words || e.closest('script, style, mjx-container')) continue;
    const s = getComputedStyle(e);
    const look = [s.color, s.fontSize, s.fontWeight, under(e)].join();
    if (!seen.has(look) && e.getClientRects().length) {
      seen.add(look);
      e.setAttribute('data-look', seen.size);
    }
  }
}"""

SHORTEN = """() => {
  for (const math of document.querySelectorAll('mjx-container'))
    math.replaceChildren('x');
  const seen = new Set();
  for (const word of document.querySelectorAll('pre span:not(:has(*))')) {
    if (seen.has(word.className)) word.replaceWith(word.textContent);
    seen.add(word.className);
  }
}"""
