"""What users bring is checked here, once, and in one set of words.

Each function returns the value in the form the library computes with, or raises a
`ValueError` (a `TypeError` for a wrong kind of object) that says what came and what
was wanted.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Stage = Literal["alone", "rehearsal", "rounds"]
_stage: ContextVar[Stage] = ContextVar("stage", default="alone")  # of each thread


# ------------------------------------------------------------ when to look at values


@contextmanager
def during(stage: Stage) -> Iterator[None]:
    """Say where a game is: in its ``rehearsal`` before round 1 or in its ``rounds``."""
    token = _stage.set(stage)
    try:
        yield
    finally:
        _stage.reset(token)


def rehearsing() -> bool:
    """Whether a game evaluates its losses before round 1."""
    return _stage.get() == "rehearsal"


def looks(x: Tensor) -> bool:
    """Whether the values of `x` may be looked at, for which the host waits.

    In the rehearsal of a game, whatever the device; on the CPU outside a game; never
    in its rounds, and never where code is compiled.
    """
    if torch.compiler.is_compiling() or _stage.get() == "rounds":
        return False
    return rehearsing() or x.device.type == "cpu"


def span(x: Tensor) -> tuple[float, float] | None:
    """Return the least and the greatest value of `x`, both NaN if it holds NaN.

    None where there is no value, or none can be had (under `torch.func.vmap`).
    """
    x = x.detach()
    try:
        x = x if x.is_floating_point() else x.float()  # uint16 knows no order
        least, most = x.aminmax()
        return float(least), float(most)
    except RuntimeError:
        return None


# --------------------------------------------------------------------------- numbers


def plain(value: Any) -> Any:
    """Return the number in a 0-d array or tensor; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def count(name: str, n: Any, least: int = 1) -> int:
    """Return `n`, an integer (no bool) of at least `least`, also of numpy or torch."""
    value = plain(n)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        kind = "a positive integer" if least == 1 else f"an integer >= {least}"
        raise ValueError(f"{name} must be {kind}, not {n!r}")
    return value


def counts(**sizes: Any) -> tuple[int, ...]:
    """Return several counts, each checked by its name."""
    return tuple(count(name, size) for name, size in sizes.items())


def sizes(name: str, shape: Any) -> tuple[int, ...]:
    """Return a shape, which must be a sequence of positive integers, as a tuple."""
    try:
        return tuple(count(name, size) for size in shape)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a tuple of positive sizes, not {shape!r}"
        ) from None


def sample_size(shape: Any) -> int:
    """Check the argument of ``sample((n,))`` and return n."""
    if not isinstance(shape, tuple | list | torch.Size) or len(shape) != 1:
        raise ValueError(f"ask for samples as sample((n,)), not sample({shape!r})")
    return count("n", shape[0])


