"""How probable a model with a latent variable makes what was seen: log p(x) in nats.

Importance sampling where there is a q(z|x), annealing where there is none.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from gmlib import checks, runtime

Law = Callable[[Tensor], Any]  # to a distribution, or what has its sample and log_prob


def _seen(x: Any) -> Tensor:
    """Return x, finite data points, not empty, as a tensor; see `checks.floats`.

    A tensor of floats stays on its device and in its precision, which are those of
    the networks that are to see it.
    """
    if not torch.is_tensor(x):
        x = checks.floats(checks.array("x", x, runtime.device()))
    if x.dim() == 0 or x.numel() == 0:
        raise ValueError("x must be a non-empty tensor of data points")
    x = checks.array("x", x)
    return checks.finite("x", x) if x.is_floating_point() else checks.floats(x)


def _one_a_row(name: str, log_p: Tensor, *shape: int) -> Tensor:
    """Return log-densities, of which there must be one a row."""
    if log_p.shape != shape:
        raise ValueError(
            f"log {name} has shape {tuple(log_p.shape)} instead of {shape}: "
            "make all dimensions but the first one event "
            "(torch.distributions.Independent)"
        )
    return log_p


@torch.no_grad()
def log_evidence(
    x: Tensor,
    q: Law,
    p_x_given_z: Law,
    p_z: Distribution,
    k: int = 5000,
    chunk: int | None = None,
) -> Tensor:
    """log 1/k Σ_i p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q(z|x) (nats).

    Its mean is a lower bound of log p(x) that rises with k and reaches it as
    k → ∞ (Burda et al. 2016, theorem 1); k = 1 gives a draw of the ELBO. Put
    networks into evaluation mode before: ``with evaluating(encoder, decoder)``.

    Parameters
    ----------
    x : Tensor, shape (n, ...)
    q, p_x_given_z : callable
        x → distribution of z, and z → distribution of x, whose `log_prob` has
        one value a row (`normal` and `bernoulli` of `gmlib.objectives`).
    p_z : Distribution
    k : int
        Samples a data point.
    chunk : int, optional
        Rows that go through `p_x_given_z` at a time, which bounds the memory;
        the default is the fastest: 1024 on a CPU (its cache), else 32768.

    Returns
    -------
    Tensor, shape (n,)

    Raises
    ------
    ValueError
        If x is empty or not finite, if a `log_prob` has another shape than one
        value a row, or if a weight is NaN.
    """
    x = _seen(x)
    if chunk is None:
        chunk = 1024 if x.device.type == "cpu" else 32768
    k, chunk = checks.counts(k=k, chunk=chunk)
    return torch.cat(
        [_log_evidence(part, q, p_x_given_z, p_z, k, chunk) for part in x.split(chunk)]
    )


def _log_evidence(
    x: Tensor, q: Law, p_x_given_z: Law, p_z: Distribution, k: int, chunk: int
) -> Tensor:
    n = len(x)
    q_x = q(x)
    at_once = min(k, max(1, chunk // n))
    repeated = x.repeat(at_once, *[1] * (x.dim() - 1))
    total = torch.tensor(-math.inf, device=x.device)
    for done in range(0, k, at_once):
        draws = min(at_once, k - done)
        z = q_x.sample((draws,))
        log_p_x = p_x_given_z(z.flatten(0, 1)).log_prob(repeated[: draws * n])
        log_p_x = _one_a_row("p(x|z)", log_p_x, draws * n)
        log_p_z = _one_a_row("p(z)", p_z.log_prob(z), draws, n)
        log_q = _one_a_row("q(z|x)", q_x.log_prob(z), draws, n)
        log_w = log_p_x.view(draws, n) + log_p_z - log_q
        if log_w.isnan().any():
            raise ValueError("an importance weight is NaN: look at q(x) and p(x|z)")
        total = torch.logaddexp(total, log_w.logsumexp(0))
    return total - math.log(k)


def annealed_log_evidence(
    x: Tensor,
    p_x_given_z: Law,
    p_z: Distribution,
    chains: int = 8,
    temperatures: int = 200,
    leapfrogs: int = 5,
    step: float = 0.2,
) -> Tensor:
    """log of the mean of `chains` weights of annealed importance sampling (nats).

    Needs no q(z|x): it walks from p(z) to p(z|x) through p(z) p(x|z)^β, by
    Hamiltonian Monte Carlo, and collects w = Π_t p(x|z_t)^(β_{t+1} − β_t) on its
    way. E w = p(x) (Neal 2001, section 2), so that the result is in the mean a
    lower bound of log p(x), the tighter the more temperatures and chains. β rises
    along a sigmoid (Wu et al. 2017, section 4). The step lengths, one a data
    point and temperature, are tuned in a first run of the chains to accept two
    moves in three, and are then fixed: weights of tuning chains are biased.

    Parameters
    ----------
    x : Tensor, shape (n, ...)
    p_x_given_z : callable
        z → distribution of x; its `log_prob` is differentiated in z.
    p_z : Distribution
        Its samples have shape (n, d).
    chains, temperatures, leapfrogs : int
        In all about 2 · n · chains · temperatures · leapfrogs gradients.
    step : float
        The first step length.

    Returns
    -------
    Tensor, shape (n,)

    Raises
    ------
    ValueError
        If x is empty or not finite, a number is not positive, or a log-likelihood
        has another shape than one value a row.
    """
    x = _seen(x)
    chains, temperatures, leapfrogs = checks.counts(
        chains=chains, temperatures=temperatures, leapfrogs=leapfrogs
    )
    step = checks.number("step", step)
    ramp = torch.sigmoid(torch.linspace(-4, 4, temperatures + 1, dtype=torch.float64))
    betas = ((ramp - ramp[0]) / (ramp[-1] - ramp[0])).tolist()
    walk = _Walk(x, p_x_given_z, p_z, chains, leapfrogs)
    length = torch.full((len(x),), step, device=x.device)
    _, lengths = walk.run(betas, length)
    log_w, _ = walk.run(betas, length, lengths)
    return log_w.logsumexp(0) - math.log(chains)


class _Walk:
    """Chains z, several a data point, that walk from the prior to the posterior.

    A *state* holds z, then log-prior and log-likelihood with their gradients in z.
    """

    def __init__(
        self,
        x: Tensor,
        p_x_given_z: Law,
        p_z: Distribution,
        chains: int,
        leapfrogs: int,
    ) -> None:
        self.p_x_given_z, self.p_z = p_x_given_z, p_z
        self.chains, self.leapfrogs = chains, leapfrogs
        self.x = x.repeat(chains, *[1] * (x.dim() - 1))

    def state(self, z: Tensor) -> list[Tensor]:
        z = z.detach().requires_grad_()
        with torch.enable_grad():
            prior = _one_a_row("p(z)", self.p_z.log_prob(z), len(z))
            like = self.p_x_given_z(z).log_prob(self.x)
            like = _one_a_row("p(x|z)", like, len(z))
            slopes = [torch.autograd.grad(v.sum(), z)[0] for v in (prior, like)]
        return [z.detach(), prior.detach(), like.detach(), *slopes]

    def move(
        self, at: list[Tensor], beta: float, length: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """One Hamiltonian move at inverse temperature beta, and who accepted it."""
        momentum = torch.randn_like(at[0])
        energy = at[1] + beta * at[2] - momentum.square().sum(1) / 2
        new, length = at, length.repeat(self.chains)[:, None]
        momentum = momentum + length / 2 * (new[3] + beta * new[4])
        for i in range(self.leapfrogs):
            new = self.state(new[0] + length * momentum)
            half = 2 if i == self.leapfrogs - 1 else 1
            momentum = momentum + length / half * (new[3] + beta * new[4])
        gain = new[1] + beta * new[2] - momentum.square().sum(1) / 2 - energy
        yes = torch.rand_like(gain).log() < gain  # NaN is refused
        pick = [
            torch.where(yes if a.dim() == 1 else yes[:, None], b, a)
            for a, b in zip(at, new, strict=True)
        ]
        return pick, yes.view(self.chains, -1).float().mean(0)

    def run(
        self,
        betas: list[float],
        length: Tensor,
        lengths: list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Return log w, (chains, n), and the step lengths used, one a temperature.

        Without `lengths` they are tuned, from `length` on.
        """
        at, used = self.state(self.p_z.sample((len(self.x),))), []
        log_w = torch.zeros_like(at[1])
        last = len(betas) - 2
        for t in range(last + 1):
            log_w = log_w + (betas[t + 1] - betas[t]) * at[2]
            if t == last:  # the last move would change no weight
                break
            length = length if lengths is None else lengths[t]
            used.append(length)
            at, accepted = self.move(at, betas[t + 1], length)
            length = length * torch.where(accepted > 0.66, 1.05, 0.95)
        return log_w.view(self.chains, -1), used
