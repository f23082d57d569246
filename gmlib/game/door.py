"""Where data comes in: objects, functions and iterables become batches of a game."""

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from gmlib import checks, ranks

WIDE = (torch.uint16, torch.uint32, torch.uint64)  # with which torch hardly computes


class Source:
    """What a game draws its batches from: ``source(n)`` → the arguments of a loss.

    Arrays become tensors and lists tuples. Tensors move to where the networks are, and
    floats take their precision; integers stay what they are, as labels do. Where the
    networks have several devices or precisions, nothing moves or changes.

    Parameters
    ----------
    draw : callable
        n → a batch.
    parameters : sequence of Tensor
        The networks'.

    Attributes
    ----------
    iterated : bool
        Whether the batches have an order of their own, which no checkpoint keeps.
    hosted : bool
        Whether a batch has come from the host: a CUDA graph cannot draw the next.
    seen : tuple
        The last batch of the rehearsal, while it lasts.
    """

    seen: tuple[Any, ...] = ()

    def __init__(self, draw: Callable[[int], Any], parameters: Sequence[Tensor]):
        self._draw = draw
        self.iterated = self.hosted = isinstance(draw, _Stream)
        devices = {p.device for p in parameters}
        kinds = {p.dtype for p in parameters if p.is_floating_point()}
        self._device = devices.pop() if len(devices) == 1 else None
        self._dtype = kinds.pop() if len(kinds) == 1 else None

    def __call__(self, n: int) -> tuple[Any, ...]:
        """Draw a batch of n samples; ValueError if it is empty."""
        batch = self._draw(n)
        if isinstance(batch, Iterator):
            raise TypeError(
                "the function that is the data returned an iterator, not a batch: "
                "give what it returns, data=f() instead of data=f"
            )
        parts = batch if isinstance(batch, tuple | list) else (batch,)
        parts = tuple(map(self._taken, parts))
        if any(torch.is_tensor(p) and p.dim() and len(p) == 0 for p in parts):
            raise ValueError(f"the data gave an empty batch for {n} samples")
        if checks.rehearsing():
            self.seen = parts
        return parts

    def _taken(self, part: Any) -> Any:
        if not torch.is_tensor(part):
            if not (isinstance(part, np.ndarray) or hasattr(part, "to_numpy")):
                return part
            part = checks.array("what the data gives", part, "cpu")
            part = part.long() if part.dtype in WIDE else part
            self.hosted = True
        if part.is_floating_point() and self._dtype not in (None, part.dtype):
            part = part.to(self._dtype)
        if self._device is not None and part.device != self._device:
            self.hosted = True
            # From a GPU to the host, whoever does not wait reads what is not there.
            part = part.to(self._device, non_blocking=self._device.type == "cuda")
        return part

    def rewind(self) -> None:
        """Let round 1 begin as if nothing had been drawn, after the rehearsal."""
        self.seen = ()
        if isinstance(self._draw, _Stream):
            self._draw.rewind()


class _Stream:
    """Batches in the order of an iterable, which begins again when it ends.

    Batches of another size than the first, as the rest at the end of a pass, are left
    out. The rehearsal sees the first batch, as often as it asks; an iterator cannot
    begin again, and gives it once more in round 1.
    """

    def __init__(self, batches: Iterable[Any]):
        self.batches, self.kind = batches, type(batches).__name__
        self.once = isinstance(batches, Iterator)
        self.running: Iterator[Any] | None = None
        self.taken, self.kept = 0, []

    def rewind(self) -> None:
        rest = self.batches if self.running is None else self.running
        self.running = itertools.chain(self.kept, rest) if self.once else None
        self.taken, self.kept = 0, []

    def __call__(self, n: int) -> Any:
        first = checks.rehearsing()
        if first and self.kept:
            return self.kept[0]
        while True:
            if self.running is None:
                self.running, self.taken = iter(self.batches), 0
            for batch in self.running:
                size = self._size(batch)
                if size == n:
                    self.taken += 1
                    self.kept = [batch] if first else []
                    return batch
                if first:
                    raise ValueError(
                        f"the first batch of the data, a {self.kind}, has {size} "
                        f"samples where batch_size is {n}: say batch_size={size}, or "
                        "make batches of that size"
                    )
            if self.once or not self.taken:
                raise ValueError(
                    f"the data, a {self.kind}, ended after {self.taken} batches of {n}:"
                    " give what can begin again, such as a DataLoader or a list of "
                    "batches, or a function n -> batch"
                )
            self.running = None

    def _size(self, batch: Any) -> int:
        parts = batch if isinstance(batch, tuple | list) else (batch,)
        for part in parts:
            if getattr(part, "ndim", 0):
                return len(part)
        raise TypeError(
            f"a batch of the data, a {self.kind}, is a {type(batch).__name__}: it must "
            "be a tensor or array of samples, or a tuple of them"
        )


