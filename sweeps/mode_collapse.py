"""Nine ways to play on ring and grid, at two ratios of learning rates, to a plateau.

Ten games are played at once, five on the ring and five on the grid: every weight has a
first dimension that counts them. Adam moves each weight by its own gradient, and the
loss is a sum over the games, so they do not touch each other. A column holds one number
a game, separated by spaces.
"""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import leaky_relu, logsigmoid, normalize

from gmlib import runtime
from gmlib.data import grid as grid_law
from gmlib.data import ring
from gmlib.game import Player, adam, fit, shared
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

METHODS = [
    "plain", "five steps of T", "unrolled", "unrolled, stopped", "packing", "VEEGAN",
    "R1", "R2", "spectral norm",
]  # fmt: skip
rounds = by_scale(smoke=8, cpu=10_000, gpu=40_000)
looks = [rounds * j // 8 for j in range(1, 9)]
judged = by_scale(smoke=200, cpu=2500, gpu=2500)
GAMMA = 0.1  # the weight of the penalties, but where it is the question
grid = crossed(method=METHODS, ratio=[0.1, 1.0], gamma=[GAMMA])
grid += crossed(method=["plain"], ratio=[0.3, 3.0], gamma=[GAMMA])
grid += crossed(method=["R1"], ratio=[1.0], gamma=[0.01, 1.0, 10.0])


def networks(games, *sizes):
    """Weights (games, i, o) and biases (games, 1, o) of perceptrons, layer by layer."""
    w = []
    for i, o in pairwise(sizes):
        w += [torch.rand(games, i, o), torch.rand(games, 1, o)]
        w[-2:] = [(2 * a - 1).to(runtime.device()) / i**0.5 for a in w[-2:]]
    return nn.ParameterList(w)


def through(w, x):
    """Perceptrons with the weights `w` at points (games, n, i): (games, n, o)."""
    for k in range(0, len(w), 2):
        x = torch.baddbmm(w[k + 1], leaky_relu(x, 0.2) if k else x, w[k])
    return x


def divided(w, u):
    """Each W over its largest singular value, after a step of the power iteration."""
    found = []
    for k in range(len(u)):
        W = w[2 * k]
        with torch.no_grad():
            v = normalize(u[k] @ W, dim=2)
            u[k] = normalize(v @ W.mT, dim=2)
        found += [W / (u[k] @ W @ v.mT), w[2 * k + 1]]
    return found


def V(t_p, t_q):
    """Logits (games, n, 1) of samples of p and q: a value for each game, summed."""
    return (logsigmoid(t_p) + logsigmoid(-t_q)).mean((1, 2)).sum()


def players_of(method, lr_T, lr_G, gamma, games, width, ahead, inner):
    """The players of a method; their losses are those of the lecture."""
    m = {"packing": 2, "VEEGAN": 2}.get(method, 1)  # T sees m pairs of numbers
    w_G, w_F = networks(games, 2, width, width, 2), networks(games, 2, width, width, 2)
    w_T = networks(games, 2 * m, width, width, 1)
    u = [torch.randn(games, 1, W.shape[1]).to(W.device) for W in list(w_T)[::2]]

    def draw(x):
        z = torch.randn_like(x)
        return through(w_G, z), z

    drawn = shared(draw)

    def T(x, w):
        return through(w, x.reshape(games, -1, 4) if method == "packing" else x)

    def steepness(x):
        """E ‖∇T‖², summed over the games."""
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(T(x, w_T).sum(), x, create_graph=True)
        return slope.square().sum(2).mean(1).sum()

    def L_T(x):
        y, z = drawn(x)
        if method == "VEEGAN":
            x, y = torch.cat([x, through(w_F, x)], 2), torch.cat([y, z], 2)
        w = divided(w_T, u) if method == "spectral norm" else w_T
        loss = -V(T(x, w), T(y, w))
        if method in ("R1", "R2"):
            loss = loss + gamma / 2 * steepness(x if method == "R1" else y)
        return loss

    def T_ahead(x, y):
        """Weights of T after some more steps; `stopped`: as constants."""
        stopped = method.endswith("stopped")
        w = [a.clone().requires_grad_() for a in w_T]
        y = y.detach() if stopped else y
        for _ in range(ahead):
            value = V(T(x, w), T(y, w))
            slopes = torch.autograd.grad(value, w, create_graph=not stopped)
            w = [a + inner * b for a, b in zip(w, slopes, strict=True)]
        return w

    def L_G(x):
        y, z = drawn(x)
        if method == "VEEGAN":
            missed = (through(w_F, y) - z).square().sum(2).mean(1).sum()
            return missed - T(torch.cat([y, z], 2), w_T).mean((1, 2)).sum()
        if method.startswith("unrolled"):
            w = T_ahead(x, y)
        else:
            w = divided(w_T, u) if method == "spectral norm" else w_T
        return -logsigmoid(T(y, w)).mean((1, 2)).sum()

    k = ahead if method == "five steps of T" else 1
    of_G = [w_G, w_F] if method == "VEEGAN" else [w_G]
    return w_G, {
        "T": Player([w_T], L_T, adam(lr_T, (0.5, 0.999)), k),
        "G": Player(of_G, L_G, adam(lr_G, (0.5, 0.999))),
    }


def counted(x, law):
    """Modes met and held, good samples, their spread, and the mass lost (a bound)."""
    K, inside = len(law.centres), 1 - math.exp(-4.5)  # within 3 std
    distance, nearest = torch.cdist(x, law.centres).min(1)
    good = distance <= 3 * law.std
    share = torch.bincount(nearest[good], minlength=K) / len(x)
    variance = 2 * law.std**2 * (1 - 4.5 * (1 / inside - 1))  # truncated
    square = distance[good].square().mean().item() if good.any() else 0.0
    return {
        "covered": int((share > 0).sum()),
        "held": int((share >= 0.5 * inside / K).sum()),
        "good": round(good.double().mean().item(), 4),
        "spread": round((square / variance) ** 0.5, 4),
        "lost": round((inside / K - share).clamp(min=0).sum().item(), 4),
    }


def cell(
    method,
    ratio,
    gamma,
    lr_G=2e-3,
    std=0.1,
    games=5,
    n=64,
    width=64,
    ahead=5,
    inner=0.01,
):
    """Play `games` games a law; count what their generators reach on the way.

    `ahead` steps of length `inner` are those of an unrolled T. They are not in
    proportion to the ratio: of 0.4, 0.04 and 0.01, tried at equal rates, only the last
    let a pilot keep the ring.
    """
    laws = {"ring": ring(std=std), "grid": grid_law(spacing=1.0, std=std)}
    w_G, players = players_of(
        method, ratio * lr_G, lr_G, gamma, 2 * games, width, ahead, inner
    )

    def batch(n):
        parts = [p.sample((games * n,)).view(games, n, 2) for p in laws.values()]
        return torch.cat(parts)

    def look():
        return through(w_G, torch.randn(2 * games, judged, 2, device=runtime.device()))

    history = fit(players, batch, looks[-1], batch_size=n, look=look, looks=looks)
    seen = {}
    for played, samples in history.snapshots:
        for (law, p), of_law in zip(laws.items(), samples.split(games), strict=True):
            found = [counted(x, p) for x in of_law]
            for name in found[0]:
                values = " ".join(str(f[name]) for f in found)
                seen[f"{law}_{name}_{played}"] = values
    return seen
