"""What the lectures need, their map, the ways through it, from the sources alone."""

from dataclasses import replace
from itertools import pairwise

import course
import gmmap
import pytest
from course import PATHS, Inconsistent, Lecture, Way, closure, direct, paths, spread
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebooks import ROOT, lectures, write

ALL = course.course()
PIXEL = "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def made(root, openings):
    """Write a course of lectures with these openings, and return what is read of it."""
    (root / "chapters").mkdir(exist_ok=True)
    entries = "".join(f"      - file: chapters/{name}\n" for name in openings)
    toc = f"root: index\nparts:\n  - caption: Lectures\n    chapters:\n{entries}"
    (root / "_toc.yml").write_text(toc, "utf8")
    for name, text in openings.items():
        cells = [new_markdown_cell(f"# {name.upper()}: a lecture\n\n{text}")]
        write(new_notebook(cells=cells), root / "chapters" / f"{name}.ipynb")
    return course.course(root)


def graph(**needs):
    """Return lectures that need these, an hour each."""
    one = Lecture("", "", "", (), None, None, None, None)
    return {n: replace(one, name=n, title=n, needs=(*w,)) for n, w in needs.items()}


# ---- what is read ----


def test_the_course_is_in_order_and_every_need_is_a_lecture():
    names = [path.stem for path in lectures()]
    assert list(ALL) == names
    for name, lecture in ALL.items():
        assert all(names.index(n) < names.index(name) for n in lecture.needs), name
        assert lecture.title


def test_an_opening_says_what_is_needed(tmp_path):
    found = made(
        tmp_path,
        {
            "a": "**The question.** What is? And\nwhy? We shall see.\n\n"
            "**You need** the {doc}`notation <notation>`. **A first reading** takes"
            " about 50 minutes.\n\n```{prf:theorem} T\n:label: a-t\nx\n```",
            "b": "**Needed:** {prf:ref}`a-t`. *First reading: 70 minutes; folds: 40.*"
            "\n\nThe {doc}`next <c>` goes on.",
            "c": "**You need** {doc}`the last <b>`; a first reading takes an hour.",
            "d": "No word of it.",
        },
    )
    assert [lecture.needs for lecture in found.values()] == [(), ("a",), ("b",), ("c",)]
    assert [lecture.reading for lecture in found.values()] == [50, 70, 60, None]
    assert found["a"].question == "And why?"


def test_a_need_that_comes_later_is_refused(tmp_path):
    with pytest.raises(Inconsistent, match="a needs b"):
        made(tmp_path, {"a": "**You need** {doc}`b`.", "b": "**Needed:** {doc}`a`."})


def test_an_opening_that_promises_minutes_is_understood():
    for path in lectures():
        nb = course.notebook(path)
        promised = "first reading" in nb.cells[0].source.lower()
        assert not promised or course.reading(nb), path.stem


@pytest.mark.parametrize(
    ("cells", "alt"),
    [
        ([("plot.new()", "axes"), ("plot.tile(x)", "pictures")], "pictures"),
        ([("plot.new()", "axes"), ("plot.curves()", "more axes")], "axes"),
        ([], None),
    ],
)
def test_a_lecture_is_shown_by_its_first_pictures(cells, alt):
    image = f'<img src="data:image/gif;base64,{PIXEL}" alt="%s">'
    nb = new_notebook()
    for source, words in cells:
        data = {"text/html": f'<figure class="gm-figure">{image % words}</figure>'}
        output = new_output("display_data", data)
        nb.cells.append(new_code_cell(source, outputs=[output]))
    assert (course.picture(nb) or (None, None))[1] == alt


def test_the_first_live_figure_is_found():
    html = '<div class="gm-live"></div>'
    output = new_output("display_data", {"text/html": html})
    nb = new_notebook(cells=[new_code_cell("x", outputs=[output])])
    assert course.live(nb) == html
    assert course.live(new_notebook()) is None


# ---- the map ----

BRAID = graph(a="", b="a", c="ab", d="a", e="cd", f="", g="af", h="g", i="ae", j="b")


def test_what_follows_is_not_drawn():
    assert closure("e", BRAID) == set("abcd")
    assert direct(BRAID)["c"] == ("b",)
    assert direct(BRAID)["i"] == ("e",)
    assert direct(BRAID)["g"] == ("a", "f")


