"""How good samples are, from a judge's opinion of them: scores and distances.

Computed in float64 on the CPU, where a small eigenvalue stays a small eigenvalue.
"""

import torch
from torch import Tensor

from gmlib import checks


def inception_score(probs: Tensor, splits: int = 1) -> float:
    """exp(E_x Σ_y p(y|x) log[p(y|x) / p(y)]), Salimans et al. 2016.

    Between 1 and the number of classes K.

    Parameters
    ----------
    probs : Tensor, shape (n, K)
        A judge's p(y|x), one row a sample.
    splits : int
        The mean over so many parts of the samples; the literature takes 10.

    Raises
    ------
    ValueError
        If a row is no distribution, or a part would be empty.
    """
    splits = checks.count("splits", splits)
    p = checks.points("probs", probs, splits)
    if (p < 0).any() or ((p.sum(1) - 1).abs() > 1e-3).any():
        raise ValueError("every row of probs must be a distribution that sums to one")
    scores = []
    for part in p.tensor_split(splits):
        marginal = part.mean(0)
        # xlogy: 0 log 0 = 0
        kl = torch.special.xlogy(part, part) - torch.special.xlogy(part, marginal)
        scores.append(kl.sum(1).mean().exp())
    return float(torch.stack(scores).mean())


def _gaussian(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the covariance matrix of samples of shape (n, d)."""
    return x.mean(0), torch.cov(x.T).reshape(x.shape[1], x.shape[1])


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """‖μ_x − μ_y‖² + tr(Σ_x + Σ_y − 2 (Σ_x^½ Σ_y Σ_x^½)^½), Heusel et al. 2017.

    The squared 2-Wasserstein distance of two normals fitted to features. It is
    biased upwards, the more the fewer the samples: quote n with it.

    Parameters
    ----------
    x, y : Tensor, shapes (n, d) and (m, d)
        Features, for instance ``judge("mnist").features(images)``.

    Raises
    ------
    ValueError
        If there are not more samples than dimensions: a covariance matrix
        would be singular and the distance mostly bias.
    """
    x, y = checks.pair(x, y, least=2)
    d = x.shape[1]
    if min(len(x), len(y)) <= d:
        raise ValueError(
            f"{d}-dimensional features need more than {d} samples on each side, "
            f"not {len(x)} and {len(y)}"
        )
    (mean_x, cov_x), (mean_y, cov_y) = _gaussian(x), _gaussian(y)
    values, vectors = torch.linalg.eigh(cov_x)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_y @ root).clamp(min=0).sqrt().sum()
    distance = (mean_x - mean_y).square().sum() + cov_x.trace() + cov_y.trace()
    return max(float(distance - 2 * cross), 0.0)


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Density and coverage of `fake` samples, Naeem et al. 2020, eqs. 3 and 4.

    Around each real point a ball reaches to its k-th real neighbour. Density:
    in how many balls a fake point lies, over k; 1 on average for a perfect
    model, 0 far from the data, sometimes above 1. Coverage: the share of balls
    with a fake point; near 1 − 2⁻ᵏ for a perfect model and as many points.

    Parameters
    ----------
    real, fake : Tensor, shapes (n, d) and (m, d)
    k : int
        Less than n.

    Returns
    -------
    density, coverage : float

    Raises
    ------
    ValueError
        If there are not more than k real points, or the dimensions differ.
    """
    k = checks.count("k", k)
    real, fake = checks.pair(real, fake, ("real", "fake"))
    if len(real) <= k:
        raise ValueError(f"k = {k} neighbours need more than {len(real)} real samples")
    inside, covered = 0, 0
    for part in real.split(1024):
        # The nearest real point is the point itself.
        radius = torch.cdist(part, real).kthvalue(k + 1, dim=1, keepdim=True).values
        within = torch.cdist(part, fake) < radius
        inside += int(within.sum())
        covered += int(within.any(1).sum())
    return inside / (k * len(fake)), covered / len(real)
