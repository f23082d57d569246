"""Seven architectures under four objectives: figure 2 of Gulrajani et al. 2017."""

from torch import nn
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, plot
from gmlib.architectures import critic, generator
from gmlib.game import NotFinite, Player, adam, fit, rmsprop
from gmlib.objectives import (
    clip_weights,
    gradient_penalty,
    jensen_shannon,
    least_squares,
    standard_normal,
    wasserstein,
)
from gmlib.runtime import by_scale, evaluating
from gmlib.sweep import crossed

rounds = by_scale(smoke=2, cpu=400, gpu=20_000)  # updates of the generator
samples = by_scale(smoke=100, cpu=1000, gpu=10_000)
width = by_scale(smoke=4, cpu=16, gpu=64)
pace = by_scale(smoke=5, cpu=5, gpu=1)  # of the published learning rates

# What differs from DCGAN in the generator and in the critic.
architectures = {
    "baseline": ({}, {}),
    "plain generator": ({"norm": "none", "constant": True}, {}),
    "MLP generator": ({}, {}),
    "no normalisation": ({"norm": "none"}, {"norm": "none"}),
    "gated": ({"activation": "gated"}, {"activation": "gated"}),
    "tanh": ({"activation": "tanh"}, {"activation": "tanh"}),
    "residual": 2 * ({"depth": 15, "residual": True, "init": "he"},),
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
    return "trained" if inception >= 4 and classes >= 8 else "poor"


def networks(architecture, norm, z_dim):
    """The generator and the critic of a row of the figure."""
    ours, theirs = ({"init": "dcgan"} | how for how in architectures[architecture])
    T = critic(width, **{"norm": norm} | theirs)
    if architecture == "MLP generator":
        G = nets.mlp([z_dim, *4 * [32 * width], 28 * 28], shape=(1, 28, 28))
        return nn.Sequential(G, nn.Tanh()), T
    return generator(z_dim, width, **ours), T


def cell(architecture, objective, seed, z_dim=64):
    """Train an architecture for an objective; judge its samples and keep ten."""
    optimizer, rate, betas, steps, norm = objectives[objective]
    G, T = networks(architecture, norm, z_dim)
    images, p_z = data.images(), standard_normal(z_dim)
    p_data = images.map(data.to_tanh)

    def L_T(x):
        y = G(p_z.sample((len(x),)))
        if objective == "GAN":
            return -jensen_shannon(T(x), T(y))
        if objective == "LSGAN":
            return -least_squares(T(x), T(y))
        if objective == "WGAN":
            return -wasserstein(T(x), T(y))
        return -wasserstein(T(x), T(y)) + 10 * gradient_penalty(T, x, y)

    def L_G(x):
        t = T(G(p_z.sample((len(x),))))
        if objective == "GAN":
            return -logsigmoid(t).mean()  # non-saturating
        if objective == "LSGAN":
            return 0.5 * ((t - 1) ** 2).mean()
        return -t.mean()

    clip = (lambda: clip_weights(T, 0.01)) if objective == "WGAN" else None
    rate = optimizer(pace * rate, *betas)
    players = {
        "T": Player([T], L_T, rate, steps, after=clip),
        "G": Player([G], L_G, rate),
    }
    diverged = False
    try:
        fit(players, p_data, rounds, batch_size=16)
    except NotFinite:
        diverged = True
    facts = {
        "data": images.name,
        "rounds": rounds,
        "critic_steps": steps,
        "pace": pace,
        "parameters_G": nets.count(G),
        "parameters_T": nets.count(T),
        "samples": samples,
    }
    with evaluating(G):
        y = ((G(p_z.sample((samples,))) + 1) / 2).clamp(0, 1)
    if diverged or not y.isfinite().all():
        return facts | {"verdict": "diverged"}
    judge = metrics.judge(images.name)
    fake, real = judge.features(y), judge.features(images.sample((samples,)))
    probs = judge.network[1](fake).softmax(1)
    scores = {
        "inception": metrics.inception_score(probs),
        "frechet": metrics.frechet_distance(real, fake),
        "classes": int((probs.argmax(1).bincount() >= 0.02 * samples).sum()),
        "diversity": float((fake.var(0).sum() / real.var(0).sum()).sqrt()),
    }
    strip = plot.data_uri(plot.tile(y[:10], 10), quality=50)[0] if seed == 0 else None
    return facts | scores | {"verdict": verdict(**scores), "strip": strip}