@pytest.mark.parametrize("lectures_", [ALL, BRAID], ids=["the course", "a braid"])
@pytest.mark.parametrize("shape", gmmap.SHAPES, ids=lambda shape: shape.name)
def test_the_map_is_true_and_fits(lectures_, shape):
    """Below its needs, beside the others, no line through a box, all on the page."""
    reduced = direct(lectures_)
    rows = gmmap.levels(reduced, shape.across)
    assert all(rows[need] < rows[name] for name in reduced for need in reduced[name])
    pieces = gmmap.wires(reduced, rows)
    table = gmmap.ordered(rows, pieces)
    found = gmmap.places(table, pieces, shape)
    for row in table:
        assert sum(isinstance(end, str) for end in row) <= shape.across
        wide = gmmap.widths(row, shape)
        assert min(wide.values()) > 1, "lines that one can tell apart"
        spans = [(found[e] - wide[e] / 2, found[e] + wide[e] / 2) for e in row]
        assert min(a for a, _ in spans) > -0.01
        assert max(b for _, b in spans) < 100.01
        apart = [(b, c) for (_, b), (c, _) in pairwise(spans)]
        assert all(b < c + 0.01 for b, c in apart)
    ends = {end for piece in pieces for end in piece}
    for name, wanted in reduced.items():
        for need in wanted:  # there is a way down from what is needed
            at = {need}
            for _ in range(rows[need], rows[name]):
                at |= {b for a, b in pieces if a in at and (a == need or a[0] == need)}
            assert name in at, (need, name, ends)


def test_the_map_says_in_words_what_it_draws():
    closures = {name: closure(name, BRAID) for name in BRAID}
    shape = gmmap.SHAPES[0]
    html = gmmap.drawing(BRAID, direct(BRAID), closures, "{}.html".format, shape)
    assert html.count("<a ") == len(BRAID)
    assert "Needs: a, b, c, d." in html
    assert "Needs no other lecture." in html


# ---- the ways through ----


def assert_sound(steps, lectures_, way):
    """In order, nothing twice but in a row, everything after what it needs."""
    names = list(dict.fromkeys(name for step in steps for name in step))
    assert names == sorted(names, key=list(lectures_).index)
    seen = set()
    for name in names:
        assert set(lectures_[name].needs) <= seen, (
            f"{way.title}: {name} comes too early"
        )
        seen.add(name)
    assert len(steps) == way.steps
    total = sum(lectures_[name].minutes for name in names)
    assert total <= way.steps * way.minutes


@pytest.mark.parametrize("lectures_", [ALL, BRAID], ids=["the course", "a braid"])
@pytest.mark.parametrize("way", PATHS, ids=lambda way: way.title)
def test_a_way_takes_nothing_before_what_it_needs(lectures_, way):
    steps = paths(lectures_)[way]
    assert_sound(steps, lectures_, way)
    assert all(steps)


def test_the_longest_way_takes_all():
    assert {n for step in paths(ALL)[PATHS[-1]] for n in step} == set(ALL)


def test_a_way_that_is_out_of_order_is_seen():
    way = Way("too early", "Day", 2, 120)
    with pytest.raises(AssertionError, match="c comes too early"):
        assert_sound([["a"], ["c"]], BRAID, way)


def test_a_short_way_takes_what_most_others_need():
    lectures_ = graph(x="", a="", b="a", c="a", d="ab")
    assert course.selection(lectures_, 120) == ["a", "b"]


def test_steps_are_even_and_spare_ones_go_to_the_longest():
    even = graph(a="", b="", c="", d="", e="", f="")
    assert spread(list("abcdef"), even, 3) == [["a", "b"], ["c", "d"], ["e", "f"]]
    long = even | {"a": replace(even["a"], reading=100)}
    assert spread(list("ab"), long, 3) == [["a"], ["a"], ["b"]]
    assert spread(list("abc"), long, 2) == [["a"], ["b", "c"]]


def test_no_lecture_is_named_in_the_front_page_or_its_tools():
    """A new lecture needs a line in _toc.yml and nothing else."""
    for file in ("book/gmfront.py", "book/gmmap.py", "tools/course.py", "index.md"):
        text = (ROOT / file).read_text("utf8")
        assert not [n for n in ALL if f"chapters/{n}" in text or f'"{n}"' in text], file
