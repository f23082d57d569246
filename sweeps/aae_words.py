"""Digits without labels: an adversarial autoencoder whose words are kept in use."""

import torch
from torch import nn
from torch.nn.functional import one_hot, softplus

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import bernoulli, jensen_shannon, standard_normal
from gmlib.runtime import by_scale

rounds = by_scale(smoke=5, cpu=8000, gpu=60_000)  # as in aae_labels
width = by_scale(smoke=20, cpu=200, gpu=1000)
grid = [
    {"height": height, "seed": seed}  # standard deviation of each word's logit
    for seed in range(by_scale(smoke=1, cpu=3, gpu=10))
    for height in (3.0, 10.0)
]
V, words, d, noise = jensen_shannon, 30, 10, 0.3


class Even(nn.Module):
    """An encoder whose logits of words have, over a batch, mean 0 and one height.

    A softmax at a corner has no slope: without this nearly all pictures get one word,
    or a few, within 500 rounds, and little leads out of there (aae_labels).
    """

    def __init__(self, height):
        super().__init__()
        self.height = height
        self.network = nets.mlp([784, width, width, words + d])
        self.even = nn.BatchNorm1d(words, affine=False)

    def forward(self, x):
        logits, z = self.network(x).split([words, d], dim=1)
        return self.height * self.even(logits), z


def errors_by_majority(named, y_named, test, y_test):
    """Errors if a word stands for the commonest digit of the images that name it."""
    counts = one_hot(named, words).float().T @ one_hot(y_named, 10).float()
    return int((counts.argmax(1)[test] != y_test).sum())


def cell(height, seed):
    """Train without labels, count errors on the test images."""
    images, test = data.images("train"), data.images("test")
    some = slice(0, by_scale(smoke=500, cpu=10_000, gpu=10_000))  # they name words
    E, P = Even(height), nets.mlp([words + d, width, width, 784], shape=(1, 28, 28))
    T_y = nets.mlp([words, width, width, 1], shape=())
    T_z = nets.mlp([d, width, width, 1], shape=())
    p_z, quick = standard_normal(d), adam(5e-4, (0.5, 0.999))

    def encode(x):
        logits, z = E(x + noise * torch.randn_like(x))
        return logits.softmax(1), z

    q = shared(encode)

    def L_T(x):
        (y, z), n = q(x), len(x)
        word = one_hot(torch.randint(words, (n,), device=x.device), words).float()
        return -V(T_y(y), T_y(word)) - V(T_z(z), T_z(p_z.sample((n,))))

    def L_q(x):
        y, z = q(x)
        return softplus(T_y(y)).mean() + softplus(T_z(z)).mean()

    def L_pq(x):
        return -bernoulli(P(torch.cat(q(x), 1))).log_prob(x).mean()

    players = {
        "T": Player([T_y, T_z], L_T, quick),
        "q": Player([E], L_q, quick),
        "pq": Player([E, P], L_pq, quick),
    }
    fit(players, lambda n: images.sample((n,)), rounds, batch_size=100)
    with runtime.evaluating(E):
        named, said = (E(x)[0].argmax(1) for x in (images.x[some], test.x))
    return {
        "errors": errors_by_majority(named, images.y[some], said, test.y),
        "tested": len(test),
        "used": len(said.unique()),
        "rounds": rounds,
        "data": images.name,
    }
