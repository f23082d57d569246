"""Random architectures, each trained as a GAN and as a WGAN-GP, on MNIST.

Fully connected: a penalty on convolutions costs a CPU several times as much. Both
objectives get as many updates of the critic; the GAN, whose critic takes one step a
round, has five times the rounds. With 400 rounds each no GAN left the floor.
"""

from torch import nn
from torch.nn.functional import logsigmoid

from gmlib import architectures, data, metrics
from gmlib.game import NotFinite, Player, adam, fit
from gmlib.objectives import (
    gradient_penalty,
    jensen_shannon,
    standard_normal,
    wasserstein,
)
from gmlib.runtime import by_scale, evaluating
from gmlib.sweep import crossed

critic_updates = by_scale(smoke=15, cpu=2000, gpu=100_000)
samples = by_scale(smoke=100, cpu=1000, gpu=10_000)
pace = by_scale(smoke=5, cpu=5, gpu=1)  # of the published learning rates
grid = crossed(
    architecture=range(by_scale(smoke=1, cpu=60, gpu=200)), objective=["GAN", "WGAN-GP"]
)


def hidden(who, how, normal, inputs, outputs):
    """The layers of a player, G or T, as `how` has them."""
    widths = how[f"depth_{who}"] * [how[f"width_{who}"]]
    norm = normal if how[f"norm_{who}"] else "none"
    sizes = [inputs, *widths, outputs]
    return architectures.dense(sizes, how[f"activation_{who}"], norm)


def cell(architecture, objective, z_dim=64):
    """Train the architecture of this number for an objective; judge its samples."""
    how = architectures.draw(architecture)
    images, p_z = data.images(), standard_normal(z_dim)
    p_data = images.map(data.to_tanh)
    G = nn.Sequential(
        hidden("G", how, "batch", z_dim, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))
    )
    normal = "layer" if objective == "WGAN-GP" else "batch"
    T = nn.Sequential(nn.Flatten(), hidden("T", how, normal, 784, 1), nn.Flatten(0))

    def L_T(x):
        y = G(p_z.sample((len(x),)))
        if objective == "GAN":
            return -jensen_shannon(T(x), T(y))
        return -wasserstein(T(x), T(y)) + 10 * gradient_penalty(T, x, y)

    def L_G(x):
        t = T(G(p_z.sample((len(x),))))
        return -(logsigmoid(t) if objective == "GAN" else t).mean()  # non-saturating

    optimizer, steps = {
        "GAN": (adam(pace * 2e-4, (0.5, 0.999)), 1),
        "WGAN-GP": (adam(pace * 1e-4, (0.0, 0.9)), 5),
    }[objective]
    players = {
        "T": Player([T], L_T, optimizer, steps),
        "G": Player([G], L_G, optimizer),
    }
    diverged, rounds = False, critic_updates // steps
    try:
        fit(players, p_data, rounds, batch_size=32)
    except NotFinite:
        diverged = True
    with evaluating(G):
        y = ((G(p_z.sample((samples,))) + 1) / 2).clamp(0, 1)
    facts = how | {
        "data": images.name,
        "rounds": rounds,
        "critic_steps": steps,
        "pace": pace,
        "samples": samples,
        "diverged": diverged or not bool(y.isfinite().all()),
    }
    if facts["diverged"]:
        return facts | {"inception": 1.0, "classes": 0}  # the lowest there is
    judge = metrics.judge(images.name)
    fake, real = judge.features(y), judge.features(images.sample((samples,)))
    probs = judge.network[1](fake).softmax(1)
    return facts | {
        "inception": metrics.inception_score(probs),
        "frechet": metrics.frechet_distance(real, fake),
        "classes": int((probs.argmax(1).bincount() >= 0.02 * samples).sum()),
    }
