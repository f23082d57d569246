"""Objectives: value functions of a game, penalties, and the densities they need.

A *value function* V(t_p, t_q) takes the logits T(x) of samples from p and
T(y) of samples from q, both of shape (n,), and returns a scalar. The
discriminator ascends V. The generator, whose samples are q, descends V
(minimax) or ascends V with the arguments swapped (non-saturating).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch import distributions as td
from torch.distributions import kl_divergence
from torch.nn.functional import logsigmoid, relu

from gmlib import checks, runtime

__all__ = [
    "bernoulli",
    "clip_weights",
    "gradient_penalty",
    "hinge",
    "jensen_shannon",
    "kl_divergence",
    "least_squares",
    "log_mean_exp",
    "normal",
    "standard_normal",
    "wasserstein",
]


def _logits(t_p: Tensor, t_q: Tensor) -> None:
    for name, t in (("t_p", t_p), ("t_q", t_q)):
        if not torch.is_tensor(t) or t.numel() == 0:
            raise ValueError(f"{name} must be a non-empty tensor of logits")


def jensen_shannon(t_p: Tensor, t_q: Tensor) -> Tensor:
    """E_p log σ(T) + E_q log(1 − σ(T)), Goodfellow et al. 2014, eq. 1 (nats).

    Its supremum over T is 2 JSD(p, q) − log 4, at T* = log p/q. Of equal laws,
    where T* = 0, it is − log 4:

    >>> (jensen_shannon(torch.zeros(3), torch.zeros(3)) / math.log(4)).item()
    -1.0
    """
    _logits(t_p, t_q)
    return logsigmoid(t_p).mean() + logsigmoid(-t_q).mean()


def least_squares(t_p: Tensor, t_q: Tensor) -> Tensor:
    """−½ E_p (T − 1)² − ½ E_q T², Mao et al. 2017, eq. 9 with a = 0, b = c = 1.

    Its supremum is at T* = p / (p + q). Of equal laws that is ½:

    >>> least_squares(torch.full((3,), 0.5), torch.full((3,), 0.5)).item()
    -0.25
    """
    _logits(t_p, t_q)
    return -0.5 * ((t_p - 1) ** 2).mean() - 0.5 * (t_q**2).mean()


def wasserstein(t_p: Tensor, t_q: Tensor) -> Tensor:
    """E_p T − E_q T, Arjovsky et al. 2017, eq. 2 (units of x).

    Its supremum over 1-Lipschitz T is W₁(p, q). T(x) = x finds a shift:

    >>> x = torch.tensor([0.0, 1.0, 5.0])
    >>> wasserstein(x + 2, x).item()
    2.0
    """
    _logits(t_p, t_q)
    return t_p.mean() - t_q.mean()


def hinge(t_p: Tensor, t_q: Tensor) -> Tensor:
    """−E_p max(0, 1 − T) − E_q max(0, 1 + T), Lim and Ye 2017.

    Logits beyond ±1 on their side cost nothing:

    >>> hinge(torch.tensor([0.5, 2.0]), torch.tensor([-2.0, 0.0])).item()
    -0.75
    """
    _logits(t_p, t_q)
    return -relu(1 - t_p).mean() - relu(1 + t_q).mean()


def gradient_penalty(
    T: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, target: float = 1.0
) -> Tensor:
    """E (‖∇T(x̂)‖ − target)² at x̂ = εx + (1 − ε)y, Gulrajani et al. 2017, eq. 3.

    One ε ~ U(0, 1) *per sample*; the norm runs over all other dimensions.

    Parameters
    ----------
    T : callable
        The critic, (n, ...) → (n,). It must treat samples one by one: a critic
        with batch normalisation raises.
    x, y : Tensor, shape (n, ...)
        Samples of the two distributions; neither receives a gradient.

    Raises
    ------
    ValueError
        If x and y differ in shape or are empty, or T couples the samples of a
        batch.

    Examples
    --------
    A linear critic has one slope, here of norm 5:

    >>> T = lambda v: v @ torch.tensor([3.0, 4.0])
    >>> gradient_penalty(T, torch.zeros(2, 2), torch.ones(2, 2)).item()
    16.0
    """
    if x.shape != y.shape or len(x) == 0:
        raise ValueError(
            "x and y must have one non-empty shape, "
            f"not {tuple(x.shape)} and {tuple(y.shape)}"
        )
    modules = T.modules() if isinstance(T, nn.Module) else ()
    batch_norm = nn.modules.batchnorm._BatchNorm
    if any(isinstance(m, batch_norm) and m.training for m in modules):
        raise ValueError(
            "a critic with batch normalisation has no gradient per sample: "
            "use layer normalisation or none (Gulrajani et al. 2017, section 4)"
        )
    eps = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device, dtype=x.dtype)
    mixed = (eps * x + (1 - eps) * y).detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(T(mixed).sum(), mixed, create_graph=True)
    return ((slope.flatten(1).norm(dim=1) - target) ** 2).mean()


@torch.no_grad()
def clip_weights(module: nn.Module, c: float = 0.01) -> None:
    """Clip every parameter of `module` into [−c, c], Arjovsky et al. 2017, alg. 1.

    >>> line = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(line.weight, 3.0)
    >>> clip_weights(line, 0.5)
    >>> line.weight.item()
    0.5
    """
    c = checks.number("the bound of the weights", c)
    for p in module.parameters():
        p.clamp_(-c, c)


def log_mean_exp(log_w: Tensor, dim: int = 0) -> Tensor:
    """Return log of the mean of exp(log_w) along `dim`, without overflow (nats).

    >>> log_mean_exp(torch.tensor([1000.0, 1000.0])).item()
    1000.0
    """
    if log_w.numel() == 0:
        raise ValueError("log_w is empty")
    return torch.logsumexp(log_w, dim) - math.log(log_w.shape[dim])


def _independent(base: td.Distribution) -> td.Independent:
    return td.Independent(base, max(len(base.batch_shape) - 1, 0), validate_args=False)


def normal(mean: Tensor, std: Tensor | float) -> td.Independent:
    """The normal N(mean, diag std²) of shape (n, ...), independent but for n.

    `log_prob` and `kl_divergence` return shape (n,), in nats. `std` is the
    standard deviation, not the variance.

    >>> zero = torch.zeros(2, 3)
    >>> kl_divergence(normal(zero + 2, 1.0), normal(zero, 1.0))  # 3 · ½ 2²
    tensor([6., 6.])
    """
    mean, std = torch.broadcast_tensors(mean, torch.as_tensor(std).to(mean))
    return _independent(td.Normal(mean, std, validate_args=False))


def bernoulli(logits: Tensor) -> td.Independent:
    """The Bernoulli with the given logits of shape (n, ...), independent but for n.

    Three fair coins fall in one of eight ways:

    >>> bernoulli(torch.zeros(2, 3)).log_prob(torch.ones(2, 3)).exp()
    tensor([0.1250, 0.1250])
    """
    return _independent(td.Bernoulli(logits=logits, validate_args=False))


def standard_normal(
    *shape: int, device: torch.device | str | None = None
) -> td.Independent:
    """N(0, I) on tensors of the given shape; `sample((n,))` has shape (n, *shape).

    >>> standard_normal(1, 28, 28).sample((5,)).shape
    torch.Size([5, 1, 28, 28])
    """
    if not shape or any(s < 1 for s in shape):
        raise ValueError(f"a shape of positive sizes is needed, not {shape}")
    zero = torch.zeros(shape, device=device or runtime.device())
    base = td.Normal(zero, torch.ones_like(zero), validate_args=False)
    return td.Independent(base, len(shape), validate_args=False)
