"""The built site, as a reader meets it: in a browser, without a network.

Each page is loaded once, on a phone, read to its end, and then changed as a reader
would: made wider, unfolded, printed, set in the narrowest and the widest font, dark.
"""

import base64
import importlib
from pathlib import Path

import matplotlib
import paint
import pytest
from browser import Visit
from living import CLOSE, described, far, gradients_far
from test_site import CHAPTERS, HTML, LECTURES, PAGES

# Screens of 1280 x 800: without and with the sections for the second reading. What is
# folded in both is code that draws, hints and solutions.
FIRST_READING, SECOND_READING = 25, 40
TEKO = Path(importlib.import_module("fontpkg_teko").__file__).parent / "files"
FONTS = {
    "narrowest": TEKO / "Teko[wght].ttf",
    "widest": Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf",
}


def still(context):
    """Let the pages of a context note what moves."""
    paint.watch(context, HTML)


def assert_whole(visit, server):
    """No error, no failed or foreign request, equations typeset, in the book's font."""
    assert not visit.problems
    assert visit.hosts == {f"127.0.0.1:{server.server_port}"}
    raw = visit.page.locator("main .math").count()
    if raw:
        assert visit.page.locator("main mjx-container").count() >= raw
        assert visit.page.locator("mjx-merror, [data-mjx-error]").count() == 0
    loaded = "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)"
    assert any("Course Sans" in family for family in visit.page.evaluate(loaded))


def assert_it_moves(visit):
    """The first reading has something to move; the first slider needs no kernel."""
    assert visit.page.locator(".gm-slider:visible, .gm-live:visible").count()
    slider = visit.page.locator(".gm-slider input[type=range]").first
    box = visit.page.locator(".gm-slider").first
    folded = "(b, open) => { const d = b.closest('details'); if (d) d.open = open; }"
    box.evaluate(folded, True)
    showing = (
        "b => [...b.querySelectorAll('img')].findIndex("
        "i => getComputedStyle(i).display !== 'none')"
    )
    assert box.evaluate(showing) == 0
    slider.focus()
    visit.page.keyboard.press("ArrowRight")
    assert box.evaluate(showing) == 1
    assert slider.get_attribute("aria-valuetext") == box.locator("output").inner_text()
    box.evaluate(folded, False)


def assert_it_answers(visit):
    """Networks in the page answer as torch did when the page was made."""
    for figure in visit.page.locator('.gm-live[data-kind="net"]').all():
        assert far(figure, described(figure)) < CLOSE
    for figure in visit.page.locator('.gm-live[data-kind="gan"]').all():
        assert gradients_far(figure, described(figure)) < 1e-5


def assert_short(visit):
    """Both readings have their length, and no table is cut."""
    assert not visit.cut_tables()
    first = visit.screens()
    visit.unfold("details.gm-second")
    second = visit.screens()
    assert first <= FIRST_READING, f"the first reading takes {first:.1f} screens"
    assert second <= SECOND_READING, f"the second reading takes {second:.1f} screens"


@pytest.mark.parametrize("page", [p for p in PAGES if p != "404.html"])
def test_a_page_is_whole_still_and_accessible_in_every_font(browser, server, page):
    with Visit(browser, server, page, 390, still) as visit:
        assert not paint.shifts(visit.page)
        assert_whole(visit, server)
        if page in CHAPTERS:
            assert_it_moves(visit)
        assert_it_answers(visit)
        visit.resize(1280)
        if page in LECTURES:
            assert_short(visit)
        visit.unfold()
        assert not visit.out_of_place()
        with visit.on_paper():
            assert not visit.wider_than_paper()
        visit.resize(390)
        assert not visit.out_of_place(), "on a phone"
        for width, names in ((390, list(FONTS)), (1280, list(FONTS)[::-1])):
            visit.resize(width)
            for name in names:
                visit.wear(name, base64.b64encode(FONTS[name].read_bytes()).decode())
                assert not visit.out_of_place(), f"{name} font, {width} px"
        visit.shorten()
        assert not visit.violations()
        visit.in_dark()
        assert not visit.violations(only_contrast=True), "in the dark"
        assert not visit.problems


def test_the_page_for_what_is_not_there(browser, server):
    with Visit(browser, server, "deep/down/nowhere.html") as visit:
        own = [p for p in visit.problems if "nowhere.html" not in p]
        own = [p for p in own if "Failed to load resource" not in p]
        assert not own
        assert "not found" in visit.page.title().lower()
        assert visit.page.locator("h1").count()


def test_the_search_finds(browser, server):
    with Visit(browser, server, "search.html?q=notation") as visit:
        visit.page.locator("#search-results li").first.wait_for()
        assert not visit.problems


FAULTS = {
    "cut": (
        "f = document.querySelector('main mjx-container'); f.style.display ="
        " 'inline-block'; f.style.height = '4px'; f.style.overflow = 'hidden'",
        lambda visit: visit.out_of_place(),
    ),
    "too wide": (
        "document.querySelector('main p').style.width = '2000px'",
        lambda visit: visit.out_of_place(),
    ),
    "too pale": (
        "document.querySelector('main p').style.color = '#ccc'",
        lambda visit: visit.violations(only_contrast=True),
    ),
    "without a name": (
        "document.querySelector('main').prepend(document.createElement('button'))",
        lambda visit: visit.violations(),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_page_is_seen(browser, server, fault):
    """The checks above can fail."""
    change, seen = FAULTS[fault]
    with Visit(browser, server, "chapters/notation.html") as visit:
        assert not seen(visit)
        visit.page.evaluate(f"() => {{ let f; {change}; }}")
        assert seen(visit)
