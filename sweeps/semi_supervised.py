"""A classifier of few labels, with and without a GAN (Salimans et al. 2016, 5.1)."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import cross_entropy, logsigmoid
from torch.nn.utils.parametrizations import weight_norm

from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

rounds = by_scale(smoke=5, cpu=5000, gpu=180_000)  # 600 are an epoch, theirs 300
width = by_scale(smoke=20, cpu=100, gpu=250)  # theirs 250
grid = crossed(
    labels=by_scale(smoke=[100], cpu=[100], gpu=[20, 50, 100, 200]),
    method=["supervised", "semi-supervised"],
    seed=range(by_scale(smoke=1, cpu=3, gpu=10)),
)


def classifier(sizes):
    """ReLU, weights normalised, noise of std 0.3 on the input and 0.5 after layers."""
    layers = [nn.Flatten(), nets.GaussianNoise(0.3)]
    for i, o in pairwise(sizes):
        linear = nn.Linear(i, o)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        layers += [weight_norm(linear), nn.ReLU(), nets.GaussianNoise(0.5)]
    return nn.Sequential(*layers[:-2]).to(runtime.device())


def few(images, n):
    """n labelled images, n/10 of each class at random."""
    order = torch.randperm(len(images), device=images.y.device)
    kept = [order[images.y[order] == y][: n // 10] for y in range(10)]
    i = torch.cat(kept)
    return data.Empirical(images.x[i], images.y[i], images.name)


def cell(labels, method, seed):
    """Train on a few labels, count errors on the test images."""
    images, test = data.images("train"), data.images("test")
    labelled, p_z = few(images, labels), standard_normal(100)
    C = classifier([784, 4 * width, 2 * width, width, width, width, 10])
    f = C[:-2]  # the features: all but the last layer and the noise before it
    sizes = [100, 2 * width, 2 * width, 784]
    G = nets.mlp(sizes, "softplus", batch_norm=True, shape=images.shape)
    G.append(nn.Sigmoid())

    def T(x):
        return C(x).logsumexp(1)  # the logit of "real", with class K + 1 at logit 0

    def V(x):
        t_p, t_q = T(x), T(G(p_z.sample((len(x),))))
        return logsigmoid(t_p).mean() + logsigmoid(-t_q).mean()

    def L_C(x, y, x_bare):
        L = cross_entropy(C(x), y)
        return L - V(x_bare) / 2 if method == "semi-supervised" else L

    def L_G(x, y, x_bare):
        x_g = G(p_z.sample((len(x_bare),)))
        return (f(x_bare).mean(0) - f(x_g).mean(0)).square().mean()  # feature matching

    descend = adam(3e-3, (0.5, 0.999))
    players = {"C": Player([C], L_C, descend, average=0.999)}
    if method == "semi-supervised":
        players["G"] = Player([G], L_G, descend)

    def batch(n):
        return *labelled.sample_pairs((n,)), images.sample((n,))

    fit(players, batch, rounds, batch_size=100)
    (averaged,) = players["C"].averaged
    with runtime.evaluating(C):
        wrong = [(net(test.x).argmax(1) != test.y).sum() for net in (averaged, C)]
    return {
        "errors": int(wrong[0]),
        "errors_live": int(wrong[1]),
        "tested": len(test),
        "rounds": rounds,
        "data": images.name,
    }
