"""The Fréchet distance of finite samples: its bias, and where it would end."""

import torch
from torch import Tensor

from gmlib import checks
from gmlib.metrics.quality import frechet_distance


def frechet_bias(x: Tensor) -> float:
    """lim n E FID of two samples of n from the law of x, which has no distance.

    In the coordinates in which the covariance is diag(λ), with c = x − E x,

        2 Σ_i λ_i + Σ_ij Var(c_i c_j) / (λ_i + λ_j):

    twice the variance of the mean, and the second order of the Bures distance in
    the errors of both covariances. Of normal features Var(c_i c_j) = λ_i λ_j, and
    twice that for i = j, so that white ones in d dimensions have 2d + d(d + 1)/2.
    If one side is known exactly it is half as much.

    Parameters
    ----------
    x : Tensor, shape (n, d)
        Many features of the law, for instance of all training images.

    Raises
    ------
    ValueError
        If there are not more samples than dimensions.

    Examples
    --------
    Of the line N(0, 1) it is 2 + 1:

    >>> line = torch.distributions.Normal(0.0, 1.0).icdf(torch.linspace(0, 1, 20_001))
    >>> round(frechet_bias(line[1:-1, None]), 1)
    3.0
    """
    x = checks.points("x", x, 2)
    if len(x) <= x.shape[1]:
        raise ValueError(f"more than {x.shape[1]} samples are needed, not {len(x)}")
    c = x - x.mean(0)
    values, vectors = torch.linalg.eigh(c.T @ c / len(c))
    kept = values > 1e-10 * values[-1]  # along the others the features do not vary
    c, values = c @ vectors[:, kept], values[kept]
    square = c.square()
    variance = square.T @ square / len(c) - torch.diag(values.square())
    pairs = variance / (values[:, None] + values)
    return float(2 * values.sum() + pairs.sum())


def frechet_limit(x: Tensor, y: Tensor, most: int = 5) -> tuple[float, float]:
    """The Fréchet distance at infinitely many samples, by a line in 1/n.

    After Chong and Forsyth 2020: its bias is C/n, with a C that depends on both
    laws. Here x and y are cut into j parts each, j = 1 … `most` (every j-th sample);
    the mean distance of the parts is about limit + bias · j, and a line through these
    means, at j = 0, leaves an error of the order 1/n². The limit may be negative.

    Parameters
    ----------
    x, y : Tensor, shapes (n, d) and (m, d)
    most : int
        At least 2.

    Returns
    -------
    limit, bias : float
        The distance at n = ∞, and what that of all samples has too much.

    Raises
    ------
    ValueError
        If a part would have no more samples than dimensions.
    """
    most = checks.count("most", most, 2)
    x, y = checks.pair(x, y, least=2)
    found = []
    for j in range(1, most + 1):
        distances = [frechet_distance(x[i::j], y[i::j]) for i in range(j)]
        found.append(sum(distances) / j)
    j = torch.arange(1.0, most + 1, dtype=torch.float64, device="cpu")
    f = torch.tensor(found, dtype=torch.float64, device="cpu")
    slope = float(((j - j.mean()) * f).sum() / (j - j.mean()).square().sum())
    return float(f.mean()) - slope * float(j.mean()), slope
