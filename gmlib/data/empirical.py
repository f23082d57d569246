"""The empirical distribution of a data set, and maps of its samples."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gmlib import checks, runtime

Map = Callable[[Tensor], Tensor]


class Labelled(NamedTuple):
    """Data points `x` of shape (n, ...) and their labels `y` of shape (n,)."""

    x: Tensor
    y: Tensor


class Empirical:
    """The empirical distribution of a data set, sampled i.i.d. on the device.

    Parameters
    ----------
    x : Tensor or array, shape (N, ...)
        The data, also as a frame of pandas, or as a list of tensors or arrays of
        one shape. Bytes (uint8) stay bytes in memory and are divided by 255 when they
        are sampled. All other numbers, bools too, become torch's default floats, of
        the same value; for another precision, map: ``.map(lambda x: x.double())``.
    y : Tensor or array of integers or words, shape (N,), optional
        The labels. Integers begin at 0. Words are numbered in their alphabetical
        order, or in that of `classes`.
    name : str
        What a figure or a message calls it.
    transform : callable, optional
        Applied to every sample; see `map`.
    classes : sequence, optional
        The names of the labels 0, 1, ..., in order. A label is one of them, or, where
        they are words, the place of one. With ``range(1, 11)`` the labels 1 to 10
        become 0 to 9. Two parts of one data set are given the same.

    Attributes
    ----------
    y : Tensor of shape (N,) or None
        The labels as integers.
    classes : tuple
        Their names; empty if they have none.

    Raises
    ------
    ValueError
        If the data is empty, is not finite, does not fit the labels, or is of
        pictures in wide integers, whose white nobody knows; if integers that are
        labels do not begin at 0.
    TypeError
        If the data is no real numbers, or the transform no function.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        name: str = "data",
        transform: Map | None = None,
        classes: Sequence[Any] = (),
    ) -> None:
        x = _numbers(name, x)
        if y is not None:
            y, classes = _numbered(name, y, len(x), tuple(classes))
        if transform is not None:
            checks.function(f"the transform of {name}", transform)
        self.name, self.transform, self.classes = name, transform, tuple(classes)
        self._x: Tensor = x
        self.y: Tensor | None = None if y is None else y.to(x.device)

    def __len__(self) -> int:
        return len(self._x)

    def __repr__(self) -> str:
        return f"Empirical({self.name}: {len(self)} of shape {tuple(self.shape)})"

    @property
    def shape(self) -> torch.Size:
        """The shape of one data point."""
        return self._x.shape[1:]

    def _floats(self, x: Tensor) -> Tensor:
        x = checks.floats(x) if x.dtype == torch.uint8 else x
        return x if self.transform is None else self.transform(x)

    @property
    def x(self) -> Tensor:
        """The whole data set, of shape (N, ...); transformed anew at every look."""
        return self._floats(self._x)

    def _draw(self, shape: Sequence[int]) -> Tensor:
        n = checks.sample_size(shape)
        return torch.randint(len(self), (n,), device=self._x.device)

    def _labels(self) -> Tensor:
        if self.y is None:
            raise ValueError(f"{self.name} has no labels")
        return self.y

    def sample(self, shape: Sequence[int]) -> Tensor:
        """Draw n data points with replacement: ``sample((n,))`` → (n, ...)."""
        # index_select copies bytes ten times as fast as indexing does.
        return self._floats(self._x.index_select(0, self._draw(shape)))

    def sample_pairs(self, shape: Sequence[int]) -> Labelled:
        """Draw n data points with their labels: x (n, ...) and y (n,)."""
        y, i = self._labels(), self._draw(shape)
        return Labelled(self._floats(self._x.index_select(0, i)), y[i])

    def map(self, f: Map) -> "Empirical":
        """Return the pushforward under `f`, which is applied to every sample.

        A random `f` such as `binarize` draws anew at each sampling.
        """
        checks.function("f", f)
        g = self.transform
        return self._part(self._x, self.y, f if g is None else lambda x: f(g(x)))

    def only(self, *labels: Any) -> "Empirical":
        """Return the part of the data with one of the given labels, or their names."""
        y, named = self._labels(), np.asarray(labels, dtype=object).flatten()
        names = [checks.plain(label) for label in named]
        known = self.classes if _integers(self.classes) or _words(names) else ()
        known = known or range(int(y.max()) + 1)
        places = [known.index(name) for name in names if name in known]
        keep = torch.isin(y, torch.tensor(places, dtype=y.dtype, device=y.device))
        if not keep.any():
            there = self.classes or y.unique().tolist()
            raise ValueError(
                f"{self.name} has no data with the labels {tuple(names)}: "
                f"choose from {', '.join(map(str, there))}"
            )
        return self._part(self._x[keep], y[keep], self.transform)

    def _part(self, x: Tensor, y: Tensor | None, f: Map | None) -> "Empirical":
        """Return other data whose labels mean the same."""
        law = Empirical(x, None, self.name, f)
        law.y, law.classes = y, self.classes
        return law


