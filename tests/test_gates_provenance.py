"""The gates are tested: outputs and tables that are not of the code beside them."""

import re
import shutil

import pytest
import sweep as tool
import test_notebooks
from notebooks import (
    ROOT,
    code_hash,
    drift,
    file_hash,
    library,
    locked,
    outputs_hash,
    read,
    stale,
    write,
)

import book
from gmlib import data, runtime
from gmlib.fingerprint import code_mark

CHAPTER = ROOT / "chapters" / "gan.ipynb"
SKIPPED = shutil.ignore_patterns("__pycache__")


@pytest.fixture
def chapter(tmp_path):
    """Return a stored chapter with a stamp of this day, changed by a function."""

    def changed(change, form=2):
        nb = read(CHAPTER)
        stamp = nb.metadata["gmlib"]
        stamp |= {"code": code_hash(nb, form), "library": library(nb)}
        stamp["format"] = form
        if form == 1:  # it does not say so
            del stamp["format"]
            kept = file_hash(ROOT / "gmlib" / "ema.py")
            stamp["library"] = {"ema": kept, "history": "0" * 64, "gone": "1" * 64}
        change(nb)
        write(nb, tmp_path / "gan.ipynb")
        return tmp_path / "gan.ipynb"

    return changed


def begins(nb):
    """The cell of a notebook that every chapter has."""
    return next(cell for cell in nb.cells if "run = begin" in cell.source)


# ------------------------------------------------------------------------- a chapter


def other_code(nb):
    begins(nb).source += "\nrun = begin(scale, seed + 1)"


def other_constant(nb):
    begins(nb).source = begins(nb).source.replace("seed", "'seed'", 1)


def a_silent_value(nb):
    begins(nb).source += ";"


def a_cell_less(nb):
    nb.cells.remove(begins(nb))


@pytest.mark.parametrize(
    "change", [other_code, other_constant, a_silent_value, a_cell_less]
)
@pytest.mark.parametrize("form", [1, 2])
def test_other_code_makes_a_chapter_stale(change, form, chapter):
    path = chapter(change, form)
    assert stale(path) == "its code has changed since it was executed"
    with pytest.raises(AssertionError):
        test_notebooks.test_its_outputs_come_from_its_code(path)


def a_comment(nb):
    begins(nb).source += "  # faster"


def a_layout(nb):
    begins(nb).source = begins(nb).source.replace("(", "(\n    ", 1)


@pytest.mark.parametrize("change", [a_comment, a_layout])
def test_what_means_the_same_makes_no_chapter_stale(change, chapter):
    assert stale(chapter(change)) == ""
    assert stale(chapter(change, form=1)), "a stamp of old knows the text alone"


def test_an_output_changed_by_hand_is_caught(chapter):
    def by_hand(nb):
        next(c for c in nb.cells if c.get("outputs")).outputs.clear()

    path = chapter(by_hand)
    assert stale(path) == "its outputs were changed by hand or cleared"
    with pytest.raises(AssertionError):
        test_notebooks.test_its_outputs_come_from_its_code(path)
    nb = read(path)
    nb.metadata["gmlib"]["outputs"] = outputs_hash(nb)
    write(nb, path)
    assert stale(path) == ""


def test_no_book_is_built_from_stale_outputs(chapter, monkeypatch, capsys):
    monkeypatch.setattr(book, "chapters", lambda: [chapter(other_code)])
    assert book.execute_stale(as_stored=True) == ["gan"]
    assert "its code has changed" in capsys.readouterr().out


# ------------------------------------------------------------- what lies beneath it


@pytest.fixture
def tree(tmp_path):
    """A copy of what lies beneath a chapter."""
    root = tmp_path / "tree"
    shutil.copytree(ROOT / "gmlib", root / "gmlib", ignore=SKIPPED)
    shutil.copytree(ROOT / "data", root / "data")
    shutil.copytree(ROOT / "sweeps", root / "sweeps", ignore=SKIPPED)
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    return root


def edit(root, definition, old, new):
    """Replace a text in the one file of gmlib that holds a definition."""
    files = [f for f in root.rglob("*.py") if f"\n{definition}" in f.read_text("utf8")]
    (file,) = files
    text = file.read_text("utf8")
    begin = text.index(f"\n{definition}")
    at = text.index(old, begin)
    file.write_text(text[:at] + new + text[at + len(old) :], "utf8")


def beneath(path, root):
    return [name for name in drift(path, root) if name.startswith("gmlib.")]


def test_a_change_that_is_reached_drifts_and_no_other(chapter, tree):
    path = chapter(lambda nb: None)
    assert beneath(path, tree) == []
    edit(tree, "def ring(", '"""', '"""With more words. ')
    edit(tree, "def swiss_roll(", "    ", "    print()\n    ")
    assert beneath(path, tree) == [], "a docstring, and what it does not reach"
    edit(tree, "def ring(", '"""\n', '"""\n    print()\n')
    assert beneath(path, tree) == ["gmlib.data.ring"]


