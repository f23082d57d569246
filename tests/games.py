"""Small games that several tests play, and how two of them are compared."""

import torch

from gmlib import nets
from gmlib.game import Player
from gmlib.objectives import jensen_shannon, standard_normal


def cloud(n):
    return torch.randn(n, 2) + 1


def gan(V=jensen_shannon, average=None, **kwargs):
    """A small GAN from the global seed; batch norm makes resuming harder."""
    p_z = standard_normal(2)
    G = nets.mlp([2, 16, 2], batch_norm=True)
    T = nets.mlp([2, 16, 1], shape=())
    loss_T = lambda x: -V(T(x), T(G(p_z.sample((len(x),)))))  # noqa: E731
    loss_G = lambda x: -V(T(G(p_z.sample((len(x),)))), T(x))  # noqa: E731
    return {
        "T": Player([T], loss_T, **kwargs),
        "G": Player([G], loss_G, average=average),
    }


def bits(players):
    """All weights, buffers and averages of a game."""
    tensors = [
        t.clone() for p in players.values() for m in p.modules
        for t in m.state_dict().values()
    ]  # fmt: skip
    averages = [p for p in players.values() if p.average is not None]
    return tensors + [t.clone() for p in averages for t in p.average.sums]


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
