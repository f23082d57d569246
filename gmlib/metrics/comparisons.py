"""Is a difference between two models more than chance?"""

import math
from typing import Any

import torch
from torch import Tensor

from gmlib import checks


def separation_by_chance(n: int, m: int) -> float:
    """The chance that n values all lie above m others if all come from one law.

    All n + m ranks are then equally likely, and one choice of n of them is the top:
    1 / C(n + m, n), in one named direction; in either it is twice as much. Three
    seeds against three: 1/20. In k comparisons of the kind k/20 separations are
    expected of nothing but chance.

    Parameters
    ----------
    n, m : int
        How many values (seeds) each side has. The law must have no ties.

    Raises
    ------
    ValueError
        If one is no positive integer.
    """
    n, m = checks.counts(n=n, m=m)
    return 1 / math.comb(n + m, n)


def paired_difference(a: Any, b: Any) -> tuple[float, float]:
    """The mean of a − b over trainings and images, and its standard error.

    Both models were judged on the same images, so the images' own differences
    cancel: what counts is the spread of d_i = mean_s a_si − mean_s b_si over the
    images i. To it comes that of the trainings' means, which no number of images
    makes small:

        error² = var_i(d) / images + var_s(mean_i a) / n + var_s(mean_i b) / m.

    Either part holds the noise of single entries, so that the error is, on average,
    not too small. With one training a side nothing is known of other trainings: the
    error is that over images alone.

    Parameters
    ----------
    a, b : array or Tensor, shapes (n, images) and (m, images), or (images,)
        A row a training (seed), a column an image, in the same order in both.

    Returns
    -------
    mean, error : float

    Raises
    ------
    ValueError
        If the images differ in number, there are fewer than two, or a value is not
        finite.
    """
    a, b = _judged("a", a), _judged("b", b)
    if a.shape[1] != b.shape[1] or a.shape[1] < 2:
        raise ValueError(
            "a and b must be judged on the same images, two or more, not on "
            f"{a.shape[1]} and {b.shape[1]}"
        )
    d = a.mean(0) - b.mean(0)
    variance = d.var() / len(d)
    for rows in (a, b):
        if len(rows) > 1:
            variance = variance + rows.mean(1).var() / len(rows)
    return d.mean().item(), variance.sqrt().item()


def _judged(name: str, values: Any) -> Tensor:
    """Return values as float64 of shape (trainings, images)."""
    found = checks.array(name, values, "cpu").to(torch.float64)
    found = checks.finite(name, found)
    if found.dim() not in (1, 2) or found.numel() == 0:
        raise ValueError(
            f"{name} must have shape (trainings, images) or (images,), not "
            f"{tuple(found.shape)}"
        )
    return found.view(-1, found.shape[-1])
