"""The tricks of Salimans et al. 2016, one at a time, on the grid, seed by seed.

Batch normalisation of the generator is no trick of theirs, but what the virtual one
stands in for: the generator of the other rows has neither.

The discriminator is as wide as the generator, or a quarter of that (as in the trials of
Metz et al. 2017). All trainings have as many updates of the discriminator, on batches
of as many samples, and are judged four times, so that one sees whether they have
arrived: after an eighth, a quarter, a half and all of their rounds.
"""

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

TRICKS = [
    "none", "feature matching", "minibatch discrimination", "historical averaging",
    "one-sided label smoothing", "batch norm", "virtual batch norm", "instance noise",
    "packing",
]  # fmt: skip
rounds = by_scale(smoke=16, cpu=16_000, gpu=64_000)
judged = by_scale(smoke=100, cpu=2500, gpu=2500)
grid = crossed(
    seed=range(by_scale(smoke=1, cpu=5, gpu=10)), width_D=[128, 32], trick=TRICKS
)


def players_of(width_D, trick, p_z):
    """Return the players of the game with one trick."""
    m = 2 if trick == "packing" else 1
    G = nets.mlp([2, 128, 128, 2], batch_norm=trick.endswith("batch norm"))
    T = nets.mlp([2 * m, width_D, width_D, 1], "leaky", shape=())
    f, head = T[:-2], T[-2:]  # features, and the logit: a linear layer
    if trick == "minibatch discrimination":
        minibatch = nets.MinibatchDiscrimination(width_D, kernels=8, dim=3)
        head = nn.Sequential(minibatch, nn.Linear(width_D + 8, 1), nn.Flatten(0))
    if trick == "virtual batch norm":
        G = nets.VirtualBatchNorm(G, p_z.sample((64,)))
    alpha = 0.9 if trick == "one-sided label smoothing" else 1.0
    remember = trick == "historical averaging"
    past_T, past_G = Past([f, head]), Past([G])
    std = torch.tensor(0.5, device=runtime.device())
    G_z = shared(lambda x: G(p_z.sample((len(x),))))

    def features(x):
        if trick == "instance noise":
            x = x + std * torch.randn_like(x)
        return f(x.reshape(-1, 2 * m))

    def logits(x):
        return head(features(x))

    def L_T(x):
        t_p, t_q = logits(x), logits(G_z(x))
        V = alpha * logsigmoid(t_p) + (1 - alpha) * logsigmoid(-t_p) + logsigmoid(-t_q)
        return -V.mean() + (1e-3 * past_T.distance() if remember else 0)

    def L_G(x):
        y = G_z(x)
        if trick == "feature matching":
            return (features(x).mean(0) - features(y).mean(0)).square().sum()
        return -logsigmoid(logits(y)).mean() + (
            1e-3 * past_G.distance() if remember else 0
        )

    def after_T():
        std.sub_(1 / rounds).clamp_(min=0)  # no noise in the second half
        past_T.update()

    how = adam(1e-3, (0.5, 0.999))
    return {
        "T": Player([f, head], L_T, how, after=after_T),
        "G": Player([G], L_G, how, after=past_G.update, average=0.999),
    }


class Past:
    """‖θ − 1/t Σ_i θ_i‖², the distance to the mean of the past (section 3.3)."""

    def __init__(self, modules):
        self.now = [p for m in modules for p in m.parameters()]
        self.mean = [torch.zeros_like(p, requires_grad=False) for p in self.now]
        self.t = 0

    def update(self):
        self.t += 1
        torch._foreach_lerp_(self.mean, self.now, 1 / self.t)

    def distance(self):
        pairs = zip(self.now, self.mean, strict=True)
        return sum((p - mean).square().sum() for p, mean in pairs) * (self.t > 0)


def cell(width_D, trick, seed):
    """Train with one trick; judge the averaged generator at four of its rounds.

    The live generator is judged at the end.
    """
    # Of PacGAN at half the size; twice as wide, so that a plateau is in reach.
    law, p_z = data.grid(spacing=1.0, std=0.05), standard_normal(2)
    players = players_of(width_D, trick, p_z)

    def score(G):
        with runtime.evaluating(G):
            x = G(p_z.sample((judged,)))
        return torch.tensor(metrics.modes(x, law.centres, law.std))

    def look():
        return score(players["G"].averaged[0])

    looks = [rounds // 8, rounds // 4, rounds // 2, rounds]
    (G,) = players["G"].modules
    history = fit(players, law, rounds, batch_size=128, look=look, looks=looks)
    scores = [found.tolist() for _, found in history.snapshots] + [score(G).tolist()]
    found = {"rounds": rounds, "judged": judged}
    when = ("8th", "4th", "half", "end", "live")
    for name, (modes, good) in zip(when, scores, strict=True):
        found |= {f"modes_{name}": int(modes), f"good_{name}": good}
    return found
