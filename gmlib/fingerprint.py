"""What a piece of code does, in words that change when it does.

A training and a sweep go on only from results of the same code. Bytecode tells:
comments and line numbers are not in it. It differs between versions of Python.
"""

import hashlib
import inspect
import os
import types
from functools import partial

from torch import nn

OURS = ("torch", "gmlib")  # a package is known by its version
PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
PYTHON = os.path.dirname(os.__file__) + os.sep


def digest(value):
    """Return 16 hexadecimal digits that stand for `repr(value)`."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def describe(f, deep=False, seen=()):
    """Describe a callable by its bytecode and by what it names, in nested lists.

    Functions of installed packages are named, not described.

    Parameters
    ----------
    f : callable
    deep : bool
        Also by the values in the lists and dictionaries it names and by the
        methods of its classes. Not for code whose data changes while it runs,
        such as a loss that collects its values in a list. Tensors and objects
        are described by their type alone.
    seen : tuple of callables
        Those that are being described: a recursive function names itself.
    """
    if isinstance(f, partial):
        given = _value(f.args, True, seen), _value(f.keywords, True, seen)
        return [describe(f.func, deep, seen), *given]
    if isinstance(f, types.MethodType):
        f = f.__func__
    if deep and isinstance(f, type) and f not in seen and not _ours(f.__module__):
        parts = {k: getattr(v, "__func__", v) for k, v in vars(f).items()}
        parts = {k: v for k, v in parts.items() if isinstance(v, types.FunctionType)}
        above = [describe(base, deep, (*seen, f)) for base in f.__bases__]
        return [f.__qualname__, above, _values(parts, deep, (*seen, f))]
    if not isinstance(f, types.FunctionType) or f in seen:
        return getattr(f, "__qualname__", type(f).__qualname__)
    if _ours(f.__module__) or _installed(f.__code__.co_filename):
        return f"{f.__module__}.{f.__qualname__}"
    named = {n: f.__globals__[n] for n in _names(f.__code__) if n in f.__globals__}
    named |= inspect.getclosurevars(f).nonlocals
    given = _value((f.__defaults__, f.__kwdefaults__), True, seen)
    return [_code(f.__code__), given, _values(named, deep, (*seen, f))]


def _ours(module):
    return module.split(".")[0] in OURS


def _installed(file):
    return file.startswith(PYTHON) or any(place in file for place in PACKAGES)


def _values(named, deep, seen):
    return {name: _value(value, deep, seen) for name, value in sorted(named.items())}


def _value(value, deep, seen):
    if isinstance(value, bool | int | float | str | None):
        return repr(value)
    if callable(value) and not isinstance(value, nn.Module):
        return describe(value, deep, seen)
    if deep and isinstance(value, list | tuple | range):
        return [_value(v, deep, seen) for v in value]
    if deep and isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if deep and isinstance(value, dict):
        return [[repr(k), _value(v, deep, seen)] for k, v in value.items()]
    return type(value).__qualname__


def _nested(code):
    return [c for c in code.co_consts if isinstance(c, types.CodeType)]


def _names(code):
    """The names a function uses, and those that the functions inside it use."""
    return set(code.co_names).union(*map(_names, _nested(code)))


def _code(code):
    constants = [
        # The order of a set of strings differs from one process to the next.
        sorted(map(repr, c)) if isinstance(c, frozenset) else repr(c)
        for c in code.co_consts
        if not isinstance(c, types.CodeType)
    ]
    inside = [_code(c) for c in _nested(code)]
    return [code.co_code.hex(), constants, list(code.co_names), inside]
