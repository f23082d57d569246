"""What users bring, and a game that it is given to."""

import numpy as np

from gmlib import nets
from gmlib.game import Player, fit

X = np.random.default_rng(0).random((20, 2))


def train(given, rounds=2, loss=None, T=None, **kwargs):
    """Play a game of one player, T, on what is given; return its history."""
    T = nets.mlp([2, 4, 1], shape=()) if T is None else T
    players = {"T": Player([T], loss or (lambda x: T(x).square().mean()))}
    return fit(players, given, rounds, **kwargs)


class Frame:
    """As much of a frame or a series of pandas as matters."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def to_numpy(self):
        return self.values

    def sample(self, shape):
        raise AssertionError("the sample of a frame draws rows, not batches")
