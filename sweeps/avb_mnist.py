"""Digits: a VAE, AVB and AVB with adaptive contrast of the same size, seed by seed."""

import time

import torch
from torch import nn
from torch.distributions import MultivariateNormal

from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import bernoulli, jensen_shannon, normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

rounds = by_scale(smoke=4, cpu=4000, gpu=40_000)
images = by_scale(smoke=4, cpu=1000, gpu=2000)  # of the test set
few = by_scale(smoke=2, cpu=50, gpu=200)  # of them, annealed as well
temperatures = by_scale(smoke=3, cpu=1000, gpu=4000)
grid = crossed(
    seed=range(by_scale(smoke=1, cpu=5, gpu=5)),
    kind=["VAE", "AVB", "AVB with adaptive contrast"],
)
V, p_z = jensen_shannon, standard_normal(8)


def networks(kind):
    """The encoder with its source, the decoder, and the discriminator T."""
    outputs = 2 * 8 if kind == "VAE" else 8 + 8 * 16
    own = {
        "encoder": nets.mlp([784, 200, 200, outputs], "elu"),
        "decoder": nets.mlp([8, 200, 200, 784], "elu", shape=(1, 28, 28)),
    }
    if kind != "VAE":
        own["source"] = nets.mlp([32, 64, 64, 16], "elu")
    return nn.ModuleDict(own), nets.mlp([784 + 8, 256, 256, 1], "elu", shape=())


def sampler(kind, net, x):
    """A draw z of q(z|x); mean and deviations of r(z|x), the normal near it."""
    if kind == "VAE":
        mean, log_std = net["encoder"](x).chunk(2, dim=1)
        return normal(mean, log_std.exp()).rsample(), mean, log_std.exp()
    mean, A = net["encoder"](x).split([8, 8 * 16], dim=1)
    A = A.view(-1, 8, 16)
    v = net["source"](torch.randn(2 * len(x), 32, device=x.device))
    std = torch.einsum("nij,jk,nik->ni", A, v.T.cov(), A).sqrt()
    return mean + torch.einsum("nij,nj->ni", A, (v - v.mean(0))[: len(x)]), mean, std


def model(kind):
    """Networks, and the functions of the lecture: q, p, the rate and both losses."""
    net, discriminator = networks(kind)
    q = shared(lambda x: sampler(kind, net, x))

    def p(z):
        return bernoulli(net["decoder"](z))

    def T(x, z, mean, std):
        seen = z if kind == "AVB" else (z - mean) / std
        return discriminator(torch.cat([x.flatten(1), seen], 1))

    def rate(x, z, mean, std):
        """log q(z|x) - log p(z), known or learned."""
        if kind == "AVB":
            return T(x, z, mean, std)
        log_q = normal(mean, std).log_prob(z)
        if kind != "VAE":
            log_q = log_q + T(x, z, mean, std)
        return log_q - p_z.log_prob(z)

    def L_T(x):
        other = torch.cat([x.flatten(1), p_z.sample((len(x),))], 1)
        return -V(T(x, *q(x)), discriminator(other))

    def L_pq(x):
        z, mean, std = q(x)
        return (rate(x, z, mean, std) - p(z).log_prob(x)).mean()

    players = {"pq": Player([net], L_pq, adam(1e-3, (0.5, 0.999)))}
    if kind != "VAE":
        T_first = Player([discriminator], L_T, adam(1e-3, (0.5, 0.999)))
        players = {"T": T_first, **players}
    return net, players, q, p, rate


def around(draws, wider=1.2):
    """A normal with the moments of draws (m, n, d), a little wider: a proposal."""
    centred = draws - draws.mean(0)
    cov = torch.einsum("mni,mnj->nij", centred, centred) / len(draws)
    cov = wider**2 * cov + 1e-6 * torch.eye(draws.shape[2], device=draws.device)
    return MultivariateNormal(draws.mean(0), cov)


def evidence(x, q, p, known_z=None, k=300):
    """log p(x) by importance sampling around the summits of the posteriors."""

    def at_summit(x):
        own = torch.stack([q(x)[0] for _ in range(10)])
        starts = torch.cat([own, p_z.sample((10 * len(x),)).view(10, len(x), 8)])
        return metrics.summit(x, p, p_z, starts)

    return metrics.log_evidence(x, at_summit, p, p_z, k, known_z=known_z)


@torch.no_grad()
def judged(x, q, p, rate):
    """What training prints on x, and what log p(x) is by three estimators."""
    terms = []
    for _ in range(10):
        drawn = q(x)
        terms.append(p(drawn[0]).log_prob(x) - rate(x, *drawn))
    printed, log_p = torch.stack(terms).mean(0), evidence(x, q, p)
    draws = torch.stack([q(x[:few])[0] for _ in range(500)])
    fitted = metrics.log_evidence(x[:few], lambda _: around(draws), p, p_z, k=1000)
    slow = metrics.annealed_log_evidence(x[:few], p, p_z, 2, temperatures, 5)
    known_z = p_z.sample((images // 2,))
    made = p(known_z).sample()
    below, above = (evidence(made, q, p, known) for known in (None, known_z))
    return {
        "printed": printed.mean().item(),
        "log_p": log_p.mean().item(),
        "log_p_few": log_p[:few].mean().item(),
        "fitted_few": fitted.mean().item(),
        "annealed_few": slow.mean().item(),
        "annealed_less": (slow - log_p[:few]).mean().item(),
        "annealed_less_error": (slow - log_p[:few]).std().item() / few**0.5,
        "made_below": below.mean().item(),
        "made_above": above.mean().item(),
        "each": " ".join(f"{v:.1f}" for v in log_p.tolist()),
    }


def cell(kind, seed):
    """Train one model; its evidence on test images, half-way and at the end."""
    net, players, q, p, rate = model(kind)
    with runtime.forked_rng(0):  # the same images and pixels for all
        x = data.binarize(data.images("test").x[:images])

    def look():
        began = time.process_time()
        with runtime.evaluating(net):
            log_p = evidence(x, q, p).mean()
        return log_p, torch.tensor(time.process_time() - began)

    p_data = data.images("train").map(data.binarize)
    half, began = rounds // 2, time.process_time()
    history = fit(players, p_data, rounds, batch_size=100, look=look, looks=[half])
    trained = time.process_time() - began  # seconds that it had of the CPUs
    with runtime.evaluating(net):
        found = judged(x, q, p, rate)
    log_p_half, looked = dict(history.snapshots)[half]
    return {
        "rounds": rounds,
        "cpu_s": round(trained - looked.item(), 1),
        "log_p_half": log_p_half.item(),
        **found,
    }
