"""What a piece of code means, in words that change when its meaning does.

A training and a sweep go on only from results of the same code, and a lecture is
stale only if its code is another. What is compared is a normalised syntax tree: no
docstrings, comments, layout, annotations of functions or titles of progress bars.
It is the same in all versions of Python. Code whose source cannot be had is known by
its bytecode, which is not.
"""

import __future__

import ast
import dis
import hashlib
import linecache
import os
import sys
import types
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

OURS = ("torch", "gmlib")  # a package is known by its version
PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
PYTHON = os.path.dirname(os.__file__) + os.sep
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SHOWN = {"title", "progress"}  # arguments of `fit` and `sweep` that only show


def digest(value: Any) -> str:
    """Return 16 hexadecimal digits that stand for `repr(value)`."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def code_mark(cell: Callable) -> str:
    """Return the mark by which a table knows the code of its sweep.

    It begins with a letter, lest a table take digits for a number.
    """
    return f"x{digest(describe(cell, deep=True))}"


# ----------------------------------------------------------------- what is written


def parts(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a node of a syntax tree that carry meaning.

    Fields that are empty are left out: newer versions of Python have more of them.
    """
    plain = isinstance(node, (*FUNCTIONS, ast.arg))
    documented = isinstance(node, (*FUNCTIONS, ast.ClassDef))
    for field, value in ast.iter_fields(node):
        if field in ("ctx", "kind", "type_comment", "type_ignores"):
            continue
        if plain and field in ("annotation", "returns", "type_params"):
            continue
        if documented and field == "body" and isinstance(value, list):
            value = [statement for statement in value if not _idle(statement)]
        if field == "keywords" and _called(node) in ("fit", "sweep"):
            value = [keyword for keyword in value if keyword.arg not in SHOWN]
        if field == "values" and isinstance(node, ast.JoinedStr):
            value = _joined(value)
        if value is not None and value != []:
            yield field, value


def meaning(node: Any) -> Any:
    """Return what a syntax tree means, in nested lists of strings."""
    if isinstance(node, ast.Constant):
        return ["Constant", ascii(node.value)]  # `repr` differs as Unicode grows
    if isinstance(node, ast.AST):
        fields = [[field, meaning(value)] for field, value in parts(node)]
        return [type(node).__name__, *fields]
    if isinstance(node, list):
        return [meaning(value) for value in node]
    return str(node)


def nodes(node: Any) -> Iterator[ast.AST]:
    """Yield the nodes of a syntax tree that carry meaning."""
    if isinstance(node, ast.AST):
        yield node
        node = [value for _, value in parts(node)]
    if isinstance(node, list):
        for value in node:
            yield from nodes(value)


def _idle(statement):
    """Whether a statement is a docstring, or another constant that does nothing."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _called(node):
    """The last part of the name of the function that is called."""
    f = getattr(node, "func", None)
    return getattr(f, "attr", getattr(f, "id", None))


def _joined(values):
    """The parts of an f-string, in which versions of Python split texts differently."""
    kept = []
    for value in values:
        text = isinstance(value, ast.Constant)
        if text and kept and isinstance(kept[-1], ast.Constant):
            value = ast.Constant(kept.pop().value + value.value)
        if not text or value.value:
            kept.append(value)
    return kept


# ------------------------------------------------------------------- what is called


def describe(f: Callable | None, deep: bool = False, seen: tuple = ()) -> Any:
    """Describe a callable by its code and by what that names, in nested lists.

    Functions and classes of installed packages are named, not described; those of
    gmlib by the room from which they are imported.

    Parameters
    ----------
    f : callable
    deep : bool
        Also by the values in the lists and dictionaries it names and by the
        attributes of its classes. Not for code whose data changes while it runs,
        such as a loss that collects its values in a list. Tensors and objects
        are described by their type alone.
    seen : tuple of callables
        Those that are being described: a recursive function names itself.

    Returns
    -------
    list or str
        For a function: the `meaning` of its syntax tree, or ``["bytecode", ...]``
        where there is no source; its default arguments; the globals and the
        variables of enclosing functions that it names.
    """
    if isinstance(f, partial):
        given = _value(f.args, True, seen), _value(f.keywords, True, seen)
        return [describe(f.func, deep, seen), *given]
    if isinstance(f, types.MethodType):
        f = f.__func__
    if _foreign(f):  # a decorated function has the code of its decorator
        within = None if _package(f) in OURS else getattr(f, "__wrapped__", None)
        return describe(within, deep, seen) if within else _name(f)
    if deep and isinstance(f, type) and f not in seen:
        above = [describe(base, deep, (*seen, f)) for base in f.__bases__]
        return [f.__qualname__, above, _values(_own(f), deep, (*seen, f))]
    if not isinstance(f, types.FunctionType | type) and hasattr(f, "__wrapped__"):
        return describe(f.__wrapped__, deep, seen)  # what players share
    if not isinstance(f, types.FunctionType) or f in seen:
        return getattr(f, "__qualname__", type(f).__qualname__)
    code, names = written(f)
    named = {n: f.__globals__[n] for n in names if n in f.__globals__} | enclosed(f)
    given = _value((f.__defaults__, f.__kwdefaults__), True, seen)
    return [code, given, _values(named, deep, (*seen, f))]


def written(f: types.FunctionType) -> tuple[Any, set[str]]:
    """Return what a function's code means, and the globals that it names."""
    tree, names = _source(f), _names(f.__code__)
    if tree is None:
        return ["bytecode", _code(f.__code__)], names
    names &= {node.id for node in nodes(tree) if isinstance(node, ast.Name)}
    return meaning(tree), names


