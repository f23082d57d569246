"""Samples that are drawn once in a round and shared by its players."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gmlib import checks


def shared(f: Callable[..., Any]) -> Callable[..., Any]:
    """Let the players of a round share what `f` draws.

    ``G_z = shared(lambda x: G(p_z.sample((len(x),))))`` is called in the losses of
    both players like any function, and the generator runs once a round, not twice.
    A player's step takes the sample of the player before it, unless it has used
    that sample already: then it draws a new one. So a critic that takes five steps
    draws five, and the generator uses the fifth. A sample is also drawn anew if
    networks that it came through have moved since, if it was changed in place, or
    for other arguments; none outlives its round. Batches of data are shared by the
    same rule.

    The gradients are those of the loss as it is written, at this sample: a player
    whose networks drew it differentiates through it, for others it is a constant.

    Parameters
    ----------
    f : callable
        Returns a tensor, or tuples, lists or dictionaries of tensors. It may draw
        at random, through any networks.

    Returns
    -------
    callable
        With the arguments of `f`. Outside a game, and in `look`, it is `f`.

    Raises
    ------
    TypeError
        If `f` cannot be called; when it is called in a game, if it returns
        anything but tensors.
    """
    return Shared(checks.function("f", f))


class Shared:
    """What `shared` returns."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.__wrapped__ = f

    def __call__(self, *args: Any) -> Any:
        """Return the sample that this player's step may use."""
        draws = _present.get()
        return self.__wrapped__(*args) if draws is None else draws.take(self, args)


@dataclass
class Draw:
    """One sample: what it was drawn for, whom it came through, who has used it."""

    args: tuple[Any, ...]
    value: Any
    reached: set[int]  # the parameters that its gradients can reach, by id
    versions: list[int]
    users: set[int] = field(default_factory=set)


class Draws:
    """The samples of the present round of a game.

    Parameters
    ----------
    parameters : list of nn.Parameter
        Those of all players.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self._kept: dict[tuple[Any, int], Draw] = {}
        self._calls: dict[Any, int] = {}  # in this step, of each shared function
        self._own: frozenset[int] = frozenset()  # the parameters of who moves
        self._user = 0
        self._nested = False

    @contextmanager
    def step(self, user: Any, own: frozenset[int]) -> Iterator[None]:
        """Let a player, who owns the parameters with these ids, evaluate its loss."""
        self._calls.clear()
        self._user, self._own = id(user), own
        token = _present.set(self)
        try:
            yield
        finally:
            _present.reset(token)

    def take(self, source: Callable[..., Any], args: tuple[Any, ...] = ()) -> Any:
        """Return the sample that the present step may use, drawing it if need be."""
        number = self._calls.get(source, 0)
        self._calls[source] = number + 1
        draw = self._kept.get((source, number))
        if draw is None or not self._usable(draw, args):
            draw = self._kept[source, number] = self._draw(source, args)
        draw.users.add(self._user)
        if self._nested or not draw.reached.isdisjoint(self._own):
            return draw.value
        return _each(_constant, draw.value)

    def _usable(self, draw: Draw, args: tuple[Any, ...]) -> bool:
        return (
            self._user not in draw.users
            and len(args) == len(draw.args)
            and all(map(_same, args, draw.args))
            and draw.versions == [t._version for t in _tensors(draw.value)]
        )

    def _draw(self, source: Callable[..., Any], args: tuple[Any, ...]) -> Draw:
        """Draw with a graph to all parameters: any player may come to need it."""
        frozen = [p for p in self.parameters if not p.requires_grad]
        nested, self._nested = self._nested, True
        try:
            for p in frozen:
                p.requires_grad_(True)
            with torch.enable_grad():
                value = getattr(source, "__wrapped__", source)(*args)
            if isinstance(source, Shared):
                _refuse_others(value)
        finally:
            self._nested = nested
            for p in frozen:
                p.requires_grad_(False)
        tensors = _tensors(value)
        return Draw(args, value, leaves(tensors), [t._version for t in tensors])

    def moved(self, own: frozenset[int]) -> None:
        """Forget what came through parameters that have just moved."""
        self._kept = {k: d for k, d in self._kept.items() if own.isdisjoint(d.reached)}

    def forget(self) -> None:
        """Forget all: the round is over."""
        self._kept.clear()


_present: ContextVar[Draws | None] = ContextVar("draws", default=None)


def leaves(tensors: Iterable[Tensor], nodes: Iterable[Any] = ()) -> set[int]:
    """Return the ids of the leaves that gradients of tensors, or nodes, can reach."""
    found: set[int] = set()
    seen: set[Any] = set()
    waiting: list[Any] = list(nodes)
    for t in tensors:
        if t.grad_fn is not None:
            waiting.append(t.grad_fn)
        elif t.requires_grad:
            found.add(id(t))
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        waiting += [n for n, _ in node.next_functions if n is not None]
    return found


def _same(a: Any, b: Any) -> bool:
    plain = isinstance(a, int | float | str) and type(a) is type(b)
    return a is b or (plain and a == b)


def _constant(t: Tensor) -> Tensor:
    return t.detach() if t.requires_grad else t  # the same tensor: see `_same`


def _tensors(value: Any) -> list[Tensor]:
    found: list[Tensor] = []
    _each(found.append, value)
    return found


def _each(f: Callable[[Tensor], Any], value: Any) -> Any:
    """Apply `f` to every tensor of nested tuples, lists and dictionaries.

    What else is in them stays as it is.
    """
    if torch.is_tensor(value):
        return f(value)
    if isinstance(value, dict):
        return {k: _each(f, v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        parts = [_each(f, v) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _refuse_others(value: Any) -> None:
    """Raise TypeError if a sample is not made of tensors alone."""
    inside = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple):
        for part in inside:
            _refuse_others(part)
    elif not torch.is_tensor(value):
        raise TypeError(
            "players share tensors, or tuples, lists and dictionaries of them, "
            f"not a {type(value).__name__}"
        )
