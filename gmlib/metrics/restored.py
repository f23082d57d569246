"""How near restored pictures are to the true ones, and how near their law is."""

import math
from typing import Any

import torch
from torch import Tensor

from gmlib import checks


def psnr(a: Any, b: Any, border: int = 0) -> Tensor:
    """Peak signal-to-noise ratio, −10 log₁₀ of the mean squared error, in dB.

    Of pictures with values from 0 to 1, one number a picture. The mean of these is no
    function of the mean squared error of all: it is at least as large (Jensen).

    Parameters
    ----------
    a, b : Tensor, shape (n, c, h, w)
    border : int
        Pixels at each edge that are left out.

    Returns
    -------
    Tensor, shape (n,)
        Infinite where two pictures are equal.

    Raises
    ------
    ValueError
        If the shapes differ, a picture has values outside [0, 1], or nothing is left
        within the border.

    Examples
    --------
    >>> psnr(torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.1)).round()
    tensor([20.], dtype=torch.float64)
    """
    a, b = _pair(a, b)
    border = checks.count("border", border, 0)
    h, w = a.shape[2:]
    if min(h, w) <= 2 * border:
        raise ValueError(f"a border of {border} leaves nothing of {h} × {w} pixels")
    inner = slice(border, h - border), slice(border, w - border)
    error = (a - b)[:, :, inner[0], inner[1]].square().flatten(1).mean(1)
    return -10 * error.log10()


def luma(x: Tensor) -> Tensor:
    """The channel Y of pictures in [0, 1] as super-resolution is scored on it.

    Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255, the formula of ITU-R BT.601 for
    video: from 16/255 (black) to 235/255 (white).

    Parameters
    ----------
    x : Tensor, shape (n, 3, h, w)

    Returns
    -------
    Tensor, shape (n, 1, h, w)

    Raises
    ------
    ValueError
        If there are not three channels.

    Examples
    --------
    >>> luma(torch.ones(1, 3, 1, 1)).item() * 255
    235.0
    """
    if x.dim() != 4 or x.shape[1] != 3:
        raise ValueError(f"Y is made of (n, 3, h, w), not of {tuple(x.shape)}")
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=x.dtype, device=x.device)
    return (16 + (weights[:, None, None] * x).sum(1, keepdim=True)) / 255


def block_coefficients(x: Any, size: int = 8) -> Tensor:
    """The discrete cosine coefficients of the blocks of grey pictures.

    Grey is the mean of the channels. The transform is orthonormal: it keeps squared
    distances of blocks.

    Parameters
    ----------
    x : Tensor, shape (n, c, h, w)
    size : int
        Pixels a side of a block; what is left over at the edges is left out.

    Returns
    -------
    Tensor, shape (blocks, size²)
        float64; row by row of frequencies, the mean first.

    Raises
    ------
    ValueError
        If x is no batch of pictures, or they are smaller than a block.
    """
    size = checks.count("size", size)
    x = checks.finite("x", checks.array("x", x, "cpu").to(torch.float64))
    if x.dim() != 4 or x.numel() == 0 or min(x.shape[2:]) < size:
        raise ValueError(
            f"pictures (n, c, h, w) of at least {size} × {size} pixels are needed, "
            f"not {tuple(x.shape)}"
        )
    i = torch.arange(size, dtype=torch.float64, device="cpu")
    C = math.sqrt(2 / size) * (math.pi * (2 * i + 1) * i[:, None] / (2 * size)).cos()
    C[0] /= math.sqrt(2)
    blocks = x.mean(1).unfold(1, size, size).unfold(2, size, size)
    return (C @ blocks @ C.T).reshape(-1, size * size)


def block_distance(a: Any, b: Any, size: int = 8) -> float:
    """How far the laws of two sets of pictures are, by the blocks of each: a bound.

    For each of the size² cosine coefficients of a block the Wasserstein distance W₂ of
    its two laws, in one dimension that of the sorted values; then the root of the mean
    of their squares. In an orthonormal basis the squares sum to at most W₂² of the
    laws of blocks, so this is a lower bound of W₂ / size, in units of a pixel's value.
    For pictures that belong together in pairs it is at most the root of the mean
    squared error. It does not see how coefficients depend on each other.

    Parameters
    ----------
    a, b : Tensor, shape (n, c, h, w)
        Sets with equally many blocks.
    size : int
        Pixels a side of a block.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the numbers of blocks differ; see `block_coefficients`.
    """
    s, t = (block_coefficients(x, size).sort(0).values for x in (a, b))
    if len(s) != len(t):
        raise ValueError(f"{len(s)} and {len(t)} blocks: equally many are needed")
    return (s - t).square().mean().sqrt().item()


def _pair(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Return two batches of pictures in [0, 1] of one shape, float64, on the CPU."""
    a, b = (checks.array("a, b", x, "cpu").to(torch.float64) for x in (a, b))
    if a.shape != b.shape or a.dim() != 4 or a.numel() == 0:
        raise ValueError(
            "a and b must have one shape (n, c, h, w), not "
            f"{tuple(a.shape)} and {tuple(b.shape)}"
        )
    for name, x in (("a", a), ("b", b)):
        low, high = x.min().item(), x.max().item()
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"{name} must have values from 0 to 1, not from {low:.3g} to "
                f"{high:.3g}: clip on purpose with x.clamp(0, 1)"
            )
    return a, b
