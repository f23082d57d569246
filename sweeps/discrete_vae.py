"""Digits with 20 symbols of 10 values: four gradients, rates, temperatures, seeds."""

import math
import time

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import bernoulli, log_mean_exp
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

M, K = 20, 10
rounds = by_scale(smoke=3, cpu=5000, gpu=50_000)
held_out = by_scale(smoke=20, cpu=5000, gpu=5000)  # of the training set
tested = by_scale(smoke=20, cpu=10_000, gpu=10_000)
every = by_scale(smoke=10, cpu=20, gpu=5)  # of these, for the bound of k_most draws
k_most = by_scale(smoke=4, cpu=1000, gpu=1000)
seeds = range(by_scale(smoke=1, cpu=3, gpu=5))
KINDS = ["score function", "straight-through", "Gumbel-softmax", "ST Gumbel-softmax"]
# The lecture chooses the learning rate of each kind by the pictures held out, as did
# Jang et al., and looks at the temperature of Gumbel-softmax at the rate in the middle.
grid = crossed(seed=seeds, kind=KINDS, tau=[0.5], lr=[1e-3, 3e-3, 1e-2]) + crossed(
    seed=seeds, kind=["Gumbel-softmax"], tau=[0.1, 1.0, 2.0], lr=[3e-3]
)


def gumbel_like(a: Tensor) -> Tensor:
    """Standard Gumbel noise of the shape of a."""
    return -torch.empty_like(a).exponential_().log()


def hard(a: Tensor) -> Tensor:
    """A draw with log-probabilities a, one-hot, by Gumbel-max."""
    return one_hot((a + gumbel_like(a)).argmax(-1), K).to(a)


def straight(y: Tensor, z: Tensor) -> Tensor:
    """z on the way forward, y on the way back."""
    with torch.no_grad():
        jump = z - y
    return y + jump


def draw(kind: str, a: Tensor, tau: float) -> Tensor:
    """What a kind hands to the decoder."""
    if kind == "score function":
        return hard(a)
    if kind == "straight-through":
        return straight(a.exp(), hard(a))
    y = ((a + gumbel_like(a)) / tau).softmax(-1)
    if kind == "Gumbel-softmax":
        return y
    return straight(y, one_hot(y.argmax(-1), K).to(y))


def rate(a: Tensor) -> Tensor:
    """The divergence of the code's law from the uniform one, nats, shape (n,)."""
    return (a.exp() * (a + math.log(K))).sum((1, 2))


def judged(x, log_pi, reconstruction, kind: str, tau: float) -> dict[str, float]:
    """Hard bounds on pictures x, and what a training by this kind would print."""
    a = log_pi(x)

    def elbo():
        return reconstruction(x, hard(a)) - rate(a)

    def weight(x, a):
        z = hard(a)
        return reconstruction(x, z) - M * math.log(K) - (z * a).sum((1, 2))

    def printed():
        return reconstruction(x, draw(kind, a, tau)) - rate(a)

    bound = torch.stack([elbo() for _ in range(5)]).mean(0)
    some, some_a = x[::every], a[::every]
    ladder = torch.stack([weight(some, some_a) for _ in range(k_most)])
    more = log_mean_exp(ladder) - bound[::every]  # of L_k than of the ELBO
    average = a.exp().mean(0)  # of the code's law over pictures, (M, K)
    entropy = -(average * average.clamp(min=1e-12).log()).sum(1)
    return {
        "elbo": bound.mean().item(),
        "log_p": (bound.mean() + more.mean()).item(),
        "log_p_error": (more.std() / len(more) ** 0.5).item(),
        "printed": torch.stack([printed() for _ in range(5)]).mean().item(),
        "rate": rate(a).mean().item(),
        "values": entropy.exp().mean().item(),
    }


def cell(kind: str, tau: float, lr: float, seed: int) -> dict[str, float | str]:
    """Train one model and judge it by hard codes."""
    encoder = nets.mlp([784, M * K], "relu")
    decoder = nets.mlp([M * K, 200, 784], "relu", shape=(1, 28, 28))

    def log_pi(x):
        return encoder(x).view(-1, M, K).log_softmax(-1)

    def reconstruction(x, z):
        return bernoulli(decoder(z.flatten(1))).log_prob(x)

    def by_score(x, a):
        z, other = hard(a), hard(a)
        r, r_other = reconstruction(x, z), reconstruction(x, other)
        with torch.no_grad():
            worth = (r - r_other) / 2
        return (r + r_other) / 2 + worth * ((z - other) * a).sum((1, 2))

    def loss(x):
        a = log_pi(x)
        if kind == "score function":
            return (rate(a) - by_score(x, a)).mean()
        return (rate(a) - reconstruction(x, draw(kind, a, tau))).mean()

    grey, test = data.images("train"), data.images("test")
    seen = data.Empirical(grey.x[:-held_out]).map(data.binarize)
    began = time.process_time()
    player = Player([encoder, decoder], loss, adam(lr))
    fit({"VAE": player}, seen, rounds, batch_size=100)
    cpu_s = time.process_time() - began
    with runtime.evaluating(encoder, decoder), runtime.forked_rng(0):
        validation = data.binarize(grey.x[-held_out:])
        x, a = data.binarize(test.x[:tested]), log_pi(validation)
        bounds = [reconstruction(validation, hard(a)) - rate(a) for _ in range(5)]
        return {
            "data": grey.name,
            "rounds": rounds,
            "k": k_most,
            "cpu_s": round(cpu_s, 1),
            "validation": torch.stack(bounds).mean().item(),
            **judged(x, log_pi, reconstruction, kind, tau),
        }
