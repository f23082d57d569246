"""Binarised digits: the file that MADE, a PixelCNN and a VAE make, seed by seed."""

import time

import torch

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import (
    bernoulli,
    kl_divergence,
    log_mean_exp,
    normal,
    standard_normal,
)
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

# about equal time on a CPU, three to four minutes
rounds = {
    "MADE": by_scale(smoke=4, cpu=14_000, gpu=100_000),
    "PixelCNN": by_scale(smoke=2, cpu=2400, gpu=40_000),
    "VAE": by_scale(smoke=6, cpu=28_000, gpu=150_000),
}
images = by_scale(smoke=50, cpu=10_000, gpu=10_000)  # of the test set
grid = crossed(
    seed=range(by_scale(smoke=1, cpu=3, gpu=3)), model=["MADE", "PixelCNN", "VAE"]
)


def networks_and_length(model):
    """The lecture's networks, and −log p(x) or −ELBO of shape (n,), in nats."""
    if model == "VAE":
        encoder = nets.mlp([784, 300, 2 * 40])
        decoder = nets.mlp([40, 300, 784], shape=(1, 28, 28))

        def bound(x):
            mean, log_std = encoder(x).chunk(2, dim=1)
            q = normal(mean, log_std.exp())
            rate = kl_divergence(q, standard_normal(40))
            return rate - bernoulli(decoder(q.rsample())).log_prob(x)

        return [encoder, decoder], bound
    made = model == "MADE"
    T = nets.made([500], (1, 28, 28)) if made else nets.pixel_cnn(width=16, blocks=3)
    return [T], lambda x: -bernoulli(T(x)).log_prob(x)


def closer(encoder, decoder, x, k=50):
    """−log p(x) by k importance weights, of shape (n,); in the mean ≤ −ELBO."""
    mean, log_std = encoder(x).chunk(2, dim=1)
    q, p_z, log_w = normal(mean, log_std.exp()), standard_normal(40), []
    for _ in range(k):
        z = q.rsample()
        log_p = p_z.log_prob(z) + bernoulli(decoder(z)).log_prob(x)
        log_w.append(log_p - q.log_prob(z))
    return -log_mean_exp(torch.stack(log_w))


def cell(model, seed):
    """Train one model; the mean length of its files of test pictures."""
    networks, length = networks_and_length(model)
    p_data = data.images("train").map(data.binarize)
    with runtime.forked_rng(0):  # the same pixels for all
        x_test = data.binarize(data.images("test").x[:images])
    began = time.process_time()
    step = 1e-3
    for part in (0.8, 0.2):  # the last fifth with smaller steps
        n = max(1, round(part * rounds[model]))
        player = Player(networks, lambda x: length(x).mean(), adam(step))
        fit({model: player}, p_data, n, batch_size=100)
        step /= 5
    spent = time.process_time() - began
    with runtime.evaluating(*networks):
        parts = x_test.split(200)
        nats = torch.cat([length(x) for x in parts])
        of_vae = [closer(*networks, x) for x in parts] if model == "VAE" else []
    return {
        "rounds": rounds[model],
        "cpu_s": round(spent, 1),
        "nats": nats.mean().item(),
        "closer": torch.cat(of_vae).mean().item() if of_vae else None,
        "standard_error": nats.std().item() / len(nats) ** 0.5,
        "parameters": nets.count(*networks),
    }
