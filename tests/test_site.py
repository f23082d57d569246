"""The built site, as a reader meets it: in a browser, without a network.

The pages are those of the last `make book`; `make test` builds them first.
"""

import os
import re
import shutil
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
import yaml
from bs4 import BeautifulSoup
from serve import base, serve

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
PAGES = sorted(p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html"))
PAGES = [p for p in PAGES if not p.startswith(("_static/", "_modules/"))]
CHAPTERS = [p for p in PAGES if (ROOT / p).with_suffix(".ipynb").exists()]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def soup(page):
    return BeautifulSoup((HTML / page).read_text("utf8"), "html.parser")


# ------------------------------------------------------------------ without a browser


def test_the_site_is_there():
    """Every entry of the table of contents became a page."""
    assert PAGES, "there is no site yet: run `make book` first"
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    names = [toc["root"]] + [c["file"] for p in toc["parts"] for c in p["chapters"]]
    assert not [name for name in names if f"{name}.html" not in PAGES]
    assert {"404.html", "search.html", "genindex.html"} <= set(PAGES)
    assert (HTML / "sitemap.xml").exists()


def test_every_internal_link_and_anchor_resolves():
    anchors = {page: {t["id"] for t in soup(page).select("[id]")} for page in PAGES}
    broken = defaultdict(list)
    for page in PAGES:
        for tag in soup(page).select("a[href], link[href], img[src], script[src]"):
            link = tag.get("href") or tag.get("src")
            if urlparse(link).scheme or link.startswith("//"):
                continue
            if page == "404.html":
                link = "/" + link.removeprefix(base())
            target, fragment = urldefrag(urljoin(f"/{page}", link))
            target = unquote(urlparse(target).path).lstrip("/") or "index.html"
            if target.endswith("/"):
                target += "index.html"
            if not (HTML / target).exists():
                broken[page].append(link)
            elif fragment and target.endswith(".html"):
                if target not in anchors:
                    anchors[target] = {t["id"] for t in soup(target).select("[id]")}
                if unquote(fragment) not in anchors[target]:
                    broken[page].append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES)
def test_every_image_says_what_it_shows(page):
    """A text alternative, and not the picture's path in its place."""
    for image in soup(page).select("img"):
        alt = (image.get("alt") or "").strip()
        source = image.get("src", "")[:60]
        assert alt, f"no text alternative: {source}"
        assert not re.search(r"\.(png|jpe?g|svg|webp|gif)$", alt), f"a path: {alt}"


@pytest.mark.parametrize("page", PAGES)
def test_no_page_loads_anything_from_another_host(page):
    tags = "script[src], img[src], iframe[src], source[src], link[rel~=stylesheet]"
    for tag in soup(page).select(tags):
        link = tag.get("src") or tag.get("href")
        assert urlparse(link).scheme in ("", "data"), link
    scripts = [s.string or "" for s in soup(page).select("script:not([src])")]
    assert not [s for s in scripts if "unpkg" in s or "cdn." in s]


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_page_has_its_parts(page):
    chapter = soup(page)
    assert chapter.select(".article-header-buttons .dropdown-launch-buttons")
    assert chapter.select(".proof.theorem")
    assert chapter.select(".eqno")
    assert chapter.select(".exercise")
    assert chapter.select(".solution.dropdown")
    assert chapter.select(".gm-claim")
    assert chapter.select(".gm-figure img, .gm-slider img")
    assert not chapter.select(".tag_gmlib-install")


def test_ids_are_unique():
    for page in PAGES:
        ids = [tag["id"] for tag in soup(page).select("main [id]")]
        twice = {i for i in ids if ids.count(i) > 1}
        assert not twice, f"{page}: {twice}"


