"""What a chapter reaches of the library, and what of it may change unnoticed."""

import ast

import pytest
from notebooks import ROOT, library, listed, read
from reach import reached

ROOM = {
    "__init__.py": "try:\n    VERSION = 1\nexcept KeyError:\n    VERSION = 0\n",
    "checks.py": "def count(n):\n    '''Count.'''\n    return n\n\ndef other(): ...\n",
    "data/__init__.py": (
        "from gmlib.data.laws import K, Ring, ring\nfrom .tables import results\n"
        "__all__ = ['K', 'Ring', 'results', 'ring']\n"
    ),
    "data/laws.py": (
        "from gmlib.checks import count as checked\nK = 8\n\n"
        "class Ring:\n    def draw(self, n): return checked(n)\n\n"
        "def ring(k=K): return Ring()\n\ndef square(): return Ring()\n"
    ),
    "data/tables.py": (
        "from gmlib import checks\nFOUND = {}\n\n"
        "def kept(f): FOUND[f.__name__] = f\n\n@kept\ndef first(): return 1\n\n"
        "def results(name): return FOUND[name]\n\n"
        "def any_check(name): return getattr(checks, name)\n"
    ),
    "game.py": "import gmlib.data as d\nd.FAST = True\n\ndef fit(x): return d.K\n",
}


@pytest.fixture
def root(tmp_path):
    for name, text in ROOM.items():
        file = tmp_path / "gmlib" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def names(source, root):
    return set(reached(ast.parse(source), root))


ALWAYS = {"data.first", "data.kept", "data.FOUND"}  # kept by a decorator on import


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch\ntorch.ring()", set()),
        ("from gmlib import checks\nchecks.count(1)", {"checks.count"}),
        ("from gmlib.checks import count as c\nc(1)", {"checks.count"}),
        ("import gmlib.checks\ngmlib.checks.count(1)", {"checks.count"}),
        ("import gmlib.checks as c\nc.count(1)", {"checks.count"}),
        ("import gmlib\ngmlib.VERSION", {"gmlib.VERSION"}),
        (
            "from gmlib import checks\nf(checks)",
            {"checks.count", "checks.other"},
        ),
        (
            "from gmlib import checks\nchecks.no_such",
            {"checks.count", "checks.other"},
        ),
        (
            "from gmlib import data\np = data.ring()",
            {"data.ring", "data.Ring", "data.K", "checks.count", *ALWAYS},
        ),
        ("from gmlib.data import K as n\nn", {"data.K", *ALWAYS}),
        ("from gmlib.data import results\nresults(1)", {"data.results", *ALWAYS}),
        (
            "from gmlib.data.tables import any_check as a\na(1)",
            {"data.any_check", "checks.count", "checks.other", *ALWAYS},
        ),
        (
            "def f():\n    from gmlib.game import fit\n    return fit(1)",
            {"game.fit", "game.(on import)", "data.K", *ALWAYS},
        ),
    ],
)
def test_names_are_followed(source, found, root):
    if "game" in source:  # what it does on import names the whole room
        found = found | {
            "data.ring", "data.Ring", "data.results", "checks.count",
        }  # fmt: skip
    assert names(source, root) == found


SOURCE = "from gmlib import data\ndata.ring().draw(3)"


def changed(root, file, old, new):
    """What of `SOURCE`'s library has changed once a file has."""
    before = reached(ast.parse(SOURCE), root)
    path = root / "gmlib" / file
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    after = reached(ast.parse(SOURCE), root)
    return {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}


@pytest.mark.parametrize(
    ("file", "old", "new", "seen"),
    [
        ("checks.py", "'''Count.'''", "'''Count them.'''", set()),
        ("checks.py", "def other(): ...", "def another(x): return x", set()),
        ("data/laws.py", "def ring(k=K)", "# the ring\ndef ring(k: int = K)", set()),
        ("data/laws.py", "def square", "def rectangle", set()),
        ("data/laws.py", "K = 8", "K = 9", {"data.K"}),
        ("checks.py", "return n", "return n + 1", {"checks.count"}),
        ("data/laws.py", "def draw", "def sample", {"data.Ring"}),
        ("data/tables.py", "return 1", "return 2", {"data.first"}),
        ("data/laws.py", "checked(n)", "n", {"data.Ring", "checks.count"}),
    ],
)
def test_only_another_meaning_of_what_is_reached_is_seen(file, old, new, seen, root):
    assert changed(root, file, old, new) == seen


def test_a_definition_may_move_within_its_room(root):
    before = reached(ast.parse(SOURCE), root)
    room = root / "gmlib" / "data"
    text = (room / "laws.py").read_text()
    begin, end = text.index("class Ring"), text.index("def ring")
    (room / "shapes.py").write_text(
        f'"""Shapes."""\nfrom gmlib.checks import count as checked\n\n{text[begin:end]}'
    )
    (room / "laws.py").write_text(
        "from .shapes import Ring\n" + text[:begin] + text[end:]
    )
    assert reached(ast.parse(SOURCE), root) == before


def test_a_room_may_become_a_package(root):
    before = reached(ast.parse("from gmlib.checks import count\ncount(1)"), root)
    (root / "gmlib" / "checks").mkdir()
    (root / "gmlib" / "checks.py").rename(root / "gmlib" / "checks" / "numbers.py")
    face = "from gmlib.checks.numbers import count, other\n"
    (root / "gmlib" / "checks" / "__init__.py").write_text(face)
    after = reached(ast.parse("from gmlib.checks import count\ncount(1)"), root)
    assert after == before


def test_a_chapter_reaches_what_it_uses():
    found = library(read(ROOT / "chapters" / "gan.ipynb"))
    assert {"data.ring", "game.fit", "game.Player", "ranks.share"} <= found.keys()
    assert not {"data.swiss_roll", "sweep.sweep", "game.rmsprop"} & found.keys()


def test_long_lists_are_cut():
    assert listed(list("abc")) == "a, b, c"
    assert listed(list("abc"), most=2) == "a, b and 1 more"
