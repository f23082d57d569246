"""Shapes drawn for captions of three words, some combinations of which are never seen.

Every cell plays equally many rounds on batches of one size, with networks of one width;
they differ in the weight of mismatched pairs, in what the generator gets of a caption,
and in its noise. No judge is trained: `metrics.read_shapes` draws what it reads.
"""

import math

import torch
from torch import nn
from torch.nn.functional import logsigmoid, one_hot

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import kl_divergence, normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

SIZES, SOFT = ("small", "large"), 0.045  # words for r, and how gradual they are
CODE, WIDTH, PIXELS = 16, 24, 16
KINDS = {  # weight of mismatched pairs; price of the code; numbers of noise; words
    "words": (0.5, None, 16, True),
    "no mismatches": (0.0, None, 16, True),
    "augmented, 1/64": (0.5, 1 / 64, 16, True),
    "augmented, 1": (0.5, 1.0, 16, True),
    "augmented, no z": (0.5, 1 / 64, 0, True),
    "a vector a caption": (0.5, None, 16, False),
}
rounds = by_scale(smoke=2, cpu=2400, gpu=30_000)
each = by_scale(smoke=20, cpu=300, gpu=1000)  # pictures a caption
grid = crossed(kind=list(KINDS), seed=range(by_scale(smoke=1, cpu=3, gpu=5)))
law = data.shapes(PIXELS)
ALL = torch.cartesian_prod(*map(torch.arange, (2, 3, 3)))  # size, colour, kind


def held_out(t):
    """1 for a pair of words that is never seen, 2 for a triple, else 0: (n,)."""
    size, colour, kind = t.unbind(1)
    pair = (colour == 1) & (kind == 2)  # orange triangle
    small = (size == 0) & (colour == 2) & (kind == 0)  # small black disc
    large = (size == 1) & (colour == 0) & (kind == 1)  # large blue square
    return pair + 2 * (small | large)


def draw_pairs(n):
    """Pictures in (−1, 1) with their captions (n, 3): size, colour, kind."""
    f = law.factors((2 * n + 20,))
    large = torch.rand_like(f[:, 2]) < torch.sigmoid((f[:, 2] - 0.45) / SOFT)
    t = torch.stack([large.long(), f[:, 1].long(), f[:, 0].long()], 1)
    keep = held_out(t) == 0
    return data.to_tanh(law.draw(f[keep][:n])), t[keep][:n]


def words(t):
    """The words that a caption has, of eight: (n, 8)."""
    return torch.cat([one_hot(t[:, 0], 2), one_hot(t[:, 1:], 3).flatten(1)], 1).float()


def numbered(t):
    """The whole caption as one of 18: (n, 18)."""
    return one_hot(9 * t[:, 0] + 3 * t[:, 1] + t[:, 2], 18).float()


def play(wrong, price, noise, said):
    """Train, and return G: captions → pictures, and the law of the code."""
    many = said(ALL.to(runtime.device())).shape[1]
    E = nn.Linear(many, CODE * (1 if price is None else 2)).to(runtime.device())
    N = nets.dcgan_generator(noise + CODE, 3, WIDTH, PIXELS)
    M = nets.dcgan_discriminator(3, WIDTH, PIXELS)
    body, psi = M[:-2], M[-2:]
    A = nets.dcgan_init(nn.Linear(psi[0].in_features, many)).to(runtime.device())

    def code(E, t):
        """Conditioning augmentation: a draw of the code, and its price in nats."""
        if price is None:
            return E(said(t)), torch.zeros(len(t), device=t.device)
        mean, log_std = E(said(t)).chunk(2, 1)
        q = normal(mean, log_std.exp())
        return q.rsample(), kl_divergence(q, standard_normal(CODE))

    def G(N, E, t):
        c, kl = code(E, t)
        z = torch.randn(len(t), noise, device=t.device)
        return N(torch.cat([z, c], 1)), kl

    made = shared(lambda t: G(N, E, t))

    def T(f, t):
        return (said(t) * A(f)).sum(1) + psi(f)

    def L_T(x, t):
        f, f_g = body(x), body(made(t)[0])
        right, mismatched = logsigmoid(T(f, t)), logsigmoid(-T(f, t.roll(1, 0)))
        drawn = logsigmoid(-T(f_g, t))
        return -(right + wrong * mismatched + (1 - wrong) * drawn).mean()

    def L_G(x, t):
        x_g, kl = made(t)
        return (-logsigmoid(T(body(x_g), t)) + (price or 0) * kl).mean()

    rate = adam(2e-3, (0.5, 0.999))
    players = {
        "T": Player([M, A], L_T, rate),
        "G": Player([N, E], L_G, rate, average=0.997),
    }
    fit(players, draw_pairs, rounds, batch_size=64)
    N, E = players["G"].averaged
    return lambda t: G(N, E, t), lambda t: code(E, t)[0], lambda v: N(v)


