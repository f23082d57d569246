"""What a drawn frame is worth where several frames could come, and all are known."""

from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks


class Nearest(NamedTuple):
    """Which future each draw is nearest to, and its squared distance, both (k, n)."""

    which: Tensor
    distance: Tensor


def nearest_future(draws: Tensor, futures: Tensor) -> Nearest:
    """Find the future that each drawn frame is nearest to.

    Parameters
    ----------
    draws : Tensor, shape (k, n, ...)
        k frames for each of n pasts.
    futures : Tensor, shape (n, K, ...)
        The K frames that can follow each past; a frame has as many numbers as a draw.

    Returns
    -------
    Nearest
        Distances are sums over the frame of squared differences. They are zero for
        one who draws a future, however unlikely; a mean of futures, or one torn from
        two, is far from all.

    Raises
    ------
    ValueError
        If there are not as many pasts, or frames have not as many numbers.
    """
    x, y = _flat("draws", draws), _flat("futures", futures)
    if x.shape[1] != len(y) or x.shape[2] != y.shape[2]:
        raise ValueError(
            f"draws (k, n, ...) and futures (n, K, ...) do not fit: {tuple(x.shape)} "
            f"and {tuple(y.shape)}, flat"
        )
    exact = "donot_use_mm_for_euclid_dist"  # a draw on its future has distance 0
    apart = torch.cdist(x.transpose(0, 1), y, compute_mode=exact).square()
    distance, which = apart.min(2)
    return Nearest(which.T, distance.T)


def best_of(draws: Tensor, truth: Tensor) -> Tensor:
    """The least mean squared error of k draws, past by past: (n,).

    Parameters
    ----------
    draws : Tensor, shape (k, n, ...)
    truth : Tensor, shape (n, ...)
        What came. A frame has as many numbers as a draw.

    Raises
    ------
    ValueError
        If there are not as many pasts, or frames have not as many numbers.

    Examples
    --------
    >>> best_of(torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]]]), torch.tensor([[1.0, 1.0]]))
    tensor([0.5000])
    """
    x, y = _flat("draws", draws), _flat("truth", truth[None])
    if x.shape[1:] != y.shape[1:]:
        raise ValueError(
            f"draws (k, n, ...) and truth (n, ...) do not fit: {tuple(x.shape)} and "
            f"{tuple(y.shape[1:])}, flat"
        )
    return (x - y).square().mean(2).min(0).values


def gradient_energy(x: Tensor) -> Tensor:
    """Squared differences of neighbours on a torus, summed: (..., h, w) → (...).

    What blurs lowers it, and so it is used as a measure of sharpness; but noise raises
    it, and so does a picture that is torn.

    >>> gradient_energy(torch.eye(3))
    tensor(12.)
    """
    x = checks.floats(x)
    down, right = x - x.roll(1, -2), x - x.roll(1, -1)
    return (down.square() + right.square()).sum((-2, -1))


def _flat(name: str, x: Tensor) -> Tensor:
    if not torch.is_tensor(x) or x.dim() < 3 or x.numel() == 0:
        raise ValueError(f"{name} must be a tensor of frames for n pasts, not empty")
    return checks.floats(x).flatten(2)
