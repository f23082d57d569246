"""Photographs and icons enlarged twice and four times, with and without a game.

All networks of one setting and seed start from the same weights and learn by squared
error first, on the same batches; then they go on for as many rounds, by squared error
alone (`weight` 0) or with the game beside it. So updates of G are equal in number. The
game's discriminator sees enlarged pictures alone, as SRGAN's does, not their inputs.
"""

import time
from copy import deepcopy

import torch
from torch.nn.functional import avg_pool2d, interpolate, logsigmoid

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import jensen_shannon as V
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

SIDE = 32  # pixels of a crop that is trained on
MIXES = (0.0, 0.25, 0.5, 0.75, 1.0)  # the share of the game in a blend
VENDORS = ("openmoji", "twemoji", "noto", "fluent")
start, more = by_scale(smoke=(2, 2), cpu=(1800, 1400), gpu=(20_000, 20_000))
some = by_scale(smoke=8, cpu=10_000, gpu=10_000)  # test pictures, at most
seeds = range(by_scale(smoke=1, cpu=3, gpu=5))
grid = crossed(
    pictures=["photographs"], factor=[4], weight=[0.0, 0.1, 0.3, 1.0], seed=seeds
)
grid += crossed(pictures=["photographs"], factor=[2], weight=[0.0, 0.3], seed=seeds)
grid += crossed(pictures=["icons"], factor=[2, 4], weight=[0.0, 0.3], seed=seeds)


def crop(x):
    """One window of a batch of pictures, and in half of all cases its mirror image."""
    i, j = torch.randint(x.shape[-1] - SIDE + 1, (2,)).tolist()
    x = x[..., i : i + SIDE, j : j + SIDE]
    return x.flip(-1) if torch.rand(()).item() < 0.5 else x


def law_of(pictures, split):
    """The pictures of a split, with a group for each: its photograph or its vendor."""
    if pictures == "photographs":
        law = data.photographs(split)
        return law, law.y
    law = data.icons(split).part(*VENDORS)
    return law, torch.arange(len(VENDORS)).repeat_interleave(len(law) // len(VENDORS))


def learned(G, law, factor, weight, rounds, optimizer, T=None):
    """Play some rounds; the squared error is in units of that of plain enlarging."""
    x = law.sample((512,))
    plain = interpolate(avg_pool2d(x, factor), scale_factor=factor, mode="bilinear")
    unit = (plain - x).square().mean().item()
    made = shared(lambda x: G(avg_pool2d(x, factor)))

    def of_T(x):
        return T(2 * x - 1)

    def L_T(x):
        return -V(of_T(x), of_T(made(x)))

    def L_G(x):
        content = (x - made(x)).square().mean() / unit
        return content + (weight * -logsigmoid(of_T(made(x))).mean() if weight else 0)

    players = {"T": Player([T], L_T)} if weight else {}
    players["G"] = Player([G], L_G, optimizer)
    fit(players, law, rounds, batch_size=16)


def enlarged(G, y):
    """What G makes of small pictures, in [0, 1]."""
    return torch.cat([G(part).clamp(0, 1) for part in y.split(64)])


def apart(a, x):
    """The root of the mean squared error and the distance of blocks, in 1/255."""
    error = 255 * (a - x).square().mean().sqrt().item()
    return round(error, 4), round(255 * metrics.block_distance(a, x), 4)


def scored(G, x, groups, factor):
    """What is measured of one network on test pictures."""
    y = avg_pool2d(x, factor)

    def lost(a):  # what a picture holds beyond its own small one
        return a - interpolate(avg_pool2d(a, factor), scale_factor=factor)

    a = enlarged(G, y)
    rest = y - avg_pool2d(a, factor)
    rmse, index = apart(a, x)
    mended = (a + interpolate(rest, scale_factor=factor)).clamp(0, 1)
    rmse_mended, index_mended = apart(mended, x)
    by = [apart(a[groups == k], x[groups == k]) for k in groups.unique().tolist()]
    each = (a - x).square().flatten(1).mean(1)
    found = {"rmse": rmse, "index": index, "psnr": metrics.psnr(a, x).mean().item()}
    found["detail"] = (lost(a).square().mean() / lost(x).square().mean()).item()
    found["consistency"] = 255 * rest.square().mean().sqrt().item()
    found |= {"rmse_mended": rmse_mended, "index_mended": index_mended}
    for name, smooth in (("antialiased", True), ("aliased", False)):
        other = interpolate(
            x, scale_factor=1 / factor, mode="bicubic", antialias=smooth
        )
        b = enlarged(G, other.clamp(0, 1))
        found[f"psnr_{name}"] = metrics.psnr(b, x).mean().item()
    found["rmse_by"] = " ".join(f"{error:.3f}" for error, _ in by)
    found["index_by"] = " ".join(f"{distance:.3f}" for _, distance in by)
    found["each"] = " ".join(f"{255**2 * v:.4g}" for v in each.tolist())
    return found, a


def blended(first, last, x, factor):
    """Blends of two networks, by their outputs and by their weights, as texts."""
    y, between = avg_pool2d(x, factor), deepcopy(last)
    a, b = enlarged(first, y), enlarged(last, y)
    pairs = list(zip(first.parameters(), last.parameters(), strict=True))
    outputs, weights = [], []
    for t in MIXES:
        outputs.append(apart((1 - t) * a + t * b, x))
        for p, (p_a, p_b) in zip(between.parameters(), pairs, strict=True):
            p.copy_((1 - t) * p_a + t * p_b)
        weights.append(apart(enlarged(between, y), x))
    return {
        f"{name}_{what}": " ".join(str(row[k]) for row in rows)
        for name, rows in (("outputs", outputs), ("weights", weights))
        for k, what in enumerate(("rmse", "index"))
    }


def cell(pictures, factor, weight, seed):
    """Train one network, and judge it on pictures that were not trained on."""
    runtime.seed(seed)  # the same start for all weights of the game
    law, _ = law_of(pictures, "train")
    law, began = law.map(crop), time.process_time()
    G = nets.super_resolver(factor)
    learned(G, law, factor, 0, start, adam(1e-3))
    first = deepcopy(G)
    T = nets.dcgan_discriminator(3, width=16, size=SIDE, batch_norm=False)
    for layer in T:  # without batch norm DCGAN's first weights are too small
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    learned(G, law, factor, weight, more, adam(2e-4, (0.5, 0.999)), T)
    spent = time.process_time() - began
    test, groups = law_of(pictures, "test")
    every = max(1, len(test) // some)
    x, groups = test.x[::every], groups[::every].to(test.x.device)
    with runtime.evaluating(G, first):
        found, a = scored(G, x, groups, factor)
        blends = blended(first, G, x, factor) if weight else {}
    sheet = plot.tile(a[:: max(1, len(a) // 5)][:5], columns=5)
    strip = plot.data_uri(sheet, quality=75)[0] if seed == 0 else None
    own = {"rounds": start + more, "cpu_s": round(spent, 1), "every": every}
    return found | blends | own | {"strip": strip}