def _numbers(name: str, x: Any) -> Tensor:
    """Return the data on the device, as bytes or as default floats, and finite."""
    came = checks.array(name, x, runtime.device())
    if came.dim() == 0 or came.numel() == 0:
        raise ValueError(f"{name}: no data, its shape is {tuple(came.shape)}")
    x = came if came.dtype == torch.uint8 else checks.floats(came)
    whole = not came.is_floating_point() and came.dtype not in (torch.uint8, torch.bool)
    if whole and x.dim() > 2 and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            f"{name}: pictures of {came.dtype} from {x.min():g} to {x.max():g} do not "
            "say what white is: give x.astype('uint8'), which is divided by 255, or "
            "floats, such as x / 255"
        )
    return checks.finite(name, x)


def _numbered(
    name: str, labels: Any, n: int, classes: tuple[Any, ...]
) -> tuple[Tensor, tuple[Any, ...]]:
    """Return n labels as integers on the CPU, and their names if they have names."""
    y = labels.to_numpy() if hasattr(labels, "to_numpy") else labels
    words = not torch.is_tensor(y) and np.asarray(y).dtype.kind in "OU"
    found = np.asarray(y) if words else checks.array(f"the labels of {name}", y, "cpu")
    shape, kind, given = tuple(found.shape), str(found.dtype), found.tolist()
    if shape != (n,) or not all(isinstance(label, int | str) for label in given):
        raise ValueError(
            f"{name}: the labels must be {n} integers or words, not {kind} of shape "
            f"{shape}: none may be missing; flatten a column with y[:, 0], turn rows "
            "of zeros and a one into y.argmax(1), and floats into y.long()"
        )
    classes = tuple(map(checks.plain, classes))
    if not classes and not words:
        least, most = min(given), max(given)
        if least != 0 and not isinstance(least, bool):
            raise ValueError(
                f"{name}: the labels must begin at 0, not at {least}: say which there "
                f"are, with classes=range({min(least, 1)}, {most + 1}) or their names "
                "in order, or subtract the least"
            )
        return torch.tensor(given, device="cpu").long(), ()
    classes = classes or tuple(sorted(set(given), key=str))
    known = classes if words or _integers(classes) else range(len(classes))
    places = {label: i for i, label in enumerate(known)}
    strangers = sorted({str(label) for label in given if label not in places})
    if strangers:
        raise ValueError(
            f"{name}: the labels {', '.join(strangers)} must be in classes, which are "
            f"{', '.join(map(str, classes))}"
        )
    return torch.tensor([places[label] for label in given], device="cpu"), classes


def _integers(names: Sequence[Any]) -> bool:
    return any(isinstance(name, int) for name in names)


def _words(names: Sequence[Any]) -> bool:
    return any(isinstance(name, str) for name in names)


def binarize(x: Tensor) -> Tensor:
    """Draw pixels from Bernoulli(x), x in [0, 1]; a new draw at every call.

    Raises
    ------
    ValueError
        On the CPU, if a number is outside [0, 1].

    >>> binarize(torch.tensor([0.0, 1.0])).tolist()
    [0.0, 1.0]
    """
    # On a GPU the look at the values would halt a training in every round.
    if x.device.type == "cpu" and not ((x >= 0) & (x <= 1)).all():
        raise ValueError("only numbers in [0, 1] can be binarised: they are chances")
    return torch.bernoulli(x)


def to_tanh(x: Tensor) -> Tensor:
    """Map [0, 1] to [−1, 1], the range of tanh.

    >>> to_tanh(torch.tensor([0.0, 0.5, 1.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return 2 * x - 1
