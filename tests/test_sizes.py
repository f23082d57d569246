"""Files and functions are small enough to be read at once."""

import ast

import pytest
from notebooks import ROOT

FOLDERS = ("gmlib", "tools", "book", "benchmarks", "sweeps", "tests")
FILE, FUNCTION = 350, 60  # lines


def functions(source):
    """Return [(name, lines)] of all functions of a source, docstrings not counted."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            found.append((node.name, lines))
    return found


def too_large(name, source):
    """Return what in a file is larger than it may be, as sentences."""
    lines = len(source.splitlines())
    found = [f"{name}: {lines} lines"] if lines > FILE else []
    return found + [
        f"{name}: {function} has {lines} lines"
        for function, lines in functions(source)
        if lines > FUNCTION
    ]


def test_scripts_of_a_page_are_small():
    files = sorted([*ROOT.glob("gmlib/**/*.js"), *ROOT.glob("book/static/*.js")])
    assert len(files) > 3
    found = [(f.name, len(f.read_text("utf8").splitlines())) for f in files]
    assert not [(name, lines) for name, lines in found if lines > FILE]


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_and_functions_are_small(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = [
        sentence
        for path in files
        for sentence in too_large(path.relative_to(ROOT).as_posix(), path.read_text())
    ]
    assert not found, "\n".join(found)


def test_what_is_too_large_is_seen():
    body = "    x = 1\n" * FUNCTION
    assert too_large("f.py", f"def f():\n{body}") == ["f.py: f has 61 lines"]
    assert too_large("f.py", f'def f():\n    """A\n    doc."""\n{body[10:]}') == []
    method = f"class A:\n    async def g(self):\n{body.replace('    ', 8 * ' ')}"
    assert too_large("f.py", method) == ["f.py: g has 61 lines"]
    assert too_large("f.py", "\n" * FILE) == []
    assert too_large("f.py", "\n" * (FILE + 1)) == ["f.py: 351 lines"]