# --------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def server():
    with serve(HTML, prefix=base()) as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    named = [os.environ.get("CHROMIUM"), *map(shutil.which, BROWSERS)]
    path = next(filter(None, named), None)  # else playwright's own
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page in the browser, with all that went wrong while it loaded."""

    def __init__(self, browser, server, page, width=1280, mode="light"):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=mode,
            reduced_motion="reduce",
        )
        self.page = self.context.new_page()
        self.problems = []
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
        self.hosts = set()
        self.page.on("request", lambda r: self.hosts.add(urlparse(r.url).netloc))
        self.page.goto(
            f"http://127.0.0.1:{server.server_port}{base()}{page}", wait_until="load"
        )
        self.page.wait_for_selector("html[data-fitted]")
        self.page.evaluate("() => document.fonts.ready")

    def unfold(self):
        """Open what is folded: it is to be read as well."""
        self.page.evaluate(UNFOLD)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


UNFOLD = """() => {
  document.querySelectorAll('details').forEach(e => { e.open = true; });
  document.querySelectorAll('.toggle-hidden').forEach(
    e => e.classList.remove('toggle-hidden'));
  document.getAnimations().forEach(a => a.finish());
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

# Beyond axe's defaults: what a button shows is what it is called.
AXE = {"rules": {"label-content-name-mismatch": {"enabled": True}}}

CLIPPED = """() => {
  const found = [];
  for (const math of document.querySelectorAll('main mjx-container')) {
    for (let e = math; e.tagName !== 'P' && e.tagName !== 'MAIN'; e = e.parentElement) {
      const s = getComputedStyle(e);
      if (s.display === 'inline') continue;
      const wide = e.scrollWidth > e.clientWidth + 1 && s.overflowX === 'hidden';
      const high = e.scrollHeight > e.clientHeight + 1 && s.overflowY === 'hidden';
      if (wide || high) found.push(`${e.tagName} ${math.textContent.slice(0, 40)}`);
    }
  }
  return found;
}"""


@pytest.mark.parametrize("page", [p for p in PAGES if p != "404.html"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_is_whole(browser, server, page, width):
    """No error, no failed or foreign request, equations typeset, nothing too wide."""
    with Visit(browser, server, page, width) as visit:
        assert not visit.problems
        assert visit.hosts == {f"127.0.0.1:{server.server_port}"}
        raw = visit.page.locator("main .math").count()
        if raw:
            assert visit.page.locator("main mjx-container").count() >= raw
            assert visit.page.locator("mjx-merror, [data-mjx-error]").count() == 0
        assert visit.page.evaluate(OVERFLOW) == []
        visit.unfold()
        assert visit.page.evaluate(OVERFLOW) == []
        assert visit.page.evaluate(CLIPPED) == []


def test_the_page_for_what_is_not_there(browser, server):
    with Visit(browser, server, "deep/down/nowhere.html") as visit:
        own = [p for p in visit.problems if "nowhere.html" not in p]
        own = [p for p in own if "Failed to load resource" not in p]
        assert not own
        assert "not found" in visit.page.title().lower()
        assert visit.page.locator("h1").count()


@pytest.mark.parametrize("page", ["index.html", "chapters/notation.html", *CHAPTERS])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_page_is_legible_and_accessible(browser, server, page, mode):
    """axe-core finds nothing, contrast included, in both colour schemes."""
    from axe_playwright_python.sync_playwright import Axe

    with Visit(browser, server, page, mode=mode) as visit:
        theme = visit.page.evaluate("document.documentElement.dataset.theme")
        assert theme == mode
        visit.unfold()
        found = Axe().run(visit.page, options=AXE).response["violations"]
        report = [
            f"{rule['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for rule in found
            for node in rule["nodes"][:3]
        ]
        assert not report, "\n".join(report)


@pytest.mark.parametrize("page", CHAPTERS)
def test_there_is_something_to_move(browser, server, page):
    """A slider works without a kernel, from the keyboard."""
    with Visit(browser, server, page) as visit:
        slider = visit.page.locator(".gm-slider input[type=range]").first
        slider.wait_for(state="attached", timeout=5000)
        box = visit.page.locator(".gm-slider").first
        showing = (
            "b => [...b.querySelectorAll('img')].findIndex("
            "i => getComputedStyle(i).display !== 'none')"
        )
        assert box.evaluate(showing) == 0
        slider.focus()
        visit.page.keyboard.press("ArrowRight")
        assert box.evaluate(showing) == 1
        assert (
            slider.get_attribute("aria-valuetext") == box.locator("output").inner_text()
        )


def test_the_search_finds(browser, server):
    with Visit(browser, server, "search.html?q=notation") as visit:
        visit.page.locator("#search-results li").first.wait_for(timeout=10_000)
        assert not visit.problems
