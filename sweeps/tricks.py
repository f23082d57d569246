"""The tricks of Salimans et al. 2016, one at a time, on three tasks, seed by seed."""

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

TRICKS = [
    "none", "feature matching", "minibatch discrimination", "historical averaging",
    "one-sided label smoothing", "virtual batch norm", "instance noise", "packing",
]  # fmt: skip
ROUNDS = by_scale(
    smoke={"grid": 4, "mnist": 2, "stacked": 2},
    cpu={"grid": 3000, "mnist": 800, "stacked": 1000},
    gpu={"grid": 40_000, "mnist": 12_000, "stacked": 20_000},
)
JUDGED = by_scale(
    smoke={"grid": 100, "mnist": 100, "stacked": 100},
    cpu={"grid": 2500, "mnist": 5000, "stacked": 5000},
    gpu={"grid": 2500, "mnist": 10_000, "stacked": 26_000},
)
grid = crossed(
    task=["grid", "mnist", "stacked"],
    trick=TRICKS,
    seed=range(by_scale(smoke=1, cpu=3, gpu=10)),
)


def networks(task, trick, m):
    """Return dim z, a generator, and a discriminator of m samples side by side."""
    if task == "grid":
        G = nets.mlp([2, 128, 128, 2], batch_norm=trick == "virtual batch norm")
        return 2, G, nets.mlp([2 * m, 128, 128, 1], "leaky", shape=())
    if task == "mnist":
        G = nets.dcgan_generator(64, width=16)
        return 64, G, nets.dcgan_discriminator(m, width=16)
    # The discriminator has a quarter of the generator's channels, as in Metz et al.
    G = nets.dcgan_generator(64, 3, width=16)
    return 64, G, nets.dcgan_discriminator(3 * m, width=4)


def train(task, trick, p_data, rounds):
    """Play the game of a task with one trick; return G's player and p_z."""
    m = 2 if trick == "packing" else 1
    z_dim, G, T = networks(task, trick, m)
    p_z = standard_normal(z_dim)
    f, head = T[:-2], T[-2:]  # features, and the logit: a linear layer
    if trick == "minibatch discrimination":
        A = head[0].in_features
        minibatch = nets.MinibatchDiscrimination(A, kernels=16, dim=5)
        head = nn.Sequential(minibatch, nn.Linear(A + 16, 1), nn.Flatten(0))
    if trick == "virtual batch norm":
        G = nets.VirtualBatchNorm(G, p_z.sample((64,)))
    alpha = 0.9 if trick == "one-sided label smoothing" else 1.0
    remember = trick == "historical averaging"
    past_T, past_G = Past([f, head]), Past([G])
    std = torch.tensor(0.5, device=runtime.device())

    def features(x):
        if trick == "instance noise":
            x = x + std * torch.randn_like(x)
        return f(x.reshape(-1, m * x.shape[1], *x.shape[2:]))

    def logits(x):
        return head(features(x))

    def L_T(x):
        t_p, t_q = logits(x), logits(G(p_z.sample((len(x),))))
        V = alpha * logsigmoid(t_p) + (1 - alpha) * logsigmoid(-t_p) + logsigmoid(-t_q)
        return -V.mean() + (1e-3 * past_T.distance() if remember else 0)

    def L_G(x):
        y = G(p_z.sample((len(x),)))
        if trick == "feature matching":
            return (features(x).mean(0) - features(y).mean(0)).square().sum()
        return -logsigmoid(logits(y)).mean() + (
            1e-3 * past_G.distance() if remember else 0
        )

    def after_T():
        std.sub_(0.5 / rounds)  # the noise falls to zero
        past_T.update()

    how = adam(2e-3 if task == "mnist" else 1e-3, (0.5, 0.999))
    players = {
        "T": Player([f, head], L_T, how, after=after_T),
        "G": Player([G], L_G, how, after=past_G.update, average=0.99),
    }
    fit(players, p_data, rounds, batch_size=128 if task == "grid" else 64)
    return players["G"], p_z


class Past:
    """‖θ − 1/t Σ_i θ_i‖², the distance to the mean of the past (section 3.3)."""

    def __init__(self, modules):
        self.now = [p for m in modules for p in m.parameters()]
        self.mean = [torch.zeros_like(p, requires_grad=False) for p in self.now]
        self.t = 0

    def update(self):
        self.t += 1
        torch._foreach_lerp_(self.mean, self.now, 1 / self.t)

    def distance(self):
        pairs = zip(self.now, self.mean, strict=True)
        return sum((p - mean).square().sum() for p, mean in pairs) * (self.t > 0)


def draw(G, p_z, n):
    with runtime.evaluating(G):
        return torch.cat([G(z) for z in p_z.sample((n,)).split(1000)])


def cell(task, trick, seed):
    """Train with one trick; judge the generator, and its average over time."""
    images = data.images()
    judge, pixels = metrics.judge(images.name), images.map(data.to_tanh)
    # The 25 Gaussians are those of PacGAN at half their size.
    square = data.grid(spacing=1.0, std=0.025)
    law = {"grid": square, "mnist": pixels, "stacked": data.stacked(pixels)}[task]
    player, p_z = train(task, trick, law, ROUNDS[task])
    found = {"rounds": ROUNDS[task], "data": images.name}
    generators = {"": player.modules[0], "_averaged": player.averaged[0]}
    if task == "stacked":
        del generators["_averaged"]  # to judge three digits an image takes long
    for name, G in generators.items():
        x = draw(G, p_z, JUDGED[task])
        if task == "grid":
            count = metrics.modes(x, law.centres, law.std)
            here = {"modes": count.covered, "high_quality": count.high_quality}
        elif task == "stacked":
            count = metrics.stacked_modes((x + 1) / 2, judge)
            here = {"modes": count.covered, "reverse_kl": count.reverse_kl}
        else:
            features = judge.features((x + 1) / 2)
            score = metrics.inception_score(judge.network[1](features).softmax(1))
            distance = metrics.frechet_distance(features, judge.test_features)
            here = {"inception_score": score, "fid": distance}
        found |= {quantity + name: value for quantity, value in here.items()}
    return found
