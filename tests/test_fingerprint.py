"""The description of code changes when what it does changes, and only then."""

import os
import subprocess
import sys
from functools import partial

import pytest

from gmlib.fingerprint import describe, digest


def functions(source, **names):
    exec(source, names)
    return names["f"]


def fingerprint(source, deep=True):
    return digest(describe(functions(source, __name__="somewhere"), deep))


def test_comments_and_lines_do_not_matter():
    commented = "# what it does\n\ndef f(x):\n    return x + 1  # one"
    assert fingerprint("def f(x): return x + 1") == fingerprint(commented)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("def f(x): return x + 1", "def f(x): return x + 2"),
        ("def f(x, n=1): return n", "def f(x, n=2): return n"),
        ("def f(*, n=1): return n", "def f(*, n=2): return n"),
        ("k = 1\ndef f(): return k", "k = 2\ndef f(): return k"),
        (
            "def g(): return 1\ndef f(): return g()",
            "def g(): return 2\ndef f(): return g()",
        ),
        (
            "def g(): return 1\ndef f():\n  def h(): return g()\n  return h",
            "def g(): return 2\ndef f():\n  def h(): return g()\n  return h",
        ),
    ],
)
@pytest.mark.parametrize("deep", [True, False])
def test_what_it_does_and_names_matters(a, b, deep):
    assert fingerprint(a, deep) != fingerprint(b, deep)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("k = [1, {2: (3,)}]\ndef f(): k", "k = [1, {2: (4,)}]\ndef f(): k"),
        (
            "class C:\n  def g(self): return 1\ndef f(): return C()",
            "class C:\n  def g(self): return 2\ndef f(): return C()",
        ),
    ],
)
def test_data_and_methods_matter_to_a_deep_description_only(a, b):
    assert fingerprint(a) != fingerprint(b)
    assert fingerprint(a, deep=False) == fingerprint(b, deep=False)


def test_a_recursive_function_has_a_description():
    assert fingerprint("def f(n): return f(n - 1)") != fingerprint("def f(n): return f")


def test_what_a_partial_was_given_matters():
    assert describe(partial(max, 1)) != describe(partial(max, 2))


def test_another_process_finds_the_same():
    """Addresses and the order of sets are those of a process."""
    source = (
        "def g(): pass\n"
        "def f(x, g=g):\n    return x in {'a', 'b', 'c', 'd', 'e'} or g(x)\n"
    )
    program = (
        "import sys; from gmlib.fingerprint import *; names = {'__name__': 's'};"
        f"exec({source!r}, names); print(digest(describe(names['f'], True)))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    }  # fmt: skip
    assert len(found) == 1
