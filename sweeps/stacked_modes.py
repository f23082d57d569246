"""Stacked digits: modes of 1000, four ways to play, a discriminator half as wide as G.

No discriminator has batch normalisation, which would couple the pictures whose slopes
R1 asks for. Without it DCGAN's small first weights make a slow start, except where the
layers are divided by σ, so every T starts from torch's own. Otherwise the networks are
those of DCGAN, narrow.
"""

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import logsigmoid, normalize

from gmlib import data, metrics, nets, plot
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

METHODS = ["plain", "packing", "R1", "spectral norm"]
rounds = by_scale(smoke=2, cpu=3600, gpu=40_000)
judged = by_scale(smoke=100, cpu=10_000, gpu=26_000)
grid = crossed(method=METHODS, seed=range(by_scale(smoke=1, cpu=5, gpu=10)))


class Divided(nn.Module):
    """A layer whose kernel, reshaped to a matrix, is divided by its σ."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        u = torch.randn(len(layer.weight), device=layer.weight.device)
        self.register_buffer("u", normalize(u, dim=0))

    def forward(self, x):
        W = self.layer.weight.flatten(1)
        with torch.no_grad():  # one step of power iteration
            v = normalize(self.u @ W, dim=0)
            u = normalize(W @ v, dim=0)
            self.u.copy_(u)
        weight = self.layer.weight / (u @ W @ v)
        return functional_call(self.layer, {"weight": weight}, x)


def V(t_p, t_q):
    """Logits of samples of p and of q, each of shape (n,)."""
    return logsigmoid(t_p).mean() + logsigmoid(-t_q).mean()


def cell(method, seed, lr=1e-3, gamma=1.0, width=16, z_dim=64):
    """Train on stacked digits; let the judge count modes half-way and at the end."""
    images = data.images("train")
    p_data, p_z = data.stacked(images.map(data.to_tanh)), standard_normal(z_dim)
    m = 2 if method == "packing" else 1
    G = nets.dcgan_generator(z_dim, 3, width)
    T_one = nets.dcgan_discriminator(3 * m, width // 2, batch_norm=False)
    for k, layer in enumerate(T_one):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.reset_parameters()
            T_one[k] = Divided(layer) if method == "spectral norm" else layer
    G_z = shared(lambda x: G(p_z.sample((len(x),))))

    def T(x):
        return T_one(x.reshape(-1, 3 * m, *x.shape[2:]))

    def steepness(x):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(T(x).sum(), x, create_graph=True)
        return slope.square().flatten(1).sum(1).mean()

    def L_T(x):
        return -V(T(x), T(G_z(x))) + (gamma / 2 * steepness(x) if method == "R1" else 0)

    def L_G(x):
        return -logsigmoid(T(G_z(x))).mean()  # non-saturating

    players = {
        "T": Player([T_one], L_T, adam(lr, (0.5, 0.999))),
        "G": Player([G], L_G, adam(lr, (0.5, 0.999)), average=0.998),
    }

    def look():
        (averaged,) = players["G"].averaged
        z = p_z.sample((judged,)).split(500)
        return torch.cat([(averaged(part) + 1) / 2 for part in z])

    history = fit(
        players, p_data, rounds, batch_size=64, look=look, looks=[rounds // 2, rounds]
    )
    judge, seen = metrics.judge(images.name), {}
    for when, (_, x) in zip(("half", "end"), history.snapshots, strict=True):
        seen[f"modes_{when}"], kl = metrics.stacked_modes(x, judge)
        seen[f"kl_{when}"] = round(kl, 4)
    sheet = plot.tile(history.snapshots[-1][1][:10], columns=10)
    strip = plot.data_uri(sheet, quality=60)[0] if seed == 0 else None
    return seen | {"rounds": rounds, "data": images.name, "strip": strip}
