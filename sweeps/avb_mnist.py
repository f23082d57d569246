"""Digits: a VAE, AVB and AVB with adaptive contrast of the same size, seed by seed."""

import torch
from torch.distributions import MultivariateNormal

from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import bernoulli, jensen_shannon, normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

rounds = by_scale(smoke=5, cpu=2000, gpu=40_000)
grid = crossed(
    kind=["VAE", "AVB", "AVB with adaptive contrast"],
    seed=range(by_scale(smoke=1, cpu=3, gpu=5)),
)
V = jensen_shannon


def fitted(draws, wider=1.2):
    """A normal with the moments of draws (m, n, d), a little wider: a proposal."""
    mean, centred = draws.mean(0), draws - draws.mean(0)
    cov = torch.einsum("mni,mnj->nij", centred, centred) / len(draws)
    cov = wider**2 * cov + 1e-6 * torch.eye(draws.shape[2], device=draws.device)
    return MultivariateNormal(mean, cov)


def cell(kind, seed, d=8, d_eps=32, j=16, width=200, lr=1e-3, lr_T=1e-3):
    """Train one model; its evidence by importance sampling and by annealing."""
    p_data, p_z = data.images("train").map(data.binarize), standard_normal(d)
    trunk = [784, width, width]
    encoder = nets.mlp([*trunk, 2 * d if kind == "VAE" else d + d * j], "elu")
    source = nets.mlp([d_eps, 64, 64, j], "elu")
    decoder = nets.mlp([d, width, width, 784], "elu", shape=(1, 28, 28))
    T = nets.mlp([784 + d, 256, 256, 1], "elu", shape=())

    def q(x):
        """A draw z, its place u in units of r(z|x), and r, the Gaussian near q."""
        if kind == "VAE":
            mean, log_std = encoder(x).chunk(2, dim=1)
            r = normal(mean, log_std.exp())
            return r.rsample(), None, r
        mean, A = encoder(x).split([d, d * j], dim=1)
        A = A.view(-1, d, j)
        v = source(torch.randn(2 * len(x), d_eps, device=x.device))
        std = torch.einsum("nij,jk,nik->ni", A, v.T.cov(), A).sqrt()
        z = mean + torch.einsum("nij,nj->ni", A, (v - v.mean(0))[: len(x)])
        return z, (z - mean) / std, normal(mean, std)

    def p(z):
        return bernoulli(decoder(z))

    def logit(x, z):
        return T(torch.cat([x.flatten(1), z], 1))

    def rate(x, z, u, r):
        """log q(z|x) - log p(z), known or learned."""
        if kind == "AVB":
            return logit(x, z)
        log_q = r.log_prob(z) + (logit(x, u) if kind != "VAE" else 0)
        return log_q - p_z.log_prob(z)

    def L_T(x):
        z, u, _ = q(x)
        seen = z if kind == "AVB" else u
        return -V(logit(x, seen), logit(x, p_z.sample((len(x),))))

    def L_pq(x):
        z, u, r = q(x)
        return (rate(x, z, u, r) - p(z).log_prob(x)).mean()

    players = {"T": Player([T], L_T, adam(lr_T, (0.5, 0.999)))}
    if kind == "VAE":
        players = {}
    networks = [encoder, decoder] + ([source] if kind != "VAE" else [])
    players["pq"] = Player(networks, L_pq, adam(lr, (0.5, 0.999)))
    history = fit(players, p_data, rounds, batch_size=100)

    n, few = by_scale(smoke=4, cpu=500, gpu=1000), by_scale(smoke=2, cpu=50, gpu=200)
    with runtime.forked_rng(0):  # the same pixels for all
        x = data.binarize(data.images("test").x[:n])
    with runtime.evaluating(*networks, T), torch.no_grad():
        terms = []
        for _ in range(10):
            z, u, r = q(x)
            terms.append(torch.stack([p(z).log_prob(x), rate(x, z, u, r)]))
        terms = torch.stack(terms).mean(0)  # (2, n)
        reconstruction, learned_rate = terms.mean(1).tolist()
        elbo_few = (terms[0] - terms[1])[:few].mean().item()

        def proposal(x):
            return fitted(torch.stack([q(x)[0] for _ in range(300)]))

        importance = metrics.log_evidence(x, proposal, p, p_z, k=300)
        annealed = metrics.annealed_log_evidence(x[:few], p, p_z, 8, 200, 5)
    return {
        "rounds": rounds,
        "train_s": round(history.seconds, 1),
        "reconstruction": reconstruction,
        "rate": learned_rate,
        "elbo": reconstruction - learned_rate,
        "elbo_few": elbo_few,
        "importance": importance.mean().item(),
        "importance_few": importance[:few].mean().item(),
        "annealed_few": annealed.mean().item(),
    }
