"""What the losses, hooks and data of a game hold: values, code, and random states.

A checkpoint belongs to a training by what these hold, and what they change as they
run has to be in it.
"""

import hashlib
import io
import logging
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from pathlib import PurePath
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions.utils import lazy_property
from torch.optim import Optimizer
from tqdm import tqdm

from gmlib import runtime
from gmlib.fingerprint import describe, digest, enclosed, installed, written
from gmlib.game.player import Player

PLAIN: Any = bool | int | float | complex | str | None | np.generic | PurePath
PLAIN |= torch.dtype | torch.device
LARGE = 2**16  # an array or list of more elements is taken to stay as it is
OF_MODULES = vars(nn.Module()).keys()


class Held:
    """What some callables and objects hold, found by their variables and attributes.

    A place is named by what one would write: ``data: law.centres``.

    Parameters
    ----------
    roots : dict of str to object
        Callables, objects with attributes, or None.
    own : list of Tensor or Optimizer
        What the game saves itself: its values do not count here.
    known : dict
        Digests of large values, kept from one look to the next.

    Attributes
    ----------
    code, values : dict of str to str
        Digests by place.
    tensors : dict of str to Tensor
    generators, stateful : dict of str to object
        Generators of random numbers, and objects with `state_dict` such as the
        schedules of learning rates.

    Raises
    ------
    TypeError
        If one of them holds what no checkpoint can keep: an iterator, or a random
        generator without a state.
    """

    def __init__(
        self, roots: dict[str, Any], own: list[Any], known: dict[Any, Any]
    ) -> None:
        self.code: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.tensors: dict[str, Tensor] = {}
        self.generators: dict[str, Any] = {}
        self.stateful: dict[str, Any] = {}
        tensors = [t for t in own if torch.is_tensor(t)]
        self._own = {_storage(t) for t in tensors} - {0}
        self._optimizers = {id(o) for o in _optimizers(own)}
        self._known = known
        self._seen: dict[int, tuple[str, Any]] = {}  # with the object: ids are reused
        for place, root in roots.items():
            self._put(place, root)

    def _put(self, place: str, value: Any) -> None:
        self.values[place] = digest(self._text(place, value))

    def _text(self, place: str, value: Any) -> Any:
        """Return what stands for a value; note what it holds in turn."""
        if isinstance(value, PLAIN):
            return str(value) if isinstance(value, PurePath) else repr(value)
        if isinstance(value, bytes | bytearray):
            return hashlib.sha256(value).hexdigest()
        if id(value) in self._seen:
            return ["as", self._seen[id(value)][0]]
        self._seen[id(value)] = place, value
        for kinds, text in self._KINDS:
            if isinstance(value, kinds):
                return text(self, place, value)
        if runtime.is_generator(value):
            runtime.generator_state(value)  # or it is refused
            self.generators[place] = value
            return type(value).__name__
        if isinstance(value, Iterator):
            raise TypeError(
                f"{place} is an iterator ({type(value).__name__}), whose position no "
                "checkpoint can keep: draw batches by random indices instead"
            )
        return self._object(place, value)

    # ------------------------------------------------------------------- values

    def _tensor(self, place: str, value: Tensor) -> Any:
        if _storage(value) in self._own:
            return "a tensor of the game"
        self.tensors[place] = value
        return self._once(value, changes_of(value), lambda: tensor_digest([value]))

    def _array(self, place: str, value: np.ndarray) -> Any:
        def found() -> Any:
            bits = hashlib.sha256(value.tobytes()).hexdigest()
            return [value.shape, str(value.dtype), bits]

        if value.dtype.hasobject:
            return self._list(place, value.ravel().tolist())
        return self._once(value, value.size if value.size > LARGE else None, found)

    def _list(self, place: str, value: Any) -> Any:
        def found() -> Any:
            return [self._text(f"{place}[{i}]", v) for i, v in enumerate(value)]

        size = len(value)
        return [type(value).__name__, self._once(value, _large(size), found)]

    def _dict(self, place: str, value: dict[Any, Any]) -> Any:
        def found() -> Any:
            return [
                [self._text(place, k), self._text(f"{place}[{k!r}]", v)]
                for k, v in value.items()
            ]

        return [type(value).__name__, self._once(value, _large(len(value)), found)]

    def _set(self, place: str, value: Any) -> Any:
        return sorted(digest(self._text(place, v)) for v in value)

    def _once(self, value: Any, version: Any, find: Callable[[], Any]) -> Any:
        """Return what `find` finds; with a version, look again only as that changes."""
        if version is None:
            return find()
        kept = self._known.get(id(value))
        if kept is None or kept[0] != version:
            kept = self._known[id(value)] = version, find(), value
        return kept[1]

    # --------------------------------------------------------- code and objects

    def _function(self, place: str, f: types.FunctionType) -> Any:
        if installed(f):
            return self._wrapped(place, f)

        def found() -> tuple[str, set[str]]:
            code, names = written(f)
            return digest(code), names

        self.code[place], names = self._once(f.__code__, 0, found)
        named = {n: f.__globals__[n] for n in names if n in f.__globals__} | enclosed(f)
        for i, default in enumerate(f.__defaults__ or ()):
            self._put(f"{place}.default {i}", default)
        given = named | (f.__kwdefaults__ or {}) | vars(f)
        for name, value in sorted(given.items()):
            self._put(f"{place}.{name}", value)
            if isinstance(value, types.ModuleType) and not installed(value):
                for inside in {*f.__code__.co_names} & vars(value).keys():
                    self._put(f"{place}.{name}.{inside}", vars(value)[inside])
        return "a function"

    def _wrapped(self, place: str, f: Any) -> Any:
        """What is known by its package: its name, and what it was made of or bound to.

        A decorated function has the code of its decorator; that of `Empirical.map`
        encloses the map.
        """
        parts = {n: getattr(f, n, None) for n in ("__wrapped__", "__self__")}
        around = enclosed(f) if isinstance(f, types.FunctionType) else {}
        for name, part in (parts | around).items():
            if part is not None:
                self._put(f"{place}.{name.strip('_')}", part)
        return describe(f)

    def _method(self, place: str, f: types.MethodType) -> Any:
        # The object has the name of the place, so that its attributes follow it.
        whose = self._text(place, f.__self__)
        self._put(f"{place}.{f.__name__}", f.__func__)
        return ["a method of", whose]

    def _partial(self, place: str, f: Any) -> Any:
        return [self._text(place, part) for part in (f.func, f.args, f.keywords)]

    def _class(self, place: str, cls: type) -> Any:
        for base in cls.__mro__:
            for name, value in () if installed(base) else vars(base).items():
                value = getattr(value, "__func__", getattr(value, "fget", value))
                if isinstance(value, types.FunctionType) or name[:2] != "__":
                    self._put(f"{place}.{cls.__name__}.{name}", value)
        return cls.__qualname__

    def _module(self, place: str, value: nn.Module) -> Any:
        skipped = OF_MODULES
        if installed(vars(value).get("forward", len)):
            skipped |= {"forward"}  # the game has wrapped it
        own = {n: v for n, v in vars(value).items() if n not in skipped}
        named = value._parameters | value._buffers | value._modules
        return self._attributes(place, value, own | named)

    def _object(self, place: str, value: Any) -> Any:
        if callable(value) and not hasattr(value, "__dict__"):
            return self._wrapped(place, value)
        if hasattr(value, "__array__"):
            return self._array(place, np.asarray(value))
        slots = [n for c in type(value).__mro__ for n in getattr(c, "__slots__", ())]
        found = {n: getattr(value, n) for n in slots if hasattr(value, n)}
        found |= getattr(value, "__dict__", {})
        if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
            self.stateful[place] = value
        elif place.startswith("hook") and _optimizers(found.values()):
            raise TypeError(
                f"the {place} is a {type(value).__name__}, which holds an optimizer "
                "and has no state that a checkpoint can keep: give it the methods "
                "state_dict and load_state_dict, or take one of torch's schedulers"
            )
        return self._attributes(place, value, found)

    def _attributes(self, place: str, value: Any, found: dict[str, Any]) -> Any:
        lazy = cached_property | lazy_property
        for name, part in sorted(found.items()):
            derived = isinstance(getattr(type(value), name, None), lazy)
            if not derived and (name == "__wrapped__" or name[:2] != "__"):
                self._put(f"{place}.{name}", part)
        return self._text(place, type(value))

    def _name(self, place: str, value: Any) -> str:
        return type(value).__name__

    def _optimizer(self, place: str, value: Optimizer) -> str:
        if id(value) not in self._optimizers:
            self.stateful[place] = value
        return type(value).__name__

    _KINDS: ClassVar[tuple[tuple[Any, Callable[..., Any]], ...]] = (
        (Tensor, _tensor),
        (np.ndarray, _array),
        (list | tuple, _list),
        (dict, _dict),
        (set | frozenset, _set),
        (types.FunctionType, _function),
        (types.MethodType, _method),
        (partial, _partial),
        (types.ModuleType, lambda self, place, value: value.__name__),
        (type, _class),
        (nn.Module, _module),
        (Optimizer, _optimizer),
        (Player | io.IOBase | logging.Logger | tqdm, _name),
    )


def tensor_digest(tensors: list[Tensor]) -> str:
    """Return a digest of the shapes, types and bits of tensors."""
    found = hashlib.sha256()
    for t in tensors:
        found.update(f"{t.dtype} {tuple(t.shape)}".encode())
        dense = t.detach().cpu().to_dense().contiguous().reshape(-1)
        found.update(dense.view(torch.uint8).numpy().data)
    return found.hexdigest()[:16]


def changes_of(t: Tensor) -> int | None:
    """Return how often a tensor was changed in place, None if nobody counts."""
    with suppress(RuntimeError):  # a tensor of inference mode
        return t._version
    return None


def _optimizers(things: Iterable[Any]) -> list[Optimizer]:
    return [thing for thing in things if isinstance(thing, Optimizer)]


def _storage(t: Tensor) -> int:
    with suppress(RuntimeError, NotImplementedError):  # sparse: it has none
        return t.untyped_storage().data_ptr()
    return 0


def _large(size: int) -> int | None:
    return size if size > LARGE else None
