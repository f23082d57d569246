"""Relief map to satellite photograph at 64 pixels: pix2pix, and pix2pixHD's parts.

All trainings have the same tiles, rounds, batches and optimizers. *Coarse to fine* has
half of its rounds at 32 pixels, which cost a quarter. Judged are tiles held out. The
judge that chooses between real and made photographs is a network trained afresh, on
training tiles, against the finished generator; as tiles overlap, no p-value is kept.
"""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, logsigmoid

from gmlib import data, metrics, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import jensen_shannon, least_squares
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

WIDTH, BATCH = 16, 4
rounds = by_scale(smoke=4, cpu=1000, gpu=20_000)
judging = by_scale(smoke=2, cpu=200, gpu=2000)  # rounds of the judge
HD = {"squares": True, "scales": 2, "lam": 0, "matching": 10}
WAYS = {
    "L1": {"game": False},
    "pix2pix": {},
    "squares for logs": {"squares": True},
    "two scales": {"squares": True, "scales": 2},
    "matching for L1": HD | {"scales": 1},
    "two scales, matching": HD,
    "coarse to fine": HD | {"coarse": True},
}
grid = crossed(way=list(WAYS), seed=range(by_scale(smoke=1, cpu=3, gpu=5)))


class Finer(nn.Module):
    """A U-Net of 64 pixels that gets the map and what a coarse one made of 32."""

    def __init__(self, coarse):
        super().__init__()
        self.coarse, self.net = coarse, nets.unet(6, 3, WIDTH, 64)

    def forward(self, y):
        rough = interpolate(self.coarse(avg_pool2d(y, 2)), scale_factor=2)
        return self.net(torch.cat([y, rough], 1))


def activations(net, pair):
    """What each leaky ReLU of a discriminator gives, and last its logits."""
    found = []
    for layer in net:
        pair = layer(pair)
        if isinstance(layer, nn.LeakyReLU):
            found.append(pair)
    return [*found, pair]


def losses(G, Ts, game=True, squares=False, lam=100, matching=0):
    """The losses of the discriminators, one a scale, and of the generator."""
    G_y, V = shared(G), least_squares if squares else jensen_shannon

    def seen(y, x):
        """A list of activations for each discriminator, the k-th at half the size."""
        pair = torch.cat([y, x], 1)
        return [
            activations(T, avg_pool2d(pair, 2**k) if k else pair)
            for k, T in enumerate(Ts)
        ]

    def L_T(y, x):
        both = zip(seen(y, x), seen(y, G_y(y)), strict=True)
        return -sum(V(real[-1], made[-1]) for real, made in both)

    def L_G(y, x):
        x_g = G_y(y)
        loss = lam * (x - x_g).abs().mean()
        if not game:
            return loss
        for real, made in zip(seen(y, x), seen(y, x_g), strict=True):
            t = made[-1]
            loss = loss + ((t - 1) ** 2 if squares else -logsigmoid(t)).mean()
            if matching:
                gaps = [(a - b).abs().mean() for a, b in zip(real, made, strict=True)]
                loss = loss + matching * sum(gaps[:-1]) / (len(gaps) - 1)
        return loss

    return L_T, L_G


def trained(G, size, rounds, scales=1, **how):
    """Play the game of G at a size; how: the arguments of `losses`."""
    Ts = nn.ModuleList(nets.patch_discriminator(6, 16, 2) for _ in range(scales))
    L_T, L_G = losses(G, Ts, **how)
    usual = adam(5e-4, (0.5, 0.999))
    players = {"T": Player([Ts], L_T, usual)} if how.get("game", True) else {}
    players["G"] = Player([G], L_G, usual)
    pairs = data.earth("train", size)

    def batch(n):
        y, x = pairs.sample((n,))
        mirrored = torch.rand(n, 1, 1, 1, device=x.device) < 0.5
        return tuple(2 * torch.where(mirrored, a.flip(3), a) - 1 for a in (y, x))

    fit(players, batch, rounds, batch_size=BATCH)
    return G


def translator(coarse=False, **how):
    """A trained generator of 64 pixels."""
    if not coarse:
        return trained(nets.unet(3, 3, WIDTH, 64), 64, rounds, **how)
    rough = trained(nets.unet(3, 3, WIDTH, 32), 32, rounds // 2, **how)
    return trained(Finer(rough), 64, rounds - rounds // 2, **how)


def answered(G, y):
    """What G makes of maps in [0, 1], in evaluation mode: pictures in [0, 1]."""
    with runtime.evaluating(G):
        return torch.cat([(G(2 * part - 1) + 1) / 2 for part in y.split(100)])


def fooled(made, made_new, train, test):
    """How often a judge, trained on training tiles, takes the made for the real."""
    net = nets.patch_discriminator(6, 16, 2)

    def T(y, x):
        return net(2 * torch.cat([y, x], 1) - 1).mean((1, 2))

    def batch(n):
        i = torch.randint(len(made), (n,), device=made.device)
        return (*train.rows(i), made[i])

    def L_T(y, x, x_g):
        t = T(torch.cat([y, y]), torch.cat([x, x_g]))  # one batch for its norm
        return -jensen_shannon(*t.chunk(2))

    fit({"T": Player([net], L_T, adam(1e-3, (0.5, 0.999)))}, batch, judging,
        batch_size=8)  # fmt: skip
    y, x = test.parts
    with runtime.evaluating(net):
        t = [torch.cat([T(a, b) for a, b in zip(y.split(100), part.split(100),
                                                strict=True)])
             for part in (x, made_new)]  # fmt: skip
    return metrics.forced_choice(*t)[0]


def texture(x):
    """The mean absolute difference of neighbours."""
    across, down = x[..., 1:] - x[..., :-1], x[:, :, 1:] - x[:, :, :-1]
    return (across.abs().mean() + down.abs().mean()) / 2


def frechet(x, reference):
    """The Fréchet distance of plain numbers, in units of the reference's deviations."""
    a, b = metrics.colour_features(x), metrics.colour_features(reference)
    return metrics.frechet_distance(a / b.std(0), b / b.std(0))


def cell(way, seed, shown=6):
    """Train one translator; judge what it makes of places that it has not seen."""
    train, test = data.earth("train"), data.earth("test")
    G = translator(**WAYS[way])
    made, made_new = answered(G, train.parts.relief), answered(G, test.parts.relief)
    true_new, reference = test.parts.photo, train.parts.photo
    found = {
        "l1": (made_new - true_new).abs().mean().item(),
        "texture": (texture(made_new) / texture(true_new)).item(),
        "frechet": frechet(made_new, true_new),
        "frechet_train": frechet(reference, true_new),  # other places, no model
        "fooled": fooled(made, made_new, train, test),
    }
    at = torch.linspace(0, len(test) - 1, shown).long()
    sheet = plot.tile(made_new[at].clamp(0, 1), columns=shown)
    strip = plot.data_uri(sheet, quality=60)[0] if seed == 0 else None
    found = {k: round(v, 5) for k, v in found.items()}
    return {"rounds": rounds, **found, "strip": strip}
