"""Divergences between densities that are known: on a finite set, on a grid, Gaussian.

Densities are arrays p, q of one shape over the points of a grid with cell
size `dx` (quadrature by the rectangle rule, which converges spectrally for
smooth densities that vanish at the ends), or probabilities of a finite set
(`dx=1`). All values in nats. They are computed in float64, on the CPU.
"""

import torch
from numpy.typing import ArrayLike
from torch import Tensor

__all__ = [
    "chi2",
    "js",
    "kl",
    "kl_normal",
    "optimal_discriminator",
    "tv",
    "wasserstein_1d",
]

Values = Tensor | ArrayLike


def _float64(values: Values) -> Tensor:
    return torch.as_tensor(values).cpu().double()  # in this order: MPS has no float64


def _densities(p: Values, q: Values, dx: float) -> tuple[Tensor, Tensor]:
    p, q = _float64(p), _float64(q)
    if p.shape != q.shape or p.numel() == 0:
        raise ValueError(
            "p and q must be densities over the same non-empty set, not of shapes "
            f"{tuple(p.shape)} and {tuple(q.shape)}"
        )
    for name, d in (("p", p), ("q", q)):
        if not torch.isfinite(d).all() or (d < 0).any():
            raise ValueError(f"{name} has negative or non-finite values")
        if abs(d.sum().item() * dx - 1) > 1e-3:
            raise ValueError(
                f"{name} integrates to {d.sum().item() * dx:.4f}, not 1: "
                "is dx right, is the grid wide enough?"
            )
    return p, q


def kl(p: Values, q: Values, dx: float = 1.0) -> float:
    """KL(p‖q) = ∫ p log p/q, with 0 log 0 = 0; inf where q misses mass of p.

    Of a fair coin and one of odds 1 : 3 it is ½ log 2 + ½ log ⅔ = ½ log ⁴⁄₃:

    >>> round(kl([1 / 2, 1 / 2], [1 / 4, 3 / 4]), 4)
    0.1438
    >>> kl([1 / 2, 1 / 2], [1, 0])
    inf
    """
    p, q = _densities(p, q, dx)
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum().item() * dx


def js(p: Values, q: Values, dx: float = 1.0) -> float:
    """JSD(p, q) = ½ KL(p‖m) + ½ KL(q‖m), m = ½(p + q); in [0, log 2].

    Its square root is a metric, it is not (Endres and Schindelin 2003). Of laws that
    share nothing it is log 2:

    >>> round(js([1, 0], [0, 1]), 4)
    0.6931
    """
    p, q = _densities(p, q, dx)
    m = (p + q) / 2
    return 0.5 * kl(p, m, dx) + 0.5 * kl(q, m, dx)


def tv(p: Values, q: Values, dx: float = 1.0) -> float:
    """Total variation ½ ∫ |p − q|, in [0, 1].

    >>> tv([1 / 2, 1 / 2], [1 / 4, 3 / 4])
    0.25
    """
    p, q = _densities(p, q, dx)
    return 0.5 * (p - q).abs().sum().item() * dx


def chi2(p: Values, q: Values, dx: float = 1.0) -> float:
    """Pearson's χ²(p‖q) = ∫ (p − q)² / q; inf where q misses mass of p.

    With one sixteenth over ¼ and over ½:

    >>> chi2([1 / 2, 1 / 4, 1 / 4], [1 / 4, 1 / 2, 1 / 4])
    0.375
    """
    p, q = _densities(p, q, dx)
    ratio = torch.where(p == q, torch.zeros_like(p), (p - q) ** 2 / q)
    return ratio.sum().item() * dx


def wasserstein_1d(x: Values, p: Values, q: Values) -> float:
    """W₁(p, q) = ∫ |F_p − F_q| on an increasing one-dimensional grid x (units of x).

    Of a shift it is the shift:

    >>> wasserstein_1d([0, 1, 2, 3], [1 / 2, 1 / 2, 0, 0], [0, 0, 1 / 2, 1 / 2])
    2.0
    """
    x = _float64(x)
    if x.dim() != 1 or len(x) < 2 or not (x.diff() > 0).all():
        raise ValueError("x must be an increasing grid of at least two points")
    dx = (x[-1] - x[0]).item() / (len(x) - 1)
    if not torch.allclose(x.diff(), x.new_tensor(dx)):
        raise ValueError("the points of the grid must be evenly spaced")
    p, q = _densities(p, q, dx)
    gap = (torch.cumsum(p, 0) - torch.cumsum(q, 0)).abs() * dx
    return gap.sum().item() * dx


def optimal_discriminator(p: Values, q: Values) -> Tensor:
    """D* = p / (p + q), ½ where both vanish (Goodfellow et al. 2014, prop. 1).

    >>> optimal_discriminator([3 / 4, 1 / 4, 0], [1 / 4, 3 / 4, 0]).tolist()
    [0.75, 0.25, 0.5]
    """
    p, q = _float64(p), _float64(q)
    if p.shape != q.shape:
        raise ValueError("p and q must be densities over the same set")
    return torch.where(p + q > 0, p / (p + q), torch.full_like(p, 0.5))


def kl_normal(mu: Values, sigma: Values) -> Tensor:
    """KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ (μ² + σ² − 1 − log σ²), over the last dim.

    Kingma and Welling 2014, appendix B. `sigma` is the standard deviation.

    Returns
    -------
    Tensor of shape (...,) for inputs of shape (..., d), in nats.

    Examples
    --------
    A shift by 2 of one coordinate costs ½ 2²:

    >>> kl_normal([2.0, 0.0], [1.0, 1.0]).item()
    2.0
    """
    mu, sigma = torch.as_tensor(mu), torch.as_tensor(sigma)
    if (sigma <= 0).any():
        raise ValueError("a standard deviation must be positive")
    return 0.5 * (mu**2 + sigma**2 - 1 - 2 * torch.log(sigma)).sum(-1)
