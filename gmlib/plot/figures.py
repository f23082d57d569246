"""Figures in the style of the course, and what is drawn into them."""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from gmlib import checks
from gmlib.history import History
from gmlib.plot.pictures import real, tile
from gmlib.plot.style import COLOURS, STYLE


def new(
    width: float = 7.0,
    height: float = 3.2,
    rows: int = 1,
    columns: int = 1,
    **kwargs: Any,
) -> tuple[Figure, Any]:
    """Return (figure, axes) in the course's style; sizes in inches.

    `kwargs` go to `plt.subplots`.
    """
    plt.rcParams.update(STYLE)
    rows, columns = checks.counts(rows=rows, columns=columns)
    return plt.subplots(rows, columns, figsize=(width, height), **kwargs)


def _axes(ax: Axes | None) -> Axes:
    return new()[1] if ax is None else ax


def image_grid(
    x: Tensor | ArrayLike,
    columns: int | None = None,
    ax: Axes | None = None,
    low: float = 0.0,
    high: float = 1.0,
    title: str | None = None,
) -> Axes:
    """Draw images as one grid.

    Parameters
    ----------
    x : Tensor, shape (n, 1, h, w) or (n, 3, h, w)
    columns : int, optional
        Default: about √n.
    low, high : float
        The values drawn black and white (−1 and 1 for tanh images). Bytes (uint8)
        are divided by 255.

    Raises
    ------
    ValueError
        If x has another shape, holds no image, or values outside [low, high] by more
        than a hundredth of it.
    """
    sheet = tile(x, columns, low, high)
    ax = _axes(ax)
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return ax


def curves(
    history: History,
    names: Iterable[str] | None = None,
    ax: Axes | None = None,
    window: int = 50,
) -> Axes:
    """Draw running means of a history's curves over rounds."""
    ax = _axes(ax)
    for name in names or history.names:
        ax.plot(history.rounds, history.smooth(name, window), label=name)
    ax.set_xlabel("round")
    ax.legend()
    return ax


def scatter(
    x: Tensor | ArrayLike,
    ax: Axes | None = None,
    label: str | None = None,
    colour: Any = "model",
    size: float = 4.0,
    alpha: float = 0.5,
    lim: float | None = None,
) -> Axes:
    """Draw points of shape (n, 2); `colour` is a name of `COLOURS` or any colour.

    Raises ValueError for points of another shape.
    """
    x = real("points", x)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"points have shape (n, 2), not {x.shape}")
    ax = _axes(ax)
    colour = COLOURS.get(colour, colour)
    ax.scatter(x[:, 0], x[:, 1], s=size, alpha=alpha, color=colour, label=label, lw=0)
    ax.set_aspect("equal")
    if lim is not None:
        ax.set(xlim=(-lim, lim), ylim=(-lim, lim))
    return ax


def plane(lim: float, n: int = 81, device: torch.device | str | None = None) -> Tensor:
    """Return the n × n grid of points over [−lim, lim]² as a tensor (n², 2)."""
    line = torch.linspace(-lim, lim, checks.count("n", n), device=device)
    return torch.cartesian_prod(line, line)


def landscape(
    values: Tensor | ArrayLike,
    lim: float,
    ax: Axes | None = None,
    levels: Any = 15,
    cmap: Any = "PuOr",
    **kwargs: Any,
) -> ContourSet:
    """Draw values (n²,) of a function on `plane(lim, n)` as filled contours.

    Returns the contour set, for a colour bar. Raises ValueError if the number of
    values is no square.
    """
    values = real("values", values).reshape(-1)
    n = round(np.sqrt(len(values)))
    if n * n != len(values):
        raise ValueError(f"{len(values)} values are no square grid")
    ax = _axes(ax)
    line = np.linspace(-lim, lim, n)
    filled = ax.contourf(
        line, line, values.reshape(n, n).T, levels, cmap=cmap, **kwargs
    )
    ax.set_aspect("equal")
    ax.grid(False)
    return filled
