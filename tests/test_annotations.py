"""The public surface says its types: what every room shows, and its methods."""

import importlib
import inspect
import types

import pytest
from test_imports import ROOMS


def shown(module):
    """Return {name: object} of a room's own public classes and functions."""
    library = module.__name__.split(".")[0]
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name in vars(module) if not name.startswith("_")]
    things = {name: getattr(module, name) for name in names}
    return {
        name: thing
        for name, thing in things.items()
        if callable(thing) and thing.__module__.split(".")[0] == library
    }


def is_protocol(thing):
    return getattr(thing, "_is_protocol", False)


def callables(name, thing):
    """Yield (name, function) of what is called: a function, a class's own methods."""
    if not inspect.isclass(thing):
        yield name, thing
        return
    for method, value in vars(thing).items():
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        called = not method.startswith("_") or method in ("__init__", "__call__")
        # A protocol is called by nobody: its __init__ is Python's.
        called = called and not (method == "__init__" and is_protocol(thing))
        if called and isinstance(inspect.unwrap(value), types.FunctionType):
            yield f"{name}.{method}", value


def missing(name, function):
    """Return what a function does not say of its types, as words."""
    signature = inspect.signature(function)
    words = [
        parameter.name
        for i, parameter in enumerate(signature.parameters.values())
        if parameter.annotation is parameter.empty
        and not (i == 0 and parameter.name in ("self", "cls"))
    ]
    if signature.return_annotation is signature.empty and not name.endswith("__init__"):
        words.append("return")
    return words


@pytest.mark.parametrize("room", ROOMS)
def test_a_rooms_public_surface_is_annotated(room):
    module = importlib.import_module(f"gmlib.{room}")
    found = [
        f"gmlib.{room}.{inner}: {', '.join(words)}"
        for name, thing in shown(module).items()
        for inner, function in callables(name, thing)
        if (words := missing(inner, function))
    ]
    assert not found, "\n".join(found)


def test_a_missing_annotation_is_seen():
    module = types.ModuleType("gmlib.room")
    source = """
def f(x: int, *more: int, y=1) -> int: ...
def _private(x): ...
class A:
    def __init__(self, x: int): ...
    def __repr__(self): ...
    def g(self, x) -> int: ...
    @property
    def h(self): ...
    @classmethod
    def k(cls, x: int) -> int: ...
    @staticmethod
    def m(x, y: int) -> int: ...
"""
    exec(source, vars(module))
    found = {
        inner: missing(inner, function)
        for name, thing in shown(module).items()
        for inner, function in callables(name, thing)
    }
    assert found == {
        "f": ["y"], "A.__init__": [], "A.g": ["x"], "A.h": ["return"], "A.k": [],
        "A.m": ["x"],
    }  # fmt: skip