def information(a, b):
    """Mutual information of two columns of small integers, nats; biased upwards."""
    joint = torch.bincount(a * 64 + b, minlength=64 * 64).view(64, 64).double()
    joint = joint / joint.sum()
    apart = joint.sum(1, keepdim=True) * joint.sum(0)
    at = joint > 0
    return (joint[at] * (joint[at] / apart[at]).log()).sum().item()


@torch.no_grad()
def judged(G, code, N, noise):
    """Agreement, sizes, spread and error, for captions seen and new."""
    t = ALL.to(runtime.device()).repeat_interleave(each, 0)
    made = [G(part) for part in t.split(900)]
    x, kl = (torch.cat(column) for column in zip(*made, strict=True))
    f, error = metrics.read_shapes((x + 1) / 2)
    right = torch.stack([f[:, 1] == t[:, 1], f[:, 0] == t[:, 2]], 1).float()
    new, r = held_out(t), f[:, 2]
    seen = {}
    for word, at in (("seen", new == 0), ("pair", new == 1), ("triple", new == 2)):
        seen[f"both_{word}"] = right[at].prod(1).mean().item()
        seen[f"colour_{word}"], seen[f"kind_{word}"] = right[at].mean(0).tolist()
        seen[f"error_{word}"] = error[at].mean().item()
    sizes = r.view(2, 9, each).mean(2)  # by colour and kind
    gaps, both = sizes[1] - sizes[0], (held_out(ALL).view(2, 9) == 0).all(0)
    place = f[:, 3:].view(18, each, 2).std(1).mean(1)
    known = (held_out(ALL) == 0).to(place.device)
    asked = 9 * t[:, 0] + 3 * t[:, 1] + t[:, 2]
    read = (18 * (r > 0.45) + 3 * f[:, 1] + f[:, 0]).long()
    at = new == 0
    pairs = t[at][torch.randperm(int(at.sum()), device=t.device)[:4000]].view(2, -1, 3)
    c = (code(pairs[0]) + code(pairs[1])) / 2
    half = N(torch.cat([torch.randn(len(c), noise, device=c.device), c], 1))
    return seen | {
        "gap": gaps[both.to(gaps.device)].mean().item(),
        "place": place[known].mean().item(),
        "kl": kl[at].mean().item(),
        "told": information(asked[at], read[at]),
        "error_half": metrics.read_shapes((half + 1) / 2).error.mean().item(),
    }


def cell(kind, seed):
    """Train one game; what its pictures show of their captions."""
    wrong, price, noise, by_words = KINDS[kind]
    G, code, N = play(wrong, price, noise, words if by_words else numbered)
    found = judged(G, code, N, noise)
    with torch.no_grad():
        x = G(ALL.to(runtime.device()).repeat(3, 1))[0]
    strip = plot.data_uri(plot.tile((x + 1) / 2, 18), quality=80)[0]
    found = {name: round(v, 4) for name, v in found.items() if math.isfinite(v)}
    return found | {"rounds": rounds, "strip": strip if seed == 0 else None}
