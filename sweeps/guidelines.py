"""DCGAN without one of its guidelines (Radford et al. 2016, section 3)."""

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

rounds = by_scale(smoke=2, cpu=500, gpu=12_000)
judged = by_scale(smoke=100, cpu=5000, gpu=10_000)
DCGAN = {
    "strided": True, "norm_G": True, "norm_D": True, "dense": False,
    "act_G": "relu", "act_D": "leaky", "output": "tanh", "small_init": True,
    "beta1": 0.5,
}  # fmt: skip
REMOVED = {
    "nothing": {},
    "strided convolutions: upsampling, max pooling": {"strided": False},
    "batch norm in G": {"norm_G": False},
    "batch norm in D": {"norm_D": False},
    "batch norm in both": {"norm_G": False, "norm_D": False},
    "no dense hidden layers: one in each": {"dense": True},
    "ReLU in G: leaky ReLU": {"act_G": "leaky"},
    "ReLU in G: sigmoid": {"act_G": "sigmoid"},
    "tanh output: sigmoid": {"output": "sigmoid"},
    "leaky ReLU in D: ReLU": {"act_D": "relu"},
    "beta1 0.5: 0.9": {"beta1": 0.9},
    "init std 0.02: PyTorch's": {"small_init": False},
}
grid = crossed(seed=range(by_scale(smoke=1, cpu=3, gpu=10)), removed=list(REMOVED))
LAYERS = {
    "relu": nn.ReLU, "leaky": lambda: nn.LeakyReLU(0.2), "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}  # fmt: skip


def networks(how, z_dim=64, width=16):
    """The networks `nets.dcgan_...` makes, but for what `how` says."""
    act_G, act_D = LAYERS[how["act_G"]], LAYERS[how["act_D"]]
    deep, base = 2 * width, (2 * width, 7, 7)

    def norm(c, on, layer=nn.BatchNorm2d):
        return [layer(c)] if on else []

    def up(i, o):
        if how["strided"]:
            return [nn.ConvTranspose2d(i, o, 4, 2, 1)]
        return [nn.Upsample(scale_factor=2), nn.Conv2d(i, o, 3, padding=1)]

    def down(i, o):
        if how["strided"]:
            return [nn.Conv2d(i, o, 4, 2, 1)]
        return [nn.Conv2d(i, o, 3, padding=1), nn.MaxPool2d(2)]

    def dense(i, on, act):
        layers = [nn.Linear(i, 256), *norm(256, on, nn.BatchNorm1d), act()]
        return (layers, 256) if how["dense"] else ([], i)

    hidden_G, i = dense(z_dim, how["norm_G"], act_G)
    G = nn.Sequential(
        *hidden_G, nn.Linear(i, deep * 49), nn.Unflatten(1, base),
        *norm(deep, how["norm_G"]), act_G(), *up(deep, width),
        *norm(width, how["norm_G"]), act_G(), *up(width, 1), LAYERS[how["output"]](),
    )  # fmt: skip
    hidden_D, i = dense(deep * 49, how["norm_D"], act_D)
    T = nn.Sequential(
        *down(1, width), act_D(), *down(width, deep), *norm(deep, how["norm_D"]),
        act_D(), nn.Flatten(), *hidden_D, nn.Linear(i, 1), nn.Flatten(0),
    )  # fmt: skip
    nets_ = [nets.dcgan_init(m) if how["small_init"] else m for m in (G, T)]
    where = {"device": runtime.device(), "memory_format": torch.channels_last}
    return [m.to(**where) for m in nets_]


def cell(removed, seed):
    """Train DCGAN without one of its guidelines and judge the generator."""
    how, images = DCGAN | REMOVED[removed], data.images()
    low = 0 if how["output"] == "sigmoid" else -1  # the range of pixels is that of G
    p_data, p_z = images.map(lambda x: low + (1 - low) * x), standard_normal(64)
    G, T = networks(how)

    def L_T(x):
        t_p, t_q = T(x), T(G(p_z.sample((len(x),))))
        return -(logsigmoid(t_p).mean() + logsigmoid(-t_q).mean())

    def L_G(x):
        return -logsigmoid(T(G(p_z.sample((len(x),))))).mean()

    descend = adam(2e-3, (how["beta1"], 0.999))
    players = {"T": Player([T], L_T, descend), "G": Player([G], L_G, descend)}
    fit(players, p_data, rounds)
    with runtime.evaluating(G):
        x = torch.cat([G(z) for z in p_z.sample((judged,)).split(1000)])
    judge = metrics.judge(images.name)
    features = judge.features(((x - low) / (1 - low)).clamp(0, 1))
    probs = judge.network[1](features).softmax(1)
    return {
        "inception_score": metrics.inception_score(probs),
        "fid": metrics.frechet_distance(features, judge.test_features),
        "rounds": rounds,
        "data": images.name,
    }
