"""The faces of the rooms: what lectures and sweeps ask of `gmlib` is there."""

import ast
import importlib
import json
import pkgutil
from pathlib import Path

import pytest

import gmlib

ROOT = Path(__file__).parents[1]
READERS = sorted([*ROOT.glob("chapters/*.ipynb"), *ROOT.glob("sweeps/*.py")])
ROOMS = [m.name for m in pkgutil.iter_modules(gmlib.__path__)]
PACKAGES = [m.name for m in pkgutil.iter_modules(gmlib.__path__) if m.ispkg]


def source(path):
    """The code of a module or of a notebook's cells."""
    text = path.read_text("utf8")
    if path.suffix == ".py":
        return text
    cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    lines = "\n".join("".join(c["source"]) for c in cells).splitlines()
    return "\n".join(line for line in lines if not line.startswith(("%", "!")))


def asked(code):
    """The pairs (module of gmlib, name) that some code imports or reaches by a dot."""
    tree, rooms, found = ast.parse(code), {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "gmlib":
            found |= {("gmlib", alias.name) for alias in node.names}
            rooms |= {a.asname or a.name: f"gmlib.{a.name}" for a in node.names}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("gmlib."):
            found |= {(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            modules = [a for a in node.names if a.name.split(".")[0] == "gmlib"]
            rooms |= {a.asname or a.name: a.name for a in modules}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            room = rooms.get(ast.unparse(node.value))
            found |= {(room, node.attr)} if room else set()
    return found


def missing(pairs):
    """Those of the pairs that no face holds."""
    absent = set()
    for module, name in pairs:
        if module == "gmlib" and name in ROOMS:
            continue
        room = importlib.import_module(module)
        face = getattr(room, "__all__", None) or vars(room)
        if name not in face or not hasattr(room, name):
            absent.add(f"{module}.{name}")
    return absent


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.name)
def test_what_a_lecture_or_sweep_asks_for_is_there(path):
    pairs = asked(source(path))
    assert pairs, "every one of them uses the library"
    assert {module.count(".") for module, _ in pairs} <= {0, 1}, "past a face"
    assert missing(pairs) == set()


@pytest.mark.parametrize("room", PACKAGES)
def test_a_face_holds_what_it_says_and_no_file_hides_behind_a_name(room):
    face = importlib.import_module(f"gmlib.{room}")
    assert len(set(face.__all__)) == len(face.__all__)
    assert [name for name in face.__all__ if not hasattr(face, name)] == []
    files = {module.name for module in pkgutil.iter_modules(face.__path__)}
    assert not files & set(face.__all__)


def test_the_reader_of_names_sees_what_is_missing():
    """The check itself can fail."""
    code = (
        "import gmlib.game\nfrom gmlib import data as d, attic\n"
        "from gmlib.game import fit, play\n"
        "def f():\n    return d.ring, d.spiral(3).x\n"
        "game = gmlib.game.Player, gmlib.game.Bot\n"
    )
    names = {"data", "attic", "fit", "play", "ring", "spiral", "Player", "Bot"}
    assert {name for _, name in asked(code)} == names
    pairs = {pair for pair in asked(code) if pair != ("gmlib", "attic")}
    assert missing(pairs) == {"gmlib.game.play", "gmlib.data.spiral", "gmlib.game.Bot"}
    assert missing({("gmlib", "attic")}) == {"gmlib.attic"}