def number(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a positive finite number as a float; `zero` admits 0 as well."""
    sign = ">= 0" if zero else "> 0"
    given, value = value, plain(value)
    try:
        fits = (value >= 0 if zero else value > 0) and value < math.inf
        fits = fits and not isinstance(value, bool) and np.ndim(value) == 0
    except (TypeError, ValueError, RuntimeError):
        fits = False
    if not fits:
        raise ValueError(f"{name} must be a finite number {sign}, not {given!r}")
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


# ---------------------------------------------------------------------------- arrays


def array(name: str, x: Any, device: torch.device | str | None = None) -> Tensor:
    """Return what holds numbers as a tensor, in the type of number it came in.

    Tensors, arrays, frames and series (by their ``to_numpy``), numbers in lists, and
    lists of all these, which are stacked. Complex numbers, words and Python objects
    are a TypeError, parts of several shapes a ValueError.
    """
    if not torch.is_tensor(x):
        x = _from_outside(name, x, device)
    if x.is_complex():
        raise TypeError(
            f"{name} must be real numbers, not {x.dtype}: take a part of them, or "
            "both with torch.view_as_real(x)"
        )
    return x if device is None else x.to(device)


def _from_outside(name: str, x: Any, device: torch.device | str | None) -> Tensor:
    given: Any = x
    x = x.to_numpy() if hasattr(x, "to_numpy") else x
    listed = isinstance(x, Sequence) and not isinstance(x, str | bytes)
    if listed and any(hasattr(v, a) for v in x for a in _ARRAYS):
        return _stacked(name, [array(name, v, device) for v in x])
    try:
        if listed or isinstance(x, int | float | complex):
            return torch.as_tensor(x, device=device)
        if any(hasattr(x, a) for a in _ARRAYS):
            x = np.asarray(x)
            # Torch knows neither foreign byte orders nor negative strides.
            x = np.require(x, x.dtype.newbyteorder("="), ["C", "W"])
            return torch.as_tensor(x, device=device)
    except (TypeError, ValueError, RuntimeError):
        pass
    came = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
    raise TypeError(
        f"{name} must be numbers (a tensor, an array, or a list of them of one "
        f"shape), not {came}: make them numbers first, as with x.astype(float), or "
        "stack those of a Dataset, torch.stack([x for x, y in dataset])"
    )


_ARRAYS = ("__array__", "__array_interface__", "to_numpy")


def _stacked(name: str, parts: Sequence[Tensor]) -> Tensor:
    shapes = sorted({tuple(p.shape) for p in parts})
    if len(shapes) > 1:
        several = ", ".join(map(str, shapes))
        raise ValueError(
            f"{name} must be of one shape to be stacked, not of {several}: cut, pad "
            "or resize them first"
        )
    return torch.stack(list(parts))


def floats(x: Tensor) -> Tensor:
    """Return numbers as torch's default floats; bytes (uint8) are divided by 255."""
    values = x.to(torch.get_default_dtype())
    return values.div_(255) if x.dtype == torch.uint8 else values


def advice(shape: Sequence[int], wanted: Sequence[int]) -> str:
    """Say, after a colon, what to do with pictures where (n, *wanted) is wanted.

    Empty where nothing is known.
    """
    shape, wanted = tuple(shape), tuple(wanted)
    if len(wanted) != 3:
        return ""
    (c, h, w), of_one, four = wanted, shape[1:], len(shape) == 4
    if of_one == (h, w, c) or (four and shape[1] != c == shape[3]):
        return ": these look like (n, h, w, c): use x.permute(0, 3, 1, 2)"
    if shape == wanted:
        return ": this is one picture: use x[None]"
    if of_one == (h, w) and c == 1:
        return ": they lack the channel: use x[:, None]"
    if of_one == (c * h * w,):
        return f": they are flat: use x.unflatten(1, {wanted})"
    if of_one[1:] == (h, w) and (c, shape[1]) in ((1, 3), (3, 1)):
        other = "x.mean(1, keepdim=True)" if c == 1 else "x.expand(-1, 3, -1, -1)"
        return f": they have another number of channels: use {other}"
    if four and shape[1] == c:
        return f": resize them: torch.nn.functional.interpolate(x, {(h, w)})"
    return ""


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
    x = array(name, x, device)
    x = x if x.is_floating_point() else x.to(torch.get_default_dtype())
    fits = x.dim() == len(shape) and all(
        s in (None, have) for s, have in zip(shape, x.shape, strict=True)
    )
    if not fits or x.numel() == 0:
        wanted = ", ".join("n" if s is None else str(s) for s in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {tuple(x.shape)}")
    return finite(name, x) if look else x


def images(name: str, x: Any, shape: Sequence[int]) -> Tensor:
    """Return `x`, a batch of pictures (n, *shape), n at least 1; bytes over 255."""
    x = array(name, x)
    if tuple(x.shape[1:]) != tuple(shape) or len(x) == 0:
        wanted = ", ".join(["n", *map(str, shape)])
        raise ValueError(
            f"{name} must have shape ({wanted}), not {tuple(x.shape)}"
            f"{advice(x.shape, shape)}"
        )
    return x if x.is_floating_point() else floats(x)


def points(name: str, x: Any, least: int = 1) -> Tensor:
    """Return samples as a float64 matrix on the CPU; flattens all but the first."""
    x = array(name, x, "cpu").detach()  # before float64: MPS has none
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
