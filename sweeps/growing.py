"""Growing from 8 pixels against full size from the start; each part left out once.

All see equally many pictures. CPU seconds are noted at every look, without those that
the looks took, so that a reader can also compare at equal time. Players, and with them
averages and the state of Adam, begin anew where the layers change.
"""

import time

import torch
from torch.nn.functional import avg_pool2d, interpolate, logsigmoid

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import jensen_shannon as V
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

VENDORS = "openmoji", "twemoji", "noto", "fluent"
GROUP = "smileys-emotion"
PARTS = ["no fade", "no equal rate", "no pixel norm", "no deviation"]  # left out
WIDTHS = 64, 64, 32, 16  # channels at 4, 8, 16 and 32 pixels
Z_DIM, BATCH, GAMMA = 64, 16, 10.0  # GAMMA: of R1 at 32 pixels
parts = by_scale(smoke=1, cpu=150, gpu=3000)  # rounds between two looks
each = by_scale(smoke=2, cpu=16, gpu=128)  # patches of a picture and a level
often = by_scale(smoke=1, cpu=2, gpu=2)  # looks at a stage; at the last, twice that
judges = by_scale(smoke=100, cpu=608, gpu=608)  # pictures that are judged, at most
seeds = range(by_scale(smoke=1, cpu=3, gpu=5))
grid = crossed(size=[32], kind=["grown", "full", *PARTS], seed=seeds)
grid += crossed(size=[16], kind=["grown", "full"], seed=seeds)


def plan(size, kind):
    """The stages of a training: (size, does it fade in, how many looks it has).

    The last is twice as long as the others: at 32 pixels a sixth of the pictures for 8,
    for the fade to 16, for 16, for the fade to 32, and a third for 32.
    """
    sizes = [s for s in (8, 16, 32) if s <= size]
    stages = [(s, fade, often) for s in sizes for fade in (True, False)][1:]
    stages[-1] = (size, False, 2 * often)
    if kind == "full":
        return [(size, False, sum(n for *_, n in stages))]
    if kind == "no fade":
        return [(s, False, n) for s, _, n in stages]
    return stages


def networks(size, kind):
    """The generator and the discriminator, up to so many pixels."""
    widths, equal = WIDTHS[: size.bit_length() - 2], kind != "no equal rate"
    G = nets.GrowingGenerator(Z_DIM, widths, equal=equal, norm=kind != "no pixel norm")
    group = 0 if kind == "no deviation" else 4
    return G, nets.GrowingDiscriminator(widths, equal=equal, group=group)


def game(G, T, lr, rounds):
    """The players at the present size; α rises to 1 in so many rounds."""
    p_z = standard_normal(Z_DIM)
    G_z = shared(lambda x: G(p_z.sample((len(x),))))
    here = GAMMA * (T.size / 32) ** 2  # a slope halves when a size doubles

    def L_T(x):
        seen = x.clone().requires_grad_()
        t = T(seen)
        (slope,) = torch.autograd.grad(t.sum(), seen, create_graph=True)
        steepness = slope.square().flatten(1).sum(1).mean()
        return -V(t, T(G_z(x))) + here / 2 * steepness

    def L_G(x):
        return -logsigmoid(T(G_z(x))).mean()  # non-saturating

    def rise():
        for network in (G, T):
            network.alpha.add_(1 / rounds).clamp_(max=1)

    how = adam(lr, (0.0, 0.99))
    return {
        "T": Player([T], L_T, how),
        "G": Player([G], L_G, how, after=rise, average=0.99),
    }


def shown(images, T):
    """A law of training pictures: as small as T's, and blurred as far as it fades."""

    def batch(n):
        x = avg_pool2d(images.sample((n,)), images.shape[-1] // T.size)
        if not T.fading:
            return x
        return torch.lerp(interpolate(avg_pool2d(x, 2), scale_factor=2.0), x, T.alpha)

    return batch


def judged(real, fake):
    """Scores of pictures in [0, 1], (n, 3, s, s), against as many others."""
    small = [avg_pool2d(x, x.shape[-1] // 8).flatten(1) for x in (real, fake)]
    apart = metrics.patch_distances(real, fake, each=each, directions=128)
    enough = min(len(real), len(fake)) > small[0].shape[1]
    return {
        "patches": 1000 * sum(apart.values()) / len(apart),
        "fine": 1000 * next(iter(apart.values())),
        "thumbnails": 1000 * metrics.sliced_wasserstein(*small, directions=128),
        "frechet": metrics.frechet_distance(*small) if enough else 0.0,
        "coverage": metrics.density_coverage(*small)[1],
    }


def cell(size, kind, seed, lr=2e-3):
    """Train in stages; judge at every look.

    Without scaled weights Adam has a tenth of the rate, as in the published
    configuration: with the same rate Adam would move most weights many times as far.
    """
    images = data.icons("train").part(*VENDORS).only(GROUP).map(data.to_tanh)
    if size < 32:
        images = data.Empirical(avg_pool2d(images.x, 32 // size))
    real = (images.x[:judges] + 1) / 2
    G, T = networks(size, kind)
    rate = lr / 10 if kind == "no equal rate" else lr  # the published ratio
    p_z, seen, strips, spent = standard_normal(Z_DIM), [], [], 0.0
    for s, fade, looks in plan(size, kind):
        G.at(s, fade), T.at(s, fade)
        players = game(G, T, rate, looks * parts)
        for _ in range(looks):
            start = time.process_time()
            fit(players, shown(images, T), parts, batch_size=BATCH)
            spent += time.process_time() - start
            (averaged,) = players["G"].averaged
            with torch.no_grad(), runtime.forked_rng(0):
                fake = averaged(p_z.sample((len(real),)))
            fake = interpolate((fake.clamp(-1, 1) + 1) / 2, scale_factor=size / s)
            seen.append(judged(real, fake) | {"cpu_s": spent})
            sheet = plot.tile(fake[:10], columns=10)
            strips.append(plot.data_uri(sheet, quality=60)[0])
    kept = strips if kind in ("grown", "full") and size == 32 else strips[-1:]
    columns = {name: " ".join(f"{look[name]:.4g}" for look in seen) for name in seen[0]}
    return columns | {
        "pictures": len(seen) * parts * BATCH,
        "judged": len(real),
        "strips": " ".join(kept) if seed == 0 else None,
    }
