"""The files of the built site: pages, links, pictures, parts; see also test_pages.

They are those of the last `make book`; `make test` builds them first.
"""

import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
import yaml
from bs4 import BeautifulSoup
from notebooks import lectures
from serve import base

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
PAGES = sorted(p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html"))
PAGES = [p for p in PAGES if not p.startswith(("_static/", "_modules/"))]
CHAPTERS = [p for p in PAGES if (ROOT / p).with_suffix(".ipynb").exists()]
LECTURES = {f"chapters/{path.stem}.html" for path in lectures()}


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
    parts = (".proof.theorem", ".eqno", ".exercise", ".solution.dropdown")
    missing = [part for part in parts if not chapter.select(part)]
    assert not missing or page not in LECTURES
    assert chapter.select(".gm-claim")
    assert chapter.select(".gm-figure img, .gm-slider img")
    assert not chapter.select(".tag_gmlib-install")


def test_ids_are_unique():
    for page in PAGES:
        ids = [tag["id"] for tag in soup(page).select("main [id]")]
        twice = {i for i in ids if ids.count(i) > 1}
        assert not twice, f"{page}: {twice}"
