"""How many modes of a law samples meet: by distance in space, by a judge in images."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks
from gmlib.metrics.judges import Judge


class ModeCount(NamedTuple):
    """Modes with a high-quality sample, and the share of such samples in [0, 1]."""

    covered: int
    high_quality: float


def modes(x: Tensor, centres: Tensor, std: float, radius: float = 3.0) -> ModeCount:
    """Count the modes that samples cover (Srivastava et al. 2017, section 4.1).

    A sample is of high quality within `radius` standard deviations of the
    nearest centre; a mode is covered if it has one. A perfect model in the
    plane has a share of 1 − exp(−radius²/2) = 98.9 %, not 100 %.

    Parameters
    ----------
    x : Tensor, shape (n, d)
    centres : Tensor, shape (K, d)
    std, radius : float

    Raises
    ------
    ValueError
        If the dimensions differ, a value is not finite, or std or radius is not
        positive.
    """
    x, centres = checks.pair(x, centres, ("x", "centres"))
    std, radius = checks.number("std", std), checks.number("radius", radius)
    distance, nearest = torch.cdist(x, centres).min(1)
    good = distance <= radius * std
    return ModeCount(len(nearest[good].unique()), float(good.double().mean()))


class StackedCount(NamedTuple):
    """Modes that were met, of K³, and KL(histogram ‖ uniform) in nats."""

    covered: int
    reverse_kl: float


def stacked_modes(x: Tensor, judge: Judge) -> StackedCount:
    """Count the modes of stacked images: a judge reads each of the three channels.

    A judge of K classes tells K³ modes: 1000 of stacked digits. With h the histogram
    of the modes so read, the reverse KL is Σ h log h + log K³ (Metz et al. 2017;
    Srivastava et al. 2017, 4.1): log 1000 = 6.91 for one mode of digits, about
    999 / 2n for a perfect model and n ≫ 1000 samples.

    Parameters
    ----------
    x : Tensor, shape (n, 3, h, w)
        Images in [0, 1], as `data.stacked` draws them.
    judge : Judge
        Of images with one channel, shape (1, h, w).

    Raises
    ------
    ValueError
        If x has another shape, or the judge sees more than one channel.
    """
    if len(judge.shape) != 3 or judge.shape[0] != 1:
        raise ValueError(f"a channel is one of (1, h, w), not {judge.shape}")
    x = checks.images("stacked images", x, (3, *judge.shape[1:]))
    probs = judge.probs(x.flatten(0, 1)[:, None]).cpu()
    read, K = probs.argmax(1).view(-1, 3), probs.shape[1]
    mode = (read * torch.tensor([K * K, K, 1], device="cpu")).sum(1)
    share = mode.bincount(minlength=K**3).double() / len(x)
    reverse_kl = torch.special.xlogy(share, share).sum() + math.log(K**3)
    return StackedCount(len(mode.unique()), max(float(reverse_kl), 0.0))
