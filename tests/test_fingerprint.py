"""The description of code changes when what it means changes, and only then."""

import ast
import linecache
import os
import subprocess
import sys
from functools import lru_cache, partial, wraps

import pytest
import torch
from IPython.core.compilerop import CachingCompiler

from gmlib import nets
from gmlib.fingerprint import code_mark, describe, digest, meaning
from gmlib.game import shared


def from_a_cell(source, **names):
    """Run source as a notebook does, which keeps it; return its `f`."""
    name = CachingCompiler().cache(source)
    exec(compile(source, name, "exec"), names)
    return names["f"]


def from_nowhere(source, **names):
    """Run source that nobody keeps; return its `f`."""
    exec(source, names)
    return names["f"]


@pytest.fixture(params=[from_a_cell, from_nowhere], ids=["source", "bytecode"])
def mark(request):
    """What stands for the `f` of a source."""

    def marked(source, deep=True):
        found = describe(request.param(source, __name__="somewhere"), deep)
        assert (found[0][0] == "bytecode") == (request.param is from_nowhere)
        return digest(found)

    return marked


def marked(source, deep=True):
    return digest(describe(from_a_cell(source, __name__="somewhere"), deep))


def test_comments_and_lines_do_not_matter(mark):
    commented = "# what it does\n\ndef f(x):\n    return x + 1  # one"
    assert mark("def f(x): return x + 1") == mark(commented)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("def f(x): return x + 1", "def f(x): return x + 2"),
        ("def f(x, n=1): return n", "def f(x, n=2): return n"),
        ("def f(*, n=1): return n", "def f(*, n=2): return n"),
        ("def f(): return 1", "def f(): return '1'"),
        ("k = 1\ndef f(): return k", "k = 2\ndef f(): return k"),
        ("k = 1\ndef f(n=k): return n", "k = 2\ndef f(n=k): return n"),
        (
            "def g(): return 1\ndef f(): return g()",
            "def g(): return 2\ndef f(): return g()",
        ),
        (
            "def g(): return 1\ndef f():\n  def h(): return g()\n  return h",
            "def g(): return 2\ndef f():\n  def h(): return g()\n  return h",
        ),
        (
            "def g(k):\n  def f(): return k\n  return f\nf = g(1)",
            "def g(k):\n  def f(): return k\n  return f\nf = g(2)",
        ),
        ("f = lambda x: x + 1", "f = lambda x: x + 2"),
        ("g, f = lambda: 1, lambda: 2", "g, f = lambda: 2, lambda: 1"),
        ("f = (lambda: lambda: 1)()", "f = (lambda: lambda: 2)()"),
        ("import math as m\ndef f(): return m.e", "import cmath as m\ndef f(): m.e"),
    ],
)
@pytest.mark.parametrize("deep", [True, False])
def test_what_it_does_and_names_matters(a, b, deep, mark):
    assert mark(a, deep) != mark(b, deep)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("k = [1, {2: (3,)}]\ndef f(): k", "k = [1, {2: (4,)}]\ndef f(): k"),
        (
            "class C:\n  def g(self): return 1\ndef f(): return C()",
            "class C:\n  def g(self): return 2\ndef f(): return C()",
        ),
        (
            "class C:\n  k = 1\ndef f(): return C.k",
            "class C:\n  k = 2\ndef f(): return C.k",
        ),
        (
            "class C:\n  @property\n  def g(self): return 1\ndef f(): return C()",
            "class C:\n  @property\n  def g(self): return 2\ndef f(): return C()",
        ),
    ],
)
def test_data_and_methods_matter_to_a_deep_description_only(a, b, mark):
    assert mark(a) != mark(b)
    assert mark(a, deep=False) == mark(b, deep=False)


@pytest.mark.parametrize(
    "other",
    [
        'def f(x, n=2):\n    """Another docstring."""\n    return fit(g(x), n)',
        "def f(x: float, n: 'int'=2) -> None:\n    return fit(g(x), n)",
        "def f(\n    x,\n    n=2,\n):\n    'No.'\n    return fit(\n      g(x), n\n  )",
        "def f(x, n=2): return fit(g(x), n, title='the first seed')",
        "def f(x, n=0x2): return fit(g(x), (n))",
    ],
)
def test_docstrings_annotations_layout_and_titles_mean_nothing(other):
    names = "def g(x):\n    '''What {}.'''\n    return x\ndef fit(*a, **k): return a\n"
    source = names + "def f(x, n=2): return fit(g(x), n)"
    assert marked(source) == marked(names.format("else") + other)


def test_only_globals_are_taken_for_globals():
    """An attribute or a local variable may have the name of a global."""
    for body in ("data.grid", "(lambda grid: grid)(1)", "[grid for grid in x]"):
        source = f"def f(x, data): return {body}"
        assert marked("grid = 1\n" + source) == marked("grid = 2\n" + source)
    annotated = "T = {}\ndef f():\n  def g(x: T): return x\n  return g"
    assert marked(annotated.format(1)) == marked(annotated.format(2))


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("f, g = lambda: 1, lambda: 2", "lambda: 1"),
        ("g, f = lambda: 1, lambda: 2", "lambda: 2"),
        ("f, g = lambda g: (lambda: g), lambda g: g", "lambda g: lambda: g"),
        ("f = (lambda g: (lambda: g))(1)", "lambda: g"),
        ("f = (lambda: (lambda: (lambda: 1)))()", "lambda: lambda: 1"),
        ("g, f = lambda: (1,\n 2), lambda: (1,\n 3)", "lambda: (1, 3)"),
        ("f = (lambda x: x)(x=lambda y='é': y); g = lambda: 1", "lambda y='é': y"),
    ],
)
def test_lambdas_on_one_line_are_told_apart(source, written):
    tree = ast.parse(written, mode="eval").body
    assert describe(from_a_cell(source))[0] == meaning(tree)


