"""One line drawing, five right colours: which of them does a translator answer?

All trainings have the same drawings, rounds, batches and optimizers; *best of four*
runs its generator three times more in each round. The law of the colours given the line
is known, so that the tones met and the spread of the answers can be held to it, and the
value of the game to its least for one answer a line.
"""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, logsigmoid

from gmlib import data, nets, plot, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import jensen_shannon as V
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

SIZE, BATCH, Z = 32, 16, 8
rounds = by_scale(smoke=2, cpu=1000, gpu=20_000)
judging = by_scale(smoke=2, cpu=800, gpu=4000)  # rounds of the judge
draws = 10  # answers for a line
WAYS = {
    "L1": {"lam": 100, "game": False},
    "squares": {"lam": 100, "game": False, "power": 2},
    "one answer": {"lam": 10},
    "dropout, λ = 100": {"lam": 100, "dropout": 0.5},
    "dropout, λ = 10": {"lam": 10, "dropout": 0.5},
    "input noise": {"lam": 10, "z": Z},
    "best of four": {"lam": 100, "z": Z, "m": 4},
}
grid = crossed(way=list(WAYS), seed=range(by_scale(smoke=1, cpu=3, gpu=5)))


class Translator(nn.Module):
    """A U-Net from lines in (−1, 1) to colours, with z numbers of noise beside them."""

    def __init__(self, z, dropout):
        super().__init__()
        self.z, self.net = z, nets.unet(1 + z, 3, 24, SIZE, dropout=dropout)

    def forward(self, y):
        z = torch.randn(len(y), self.z, 1, 1, device=y.device)
        return self.net(torch.cat([y, z.expand(-1, -1, SIZE, SIZE)], 1))


def game_of(lam, game=True, power=1, dropout=0.0, z=0, m=1):
    """The generator and the players; the nearest of m answers pays the distance."""
    G, net = Translator(z, dropout), nets.patch_discriminator(4, 16, 2)
    G_y = shared(G)

    def T(y, x):
        return net(torch.cat([y, x], 1))

    def L_T(y, x, tone):
        return -V(T(y, x), T(y, G_y(y)))

    def L_G(y, x, tone):
        x_g = G_y(y)
        answers = torch.stack([x_g, *(G(y) for _ in range(m - 1))])
        off = (x - answers).abs().pow(power).mean((2, 3, 4))  # (m, n)
        loss = lam * off.min(0).values.mean()
        return loss - logsigmoid(T(y, x_g)).mean() if game else loss

    usual = adam(5e-4, (0.5, 0.999))
    players = {"T": Player([net], L_T, usual)} if game else {}
    return G, players | {"G": Player([G], L_G, usual)}


def batches(pairs):
    """Draws of pairs in (−1, 1), half of them mirrored, with the tone of each."""

    def batch(n):
        y, x, tone = pairs.sample_pairs((n,))
        mirrored = torch.rand(n, 1, 1, 1, device=x.device) < 0.5
        y, x = (2 * torch.where(mirrored, a.flip(3), a) - 1 for a in (y, x))
        return y, x, tone

    return batch


@torch.no_grad()
def answered(G, y, n):
    """n answers to each line in [0, 1]: (lines, n, 3, size, size) in [0, 1].

    Dropout stays at work, as pix2pix has it; batch normalisation does not.
    """
    with runtime.evaluating(G):
        for m in G.modules():
            m.train(isinstance(m, nn.Dropout))
        many = (2 * y - 1).repeat_interleave(n, 0)
        x = torch.cat([(G(part) + 1) / 2 for part in many.split(250)])
    return x.unflatten(0, (-1, n))


def value(G, train, test):
    """V of a fresh discriminator of whole pictures, on drawings it has not seen.

    It sees them at half their size, which can only hide something from it, and real and
    made together, as batch normalisation would else see which is which.
    """
    net = nets.dcgan_discriminator(4, 16, SIZE // 2)
    made = answered(G, train.lines, draws)

    def T(*pairs):
        """Logits of pairs of lines and colours, all in one batch."""
        both = torch.cat([torch.cat(pair, 1) for pair in pairs])
        return net(2 * avg_pool2d(both, 2) - 1).split([len(y) for y, _ in pairs])

    def batch(n):
        y, x = train.sample((n,))
        i = torch.randint(len(made), (n,), device=y.device)
        j = torch.randint(draws, (n,), device=y.device)
        return y, x, train.lines[i], made[i, j]

    def L_T(y, x, y_g, x_g):
        return -V(*T((y, x), (y_g, x_g)))

    judge = {"T": Player([net], L_T, adam(1e-3, (0.5, 0.999)))}
    fit(judge, batch, judging, batch_size=32)
    with runtime.evaluating(net):
        made = answered(G, test.lines, draws).flatten(0, 1)
        real = (part.repeat_interleave(2, 0) for part in test.parts)  # as many
        return V(*T((*real,), (test.lines.repeat_interleave(draws, 0), made))).item()


def held(x, test):
    """The tones met, their shares, and the spread, of answers (lines, draws, ...)."""
    lines = torch.arange(len(x), device=x.device)
    d = torch.stack([test.distances(lines, part) for part in x.unbind(1)], 1)
    tone = d.argmin(2)  # (lines, draws)
    met = torch.stack([(tone == t).any(1) for t in range(5)]).sum(0)
    true = test.answers
    skin = true.std(1, correction=0).mean(1) > 0.02  # pixels that tell the tones
    median, mean = true.median(1).values, true.mean(1)

    def off(a):
        return (x - a[:, None]).abs().mean(2)[skin[:, None].expand(-1, draws, -1, -1)]

    nearest = true[lines[:, None], tone]
    wide = [a.std(1, correction=0).mean(1)[skin].mean() for a in (x, true)]
    return {
        "met": met.double().mean().item(),
        "middle": (tone == 2).double().mean().item(),
        "spread": (wide[0] / wide[1]).item(),
        "off_nearest": (x - nearest).abs().mean(2)[
            skin[:, None].expand(-1, draws, -1, -1)
        ].mean().item(),
        "off_median": off(median).mean().item(),
        "off_mean": off(mean).mean().item(),
    }  # fmt: skip


def cell(way, seed, lines=4, columns=5):
    """Train one translator; what it answers to lines that it has not seen."""
    train, test = data.tones("train", SIZE), data.tones("test", SIZE)
    G, players = game_of(**WAYS[way])
    fit(players, batches(train), rounds, batch_size=BATCH)
    x = answered(G, test.lines, draws)
    found = held(x, test) | {"value": value(G, train, test)}
    at = torch.linspace(0, len(x) - 1, lines).long()
    sheet = plot.tile(x[at, :columns].flatten(0, 1).clamp(0, 1), columns=columns)
    strip = plot.data_uri(sheet, quality=70)[0] if seed == 0 else None
    found = {k: round(v, 5) for k, v in found.items()}
    return {"rounds": rounds, **found, "strip": strip}