def source(data: Any, parameters: Sequence[Tensor]) -> Source:
    """Return where a game draws its batches from.

    Parameters
    ----------
    data
        As `gmlib.game.fit` takes it.
    parameters : sequence of Tensor
        The networks', whose device and precision the batches take.

    Raises
    ------
    TypeError, ValueError
        If `data` is nothing to draw batches from, or is iterated on several ranks.
    """
    return Source(_drawing(data), parameters)


def _drawing(data: Any) -> Callable[[int], Any]:
    kind = type(data).__name__
    if data is None:
        return lambda n: ()
    if isinstance(data, Tensor | np.ndarray | tuple) or hasattr(data, "to_numpy"):
        raise TypeError(
            f"data is drawn from, and a {kind} only holds it: wrap it, "
            "data.Empirical(x), or with labels "
            "lambda n: data.Empirical(x, y).sample_pairs((n,))"
        )
    if hasattr(data, "sample"):
        return lambda n: data.sample((n,))
    if callable(data):
        return _called_with_n(data)
    if isinstance(data, Dataset):
        raise TypeError(
            f"a {kind} gives one example at a time: make batches of it, "
            "torch.utils.data.DataLoader(dataset, batch_size=64, shuffle=True)"
        )
    loose = isinstance(data, str | bytes | Mapping | Set)
    if loose or not isinstance(data, Iterable):
        raise TypeError(
            "data has neither a method sample nor can it be called, nor does it give "
            f"batches, being a {kind}: give data.Empirical(x), a function n -> batch, "
            "or a DataLoader"
        )
    if ranks.world() > 1:
        raise ValueError(
            f"several ranks cannot share the batches of a {kind}: give "
            "data.Empirical(x), or a function n -> batch, from which each draws its own"
        )
    return _Stream(data)


def _called_with_n(data: Callable[[int], Any]) -> Callable[[int], Any]:
    try:
        inspect.signature(data).bind(1)
    except TypeError:
        raise TypeError(
            "data is called with the number of samples, data(64), which this function "
            "does not take: write def data(n)"
        ) from None
    except ValueError:  # some builtins have no signature
        pass
    return data


def admit(name: str, loss: Callable[..., Any], batch: tuple[Any, ...]) -> None:
    """Raise TypeError if the loss of player `name` does not take such a batch."""
    try:
        takes = inspect.signature(loss)
    except (TypeError, ValueError):  # some builtins have no signature
        return
    try:
        takes.bind(*batch)
    except TypeError:
        if batch:
            parts = "1 part" if len(batch) == 1 else f"{len(batch)} parts"
            came = f"a batch of the data has {parts}, {described(batch)}"
            advice = (
                "let the loss take them all, or let the data give what it takes, as "
                "lambda n: law.sample_pairs((n,)) gives x and y"
            )
        else:
            came, advice = "there is no data", "give fit its data, or a loss without"
        raise TypeError(
            f"the loss of player {name!r} takes the arguments {takes}, and {came}: "
            f"{advice}"
        ) from None


def described(batch: Sequence[Any]) -> str:
    """Say of what types and shapes the parts of a batch are."""
    words = (
        f"{str(p.dtype).removeprefix('torch.')} {tuple(p.shape)}"
        if torch.is_tensor(p)
        else type(p).__name__
        for p in batch
    )
    return ", ".join(words)


def warn_of_modes(modules: Mapping[str, Sequence[nn.Module]]) -> None:
    """Warn of the networks of players that would train in evaluation mode.

    Only of those that a player lists, have something to train and layers that mind.
    A part in evaluation mode within a network in training mode is so on purpose.
    """
    kinds: Any = (
        nn.modules.batchnorm._BatchNorm,
        nn.modules.dropout._DropoutNd,
    )
    asleep = [
        name
        for name, owned in modules.items()
        for m in owned
        if not m.training
        and any(p.requires_grad for p in m.parameters())
        and any(isinstance(layer, kinds) for layer in m.modules())
    ]
    if asleep and ranks.rank() == 0:
        warnings.warn(
            f"a network of {', '.join(map(repr, dict.fromkeys(asleep)))} trains in "
            "evaluation mode, in which dropout is off and batch normalisation keeps "
            "its moments: call its .train() before fit, unless that is on purpose",
            stacklevel=3,
        )
