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


def rank_correlation(
    a: Any, b: Any, draws: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """Spearman's rank correlation of two scores over models, and an interval for it.

    It compares the models' means over trainings. The interval is a percentile
    bootstrap over the trainings, drawn anew within each model, the same for both
    scores: it says what other trainings *of these models* would show, and nothing of
    other models.

    Parameters
    ----------
    a, b : array or Tensor, shape (models, seeds)
        Two scores of the same trainings, at least three models.
    draws : int
    level : float
        The share of the draws in the interval.

    Returns
    -------
    correlation, low, high : float
        NaN where a score is the same for all models.

    Raises
    ------
    ValueError
        If the shapes differ, there are fewer than three models, or a value is not
        finite.
    """
    draws, level = checks.count("draws", draws), checks.number("level", level)
    a, b = _judged("a", a), _judged("b", b)
    if a.shape != b.shape or len(a) < 3:
        raise ValueError(
            "a and b must have one shape (models, seeds), three models or more, not "
            f"{tuple(a.shape)} and {tuple(b.shape)}"
        )
    own = torch.Generator("cpu").manual_seed(0)
    size = (draws, *a.shape)
    drawn = torch.randint(a.shape[1], size, generator=own, device="cpu")
    again = [v.expand(size).gather(2, drawn).mean(2) for v in (a, b)]
    many = _spearman(*again)
    tails = many.new_tensor([(1 - level) / 2, (1 + level) / 2])
    known = many[~many.isnan()]
    low, high = known.quantile(tails).tolist() if len(known) else (math.nan, math.nan)
    (found,) = _spearman(a.mean(1)[None], b.mean(1)[None]).tolist()
    return found, low, high


def _spearman(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation of the ranks, row by row; ties share their mean rank."""
    a, b = _ranks(a), _ranks(b)
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()


def _ranks(v: Tensor) -> Tensor:
    below = (v[:, None] < v[:, :, None]).double().sum(2)
    equal = (v[:, None] == v[:, :, None]).double().sum(2)
    return below + (equal + 1) / 2


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
