"""The map of models: facts with labels, players counted, the same table everywhere."""

import models
import pytest
from course import course
from labels import Book
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebooks import ROOT, lectures, write
from plain import Page

COLUMNS = "model,lecture,trained,trained_by,density,density_by,draw,cause,bits"


def made(root, row, code="x = 1"):
    """Write a course of one lecture with a theorem, and one row of facts."""
    for folder in ("chapters", "book"):
        (root / folder).mkdir(exist_ok=True)
    toc = "root: index\nparts:\n- caption: Lectures\n  numbered: true\n  chapters:\n"
    (root / "_toc.yml").write_text(f"{toc}  - file: chapters/a\n", "utf8")
    (root / "index.md").write_text("# Index\n", "utf8")
    (root / "references.bib").write_text("", "utf8")
    text = "# A\n\n```{prf:theorem} T\n:label: a-t\n\nTrue.\n```"
    cells = [new_markdown_cell(text), new_code_cell(code)]
    write(new_notebook(cells=cells), root / "chapters" / "a.ipynb")
    (root / "book" / "models.csv").write_text(f"{COLUMNS}\n{row}\n", "utf8")
    return root


def test_the_facts_are_of_lectures_in_their_order():
    order = list(course())
    rows = models.facts()
    places = [order.index(row["lecture"]) for row in rows]
    assert places == sorted(places)
    assert len({row["model"] for row in rows}) == len(rows)
    assert all(all(row.values()) for row in rows)


def test_a_theorem_that_shows_a_fact_is_in_its_lecture_or_before():
    order, labels = list(course()), Book(ROOT).labels
    for row in models.facts():
        last = order.index(row["lecture"])
        for label in (row["trained_by"], row["density_by"]):
            home = labels[label].doc.rpartition("/")[2]
            # The count table's likelihood is the theorem of the lecture after it.
            assert order.index(home) <= max(last, 1), (row["model"], label)


def test_a_game_has_players_and_no_density():
    played = {path.stem: models.players(path) for path in lectures()}
    for row in models.facts():
        if row["trained"] == "a game":
            assert played[row["lecture"]] >= 2, row["model"]
            assert row["density"].startswith("no"), row["model"]
        elif row["trained"] == "likelihood":
            assert row["density"].startswith("exact"), row["model"]


@pytest.mark.parametrize(
    ("code", "players"),
    [
        ("x = 1", 1),
        ('fit({"a": Player([a], loss)}, p, 3)', 1),
        ('fit({"T": Player([T], L), "G": Player([G], M)}, p, 3)', 2),
        ('G = Player([G], M)\nfit({"T": Player([T], L), "G": G}, p, 3)', 2),
        ('options = {"a": 1, "b": x}', 1),
    ],
)
def test_players_are_counted(tmp_path, code, players):
    root = made(tmp_path, "m,a,a game,a-t,no,a-t,one pass,none,no", code)
    assert models.players(root / "chapters" / "a.ipynb") == players


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("m,b,a game,a-t,no,a-t,one pass,none,no", "no lecture 'b'"),
        ("m,a,a game,b-t,no,a-t,one pass,none,no", "no label 'b-t'"),
    ],
)
def test_a_fact_without_its_lecture_or_theorem_is_refused(tmp_path, row, words):
    with pytest.raises(ValueError, match=words):
        models.facts(made(tmp_path, row))


def test_the_exported_map_has_no_role_left(tmp_path):
    root = made(tmp_path, "m,a,a game,a-t,no,a-t,one pass,none,no")
    text = Page(Book(root), "chapters/a").text("```{models}\n```")
    assert "| m | a game | 1 | no | one pass | none | no |" in text
