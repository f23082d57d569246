"""What users bring is checked here, once, and in one set of words.

Each function returns the value in the form the library computes with, or raises a
`ValueError` (a `TypeError` for a wrong kind of object) that says what came and what
was wanted.
"""

import math
from collections.abc import Callable, Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def count(name: str, n: Any, least: int = 1) -> int:
    """Return `n` as an int; it must be an integer (no bool) of at least `least`."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < least:
        kind = "a positive integer" if least == 1 else f"an integer >= {least}"
        raise ValueError(f"{name} must be {kind}, not {n!r}")
    return int(n)


def counts(**sizes: Any) -> None:
    """Check several counts at once, each by its name."""
    for name, size in sizes.items():
        count(name, size)


def sample_size(shape: Any) -> int:
    """Check the argument of ``sample((n,))`` and return n."""
    if not isinstance(shape, tuple | list | torch.Size) or len(shape) != 1:
        raise ValueError(f"ask for samples as sample((n,)), not sample({shape!r})")
    return count("n", shape[0])


def number(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a positive finite number as a float; `zero` admits 0 as well."""
    sign = ">= 0" if zero else "> 0"
    try:
        fits = (value >= 0 if zero else value > 0) and value < math.inf
    except (TypeError, ValueError, RuntimeError):
        fits = False
    if isinstance(value, bool | str) or not fits:
        raise ValueError(f"{name} must be a finite number {sign}, not {value!r}")
    return float(value)


def choice(name: str, value: Any, known: Collection[Any]) -> Any:
    """Return `value`, which must be one of `known`."""
    if value not in known:
        raise ValueError(f"{name} {value!r}: choose from {', '.join(map(str, known))}")
    return value


def function(name: str, f: Any) -> Callable[..., Any]:
    """Return `f`, which must be callable."""
    if not callable(f):
        raise TypeError(f"{name} must be callable, not {type(f).__name__}")
    return f


def path(name: str, value: Any) -> Path:
    """Return `value`, a str or a path, as a Path in which ``~`` is the home folder."""
    if not isinstance(value, str | PathLike) or not str(value):
        raise TypeError(f"{name} must be a path, not {value!r}")
    return Path(value).expanduser()


def finite(name: str, x: Tensor) -> Tensor:
    """Return `x`, which must hold neither NaN nor infinite values."""
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise ValueError(f"{name} contains NaN or infinite values")
    return x


def tensor(
    name: str,
    x: Any,
    shape: Sequence[int | None],
    device: torch.device | None = None,
    *,
    look: bool = True,
) -> Tensor:
    """Return `x` as floats of the given shape, in which None stands for any size.

    `look` also looks at the values, which must be finite; a training round does
    without, as a look would halt a GPU.
    """
    x = torch.as_tensor(x, device=device)
    x = x if x.is_floating_point() else x.float()
    fits = x.dim() == len(shape) and all(
        s in (None, have) for s, have in zip(shape, x.shape, strict=True)
    )
    if not fits or x.numel() == 0:
        wanted = ", ".join("n" if s is None else str(s) for s in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {tuple(x.shape)}")
    return finite(name, x) if look else x


def images(name: str, x: Any, shape: Sequence[int]) -> Tensor:
    """Return `x`, a batch of pictures (n, *shape), n at least 1."""
    if not torch.is_tensor(x) or tuple(x.shape[1:]) != tuple(shape) or len(x) == 0:
        wanted = ", ".join(["n", *map(str, shape)])
        came = tuple(x.shape) if hasattr(x, "shape") else type(x).__name__
        raise ValueError(f"{name} must have shape ({wanted}), not {came}")
    return x


def points(name: str, x: Any, least: int = 1) -> Tensor:
    """Return samples as a float64 matrix on the CPU; flattens all but the first."""
    x = torch.as_tensor(x, device="cpu").detach()  # before float64: MPS has none
    if x.dim() == 0 or len(x) < least or x.numel() == 0:
        shape = tuple(x.shape)
        raise ValueError(f"{name}: at least {least} samples are needed, not {shape}")
    return finite(name, (x.flatten(1) if x.dim() > 1 else x[:, None]).double())


def pair(
    a: Any, b: Any, names: tuple[str, str] = ("x", "y"), least: int = 1
) -> tuple[Tensor, Tensor]:
    """Return two sets of samples, see `points`, of one dimension."""
    a, b = points(names[0], a, least), points(names[1], b, least)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have one dimension, "
            f"not {a.shape[1]} and {b.shape[1]}"
        )
    return a, b
