"""β-VAEs on coloured shapes: three parts of the rate, and which latent tells what."""

import torch
from torch import Tensor

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import bernoulli, kl_divergence, normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

LATENTS, BINS = 6, 20
rounds = by_scale(smoke=2, cpu=3000, gpu=30_000)
seen = by_scale(smoke=200, cpu=10_000, gpu=20_000)  # pictures: what latents tell
few, all_ = by_scale(smoke=(20, 50), cpu=(200, 4000), gpu=(200, 8000))
grid = crossed(seed=range(by_scale(smoke=1, cpu=5, gpu=10)), beta=[1.0, 4.0, 10.0])
p_data, p_z = data.shapes(16), standard_normal(LATENTS)


def binned(v: Tensor, bins: int = BINS) -> Tensor:
    """Which of so many equal parts of its range a number lies in, (n,)."""
    low, high = v.min(), v.max()
    return ((v - low) / (high - low + 1e-12) * bins).long().clamp(max=bins - 1)


def information(a: Tensor, b: Tensor) -> float:
    """Mutual information of two columns of small integers, nats."""
    joint = torch.bincount(a * BINS + b, minlength=BINS**2).view(BINS, BINS).double()
    joint = joint / joint.sum()
    apart = joint.sum(1, keepdim=True) * joint.sum(0)
    at = joint > 0
    return (joint[at] * (joint[at] / apart[at]).log()).sum().item()


def columns(factors: Tensor) -> list[Tensor]:
    """The five factors as small integers: kind, colour, and binned size and place."""
    return [f.long() if i < 2 else binned(f) for i, f in enumerate(factors.T)]


def told(latents: Tensor, truth: list[Tensor]) -> tuple[list[list[float]], list[float]]:
    """What each latent tells of each factor, nats; the gap of each factor in [0, 1]."""
    table, gaps = [], []
    for v in truth:
        table.append([information(binned(z), v) for z in latents.T])
        first, second = sorted(table[-1], reverse=True)[:2]
        gaps.append((first - second) / information(v, v))
    return table, gaps


def parts(mean: Tensor, std: Tensor) -> tuple[float, float, float]:
    """Information, total correlation and marginals' KL of n clouds, one draw each."""
    z = mean + std * torch.randn_like(mean)
    one, joint, alone = [], [], []
    for i, some in enumerate(z.split(200)):
        log_q = normal(mean, std).base_dist.log_prob(some[:, None])  # (m, n, d)
        n = torch.tensor(float(len(mean)), device=z.device).log()
        joint.append(log_q.sum(2).logsumexp(1) - n)
        alone.append(log_q.logsumexp(1) - n)
        own = torch.arange(len(some), device=z.device)
        one.append(log_q.sum(2)[own, own + 200 * i])
    log_one, log_joint, log_alone = (torch.cat(v) for v in (one, joint, alone))
    log_prior = p_z.log_prob(z)
    return (
        (log_one - log_joint).mean().item(),
        (log_joint - log_alone.sum(1)).mean().item(),
        (log_alone.sum(1) - log_prior).mean().item(),
    )


def cell(beta: float, seed: int) -> dict[str, object]:
    """Train one β-VAE; its rate in parts, and what its latents tell of the factors."""
    encoder = nets.conv_encoder(2 * LATENTS, channels=3, width=16, size=16)
    decoder = nets.conv_decoder(LATENTS, channels=3, width=16, size=16)

    def q(x):
        mean, log_std = encoder(x).chunk(2, 1)
        return normal(mean, log_std.exp())

    def rate_and_distortion(x):
        z = q(x)
        D = -bernoulli(decoder(z.rsample())).log_prob(x)
        return kl_divergence(z, p_z).mean(), D.mean()

    def loss(x):
        R, D = rate_and_distortion(x)
        return D + beta * R

    fit({"VAE": Player([encoder, decoder], loss, adam(1e-3))}, p_data, rounds)
    drawn = p_data.sample_pairs((seen,))
    with runtime.evaluating(encoder, decoder):
        law = q(drawn.x).base_dist
        mean, std = law.loc, law.scale
        R, D = (v.item() for v in rate_and_distortion(drawn.x[:2000]))
        three = {n: parts(mean[:n], std[:n]) for n in (few, all_)}
    truth = columns(drawn.factors)
    table, gaps = told(mean, truth)
    drawn_gaps = told(mean + std * torch.randn_like(mean), truth)[1]
    each = (mean**2 + std**2 - 1).mean(0) / 2 - std.log().mean(0)  # rate of a latent
    names = ("information", "correlation", "marginals")
    return {
        "rounds": rounds,
        "rate": R,
        "distortion": D,
        **{f"{name}_{size}": v for size, n in (("few", few), ("all", all_))
           for name, v in zip(names, three[n], strict=True)},
        "few": few,
        "all": all_,
        "used": int((each > 0.1).sum()),
        "mig": sum(gaps) / len(gaps),
        "mig_draws": sum(drawn_gaps) / len(drawn_gaps),
        "gaps": " ".join(f"{g:.4f}" for g in gaps),
        "told": " ".join(f"{i:.4f}" for row in table for i in row),
    }  # fmt: skip