def test_other_packages_and_other_data_are_seen(chapter, tree):
    path, lock = chapter(lambda nb: None), tree / "requirements.lock"
    nb = read(path)
    nb.metadata["gmlib"]["lock"] = locked()
    write(nb, path)
    before, text = drift(path, tree), lock.read_text("utf8")
    lock.write_text(text + "another==1.0 \\\n", "utf8")
    assert drift(path, tree) == before, "a package more changes no output"
    lock.write_text(re.sub(r"(?m)^torch==", "torch==9", text), "utf8")
    (tree / "data" / "published" / "gan.csv").write_text("")
    after = drift(path, tree)
    assert {*after} - {*before} == {"torch", "data/published/gan.csv"}


def test_a_stamp_of_old_is_compared_by_text(chapter):
    path = chapter(lambda nb: None, form=1)
    assert stale(path) == ""
    assert beneath(path, ROOT) == ["gmlib.gone", "gmlib.history"]


# -------------------------------------------------------------------- recorded tables


def test_every_table_is_that_of_its_sweep():
    assert tool.outdated() == {}


@pytest.fixture
def small(tree):
    """A tree with one sweep and its table; return the file of the sweep."""
    for file in (tree / "data" / "results").glob("*.csv"):
        file.unlink()
    sweep = tree / "sweeps" / "small.py"
    sweep.write_text(
        '"""A sweep."""\n\nfrom gmlib.runtime import by_scale\n\n'
        "rounds = by_scale(smoke=1, cpu=2, gpu=3)\n"
        "grid = [{'seed': 0}]\n\n\n"
        'def cell(seed):\n    """Do it."""\n    return {"result": rounds + seed}\n'
    )
    runtime.set_scale("cpu")
    mark = code_mark(tool.load("small", tree).cell)
    runtime.set_scale("smoke")
    (tree / "data" / "results" / "small.csv").write_text(
        f"seed,result,scale,code\n0,2,cpu,{mark}\n"
    )
    return sweep


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Do it.", "Do it well.", True),
        ("    return", "    # at once\n    return", True),
        ("rounds = ", "grid = 0\nrounds = ", True),
        ("smoke=1", "smoke=4", True),
        ("cpu=2", "cpu=4", False),
        ("+ seed", "- seed", False),
        ("rounds + seed", "rounds + seed + 0", False),
    ],
)
def test_a_table_of_an_edited_sweep_is_caught(old, new, same, small):
    root = small.parent.parent
    assert tool.outdated(root) == {}
    text = small.read_text()
    assert text.count(old) == 1
    small.write_text(text.replace(old, new))
    why = {"small": "1 of 1 rows are of other code than sweeps/small.py"}
    assert tool.outdated(root) == ({} if same else why)
    assert runtime.scale() == "smoke", "as it was"


def test_an_edited_cell_of_this_book_is_caught(tree):
    """In the sweeps that there are, as someone might edit them."""
    path = tree / "sweeps" / "semi_supervised.py"
    text = path.read_text("utf8")
    path.write_text(text.replace('"""Train on', '"""First train on'), "utf8")
    assert "semi_supervised" not in tool.outdated(tree)
    path.write_text(text.replace("adam(3e-3", "adam(3e-4"), "utf8")
    assert "semi_supervised" in tool.outdated(tree)


def test_a_table_without_a_sweep_is_caught(small):
    small.unlink()
    root = small.parent.parent
    assert tool.outdated(root) == {"small": "there is no sweeps/small.py"}


def test_no_book_is_built_on_an_outdated_table(monkeypatch, capsys):
    found = {"small": "1 of 1 rows are of other code"}
    monkeypatch.setattr(tool, "outdated", lambda: found)
    assert tool.main(["--check"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("data/results/small.csv: 1 of 1 rows are of other code")
    for name, value in {
        "execute_stale": lambda as_stored: [],
        "false_claims": lambda: 0,
        "built_from": lambda: None,
        "outdated_tables": lambda: True,
    }.items():
        monkeypatch.setattr(book, name, value)
    monkeypatch.setattr("sys.argv", ["book.py", "--as-stored"])
    with pytest.raises(SystemExit, match="a table of results is not that of its sweep"):
        book.main()


def test_a_mark_is_what_a_sweep_writes(small):
    root = small.parent.parent
    (root / "data" / "results" / "small.csv").unlink()
    tool.record("small", "cpu", root, workers=1, progress=False)
    (row,) = data.read_rows(root / "data" / "results" / "small.csv")
    assert (row["status"], row["result"]) == ("ok", "2")
    assert row["code"] == code_mark(tool.load("small", root).cell)
    assert tool.outdated(root) == {}


def test_what_was_read_and_has_not_changed_does_not_drift(chapter):
    data.earth(), data.icons(), data.published("gan")
    read_now = data.used()
    assert {"earth/photo.webp", "published/gan.csv"} <= read_now.keys()
    path = chapter(lambda nb: nb.metadata["gmlib"].update(data=read_now))
    assert [name for name in drift(path) if name.startswith("data/")] == []


def test_pictures_and_arrays_that_are_others_now_drift(chapter):
    then = {"earth/photo.webp": "0" * 64, "jets/truth.npz": "0" * 64}
    path = chapter(lambda nb: nb.metadata["gmlib"].update(data=then))
    changed = [name for name in drift(path) if name.startswith("data/")]
    assert changed == ["data/earth/photo.webp", "data/jets/truth.npz"]
