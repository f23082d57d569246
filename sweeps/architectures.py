"""Seven architectures under four objectives: figure 2 of Gulrajani et al. 2017.

All critics take equally many updates; the GAN and the LSGAN, whose critics take one
step a round, have five times the rounds. Samples and critic are looked at eight times
on the way: whether a training had come to rest is in the table.
"""

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, plot
from gmlib.architectures import critic, generator
from gmlib.game import NotFinite, Player, adam, fit, rmsprop, shared
from gmlib.objectives import (
    clip_weights,
    gradient_penalty,
    jensen_shannon,
    least_squares,
    standard_normal,
    wasserstein,
)
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

critic_updates = by_scale(smoke=10, cpu=5000, gpu=100_000)
parts = by_scale(smoke=2, cpu=8, gpu=8)  # of a training, with a look after each
samples = by_scale(smoke=100, cpu=1000, gpu=10_000)
width = by_scale(smoke=4, cpu=8, gpu=64)
batch_size = by_scale(smoke=16, cpu=64, gpu=64)
pace = by_scale(smoke=5, cpu=5, gpu=1)  # of the published learning rates

# What differs from DCGAN in the generator and in the critic.
architectures = {
    "baseline": ({}, {}),
    "plain generator": ({"norm": "none", "constant": True}, {}),
    "MLP generator": ({}, {}),
    "no normalisation": ({"norm": "none"}, {"norm": "none"}),
    "gated": ({"activation": "gated"}, {"activation": "gated"}),
    "tanh": ({"activation": "tanh"}, {"activation": "tanh"}),
    "residual": 2 * ({"depth": 11, "residual": True, "init": "he"},),
}
# optimizer at the published rates, steps of the critic, its normalisation
objectives = {
    "GAN": (adam, 2e-4, [(0.5, 0.999)], 1, "batch"),
    "LSGAN": (adam, 2e-4, [(0.5, 0.999)], 1, "batch"),
    "WGAN": (rmsprop, 5e-5, [], 5, "batch"),
    "WGAN-GP": (adam, 1e-4, [(0.0, 0.9)], 5, "layer"),
}
grid = crossed(
    seed=range(by_scale(smoke=1, cpu=3, gpu=10)),
    architecture=list(architectures),
    objective=by_scale(smoke=["WGAN-GP"], cpu=list(objectives), gpu=list(objectives)),
)


def verdict(inception, frechet, classes, diversity):
    """Say in a word what became of a training."""
    if diversity < 0.25 or classes <= 3:
        return "collapsed"
    return "trained" if inception >= 6 and classes >= 9 else "poor"


def networks(architecture, norm, z_dim):
    """The generator and the critic of a row of the figure."""
    ours, theirs = ({"init": "dcgan"} | how for how in architectures[architecture])
    T = critic(width, **{"norm": norm} | theirs)
    if architecture == "MLP generator":
        G = nets.mlp([z_dim, *4 * [32 * width], 28 * 28], shape=(1, 28, 28))
        return nn.Sequential(G, nn.Tanh()), T
    return generator(z_dim, width, **ours), T


def game(objective, G, T, p_z):
    """The players: the critic by its published optimiser, and the generator."""
    optimizer, rate, betas, steps, _ = objectives[objective]
    G_z = shared(lambda x: G(p_z.sample((len(x),))))

    def L_T(x):
        y = G_z(x)
        if objective == "GAN":
            return -jensen_shannon(T(x), T(y))
        if objective == "LSGAN":
            return -least_squares(T(x), T(y))
        if objective == "WGAN":
            return -wasserstein(T(x), T(y))
        return -wasserstein(T(x), T(y)) + 10 * gradient_penalty(T, x, y)

    def L_G(x):
        t = T(G_z(x))
        if objective == "GAN":
            return -logsigmoid(t).mean()  # non-saturating
        if objective == "LSGAN":
            return 0.5 * ((t - 1) ** 2).mean()
        return -t.mean()

    clip = (lambda: clip_weights(T, 0.01)) if objective == "WGAN" else None
    rule = optimizer(pace * rate, *betas)
    return {
        "T": Player([T], L_T, rule, steps, after=clip),
        "G": Player([G], L_G, rule),
    }


def scores(judge, y):
    """What the judge says of samples, tanh images of shape (n, 1, 28, 28)."""
    fake = judge.features(((y + 1) / 2).clamp(0, 1))
    real = judge.test_features
    probs = judge.network[1](fake).softmax(1)
    return {
        "inception": metrics.inception_score(probs),
        "frechet": metrics.frechet_distance(fake, real),
        "classes": int((probs.argmax(1).bincount() >= 0.02 * len(y)).sum()),
        "diversity": float((fake.var(0).sum() / real.var(0).sum()).sqrt()),
    }


def cell(architecture, objective, seed, z_dim=64):
    """Train an architecture for an objective; judge its samples on the way."""
    steps, norm = objectives[objective][3:]
    G, T = networks(architecture, norm, z_dim)
    images, p_z = data.images(), standard_normal(z_dim)
    p_data, rounds = images.map(data.to_tanh), critic_updates // steps
    x, z = p_data.sample((samples,)), p_z.sample((samples,))

    def look():
        y = G(z)
        return y, wasserstein(T(x), T(y))

    history, diverged = None, False
    try:
        history = fit(
            game(objective, G, T, p_z), p_data, rounds, batch_size=batch_size,
            look=look, looks=[rounds * i // parts for i in range(1, parts + 1)],
        )  # fmt: skip
    except NotFinite as error:
        history, diverged = error.history, True
    facts = {
        "data": images.name,
        "rounds": rounds,
        "critic_steps": steps,
        "critic_updates": critic_updates,
        "batch_size": batch_size,
        "pace": pace,
        "parameters_G": nets.count(G),
        "parameters_T": nets.count(T),
        "samples": samples,
    }
    judge, found = metrics.judge(images.name), {}
    for i, (_, (y, value)) in enumerate(history.snapshots, 1):
        if not torch.isfinite(y).all():
            diverged = True
            break
        found = scores(judge, y)
        facts |= {f"{name}_{i}": found[name] for name in ("inception", "frechet")}
        facts |= {f"value_{i}": float(value)}
    if diverged:
        return facts | {"verdict": "diverged"}
    strip = plot.data_uri(plot.tile((y[:10] + 1) / 2, 10), quality=50)[0]
    facts["strip"] = strip if seed == 0 else None
    return facts | found | {"verdict": verdict(**found)}
