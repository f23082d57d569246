"""Digits: a VAE, AVB, an AAE and an MMD penalty of three weights, seed by seed."""

import time

import torch
from torch import nn
from torch.nn.functional import softplus

from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import (
    bernoulli,
    jensen_shannon,
    kl_divergence,
    log_mean_exp,
    normal,
    standard_normal,
)
from gmlib.runtime import by_scale

rounds = by_scale(smoke=4, cpu=4000, gpu=40_000)  # as in avb_mnist
images = by_scale(smoke=4, cpu=500, gpu=2000)  # of the test set, for log p(x)
codes = by_scale(smoke=100, cpu=5000, gpu=10_000)  # of the test set, for the rest
grid = [
    {"kind": kind, "lam": lam, "seed": seed}  # lam: weight of the MMD penalty, nats
    for seed in range(by_scale(smoke=1, cpu=3, gpu=5))
    for kind, lam in (
        ("VAE", 0.0),
        ("AVB", 0.0),
        ("AAE", 0.0),
        ("MMD", 10.0),
        ("MMD", 100.0),
        ("MMD", 1000.0),
    )
]
V, p_z, d = jensen_shannon, standard_normal(8), 8


def encoder_of(kind):
    """The encoder's networks; AVB's mixes sixteen variables of its own noise."""
    if kind != "AVB":
        return nn.ModuleDict({"x": nets.mlp([784, 200, 200, 2 * d], "elu")})
    own = {"x": nets.mlp([784, 200, 200, d + d * 16], "elu")}
    return nn.ModuleDict(own | {"source": nets.mlp([32, 64, 64, 16], "elu")})


def gaussian(encoder, x):
    """q(z|x) of all kinds but AVB."""
    mean, log_std = encoder["x"](x).chunk(2, dim=1)
    return normal(mean, log_std.clamp(-9, 3).exp())


def draw(kind, encoder, x):
    """z ~ q(z|x), shape (n, 8)."""
    if kind != "AVB":
        return gaussian(encoder, x).rsample()
    mean, A = encoder["x"](x).split([d, d * 16], dim=1)
    v = encoder["source"](torch.randn(len(x), 32, device=x.device))
    return mean + torch.einsum("nij,nj->ni", A.view(-1, d, 16), v - v.mean(0))


def mmd(z, w, scales=(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)):
    """The unbiased MMD² with the kernels C/(C + r²), C = 2d · scales, summed."""
    n, total = len(z), 0.0
    own = [torch.cdist(a, a).square() for a in (z, w)]
    across = torch.cdist(z, w).square()
    for C in (2 * d * s for s in scales):
        for r2 in own:
            k = C / (C + r2)
            total = total + (k.sum() - k.diagonal().sum()) / (n * (n - 1))
        total = total - 2 * (C / (C + across)).mean()
    return total


def game(kind, lam):
    """Networks and players; the losses are those of the lecture."""
    encoder = encoder_of(kind)
    decoder = nets.mlp([d, 200, 200, 784], "elu", shape=(1, 28, 28))
    q = shared(lambda x: draw(kind, encoder, x))
    quick = adam(1e-3, (0.5, 0.999))

    def p(z):
        return bernoulli(decoder(z))

    if kind == "VAE":

        def L_vae(x):
            q_x = gaussian(encoder, x)
            rate = kl_divergence(q_x, p_z)
            return (rate - p(q_x.rsample()).log_prob(x)).mean()

        return encoder, decoder, {"pq": Player([encoder, decoder], L_vae, quick)}
    T = nets.mlp([d + 784 * (kind == "AVB"), 256, 256, 1], "elu", shape=())

    def seen(x, z):
        return T(torch.cat([x.flatten(1), z], 1) if kind == "AVB" else z)

    def L_T(x):
        return -V(seen(x, q(x)), seen(x, p_z.sample((len(x),))))

    def L_pq(x):
        z = q(x)
        error = -p(z).log_prob(x).mean()
        if kind == "AVB":
            return error + seen(x, z).mean()
        if kind == "MMD":
            return error + lam * mmd(z, p_z.sample((len(x),)))
        return error

    def L_q(x):
        return softplus(T(q(x))).mean()

    players = {} if kind == "MMD" else {"T": Player([T], L_T, quick)}
    if kind == "AAE":
        players["q"] = Player([encoder], L_q, quick)
    players["pq"] = Player([encoder, decoder], L_pq, quick)
    return encoder, decoder, players


