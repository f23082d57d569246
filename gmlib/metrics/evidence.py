"""How probable a model with a latent variable makes what was seen: log p(x) in nats.

Importance sampling with the encoder's q(z|x) or, where it has no density or is not
to be trusted, with a normal at the summit of p(z|x); and annealing.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal

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
    known_z: Tensor | None = None,
) -> Tensor:
    """log 1/k Σ_i p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q(z|x) (nats).

    Its mean is a lower bound of log p(x) that rises with k and reaches it as
    k → ∞ (Burda et al. 2016, theorem 1); k = 1 gives a draw of the ELBO. If z_1 is
    a draw of the posterior instead, `known_z`, it is an upper bound: what the k
    variables are drawn from is Π q(z_i|x) · (mean weight) / p(x), up to their
    order, so that E p(x) / (mean weight) = 1. Data that the model itself made come
    with such a z (the idea of bidirectional Monte Carlo, Grosse et al. 2015). Put
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
    known_z : Tensor, shape (n, d), optional
        One exact draw of p(z|x) for each x; it takes the place of one of the k.

    Returns
    -------
    Tensor, shape (n,)

    Raises
    ------
    ValueError
        If x is empty or not finite, if a `log_prob` has another shape than one
        value a row, if there is not one `known_z` for each x, or if a weight is NaN.
    """
    x = _seen(x)
    if chunk is None:
        chunk = 1024 if x.device.type == "cpu" else 32768
    k, chunk = checks.counts(k=k, chunk=chunk)
    parts, known = x.split(chunk), [None] * len(x)
    if known_z is not None:
        if len(known_z) != len(x):
            raise ValueError(f"known_z has {len(known_z)} rows for {len(x)} of x")
        known = known_z.split(chunk)
    return torch.cat(
        [
            _log_evidence(part, q, p_x_given_z, p_z, k, chunk, z)
            for part, z in zip(parts, known, strict=False)
        ]
    )


def _log_evidence(
    x: Tensor,
    q: Law,
    p_x_given_z: Law,
    p_z: Distribution,
    k: int,
    chunk: int,
    known_z: Tensor | None,
) -> Tensor:
    n = len(x)
    q_x = q(x)
    at_once = min(k, max(1, chunk // n))
    repeated = x.repeat(at_once, *[1] * (x.dim() - 1))
    total = torch.tensor(-math.inf, device=x.device)
    for done in range(0, k, at_once):
        draws = min(at_once, k - done)
        z = q_x.sample((draws,))
        if known_z is not None and done == 0:
            z[0] = known_z
        log_p_x = p_x_given_z(z.flatten(0, 1)).log_prob(repeated[: draws * n])
        log_p_x = _one_a_row("p(x|z)", log_p_x, draws * n)
        log_p_z = _one_a_row("p(z)", p_z.log_prob(z), draws, n)
        log_q = _one_a_row("q(z|x)", q_x.log_prob(z), draws, n)
        log_w = log_p_x.view(draws, n) + log_p_z - log_q
        if log_w.isnan().any():
            raise ValueError("an importance weight is NaN: look at q(x) and p(x|z)")
        total = torch.logaddexp(total, log_w.logsumexp(0))
    return total - math.log(k)


@torch.enable_grad()
def summit(
    x: Tensor,
    p_x_given_z: Law,
    p_z: Distribution,
    starts: Tensor,
    steps: int = 200,
    wider: float = 1.1,
) -> MultivariateNormal:
    """The normal law at the summit of p(z|x), as wide as its curvature says.

    Laplace's approximation, a proposal for `log_evidence` that trusts no encoder:
    the best of the starts climbs log p(x|z) + log p(z) by Adam; the covariance is
    the inverse of minus the Hessian where it ends. Directions that the Hessian
    finds flatter than N(0, I), or bent upwards, get variance 1.

    Parameters
    ----------
    x : Tensor, shape (n, ...)
    p_x_given_z : callable
        z → distribution of x; its `log_prob` is differentiated twice in z.
    p_z : Distribution
        Best N(0, I).
    starts : Tensor, shape (m, n, d)
        m candidates for each x: draws of an encoder, or of p(z).
    steps : int
        Gradients for each x.
    wider : float
        Factor on the standard deviations: tails that are too thin cost more in
        importance sampling than tails that are too heavy.

    Returns
    -------
    MultivariateNormal, n laws on R^d

    Raises
    ------
    ValueError
        If x is empty or not finite, a number is not positive, a log-likelihood has
        another shape than one value a row, or there are no starts for each x.
    """
    x, (steps,) = _seen(x), checks.counts(steps=steps)
    wider = checks.number("wider", wider)
    if starts.dim() != 3 or starts.shape[1] != len(x) or len(starts) == 0:
        raise ValueError(
            f"starts must have shape (m, {len(x)}, d), not {tuple(starts.shape)}"
        )

    def fall(z: Tensor) -> Tensor:
        like = _one_a_row("p(x|z)", p_x_given_z(z).log_prob(x), len(x))
        return -like - _one_a_row("p(z)", p_z.log_prob(z), len(x))

    with torch.no_grad():
        best = torch.stack([fall(z) for z in starts]).argmin(0)
    z = starts[best, torch.arange(len(x), device=best.device)]
    z = z.detach().clone().requires_grad_()
    adam = torch.optim.Adam([z], 0.1, betas=(0.9, 0.99))
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        (z.grad,) = torch.autograd.grad(fall(z).sum(), z)
        adam.step()
        slower.step()
    (slope,) = torch.autograd.grad(fall(z).sum(), z, create_graph=True)
    rows = [
        torch.autograd.grad(s.sum(), z, retain_graph=True)[0] for s in slope.unbind(1)
    ]
    hessian = torch.stack(rows, 1)
    values, vectors = torch.linalg.eigh((hessian + hessian.mT) / 2)
    scaled = vectors * (wider / values.clamp(min=1).sqrt())[:, None]
    return MultivariateNormal(z.detach(), scaled @ scaled.mT, validate_args=False)


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
