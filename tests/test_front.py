"""The built front page: pictures, map, ways through the course, what is alive."""

import re

import course
import pytest
from browser import Visit
from gmfront import thumbnail
from test_site import HTML, LECTURES, soup

ALL = course.course()


def links(selector):
    return [tag["href"] for tag in soup("index.html").select(f"{selector} a[href]")]


def test_it_opens_with_every_lecture_and_its_picture():
    cards = soup("index.html").select(".gm-lectures > li")
    assert [card.a["href"] for card in cards] == [f"chapters/{n}.html" for n in ALL]
    for card, lecture in zip(cards, ALL.values(), strict=True):
        assert bool(card.img) == bool(lecture.picture)
        if card.img:
            name, content, (width, height) = thumbnail(lecture.picture)
            assert (HTML / card.img["src"]).read_bytes() == content
            assert card.img["src"].endswith(name)
            assert (card.img["width"], card.img["height"]) == (f"{width}", f"{height}")
            assert card.img["loading"] == "lazy"
        assert (card.select_one(".gm-question") is None) or lecture.question


def test_the_map_leads_to_every_lecture_on_wide_and_narrow_pages():
    for shape in ("wide", "narrow"):
        assert set(links(f".gm-map.gm-{shape}")) == LECTURES


def test_the_minutes_are_those_that_are_promised_and_stored():
    for card, lecture in zip(
        soup("index.html").select(".gm-lectures > li"), ALL.values(), strict=True
    ):
        shown = [int(n) for n in re.findall(r"(\d+) min", card.get_text())]
        known = [lecture.reading, lecture.running and round(max(lecture.running, 1))]
        assert shown == [n for n in known if n]


def test_no_minutes_are_typed_into_the_front_page():
    text = (course.ROOT / "index.md").read_text("utf8")
    assert not re.findall(r"\d+ min|few minutes|ten minutes|at most \w+ minutes", text)


def test_the_ways_are_those_of_the_map():
    found = soup("index.html").select(".gm-path")
    assert len(found) == len(course.PATHS)
    for shown, steps in zip(found, course.paths(ALL).values(), strict=True):
        names = dict.fromkeys(name for step in steps for name in step)
        hrefs = [a["href"] for a in shown.select("a")]
        assert hrefs == [f"chapters/{n}.html" for n in names]


def test_what_is_alive_comes_from_the_lecture_that_the_page_names():
    (name,) = re.findall(r"```{alive} (\w+)", (course.ROOT / "index.md").read_text())
    stored = course.live(course.notebook(course.ROOT / "chapters" / f"{name}.ipynb"))
    hrefs = [a["href"] for a in soup("index.html").select(".gm-alive .gm-from a")]
    assert hrefs == [f"chapters/{name}.html"] * bool(stored)


@pytest.mark.parametrize(("width", "shape"), [(1280, "wide"), (390, "narrow")])
def test_the_map_fits_and_shows_what_is_needed(browser, server, width, shape):
    with Visit(browser, server, "index.html", width) as visit:
        page = visit.page
        assert page.locator(".gm-map:visible").count() == 1
        here = page.locator(f".gm-map.gm-{shape}")
        last = here.locator("a").last
        last.focus()
        needs = set(filter(None, last.get_attribute("data-needs").split(" ")))
        shown = here.locator("a.gm-on")
        assert {shown.nth(i).get_attribute("data-lecture") for i in range(len(needs))}
        assert shown.count() == len(needs)
        cut = "all => all.filter(a => a.scrollHeight > a.clientHeight + 1).length"
        assert here.locator("a").evaluate_all(cut) == 0
        inside = (
            "box => [...box.querySelectorAll('a')].every(a => a.getBoundingClientRect()"
            ".right <= box.getBoundingClientRect().right + 1)"
        )
        assert here.evaluate(inside)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{last_name(page)}")


def last_name(page):
    """Return the address of the last lecture's page."""
    return f"chapters/{list(ALL)[-1]}.html"
