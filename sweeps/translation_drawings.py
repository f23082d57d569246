"""Line art to colour: what the loss, the skips and the size of a patch do.

All trainings have the same drawings, rounds, batches and optimizers, and all U-Nets the
same widths; without skips their kernels on the way up have half of the inputs. Judged
are the drawings held out. The judge that chooses between the real and the made colours
is a network trained afresh, on training drawings, against the finished generator.
"""

import torch
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import jensen_shannon as V
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

SIZE, WIDTH, BATCH = 32, 24, 16  # WIDTH: of G; discriminators have 16
rounds = by_scale(smoke=2, cpu=700, gpu=20_000)
judging = by_scale(smoke=2, cpu=200, gpu=2000)  # rounds of the judge
WAYS = {
    "L1": {"lam": 100, "game": False},
    "squares": {"lam": 100, "game": False, "power": 2},
    "λ = 0": {"lam": 0},
    "λ = 1": {"lam": 1},
    "λ = 10": {"lam": 10},
    "λ = 100": {"lam": 100},
    "no skips, L1": {"lam": 100, "game": False, "skips": False},
    "no skips": {"lam": 100, "skips": False},
    "pixels": {"lam": 100, "strided": 0},
    "patches of 34": {"lam": 100, "strided": 2},
    "whole picture": {"lam": 100, "strided": None},
    "blind": {"lam": 100, "sees": False},
}
grid = crossed(way=list(WAYS), seed=range(by_scale(smoke=1, cpu=3, gpu=5)))


def discriminator(strided, sees=True):
    """A network of 3 or 4 channels: with so many strided layers, or of it all."""
    channels = 4 if sees else 3
    if strided is None:
        return nets.dcgan_discriminator(channels, 16, SIZE)
    return nets.patch_discriminator(channels, 16, strided)


def game_of(lam, game=True, power=1, skips=True, strided=1, sees=True):
    """The generator and the players."""
    G, net = nets.unet(1, 3, WIDTH, SIZE, skips), discriminator(strided, sees)
    G_y = shared(G)

    def T(y, x):
        return net(torch.cat([y, x], 1) if sees else x)

    def L_T(y, x):
        return -V(T(y, x), T(y, G_y(y)))

    def L_G(y, x):
        x_g = G_y(y)
        loss = lam * (x - x_g).abs().pow(power).mean()
        return loss - logsigmoid(T(y, x_g)).mean() if game else loss

    usual = adam(5e-4, (0.5, 0.999))
    players = {"T": Player([net], L_T, usual)} if game else {}
    return G, players | {"G": Player([G], L_G, usual)}


def batches(pairs):
    """Draws of pairs in (−1, 1), half of them mirrored."""

    def batch(n):
        y, x = pairs.sample((n,))
        mirrored = torch.rand(n, 1, 1, 1, device=x.device) < 0.5
        return tuple(2 * torch.where(mirrored, a.flip(3), a) - 1 for a in (y, x))

    return batch


def answered(G, y):
    """What G makes of lines in [0, 1], in evaluation mode: pictures in [0, 1]."""
    with runtime.evaluating(G):
        return torch.cat([(G(2 * part - 1) + 1) / 2 for part in y.split(256)])


def chosen(x_made, train, test):
    """Let a judge learn on training drawings and choose on the others.

    `x_made` holds the made pictures of both. Real and made go through the judge
    together, as batch normalisation would else see which is which. Returns the share of
    choices in which it was fooled, and the p-value.
    """
    (y, x), (y_new, x_new), (made, made_new) = train, test, x_made
    net = discriminator(2)

    def T(y, x):
        return net(2 * torch.cat([y, x], 1) - 1).mean((1, 2))

    def batch(n):
        i = torch.randint(len(y), (n,), device=y.device)
        return y[i], x[i], made[i]

    def L_T(y, x, x_g):
        return -V(*T(torch.cat([y, y]), torch.cat([x, x_g])).chunk(2))

    judge = {"T": Player([net], L_T, adam(1e-3, (0.5, 0.999)))}
    fit(judge, batch, judging, batch_size=BATCH)
    with runtime.evaluating(net):
        return metrics.forced_choice(T(y_new, x_new), T(y_new, made_new))


def looks_of(made, true):
    """Plain numbers of made pictures beside the true ones."""
    coloured = metrics.chroma(true) > 0.1
    off = (made - true).abs().mean(1)
    return {
        "l1": off.mean().item(),
        "l1_coloured": off[coloured].mean().item(),
        "l2": (made - true).square().mean().item(),
        "chroma": metrics.chroma_share(made, true),
    }


def frechet(x, reference):
    """The Fréchet distance of plain numbers, in units of the reference's deviations."""
    a, b = metrics.colour_features(x), metrics.colour_features(reference)
    return metrics.frechet_distance(a / b.std(0), b / b.std(0))


def cell(way, seed, shown=8):
    """Train one translator; judge what it makes of lines that it has not seen."""
    train, test = data.drawings("train", SIZE), data.drawings("test", SIZE)
    G, players = game_of(**WAYS[way])
    fit(players, batches(train), rounds, batch_size=BATCH)
    made, made_new = answered(G, train.parts.line), answered(G, test.parts.line)
    true_new = test.parts.colour
    found = {
        **looks_of(made_new, true_new),
        "l1_train": (made - train.parts.colour).abs().mean().item(),
        "frechet": frechet(made_new, train.parts.colour),
        "floor": frechet(true_new, train.parts.colour),
    }
    both = (made, made_new), train.parts, test.parts
    found["fooled"], found["p"] = chosen(*both)
    at = torch.linspace(0, len(test) - 1, shown).long()
    sheet = plot.tile(made_new[at].clamp(0, 1), columns=shown)
    strip = plot.data_uri(sheet, quality=70)[0] if seed == 0 else None
    found = {k: round(v, 5) for k, v in found.items()}
    return {"rounds": rounds, **found, "strip": strip}
