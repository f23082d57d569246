"""The grid of 25: modes of a GAN and an ALI with the same generator, seed by seed."""

import torch
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import normal, standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

grid = crossed(
    kind=["GAN", "ALI"],
    rounds=by_scale(smoke=[6], cpu=[3000, 12_000], gpu=[3000, 12_000, 48_000]),
    seed=range(by_scale(smoke=2, cpu=5, gpu=10)),
)


def V(t_q, t_p):
    """Logits of pairs from q(x, z) and from p(x, z), shape (n,) each."""
    return logsigmoid(t_q).mean() + logsigmoid(-t_p).mean()


def cell(kind, rounds, seed, lr=1e-3, width=128):
    """Train the lecture's GAN or ALI on the grid; count the modes of the mean of G."""
    p_data, p_z = data.grid(), standard_normal(2)
    G = nets.mlp([2, width, width, 2])
    E = nets.mlp([2, width, width, 4])
    T = nets.mlp([2 if kind == "GAN" else 4, width, width, 1], "leaky", shape=())

    def compare(x):
        z = p_z.sample((len(x),))
        if kind == "GAN":
            return x, G(z)
        mean, log_std = E(x).chunk(2, dim=1)
        z_x = normal(mean, log_std.exp()).rsample()
        return torch.cat([x, z_x], 1), torch.cat([G(z), z], 1)

    def L_T(x):
        real, fake = compare(x)
        return -V(T(real), T(fake))

    def L_GE(x):
        real, fake = compare(x)
        return -V(T(fake), T(real))

    players = {
        "T": Player([T], L_T, adam(lr, (0.5, 0.999))),
        "GE": Player(
            [G] if kind == "GAN" else [G, E], L_GE, adam(lr, (0.5, 0.999)), average=0.99
        ),
    }
    fit(players, p_data, rounds, batch_size=256)
    networks = players["GE"].averaged
    with torch.no_grad(), runtime.evaluating(*networks):
        samples = networks[0](p_z.sample((2500,)))
        x = p_data.sample((2500,))
        same = 0.0
        if kind == "ALI":
            back = networks[0](networks[1](x)[:, :2])
            of_x, of_back = (
                torch.cdist(points, p_data.centres).argmin(1) for points in (x, back)
            )
            same = (of_x == of_back).double().mean().item()
    count = metrics.modes(samples, p_data.centres, p_data.std)
    return {
        "modes": count.covered,
        "high_quality": count.high_quality,
        "comes_back": same,
    }
