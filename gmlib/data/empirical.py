"""The empirical distribution of a data set, and maps of its samples."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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
        The data. Bytes (uint8) stay bytes in memory and are divided by 255
        when they are sampled.
    y : Tensor or array of integers, shape (N,), optional
        The labels.
    name : str
        What a figure or a message calls it.
    transform : callable, optional
        Applied to every sample; see `map`.
    classes : sequence of str
        What the labels 0, 1, ... mean, if that is known.

    Raises
    ------
    ValueError
        If the data is empty, is not finite, or does not fit the labels.
    TypeError
        If the transform is no function.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        name: str = "data",
        transform: Map | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        x = torch.as_tensor(x, device=runtime.device())
        if x.dim() == 0 or x.numel() == 0:
            raise ValueError(f"{name}: no data, its shape is {tuple(x.shape)}")
        checks.finite(name, x)
        if y is not None:
            y = torch.as_tensor(y, device=x.device)
            if y.is_floating_point() or y.shape != x.shape[:1]:
                raise ValueError(
                    f"{name}: the labels must be {len(x)} integers, "
                    f"not {y.dtype} of shape {tuple(y.shape)}"
                )
        if transform is not None:
            checks.function(f"the transform of {name}", transform)
        self.name, self.transform, self.classes = name, transform, tuple(classes)
        self._x: Tensor = x
        self.y: Tensor | None = None if y is None else y.long()

    def __len__(self) -> int:
        return len(self._x)

    def __repr__(self) -> str:
        return f"Empirical({self.name}: {len(self)} of shape {tuple(self.shape)})"

    @property
    def shape(self) -> torch.Size:
        """The shape of one data point."""
        return self._x.shape[1:]

    def _floats(self, x: Tensor) -> Tensor:
        x = x.float().div_(255) if x.dtype == torch.uint8 else x
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
        return self._floats(self._x[self._draw(shape)])

    def sample_pairs(self, shape: Sequence[int]) -> Labelled:
        """Draw n data points with their labels: x (n, ...) and y (n,)."""
        y, i = self._labels(), self._draw(shape)
        return Labelled(self._floats(self._x[i]), y[i])

    def map(self, f: Map) -> "Empirical":
        """Return the pushforward under `f`, which is applied to every sample.

        A random `f` such as `binarize` draws anew at each sampling.
        """
        checks.function("f", f)
        g = self.transform
        both = f if g is None else lambda x: f(g(x))
        return Empirical(self._x, self.y, self.name, both, self.classes)

    def only(self, *labels: int) -> "Empirical":
        """Return the part of the data with one of the given labels."""
        y = self._labels()
        keep = torch.isin(y, torch.tensor(labels, device=y.device))
        if not keep.any():
            raise ValueError(f"{self.name} has no data with the labels {labels}")
        part, rest = self._x[keep], (self.name, self.transform, self.classes)
        return Empirical(part, y[keep], *rest)


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
