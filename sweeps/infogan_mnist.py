"""InfoGAN on digits; with a narrow reader, a slow T; and without its term."""

import math

import torch
from scipy.optimize import linear_sum_assignment
from torch import nn
from torch.nn.functional import log_softmax, logsigmoid, one_hot

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import jensen_shannon, normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

NOISE, K, WIDTH = 20, 10, 16  # numbers of noise; classes; channels
rounds = by_scale(smoke=2, cpu=3000, gpu=20_000)  # the published run has 5000
many = by_scale(smoke=100, cpu=10_000, gpu=10_000)  # test pictures, generated ones
seeds, fewer = by_scale(smoke=(1, 1), cpu=(5, 3), gpu=(10, 10))
grid = crossed(seed=range(seeds), kind=["InfoGAN"])
grid += crossed(
    seed=range(fewer), kind=["narrow reader", "no term", "slow discriminator"]
)
V, p_z = jensen_shannon, standard_normal(NOISE)


def draw_codes(n):
    """A class y, uniform on ten, and two numbers u, uniform on (-1, 1)."""
    where = runtime.device()
    return torch.randint(K, (n,), device=where), 2 * torch.rand(n, 2, device=where) - 1


def networks():
    """The generator; the layers that T and Q may share; the outputs of T and of Q."""
    first, maps = NOISE + K + 2, 49 * 2 * WIDTH
    mixed = nets.mlp([first, 128, maps], batch_norm=True), nn.BatchNorm1d(maps)
    up = nets.dcgan_generator(first, width=WIDTH)[3:]  # from the first ReLU on
    G = nn.Sequential(*mixed, nn.Unflatten(1, (2 * WIDTH, 7, 7)), up)
    M = nets.dcgan_discriminator(width=WIDTH)
    head = nets.mlp([maps, 64, K + 4], "leaky", batch_norm=True)
    return nets.on_device(G), M[:-2], M[-2:], head


def bounds(out, y, u, kind):
    """The bound for the class and for each number, (n, 3), from Q's output."""
    least = 0.1 if kind == "narrow reader" else 0.5  # width
    logits, mean, log_std = out.split([K, 2, 2], 1)
    of_y = math.log(K) + log_softmax(logits, 1).gather(1, y[:, None])
    of_u = math.log(2) + normal(mean, least + log_std.exp()).base_dist.log_prob(u)
    return torch.cat([of_y, of_u], 1)


def game(kind, G, body, top, head):
    """The players, Q as a function of pictures, and the modules of Q."""
    own = networks()[1] if kind == "no term" else body

    def drawn(x):
        y, u = draw_codes(len(x))
        codes = torch.cat([p_z.sample((len(x),)), one_hot(y, K), u], 1)
        return G(codes), y, u

    made = shared(drawn)

    def L_I(f, y, u):
        return bounds(head(f), y, u, kind).sum(1).mean()

    def L_T(x):
        x_g, y, u = made(x)
        f = body(x_g)
        loss = -V(top(body(x)), top(f))
        return loss if kind == "no term" else loss - L_I(f, y, u)

    def L_G(x):
        x_g, y, u = made(x)
        f = body(x_g)
        loss = -logsigmoid(top(f)).mean()
        return loss if kind == "no term" else loss - L_I(f, y, u)

    def L_Q(x):
        x_g, y, u = made(x)
        return -L_I(own(x_g), y, u)

    slow, usual = adam(4e-4, (0.5, 0.999)), adam(2e-3, (0.5, 0.999))
    of_T = [body, top, head] if own is body else [body, top]
    rate = slow if kind == "slow discriminator" else usual
    players = {"T": Player(of_T, L_T, rate), "G": Player([G], L_G, usual)}
    if kind == "no term":
        players["Q"] = Player([own, head], L_Q, usual)
    return players, lambda x: head(own(x)), (own, head)


def confusion(Q, images):
    """How often Q's best class is k and the label is y: (K, 10)."""
    found = torch.cat(
        [Q(x).split([K, 4], 1)[0].argmax(1) for x in images.x.split(1000)]
    )
    return torch.bincount(found * 10 + images.y, minlength=K * 10).view(K, 10).cpu()


def looks_of(x):
    """Slant and ink of pictures in [0, 1]: shape (n,) each."""
    line = torch.arange(28, device=x.device) - 13.5
    w = x.flatten(1, 2) / x.sum((1, 2, 3)).clamp(min=1e-3)[:, None, None]
    across, down = (w.sum(1) * line).sum(1), (w.sum(2) * line).sum(1)
    dx, dy = line - across[:, None], line - down[:, None]
    both = torch.einsum("nij,ni,nj->n", w, dy, dx)
    tall = (w.sum(2) * dy**2).sum(1)
    return -both / tall.clamp(min=1e-3), x.mean((1, 2, 3))


def named(word, codes, values):
    """The values as columns of the table, one a code."""
    return {f"{word}{c}": v for c, v in zip(codes, values.tolist(), strict=True)}


@torch.no_grad()
def judged(G, Q, kind):
    """Errors of the class on test pictures, and bounds and effects of all codes."""
    test = data.images("test")
    some = data.Empirical(2 * test.x[:many] - 1, test.y[:many])
    table = confusion(Q, some)
    rows, columns = linear_sum_assignment(table, maximize=True)
    y, u = draw_codes(many)
    x = torch.cat([
        G(torch.cat([p_z.sample((len(a),)), one_hot(a, K), b], 1))
        for a, b in zip(y.split(1000), u.split(1000), strict=True)
    ])  # fmt: skip
    out = torch.cat([Q(part) for part in x.split(1000)])
    printed = (u**2 - (u - out[:, K : K + 2]) ** 2) / 2
    looks = torch.stack(looks_of((x + 1) / 2), 1)
    looks = looks - torch.stack([looks[y == k].mean(0) for k in range(K)])[y]
    effect = torch.corrcoef(torch.cat([looks, u], 1).T)[:2, 2:]
    return {
        "wrong": 1 - int(table[rows, columns].sum()) / int(table.sum()),
        "wrong_many": 1 - int(table.max(1).values.sum()) / int(table.sum()),
        "digits": len(set(table.argmax(1).tolist())),
        "wrong_own": (out[:, :K].argmax(1) != y).float().mean().item(),
        **named("bound_", "yab", bounds(out, y, u, kind).mean(0)),
        **named("printed_", "ab", printed.mean(0)),
        **named("slant_", "ab", effect[0]),
        **named("ink_", "ab", effect[1]),
    }


def cell(kind, seed):
    """Train one game; what its codes say on test pictures and on its own."""
    images = data.images("train")
    parts = networks()
    players, Q, of_Q = game(kind, *parts)
    fit(players, images.map(data.to_tanh), rounds, batch_size=64)
    with runtime.evaluating(parts[0], *of_Q):
        found = judged(parts[0], Q, kind)
    return {"rounds": rounds, "data": images.name, **found}
