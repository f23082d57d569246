"""Objectives: value functions of a game, penalties, and the densities they need.

A *value function* V(t_p, t_q) takes the logits T(x) of samples from p and
T(y) of samples from q, both of shape (n,), and returns a scalar. The
discriminator ascends V. The generator, whose samples are q, descends V
(minimax) or ascends V with the arguments swapped (non-saturating).
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

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
        The critic, (n, ...) → (n,). It must treat samples one by one. Batch
        normalisation in training mode raises, inside a closure too: that is seen on
        the CPU and before round 1 of a game, where any other coupling is as well.
    x, y : Tensor, shape (n, ...)
        Samples of the two distributions; neither receives a gradient.

    Raises
    ------
    ValueError, TypeError
        If x and y differ in shape, are empty or no floats, or T couples the samples
        of a batch.

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
    if not (x.is_floating_point() and y.is_floating_point()):
        raise TypeError(
            f"x and y must be floats to be mixed, not {x.dtype} and {y.dtype}: use "
            "x.float(), and for pictures of bytes x.float() / 255"
        )
    _refuse_batch_norm(T.modules() if isinstance(T, nn.Module) else ())
    eps = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device, dtype=x.dtype)
    mixed = (eps * x + (1 - eps) * y).detach().requires_grad_()
    with torch.enable_grad():
        t = _seen_through(T, mixed) if checks.looks(mixed) else T(mixed)
        (slope,) = torch.autograd.grad(t.sum(), mixed, create_graph=True)
    return ((slope.flatten(1).norm(dim=1) - target) ** 2).mean()


def _refuse_batch_norm(modules: Iterable[nn.Module]) -> None:
    batch_norm: Any = nn.modules.batchnorm._BatchNorm
    if any(isinstance(m, batch_norm) and m.training for m in modules):
        raise ValueError(
            "a critic with batch normalisation has no gradient per sample: "
            "use layer normalisation or none (Gulrajani et al. 2017, section 4)"
        )


def _seen_through(T: Callable[[Tensor], Tensor], mixed: Tensor) -> Tensor:
    """Return T(mixed), and refuse a T that couples the samples of a batch.

    A closure does not say which modules it calls; the modules do. What else couples
    samples shows in the rehearsal, in the slope of one output at the other samples.
    """
    called: list[nn.Module] = []
    hook = nn.modules.module.register_module_forward_pre_hook(
        lambda module, given: called.append(module)
    )
    try:
        t = T(mixed)
    finally:
        hook.remove()
    _refuse_batch_norm(called)
    if checks.rehearsing() and len(mixed) > 1:
        (slope,) = torch.autograd.grad(t[0].sum(), mixed, retain_graph=True)
        own, others = slope[0].abs().max(), slope[1:].abs().max()
        if others > 1e-6 * own:
            raise ValueError(
                "T couples the samples of a batch, and has no gradient per sample: "
                "leave out what looks at the whole batch"
            )
    return t


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
    standard deviation, neither the variance nor a logarithm.

    Raises
    ------
    ValueError
        If a standard deviation is not positive. Numbers are always looked at,
        tensors on the CPU and before round 1 of a game, as a look in a round would
        halt a GPU.

    Examples
    --------
    >>> zero = torch.zeros(2, 3)
    >>> kl_divergence(normal(zero + 2, 1.0), normal(zero, 1.0))  # 3 · ½ 2²
    tensor([6., 6.])
    """
    if isinstance(std, int | float):
        std = checks.number("std", std)
    mean, std = torch.as_tensor(mean), torch.as_tensor(std)
    mean = mean if mean.is_floating_point() else mean.to(torch.get_default_dtype())
    std = std.to(mean)
    if checks.looks(std) and (ends := checks.span(std)) and not ends[0] > 0:
        raise ValueError(
            f"std must be positive, and its least value is {ends[0]:.3g}: it is the "
            "standard deviation, so give log_std.exp() or softplus(s) of what a "
            "network returns"
        )
    mean, std = torch.broadcast_tensors(mean, std)
    return _independent(td.Normal(mean, std, validate_args=False))


class Bernoulli(td.Bernoulli):
    """Torch's, whose `log_prob` also takes numbers in [0, 1] and no others."""

    def log_prob(self, value: Tensor) -> Tensor:
        if checks.looks(value):
            ends = checks.span(value)
            if ends and not (ends[0] >= 0 and ends[1] <= 1):
                raise ValueError(
                    "a Bernoulli gives probabilities to x in [0, 1], not in "
                    f"[{ends[0]:.3g}, {ends[1]:.3g}]: of tanh images take (x + 1) / 2, "
                    "of bytes x / 255, of real data the likelihood normal(mean, std)"
                )
        floats = value.is_floating_point()
        return super().log_prob(value if floats else value.to(self.logits))


def bernoulli(logits: Tensor) -> td.Independent:
    """The Bernoulli with the given logits of shape (n, ...), independent but for n.

    `log_prob` takes x in [0, 1]: grey values count as chances of a 1. Others are a
    ValueError, on the CPU and before round 1 of a game; in its rounds nobody looks,
    as that would halt a GPU.

    Three fair coins fall in one of eight ways:

    >>> bernoulli(torch.zeros(2, 3)).log_prob(torch.ones(2, 3)).exp()
    tensor([0.1250, 0.1250])
    """
    return _independent(Bernoulli(logits=logits, validate_args=False))


def standard_normal(
    *shape: int, device: torch.device | str | None = None
) -> td.Independent:
    """N(0, I) on tensors of the given shape; `sample((n,))` has shape (n, *shape).

    >>> standard_normal(1, 28, 28).sample((5,)).shape
    torch.Size([5, 1, 28, 28])
    """
    sizes = checks.sizes("the shape", shape)
    if not sizes:
        raise ValueError("a shape of positive sizes is needed, not ()")
    zero = torch.zeros(sizes, device=device or runtime.device())
    base = td.Normal(zero, torch.ones_like(zero), validate_args=False)
    return td.Independent(base, len(sizes), validate_args=False)