def installed(thing: Any) -> bool:
    """Whether a function, class or module is known by its package, not by its code."""
    if not isinstance(thing, types.ModuleType):
        return _foreign(thing)
    file = getattr(thing, "__file__", None)
    return thing.__name__.split(".")[0] in OURS or not file or _installed(file)


def _module(f):
    return getattr(f, "__module__", None) or ""


def _package(f):
    return _module(f).split(".")[0]


def _foreign(f):
    """Whether a function or class is known by its package."""
    if _package(f) in OURS:
        return hasattr(f, "__qualname__")
    if isinstance(f, types.FunctionType):
        return _installed(f.__code__.co_filename)
    if isinstance(f, type):
        file = getattr(sys.modules.get(f.__module__), "__file__", None)
        return _installed(file) if file else _package(f) in sys.stdlib_module_names
    return hasattr(f, "__wrapped__")  # as by functools.lru_cache


def _installed(file):
    known = file.startswith((PYTHON, "<frozen"))
    return known or any(place in file for place in PACKAGES)


def _name(f):
    """A name that stays when a function moves to another private file."""
    first, *rest = _module(f).split(".")
    public = [part for part in rest if not part.startswith("_")]
    if first == "gmlib":
        public = public[:1]  # the room, whichever of its files
    return ".".join([first.lstrip("_"), *public, f.__qualname__])


def _own(cls):
    """The methods and constants of a class, without what Python adds to every class."""
    found = {
        name: getattr(value, "__func__", getattr(value, "fget", value))
        for name, value in vars(cls).items()
    }
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, types.FunctionType) or not name.startswith("__")
    }


def enclosed(f: types.FunctionType) -> dict[str, Any]:
    """Return the variables of enclosing functions that a function names."""
    found = {}
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    return found


def _values(named, deep, seen):
    return {name: _value(value, deep, seen) for name, value in sorted(named.items())}


def _value(value, deep, seen):
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return repr(value)
    if isinstance(value, types.ModuleType):
        return value.__name__
    if callable(value):
        return describe(value, deep, seen)
    if deep and isinstance(value, list | tuple | range):
        return [_value(v, deep, seen) for v in value]
    if deep and isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if deep and isinstance(value, dict):
        return [[repr(k), _value(v, deep, seen)] for k, v in value.items()]
    return type(value).__qualname__


# ----------------------------------------------------------- from a function to both


def _source(f):
    """Return the syntax tree of a function, None if its source cannot be had.

    A file that was edited after it was imported is no source of what runs: what is
    found must compile to the function's bytecode.
    """
    code = f.__code__
    for refresh in (lambda file: None, linecache.checkcache):
        refresh(code.co_filename)
        text = "".join(linecache.getlines(code.co_filename, f.__globals__))
        tree, compiled = _parsed(
            text, code.co_flags & __future__.annotations.compiler_flag
        )
        if _identity(code) in compiled:
            return _found(tree, code)
    return None


def _found(tree, code):
    """Return the node of a function: a lambda may share its line with others."""
    kinds = ast.Lambda if code.co_name == "<lambda>" else FUNCTIONS[:2]
    same_line = [
        node
        for node in ast.walk(tree)
        if isinstance(node, kinds) and _first_line(node) == code.co_firstlineno
    ]
    if len(same_line) == 1:
        return same_line[0]
    places = {p for p in code.co_positions() if None not in p and p[2] < p[3]}
    holding = [
        node
        for node in same_line
        if places and all(_holds(node.body, place) for place in places)
    ]
    return max(holding, key=lambda node: node.col_offset, default=None)


def _first_line(node):
    return min(n.lineno for n in [node, *getattr(node, "decorator_list", [])])


def _holds(node, place):
    line, last, column, end = place
    from_here = (node.lineno, node.col_offset) <= (line, column)
    return from_here and (last, end) <= (node.end_lineno, node.end_col_offset)


@lru_cache(8)
def _parsed(text, flags):
    """Return the syntax tree of a source and what identifies the functions in it."""
    try:
        tree = ast.parse(text)
        code = compile(text, "", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None, frozenset()
    return tree, frozenset(_identities(code))


def _identities(code):
    for inside in _nested(code):
        yield _identity(inside)
        yield from _identities(inside)


def _identity(code):
    return code.co_firstlineno, code.co_qualname, digest(_code(code))


def _nested(code):
    return [c for c in code.co_consts if isinstance(c, types.CodeType)]


def _names(code):
    """The globals that a function loads, and those that the functions inside it do."""
    loads = {
        step.argval
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
    }
    return loads.union(*map(_names, _nested(code)))


def _code(code):
    constants = [
        # The order of a set of strings differs from one process to the next.
        sorted(map(repr, c)) if isinstance(c, frozenset) else repr(c)
        for c in code.co_consts
        if not isinstance(c, types.CodeType)
    ]
    inside = [_code(c) for c in _nested(code)]
    return [code.co_code.hex(), constants, list(code.co_names), inside]
