"""What connects the pages: previews, back-links, paging, glossary, index, search."""

import json
import re
from functools import lru_cache
from urllib.parse import urldefrag, urljoin

import gmlinks
import pytest
from browser import Visit
from bs4 import BeautifulSoup
from labels import Book
from test_site import HTML, LECTURES, PAGES, soup

BOOK = Book()
LECTURE = min(LECTURES, key=lambda page: (HTML / page).stat().st_size)
OPEN = ".gm-tip[data-ready]"


def stored(doc):
    """Return the previews of a page."""
    text = (HTML / "_static" / "previews" / f"{doc}.js").read_text("utf8")
    return json.loads(text.partition(" = ")[2].removesuffix(";\n"))


# ---- what is written ----


def without_preview(previews):
    """Return what is numbered, or cited, and not in {page: its previews}."""
    kinds = ("theorem", "definition", "exercise", "proposition", "lemma", "(")
    wanted = {
        (label.doc, label.anchor)
        for label in BOOK.labels.values()
        if label.name.lower().startswith(kinds)
    }
    wanted |= {("chapters/bibliography", f"cite-{key}") for key in BOOK.works}
    return wanted - {(doc, name) for doc, found in previews.items() for name in found}


def test_everything_with_a_number_has_a_preview():
    previews = {doc: stored(doc) for doc in BOOK.chapters}
    assert not without_preview(previews)
    lost = previews[LECTURE.removesuffix(".html")].popitem()[0]
    assert lost in {name for _, name in without_preview(previews)}


def test_a_preview_holds_words_and_formulas_only():
    body = (
        '<div class="proof theorem" id="t"><p id="x">A <a href="#e">b</a>'
        '<a class="headerlink" href="#t">#</a></p><div class="math" id="equation-e">'
        r'<span class="eqno">(1)</span>\[x\]</div><div class="cell">code</div></div>'
    )
    found = gmlinks.previews(body)
    assert found.keys() == {"t", "equation-e"}
    assert found["t"] == (
        '<div class="proof theorem"><p>A <span>b</span></p><div class="math">'
        r'<span class="eqno">(1)</span>\[x\]</div></div>'
    )


@lru_cache(None)
def anchors(page):
    """Return {id: element} of a page's text, without its code and pictures."""
    text = (HTML / page).read_text("utf8").partition("<article")[2]
    text = re.sub(r"<pre>.*?</pre>|<img[^>]*>", "", text, flags=re.S)
    found = BeautifulSoup(text, "html.parser")
    return {tag["id"]: tag for tag in found.select("[id]")}


def test_back_links_lead_to_where_it_is_cited():
    """The place that a back-link leads to links back."""
    found = []
    for page in sorted(LECTURES):
        for box in anchors(page).values():
            beside = box.find_next_sibling() if "math" in box.get("class", ()) else None
            stated = "proof" in box.get("class", ())
            inside = stated and box.find("details", recursive=False)
            used = beside or inside
            if used and used.get("class") == ["gm-used"]:
                found.append((page, box, used))
    assert len(found) > 10
    for page, box, used in found:
        for link in used.select("a"):
            doc, _, anchor = link["href"].partition("#")
            place = anchors(f"chapters/{doc}" if doc else page)[anchor]
            # A proof follows its theorem, outside it.
            around = place.parent if link.text.startswith("proof of") else place
            back = around.select(f'a[href$="#{box["id"]}"]')
            assert back, (page, box["id"], link["href"])


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], ""),
        ([("a", "s", "x", "section", "Heading")], "Used in 1 place<"),
        ([("a", "s", f"x{i}", "section", "H") for i in range(20)], "and 12 more"),
    ],
)
def test_back_links_are_few(found, words):
    html = gmlinks.used_in(found, "a", lambda doc: f"{doc}.html")
    assert (words in html) if words else html == ""


def test_the_glossary_has_every_definition_and_the_index_as_well():
    glossary, index = soup("chapters/glossary.html"), soup("genindex.html")
    terms = glossary.select(".gm-terms > dt")
    definitions = [x for x in BOOK.labels.values() if x.name.startswith("Definition")]
    assert len(terms) == len(definitions) > 0
    for label in definitions:
        target = f"{label.doc.partition('/')[2]}.html#{label.anchor}"
        assert glossary.select(f'.gm-terms a[href="{target}"]')
        assert index.select(f'a[href="chapters/{target}"]')
        if "$" not in label.title:
            assert any(t.get_text().startswith(label.title) for t in terms)
    assert [t.text for t in terms] == sorted((t.text for t in terms), key=str.lower)