def test_a_recursive_function_has_a_description(mark):
    assert mark("def f(n): return f(n - 1)") != mark("def f(n): return f")
    inner = "def g():\n  def f(): return f()\n  return f\nf = g()"
    assert mark(inner) != mark("def f(): return f()")


def test_what_a_partial_was_given_matters():
    assert describe(partial(max, 1)) != describe(partial(max, 2))


def test_what_is_decorated_by_others_is_described():
    for decorator in (torch.no_grad(), lru_cache, wraps(len)):
        names = {"__name__": "here", "decorator": decorator}
        a, b = (
            from_a_cell(f"@decorator\ndef f(x): return x + {n}", **names)
            for n in (1, 2)
        )
        assert describe(a) != describe(b)


def test_what_is_installed_is_named_by_its_public_room():
    assert describe(nets.mlp) == "gmlib.nets.mlp"
    assert describe(nets.GaussianNoise, deep=True) == "gmlib.nets.GaussianNoise"
    assert describe(os.path.join).endswith("path.join")
    assert describe(torch.nn.functional.logsigmoid) == "torch.log_sigmoid"

    def moved():
        """As if a room had become a package."""

    moved.__module__, moved.__qualname__ = "gmlib.nets.basic", "mlp"
    assert describe(moved) == "gmlib.nets.mlp"


def test_an_edited_file_is_no_source_of_what_runs(tmp_path):
    path = tmp_path / "helper.py"
    path.write_text("def f(): return 1\n")
    names = {"__name__": "helper"}
    exec(compile(path.read_text(), str(path), "exec"), names)
    source = describe(names["f"])
    assert source[0][0] == "FunctionDef"
    path.write_text("\ndef f(): return 1 + 1\n")
    assert describe(names["f"]) == source, "it is still the source that was read"
    linecache.clearcache()
    assert describe(names["f"])[0][0] == "bytecode"
    exec(compile(path.read_text(), str(path), "exec"), names)
    assert describe(names["f"])[0][0] == "FunctionDef"


def test_a_mark_begins_with_a_letter():
    assert code_mark(from_a_cell("def f(): return 1"))[0] == "x"


def test_another_process_finds_the_same(tmp_path):
    """Addresses and the order of sets are those of a process."""
    (tmp_path / "kept.py").write_text(
        "def g(): pass\n"
        "def f(x, g=g):\n    return x in {'a', 'b', 'c', 'd', 'e'} or g(x)\n"
    )
    program = (
        "from gmlib.fingerprint import *; names = {'__name__': 's'}; import kept;"
        "exec(open(kept.__file__).read(), names);"
        "print(digest([describe(f, True) for f in (kept.f, names['f'])]))"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    found = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": path},
        ).stdout
        for seed in (1, 2)
    }  # fmt: skip
    assert len(found) == 1


# --------------------------------------------------------------- versions of Python


def test_a_tree_of_another_python_means_the_same():
    """Newer versions have more fields, and may cut the texts of an f-string."""
    source = "def f(x, n=1):\n    return f'{x}: {n:>{x}} and so on' if n else (1, 'ü')"
    tree, newer = ast.parse(source), ast.parse(source)
    for node in ast.walk(newer):
        node._fields = (*node._fields, "extra", "none")
        node.extra, node.none = [], None
        if isinstance(node, ast.JoinedStr):
            last = node.values[-1]
            if isinstance(last, ast.Constant):
                half = len(last.value) // 2
                node.values[-1:] = [
                    ast.Constant(t) for t in (last.value[:half], "", last.value[half:])
                ]
    assert ast.dump(tree) != ast.dump(newer)
    assert meaning(tree) == meaning(newer)


def test_the_meaning_of_a_source_is_one_in_all_versions():
    """Found alike by Python 3.11, 3.12 and 3.13: another number orphans the tables."""
    source = (
        "@decorator(1)\nasync def f(a, /, b: int = 2, *c, d=None, **e) -> str:\n"
        "    '''Doc.'''\n    x: float = -1.5e-300\n    global g\n"
        "    with a as b, c:\n        yield [i async for i in d if not i]\n"
        "    match x:\n        case {'k': [1, *_]} | None if b: pass\n"
        "    try: (y := a @ b)\n    except* (A, B) as e: raise C from e\n"
        "    g = lambda *, k=...: {**k, b'1': 2j}\n"
        "    return f'{x!r:>{b}} {{}} {x=} {x:}' 'é' + g\n"
        "class K(L, metaclass=M):\n    k: int\n"
        "    def m(self): return super().m[1:, ::2]\n"
    )
    assert digest(meaning(ast.parse(source))) == "9302782db1377fb2"


def test_what_players_share_is_known_by_its_code():
    one, two = shared(lambda x: x + 1), shared(lambda x: x + 2)
    again = shared(lambda x: x + 1)
    assert describe(one) != describe(two)
    assert describe(one) == describe(again)
    assert describe(lambda x: one(x)) != describe(lambda x: two(x))
