"""Unpaired translation from Twemoji to Noto and back, under several weights.

Every kind plays equally many rounds: an update of both discriminators on a batch, one
of both translators. `pairs` gives the translators true partners in the same number of
rounds, and has no discriminator. All start by doing nothing, but for `swapped`, which
start by exchanging red and blue, both ways. All kinds of one seed have the same halves
of the training icons, first weights and batches. The halves have no thing in common:
but for `pairs`, no training sees a thing drawn by both vendors.
"""

import torch
from torch import nn
from torch.nn.functional import conv2d

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import least_squares as V
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

KINDS = {  # weight of the cycle, of the identity
    "game": (0.0, 0.0),
    "weak cycle": (1.0, 0.0),
    "cycle": (10.0, 0.0),
    "identity": (0.0, 5.0),
    "weak both": (1.0, 0.5),
    "swapped, weak cycle": (1.0, 0.0),
    "swapped, cycle": (10.0, 0.0),
    "pairs": (0.0, 0.0),
}
A, B = "twemoji", "noto"
rounds = by_scale(smoke=2, cpu=1400, gpu=20_000)
grid = crossed(kind=list(KINDS), seed=range(by_scale(smoke=1, cpu=3, gpu=5)))


class Swapped(nn.Module):
    """Red for blue, blue for red: its own inverse."""

    def forward(self, x):
        return x.flip(1)


def off(a, b):
    """The mean absolute difference of pictures."""
    return (a - b).abs().mean()


def play(kind, G, F, batch, rate):
    """Train G: A → B and F: B → A on batches (x, y); of pairs if the kind says so."""
    cycle, identity = KINDS[kind]
    T_A, T_B = nets.local_discriminator(), nets.local_discriminator()
    made = shared(lambda x, y: (G(x), F(y)))

    def L_T(x, y):
        y_g, x_f = made(x, y)
        return -V(T_B(y), T_B(y_g)) - V(T_A(x), T_A(x_f))

    def L_GF(x, y):
        y_g, x_f = made(x, y)
        loss = -V(T_B(y_g), T_B(y)) - V(T_A(x_f), T_A(x))
        if cycle:
            loss = loss + cycle * (off(F(y_g), x) + off(G(x_f), y))
        if identity:
            loss = loss + identity * (off(G(y), y) + off(F(x), x))
        return loss

    def L_pairs(x, y):
        return off(G(x), y) + off(F(y), x)

    optimizer = adam(rate, (0.5, 0.999))
    players = {
        "T": Player([T_A, T_B], L_T, optimizer),
        "GF": Player([G, F], L_GF, optimizer),
    }
    if kind == "pairs":
        players = {"GF": Player([G, F], L_pairs, optimizer)}
    fit(players, batch, rounds, batch_size=8)


def textures(x):
    """The means of 128 random filters of 5 × 5 pixels, rectified: (n, 128)."""
    g = torch.Generator("cpu").manual_seed(0)
    w = torch.randn(128, 3, 5, 5, generator=g, device="cpu")
    w = (w - w.mean((1, 2, 3), keepdim=True)).to(x)
    return torch.cat([conv2d(p, w).relu().mean((2, 3)) for p in x.split(200)]).log1p()


def taken(real_a, real_b, *pictures):
    """The shares of pictures that a logistic regression of textures takes for B's."""
    seen = textures(torch.cat([real_a, real_b]))
    middle, spread = seen.mean(0), seen.std(0)
    label = torch.arange(2, device="cpu")
    y = label.repeat_interleave(torch.tensor([len(real_a), len(real_b)], device="cpu"))
    seen = ((seen - middle) / spread).cpu()
    shares = []
    for x in pictures:
        looks = ((textures(x) - middle) / spread).cpu()
        wanted = label[1:].expand(len(x))
        shares.append(metrics.classifier_accuracy(seen, y, looks, wanted))
    return shares


def cell(kind, seed, rate=5e-4):
    """Translate both ways; judge by the true pairs of the test icons."""
    train, test = data.icons("train"), data.icons("test").parts
    order = torch.randperm(len(train))
    one, other = (train.rows(i) for i in order.tensor_split(2))
    x_all, y_all, partner = getattr(one, A), getattr(other, B), getattr(one, B)

    def batch(n):
        i, j = (torch.randint(len(a), (n,), device=a.device) for a in (x_all, y_all))
        return x_all[i], partner[i] if kind == "pairs" else y_all[j]

    G, F = (nets.residual_translator(keep=True) for _ in range(2))
    if kind.startswith("swapped"):
        G, F = nn.Sequential(Swapped(), G), nn.Sequential(Swapped(), F)
    play(kind, G, F, batch, rate)
    x, y = getattr(test, A), getattr(test, B)
    with runtime.evaluating(G, F):
        y_g, x_f = G(x), F(y)
        again = F(y_g)
        found = {
            "cycle_error": (off(again, x) + off(G(x_f), y)).item() / 2,
            "identity_error": (off(G(y), y) + off(F(x), x)).item() / 2,
            "moved": (off(y_g, x) + off(x_f, y)).item() / 2,
            "pair_error": off(y_g, y).item(),
            "pair_error_back": off(x_f, x).item(),
            "retrieval": metrics.retrieval(y_g, y),
            "retrieval_back": metrics.retrieval(x_f, x),
        }
        shares = taken(x_all, y_all, y_g, x, y)
    found |= dict(zip(("taken", "taken_source", "taken_target"), shares, strict=True))
    shown = torch.cat([y_g[5:105:10], again[5:105:10]])
    strip = plot.data_uri(plot.tile(shown, 10), quality=75)[0] if seed == 0 else None
    measured = {name: round(value, 4) for name, value in found.items()}
    return measured | {"rounds": rounds, "strip": strip}
