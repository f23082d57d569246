"""Binarised digits: the file that MADE, a PixelCNN and a VAE make, seed by seed."""

import time

import torch

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import bernoulli, kl_divergence, normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

# about equal time on a CPU
rounds = {
    "MADE": by_scale(smoke=4, cpu=8000, gpu=100_000),
    "PixelCNN": by_scale(smoke=2, cpu=2000, gpu=40_000),
    "VAE": by_scale(smoke=6, cpu=20_000, gpu=150_000),
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
        nats = torch.cat([length(x) for x in x_test.split(200)])
    return {
        "rounds": rounds[model],
        "cpu_s": round(spent, 1),
        "nats": nats.mean().item(),
        "standard_error": nats.std().item() / len(nats) ** 0.5,
        "parameters": nets.count(*networks),
    }
