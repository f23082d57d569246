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
    cpu={"grid": 5000, "mnist": 1200, "stacked": 2000},
    gpu={"grid": 50_000, "mnist": 12_000, "stacked": 20_000},
)
JUDGED = by_scale(smoke=100, cpu=5000, gpu=10_000)  # images of mnist
STACKED = by_scale(smoke=100, cpu=10_000, gpu=26_000)  # images of stacked MNIST
grid = crossed(
    task=["grid", "mnist", "stacked"],
    trick=TRICKS,
    seed=range(by_scale(smoke=1, cpu=3, gpu=10)),
)


def networks(task, m):
    """Generator and discriminator of m packed samples; logits from (n, ...) to (n,)."""
    if task == "grid":
        G = nets.mlp([2, 128, 128, 2], batch_norm=True)
        return 2, G, nets.mlp([2 * m, 128, 128, 1], "leaky", shape=())
    if task == "mnist":
        G = nets.dcgan_generator(64, width=16)
        return 64, G, nets.dcgan_discriminator(m, width=16)
    # The discriminator has a quarter of the generator's channels, as in Metz et al.
    G = nets.dcgan_generator(64, 3, width=32)
    return 64, G, nets.dcgan_discriminator(3 * m, width=8)


def train(task, trick, p_data, rounds):
    """Play the game of a task with one trick; return T, G's player and p_z."""
    m = 2 if trick == "packing" else 1
    z_dim, G, T = networks(task, m)
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
    first_std = 0.5 if trick == "instance noise" else 0.0
    std = torch.tensor(first_std, device=runtime.device())

    def features(x):
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
        std.sub_(first_std / rounds)  # the noise falls to zero
        past_T.update()

    how = adam(1e-3 if task == "grid" else 2e-3, (0.5, 0.999))
    players = {
        "T": Player([f, head], L_T, how, after=after_T),
        "G": Player([G], L_G, how, after=past_G.update, average=0.998),
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
    """Train with one trick and judge the generator at the end of the training."""
    rounds = ROUNDS[task]
    if task == "grid":
        law = data.grid()
        player, p_z = train(task, trick, law, rounds)
        x = draw(player.modules[0], p_z, 2500)
        count = metrics.modes(x, law.centres, law.std)
        good = count.high_quality
        return {"rounds": rounds, "modes": count.covered, "high_quality": good}
    images = data.images()
    judge, found = metrics.judge(images.name), {"rounds": rounds, "data": images.name}
    p_data = images.map(data.to_tanh)
    if task == "stacked":
        player, p_z = train(task, trick, data.stacked(p_data), rounds)
        x = (draw(player.modules[0], p_z, STACKED) + 1) / 2
        count = metrics.stacked_modes(x, judge)
        return found | {"modes": count.covered, "reverse_kl": count.reverse_kl}
    player, p_z = train(task, trick, p_data, rounds)
    real = judge.features(data.images("test").x)
    for name, G in (("", player.modules[0]), ("_averaged", player.averaged[0])):
        features = judge.features((draw(G, p_z, JUDGED) + 1) / 2)
        score = metrics.inception_score(judge.network[1](features).softmax(1))
        found[f"inception_score{name}"] = score
        found[f"fid{name}"] = metrics.frechet_distance(features, real)
    return found
