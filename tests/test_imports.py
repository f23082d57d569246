"""The library is a clean DAG: a room imports only from the floors below its own."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from notebooks import ROOT

import gmlib

LIBRARY = Path(gmlib.__file__).parent
FLOORS = [
    {"runtime", "checks", "history", "ema", "fingerprint", "ranks"},
    {"objectives", "divergences", "nets", "data", "checkpoint"},
    {"game", "metrics", "plot", "sweep", "architectures"},
    {"lecture"},
]
ROOMS = sorted(set().union(*FLOORS))
# Only a notebook, a sweep or a benchmark brings a game and an objective together.
APART = {"game", "objectives"}
OUTSIDE = ("tools", "tests", "book", "sweeps", "benchmarks")


def files_of(library):
    """Return {dotted name: path} of a library; a package has the name of its face."""
    found = {}
    for path in sorted(library.rglob("*.py")):
        parts = [library.name, *path.relative_to(library).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def base_of(node, name, path):
    """Return the module that an ``import from`` names, with its dots resolved."""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    here = package[: len(package) + 1 - node.level] if node.level else []
    return ".".join([*here, *([node.module] if node.module else [])])


def names_of(path, name=""):
    """Return what a file uses of other modules: imports, and chains that begin there.

    ``from gmlib import nets`` and ``nets.mlp(2)`` give "gmlib.nets" and
    "gmlib.nets.mlp", at the top of the file or inside a function.
    """
    tree, bound, used = ast.parse(path.read_text("utf8")), {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                used.add(alias.name)
                first = alias.name.split(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            base = base_of(node, name, path)
            for alias in node.names:
                assert alias.name != "*", f"{path}: a face names what it shows"
                used.add(f"{base}.{alias.name}")
                bound[alias.asname or alias.name] = f"{base}.{alias.name}"
    for node in ast.walk(tree):
        chain = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        if chain and isinstance(node, ast.Name) and node.id in bound:
            used.add(".".join([bound[node.id], *reversed(chain)]))
    return used


def room_of(name, library="gmlib"):
    """Return the room of a dotted name, "" for what lies in none."""
    parts = name.split(".")
    return parts[1] if parts[0] == library and len(parts) > 1 else ""


def rooms_used(path, name="", library="gmlib"):
    """Return the rooms that a file imports from, other than its own."""
    rooms = {room_of(used, library) for used in names_of(path, name)}
    return {r for r in rooms if r in ROOMS} - {room_of(name, library)}


# What every named tuple has for all to use: the underscore only keeps it apart.
OF_TUPLES = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}


def private_names(path, name="", library="gmlib"):
    """Return the private names of other rooms that a file uses."""
    return {
        used
        for used in names_of(path, name)
        if room_of(used, library) not in ("", room_of(name, library))
        and any(
            p.startswith("_") and p[:2] != "__" and p not in OF_TUPLES
            for p in used.split(".")
        )
    }


def order_within(room, library):
    """Return the files of a room from the ground up; raise CycleError."""
    files = files_of(library)
    inside = [n for n in files if room_of(n, library.name) == room]
    graph = {}
    for name in inside:
        graph[name] = set()
        for used in names_of(files[name], name):
            # `used` is a module, or a name in one: the longest that is a file counts.
            parts = used.split(".")
            ends = (".".join(parts[:i]) for i in range(len(parts), 1, -1))
            graph[name] |= {next((e for e in ends if e in inside), name)} - {name}
    return list(TopologicalSorter(graph).static_order())


def breaches(library, floors=FLOORS):
    """Return every breach of the rules in a library, as sentences."""
    found = []
    for name, path in files_of(library).items():
        room = room_of(name, library.name)
        level = next((i for i, floor in enumerate(floors) if room in floor), 0)
        below = set().union(*floors[:level])
        used = rooms_used(path, name, library.name)
        found += [f"{name} imports {r}, which is not below" for r in used - below]
        if used >= APART or (room in APART and used & APART):
            found.append(f"{name} joins {' and '.join(sorted(APART))}")
        found += [f"{name} uses {p}" for p in private_names(path, name, library.name)]
        outside = {used.split(".")[0] for used in names_of(path, name)} & {*OUTSIDE}
        found += [f"{name} imports {o}, which is outside" for o in outside]
    for room in sorted({room_of(n, library.name) for n in files_of(library)} - {""}):
        try:
            order_within(room, library)
        except CycleError as error:
            found.append(f"{room} goes in a circle: {' → '.join(error.args[1])}")
    return found


def test_every_room_has_a_floor():
    rooms = {room_of(name) for name in files_of(LIBRARY)} - {"", "_data"}
    assert rooms == {*ROOMS}


def test_rooms_import_only_from_below_and_only_what_is_public():
    assert not breaches(LIBRARY), "\n".join(breaches(LIBRARY))


def test_the_library_itself_imports_no_room():
    assert rooms_used(LIBRARY / "__init__.py", "gmlib") == set()


@pytest.mark.parametrize("folder", ["tools", "book", "sweeps", "benchmarks"])
def test_what_is_outside_uses_only_what_is_public(folder):
    for path in (ROOT / folder).glob("*.py"):
        assert not private_names(path), path.name
        if folder in ("tools", "book"):
            assert not rooms_used(path) >= APART, path.name


BREACHES = {
    "history.py": ("def f():\n    from gmlib.lecture import claim\n", "lecture, which"),
    "ema.py": ("import gmlib.game\n", "imports game, which is not below"),
    "game/a.py": ("from gmlib.game.b import y\n", r"game goes in a circle.*game\.a"),
    "game/c.py": ("from gmlib.objectives import normal\n", "joins game and objectives"),
    "plot/a.py": ("from ..nets import _positive\n", "uses gmlib.nets._positive"),
    "plot/b.py": ("from gmlib import nets\nnets._x(1)\n", "uses gmlib.nets._x"),
    "plot/c.py": ("import gmlib.nets as n\nn.basic._y\n", "uses gmlib.nets.basic._y"),
    "metrics/a.py": ("from benchmarks import games\n", "benchmarks, which is outside"),
    "metrics/b.py": ("from . import f\n", r"metrics goes in a circle.*metrics\.b"),
}


@pytest.fixture
def small(tmp_path):
    """A library without a breach: files, packages, and what is allowed in them."""
    sources = {
        "__init__.py": "",
        "history.py": "import json\n",
        "ema.py": "",
        "nets/__init__.py": "from gmlib.nets.basic import mlp\n__all__ = ['mlp']\n",
        "nets/basic.py": "def mlp(): ...\ndef _positive(): ...\n",
        "game/__init__.py": "from gmlib.game.b import y\n",
        "game/a.py": "from gmlib import nets\nnets.mlp.__doc__\n",
        "game/b.py": "from gmlib.game import a\nfrom gmlib.history import x\ny = a\n",
        "metrics/__init__.py": "from gmlib.metrics.b import f\n",
        "metrics/b.py": "from ..nets import mlp as f\n",
        "lecture.py": "from gmlib.game import y\nfrom gmlib.metrics import f\n",
    }
    for name, source in sources.items():
        path = tmp_path / "gmlib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return tmp_path / "gmlib"


def test_a_library_without_a_breach_passes(small):
    assert breaches(small) == []
    assert order_within("game", small) == ["gmlib.game.a", "gmlib.game.b", "gmlib.game"]


@pytest.mark.parametrize("file", BREACHES)
def test_a_breach_is_seen(file, small):
    source, said = BREACHES[file]
    path = small / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    assert re.search(said, "\n".join(breaches(small)))
