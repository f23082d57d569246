"""The library is a clean DAG: a room imports only from the rooms below it."""

import ast
from pathlib import Path

import pytest

import gmlib

ROOMS = Path(gmlib.__file__).parent
LAYERS = [
    {"runtime", "checks", "history", "ema", "fingerprint", "ranks"},
    {"objectives", "divergences", "nets", "data", "checkpoint"},
    {"game", "metrics", "plot", "sweep", "architectures"},
    {"lecture"},
]
# Layer 0 holds nothing but torch; only a notebook brings a game and an objective
# together.
EXTRA_FORBIDDEN = {("game", "objectives")}


def imported_rooms(path):
    """The rooms of gmlib that a file imports, at its top or inside a function."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            assert "*" not in {alias.name for alias in node.names}, path
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "gmlib" and len(parts) > 1:
                rooms.add(parts[1])
    return rooms


def test_every_room_has_a_layer():
    files = {path.stem for path in ROOMS.glob("*.py")} - {"__init__"}
    assert files == set().union(*LAYERS)


@pytest.mark.parametrize("room", sorted(set().union(*LAYERS)))
def test_rooms_import_only_from_below(room):
    level = next(i for i, layer in enumerate(LAYERS) if room in layer)
    allowed = set().union(*LAYERS[:level]) if level else set()
    imports = imported_rooms(ROOMS / f"{room}.py")
    assert imports <= allowed, f"{room} imports {imports - allowed}"
    assert not {(room, other) for other in imports} & EXTRA_FORBIDDEN


def test_the_package_itself_imports_no_room():
    assert imported_rooms(ROOMS / "__init__.py") == set()


def test_the_reader_of_imports_sees_a_violation(tmp_path):
    """The check itself can fail."""
    bad = tmp_path / "bad.py"
    bad.write_text(
        "def f():\n    from gmlib.lecture import claim\n    import gmlib.game\n"
    )
    assert imported_rooms(bad) == {"lecture", "game"}
