"""Does G(x) tell the colour? Drawings in five tones, whose answers are all known.

G: colour → line (one channel), F: line → colour, from disjoint drawings. `noise` is
the standard deviation of what is added to G(x) before F sees it, in training alone.
`honest` trains F on true lines and their colours, in as many rounds.
"""

import torch

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import least_squares as V
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

KINDS = {  # weight of the cycle, noise on its way
    "cycle": (10.0, 0.0),
    "cycle with noise": (10.0, 0.1),
    "game": (0.0, 0.0),
    "honest": (0.0, 0.0),
}
LEVELS = (256, 32, 8, 4, 2)
rounds = by_scale(smoke=2, cpu=2000, gpu=20_000)
grid = crossed(kind=list(KINDS), seed=range(by_scale(smoke=1, cpu=3, gpu=5)))


def off(a, b):
    """The mean absolute difference of pictures."""
    return (a - b).abs().mean()


def play(kind, G, F, batch, rate):
    """Train G and F on unpaired batches (x, y), or F alone on pairs."""
    cycle, noise = KINDS[kind]
    T_X, T_Y = nets.local_discriminator(3), nets.local_discriminator(1)
    made = shared(lambda x, y: (G(x), F(y)))

    def L_T(x, y):
        y_g, x_f = made(x, y)
        return -V(T_Y(y), T_Y(y_g)) - V(T_X(x), T_X(x_f))

    def L_GF(x, y):
        y_g, x_f = made(x, y)
        loss = -V(T_Y(y_g), T_Y(y)) - V(T_X(x_f), T_X(x))
        if cycle:
            seen = y_g + noise * torch.randn_like(y_g) if noise else y_g
            loss = loss + cycle * (off(F(seen), x) + off(G(x_f), y))
        return loss

    def L_honest(x, y):
        return off(F(y), x)

    optimizer = adam(rate, (0.5, 0.999))
    players = {
        "T": Player([T_X, T_Y], L_T, optimizer),
        "GF": Player([G, F], L_GF, optimizer),
    }
    if kind == "honest":
        players = {"F": Player([F], L_honest, optimizer)}
    fit(players, batch, rounds, batch_size=8)


def judged(answers, found):
    """The error where tones differ, and the share that is nearest to its own tone.

    Both of shape (drawings, 5, 3, h, w): the true colours, and what came back.
    """
    apart = (answers.amax(1) - answers.amin(1)).amax(1) > 0.1  # where tones differ
    here = apart[:, None, None].expand_as(answers)
    error = (found - answers).abs()[here].mean().item()
    distance = (found[:, :, None] - answers[:, None]).square().mean((3, 4, 5))
    own = torch.arange(answers.shape[1], device=answers.device)
    return error, (distance.argmin(2) == own).float().mean().item()


def signal(y):
    """How far drawings (n, 5, 1, h, w) depend on the tone: root mean square, of 255."""
    return 255 * (y - y.mean(1, keepdim=True)).square().mean().sqrt().item()


def cell(kind, seed, rate=5e-4):
    """Train; then send the test drawings there and back, in all five tones."""
    train, test = data.tones("train", 32), data.tones("test", 32)
    order = torch.randperm(len(train.lines))
    one, other = order.tensor_split(2)
    colours, lines = train.answers[one], train.lines[other]
    own = train.lines[one]

    def batch(n):
        i = torch.randint(len(colours), (n,), device=colours.device)
        t = torch.randint(5, (n,), device=colours.device)
        j = torch.randint(len(lines), (n,), device=colours.device)
        return colours[i, t], own[i] if kind == "honest" else lines[j]

    G = nets.residual_translator(3, 1, keep=True)
    F = nets.residual_translator(1, 3, keep=True)
    play(kind, G, F, batch, rate)
    answers, shape = test.answers, test.answers.shape
    with runtime.evaluating(G, F):
        if kind == "honest":
            error, _ = judged(answers, F(test.lines)[:, None].expand(shape))
            return {"honest_error": round(error, 5), "rounds": rounds}

        def back(y):
            return judged(answers, F(y.flatten(0, 1)).view(shape))

        y = G(answers.flatten(0, 1)).unflatten(0, shape[:2])
        grey = answers.mean(2, keepdim=True)
        error, read = back(y)
        seen = {"home_error": error, "read": read}
        for k in LEVELS:
            rounded = (y * (k - 1)).round() / (k - 1)
            seen[f"error_{k}"], seen[f"read_{k}"] = back(rounded)
        seen["signal"], seen["grey_signal"] = signal(y), signal(grey)
        seen["line_error"] = off(y, test.lines[:, None]).item()
        seen["grey_error"] = off(grey, test.lines[:, None]).item()
    return {k: round(v, 5) for k, v in seen.items()} | {"rounds": rounds}