@pytest.mark.parametrize("page", [p for p in PAGES if p not in ("404.html",)])
def test_every_page_leads_to_notation_and_glossary_and_says_where_it_is(page):
    text = (HTML / page).read_text("utf8").partition("<article")[0]
    found = BeautifulSoup(text, "html.parser")
    bar = found.select(".gm-reference a")
    assert [a.get_text() for a in bar] == ["Notation", "Glossary", "Index"]
    for link in bar:
        there = urldefrag(urljoin(page, link["href"]))[0]
        assert there in PAGES
        assert (there == page) == (link.get("aria-current") == "page")
    crumbs = found.select(".gm-crumbs li")
    assert bool(crumbs) == (page != "index.html")
    if page in LECTURES:
        assert [c.get_text() for c in crumbs][:2] == ["Home", "Lectures"]


# ---- what a reader does ----


def first(visit, selector):
    """Return the first visible link within the text that a selector finds."""
    found = visit.page.locator(f".bd-article :is({selector}):visible").first
    found.scroll_into_view_if_needed()
    return found


KINDS = {
    "an equation": "a.reference[href*='#equation-']",
    "a work": "a.reference[href*='#cite-']",
}


@pytest.mark.parametrize("kind", ["an equation", "a work"])
def test_a_link_shows_what_it_leads_to(browser, server, kind):
    with Visit(browser, server, LECTURE) as visit:
        page, link = visit.page, first(visit, KINDS[kind])
        link.hover()
        tip = page.locator(OPEN)
        tip.wait_for()
        assert tip.inner_text().strip()
        if kind == "an equation":
            assert tip.locator("mjx-container").count()
            assert not tip.locator("mjx-merror").count()
        tip.hover()  # it can be pointed at
        assert tip.count() == 1
        page.keyboard.press("Escape")
        assert page.locator(".gm-tip").count() == 0
        assert not visit.problems


def test_a_preview_comes_by_keyboard_and_is_accessible(browser, server):
    with Visit(browser, server, LECTURE) as visit:
        page, link = visit.page, first(visit, KINDS["an equation"])
        page.keyboard.press("Tab")  # from here on the keyboard is in use
        link.focus()
        page.locator(OPEN).wait_for()
        assert link.get_attribute("aria-describedby") == "gm-tip"
        box = page.locator(OPEN).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1280
        for dark in (False, True):
            if dark:
                visit.in_dark()
            assert not visit.violations(dark, within=".gm-tip")
        page.keyboard.press("Escape")
        assert page.locator(".gm-tip").count() == 0
        assert link.evaluate("e => e === document.activeElement")
        assert link.get_attribute("aria-describedby") is None


def test_a_preview_works_from_a_file(browser):
    page = browser.new_page()
    page.goto((HTML / LECTURE).as_uri())
    page.wait_for_selector("html[data-fitted]")
    link = page.locator(f".bd-article {KINDS['an equation']}:visible").first
    link.hover()
    page.locator(f"{OPEN} mjx-container").first.wait_for()
    page.close()


def test_arrows_turn_pages_but_not_while_one_moves_something(browser, server):
    with Visit(browser, server, LECTURE) as visit:
        page = visit.page
        here = page.url
        turned = page.locator('link[rel="next"]').get_attribute("href")
        page.locator("input[type=range]:visible").first.focus()
        page.keyboard.press("ArrowRight")
        page.evaluate(
            "document.querySelector('.bd-article pre').tabIndex = 0;"
            "document.querySelector('.bd-article pre').focus()"
        )
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        assert page.url == here
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("Control+ArrowRight")
        assert page.url == here
        page.keyboard.press("ArrowRight")
        page.wait_for_url(f"**/{turned}")


def found_by(visit):
    visit.page.locator("#search-results li").first.wait_for()
    # Its dots may go on for ever: a tick that comes after the end starts them anew.
    visit.page.get_by_text("Search finished").wait_for()
    items = visit.page.locator("#search-results li > a")
    return [
        (items.nth(i).inner_text(), items.nth(i).get_attribute("href")) for i in (0,)
    ]


def test_the_search_ranks_definitions_first(browser, server):
    definitions = [x for x in BOOK.labels.values() if x.name.startswith("Definition")]
    label = next(x for x in definitions if "$" not in x.title)
    with Visit(browser, server, f"search.html?q={label.title}") as visit:
        [(words, href)] = found_by(visit)
        assert f"#{label.anchor}" in href
        assert label.title.lower() in words.lower()


def test_the_search_ranks_headings_before_text(browser, server):
    heads = [
        x
        for x in BOOK.labels.values()
        if x.name == x.title and len(x.title.split()) > 2
    ]
    label = next(x for x in heads if x.title.isascii() and "$" not in x.title)
    with Visit(browser, server, f"search.html?q={label.title}") as visit:
        [(words, _)] = found_by(visit)
        assert words.lower().endswith(label.title.lower())