def evidence(x, q, p, k=300):
    """log p(x) by importance sampling around the summits of the posteriors."""

    def at_summit(x):
        own = torch.stack([q(x) for _ in range(10)])
        starts = torch.cat([own, p_z.sample((10 * len(x),)).view(10, len(x), d)])
        return metrics.summit(x, p, p_z, starts)

    return metrics.log_evidence(x, at_summit, p, p_z, k)


def rates(encoder, x):
    """The mean rate, a lower bound of each of its two parts, and the mean width.

    Among n images the information seen is at most log n, and in the mean at most the
    true one. The mismatch of a law with mean m and covariance S is at least that of
    N(m, S).
    """
    q_x = gaussian(encoder, x)
    z = q_x.sample()
    parts = [log_mean_exp(q_x.log_prob(v[:, None]), 1) for v in z.split(100)]
    m, S = z.mean(0), z.T.cov()
    moments = (S.trace() + m @ m - d - S.logdet()) / 2
    return {
        "rate": kl_divergence(q_x, p_z).mean().item(),
        "information": (q_x.log_prob(z) - torch.cat(parts)).mean().item(),
        "moments": moments.item(),
        "width": q_x.base_dist.stddev.mean().item(),
    }


def pictures(z, p, judge):
    """Fréchet distance and coverage of the decoder's means at codes z."""
    found = judge.features(p(z).mean)
    real = judge.test_features
    _, coverage = metrics.density_coverage(real[: len(z)], found)
    return metrics.frechet_distance(real, found), coverage


@torch.no_grad()
def judged(kind, encoder, q, p):
    """All that the lecture's table holds, without gradients."""
    test, train = data.images("test"), data.images("train")
    judge = metrics.judge(test.name)
    with runtime.forked_rng(0):  # the same images and pixels for all
        x = data.binarize(test.x[:codes])
    z_x, prior = q(x), p_z.sample((codes,))
    own = q(data.binarize(train.sample((codes,))))
    frechet, coverage = pictures(prior, p, judge)
    accuracy, p_value = metrics.two_sample_test(z_x, prior)
    likelihood = p(z_x).log_prob(x)
    log_p = evidence(x[:images], q, p)
    found = {
        "reconstruction": likelihood.mean().item(),
        "frechet": frechet,
        "frechet_own": pictures(own, p, judge)[0],
        "coverage": coverage,
        "told_apart": accuracy,
        "p_value": p_value,
        "log_p": log_p.mean().item(),
    }
    if kind == "AVB":  # its encoder has no density
        return found
    rate = kl_divergence(gaussian(encoder, x[:images]), p_z)
    gap = log_p - likelihood[:images] + rate  # KL(q(z|x) || p(z|x)), image by image
    return found | rates(encoder, x) | {"gap": gap.mean().item()}


def cell(kind, lam, seed):
    """Train one model and judge it on the test images."""
    encoder, decoder, players = game(kind, lam)
    p_data, began = data.images("train").map(data.binarize), time.process_time()
    fit(players, p_data, rounds, batch_size=100)
    trained = time.process_time() - began  # seconds that it had of the CPUs
    with runtime.evaluating(encoder, decoder):
        found = judged(
            kind,
            encoder,
            lambda x: draw(kind, encoder, x),
            lambda z: bernoulli(decoder(z)),
        )
    sizes = {"rounds": rounds, "images": images, "codes": codes}
    return sizes | {"cpu_s": round(trained, 1)} | found
