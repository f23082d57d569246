"""All models of the course under all scores, seed by seed.

Every model has the networks and the optimizer of its lecture and as many gradient
steps, whoever makes them, on batches of 64: a VAE, which has one player, plays more
rounds than a game of two. Where a model has a law of bits (VAE, AVB, PixelCNN), the
data are bits drawn anew from the grey pixels, and an image consists of the pixels'
means; elsewhere it is the output of the generator. Weights are averaged for those
whose lecture averages them. Half of the test images, others for each seed, are what
samples are held to; the other half is scored as if a model had drawn it.

A new model is a function that trains it and returns how it draws, and a line in MODELS.
"""

import math
import time

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import (
    bernoulli,
    gradient_penalty,
    jensen_shannon,
    kl_divergence,
    normal,
    standard_normal,
)
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

steps = by_scale(smoke=8, cpu=4800, gpu=60_000)  # of all players together
judged = by_scale(smoke=160, cpu=5000, gpu=5000)  # no more than half the test set
few = judged * 2 // 5  # for the scores that compare all pairs
parts = by_scale(smoke=2, cpu=5, gpu=5)  # for the line to FID∞, over 64 images each
known = by_scale(smoke=300, cpu=5000, gpu=5000)  # training images that may be copied
decay = by_scale(smoke=0.9, cpu=0.995, gpu=0.998)


def drawer(network, z_dim, to_image):
    """Return a function n → images in [0, 1] of a network that takes z."""

    def draw(n):
        with runtime.evaluating(network):
            z = standard_normal(z_dim).sample((n,))
            return torch.cat([to_image(network(part)) for part in z.split(1000)])

    return draw


def from_tanh(x):
    return (x + 1) / 2


def bits():
    return data.images().map(data.binarize)


def vae():
    """The lecture on autoencoders: 50 latents, two layers of 200."""
    p_z = standard_normal(50)
    encoder = nets.mlp([784, 200, 200, 100], "tanh")
    decoder = nets.mlp([50, 200, 200, 784], "tanh", shape=(1, 28, 28))

    def loss(x):
        mean, log_std = encoder(x).chunk(2, dim=1)
        q = normal(mean, log_std.exp())
        p = bernoulli(decoder(q.rsample()))
        return -(p.log_prob(x) - kl_divergence(q, p_z)).mean()

    fit({"VAE": Player([encoder, decoder], loss, adam(1e-3))}, bits(), steps)
    return drawer(decoder, 50, torch.sigmoid)


def avb():
    """Adversarial variational Bayes with adaptive contrast, as in its lecture."""
    p_z = standard_normal(8)
    encoder = nets.mlp([784, 200, 200, 8 + 8 * 16], "elu")
    source = nets.mlp([32, 64, 64, 16], "elu")
    decoder = nets.mlp([8, 200, 200, 784], "elu", shape=(1, 28, 28))
    T = nets.mlp([784 + 8, 256, 256, 1], "elu", shape=())

    def sample(x):
        mean, A = encoder(x).split([8, 8 * 16], dim=1)
        A = A.view(-1, 8, 16)
        v = source(torch.randn(2 * len(x), 32, device=x.device))
        std = torch.einsum("nij,jk,nik->ni", A, v.T.cov(), A).sqrt()
        z = mean + torch.einsum("nij,nj->ni", A, (v - v.mean(0))[: len(x)])
        return z, (z - mean) / std, mean, std

    z_x = shared(sample)

    def logit(x, u):
        return T(torch.cat([x.flatten(1), u], 1))

    def L_T(x):
        return -jensen_shannon(logit(x, z_x(x)[1]), logit(x, p_z.sample((len(x),))))

    def L_pq(x):
        z, u, mean, std = z_x(x)
        rate = logit(x, u) + normal(mean, std).log_prob(z) - p_z.log_prob(z)
        return (rate - bernoulli(decoder(z)).log_prob(x)).mean()

    how = adam(1e-3, (0.5, 0.999))
    pq = Player([encoder, source, decoder], L_pq, how)
    fit({"T": Player([T], L_T, how), "pq": pq}, bits(), steps // 2)
    return drawer(decoder, 8, torch.sigmoid)


def dense_pair():
    """Generator and critic of the lecture on the Wasserstein GAN, without noise."""
    body = nets.mlp([64, 256, 256, 784], batch_norm=True, shape=(1, 28, 28))
    return nn.Sequential(body, nn.Tanh()), nets.mlp(
        [784, 256, 256, 1], "leaky", shape=()
    )


def play(G, T, how, average=None):
    """The non-saturating game; returns how the generator draws."""
    p_z = standard_normal(64)
    G_z = shared(lambda x: G(p_z.sample((len(x),))))

    def L_T(x):
        return -jensen_shannon(T(x), T(G_z(x)))

    def L_G(x):
        return -logsigmoid(T(G_z(x))).mean()

    generator = Player([G], L_G, how, average=average)
    p_data = data.images().map(data.to_tanh)
    fit({"T": Player([T], L_T, how), "G": generator}, p_data, steps // 2)
    return drawer(generator.averaged[0] if average else G, 64, from_tanh)


def gan():
    """Two perceptrons and the non-saturating loss."""
    return play(*dense_pair(), adam(1e-3, (0.5, 0.999)))


def dcgan():
    """Two convolutional networks, averaged as in their lecture."""
    G, T = nets.dcgan_generator(64, width=16), nets.dcgan_discriminator(width=16)
    return play(G, T, adam(2e-3, (0.5, 0.999)), decay)


def wgan_gp():
    """The two perceptrons, three steps of the critic a round, penalty 10."""
    p_z, (G, T) = standard_normal(64), dense_pair()
    G_z = shared(lambda x: G(p_z.sample((len(x),))))

    def L_T(x):
        y = G_z(x)
        return T(y).mean() - T(x).mean() + 10 * gradient_penalty(T, x, y)

    def L_G(x):
        return -T(G_z(x)).mean()

    how = adam(1e-3, (0.5, 0.9))
    players = {"T": Player([T], L_T, how, 3), "G": Player([G], L_G, how)}
    fit(players, data.images().map(data.to_tanh), steps // 4)
    return drawer(G, 64, from_tanh)


class Joint(nn.Module):
    """ALI's T(x, z), images and codes of shapes (n, 1, 28, 28) and (n, 32)."""

    def __init__(self):
        super().__init__()
        self.see = nets.dcgan_discriminator(width=16)[:-2]
        self.join = nets.mlp([32 * 49 + 32, 256, 256, 1], "leaky", shape=())

    def forward(self, x, z):
        return self.join(torch.cat([self.see(x), z], 1))


def ali():
    """Adversarially learned inference: 32 codes, convolutions, averaged."""
    p_z, T = standard_normal(32), Joint()
    see = nets.dcgan_discriminator(width=16)[:-2]
    E = nn.Sequential(see, nn.Linear(32 * 49, 64)).to(runtime.device())
    G = nets.dcgan_generator(32, width=16)

    def joints(x):
        mean, log_std = E(x).chunk(2, dim=1)
        z = p_z.sample((len(x),))
        return (x, normal(mean, log_std.exp()).rsample()), (G(z), z)

    drawn = shared(joints)

    def L_T(x):
        encoded, decoded = drawn(x)
        return -jensen_shannon(T(*encoded), T(*decoded))

    def L_GE(x):
        encoded, decoded = drawn(x)
        return -jensen_shannon(T(*decoded), T(*encoded))

    players = {
        "T": Player([T], L_T, adam(1e-3, (0.5, 0.999))),
        "GE": Player([E, G], L_GE, adam(2e-3, (0.5, 0.999)), average=decay),
    }
    fit(players, data.images().map(data.to_tanh), steps // 2)
    return drawer(players["GE"].averaged[1], 32, from_tanh)


def window(T, x, row, column, reach=6):
    """The logit of one pixel, (n,), from the pixels that it depends on.

    The first convolution sees 3 rows up and 3 columns aside, each of three blocks one
    more: no need to pass whole images.
    """
    top, left = max(0, row - reach), max(0, column - reach)
    seen = x[:, :, top : row + 1, left : column + reach + 1]
    return T(seen)[:, 0, row - top, column - left]


def pixel_cnn():
    """The lecture on compression's; drawn pixel by pixel, in reading order."""
    T = nets.pixel_cnn(width=16, blocks=3)

    def loss(x):
        return -bernoulli(T(x)).log_prob(x).mean()

    fit({"PixelCNN": Player([T], loss, adam(1e-3))}, bits(), steps)

    def draw(n):
        x, means = torch.zeros(2, n, 1, 28, 28)
        with runtime.evaluating(T):
            for row in range(28):
                for column in range(28):
                    mean = window(T, x, row, column).sigmoid()
                    means[:, 0, row, column] = mean
                    x[:, 0, row, column] = torch.bernoulli(mean)
        return means

    return lambda n: torch.cat([draw(min(500, n - i)) for i in range(0, n, 500)])


def by_heart():
    """A model that knows some training images, and draws nothing else."""
    x = data.images().x[:known]
    return lambda n: x[torch.randint(len(x), (n,), device=x.device)]


MODELS = {
    "copies": by_heart,
    "VAE": vae,
    "AVB": avb,
    "PixelCNN": pixel_cnn,
    "GAN": gan,
    "WGAN-GP": wgan_gp,
    "DCGAN": dcgan,
    "ALI": ali,
}
grid = crossed(
    seed=range(by_scale(smoke=1, cpu=4, gpu=10)), model=["other data", *MODELS]
)


def parzen(x, centres):
    """Mean log-density of x under normals at the centres, their width from half of x.

    Returns the score of the other half.
    """
    squares = torch.cdist(x.flatten(1), centres.flatten(1)).square()
    d, half = x[0].numel(), len(x) // 2

    def log_p(rows, std):
        log_kernel = -rows / (2 * std**2) - d / 2 * math.log(2 * math.pi * std**2)
        return log_kernel.logsumexp(1).mean().item() - math.log(len(centres))

    widths = torch.linspace(0.1, 0.4, 13).tolist()
    best = max(widths, key=lambda std: log_p(squares[:half], std))
    return log_p(squares[half:], best)


def scores(x, real, labels):
    """Everything the lecture has on images x, against real ones with their labels."""
    train = data.images()
    judge = metrics.judge(train.name)
    f, r = judge.features(x), judge.features(real)
    probs = judge.probs(x)
    limit, _ = metrics.frechet_limit(f, r, parts)
    precision, recall = metrics.precision_recall(r[:few], f[:few])
    density, coverage = metrics.density_coverage(r[:few], f[:few])
    copied, _ = metrics.copying_test(x[:few], train.x[:known], real[:few])
    told, _ = metrics.two_sample_test(r[:few], f[:few])
    return {
        "inception": metrics.inception_score(probs),
        "fid": metrics.frechet_distance(f, r),
        "fid_limit": limit,
        "kid": metrics.kernel_distance(f, r),
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "accuracy": metrics.classifier_accuracy(x, probs.argmax(1), real, labels),
        "told_apart": told,
        "parzen": parzen(real[:few].cpu(), x),
        "copied": copied,
    }


def cell(model, seed):
    """Train one model, draw images, score them."""
    test = data.images("test")
    # The first draw of a seed: all its models are held to the same half.
    half, rest = torch.randperm(len(test.x)).chunk(2)
    began = time.process_time()
    draw = MODELS[model]() if model in MODELS else lambda n: test.x[rest[:n]]
    trained = time.process_time() - began
    x = draw(judged)
    real = half[:judged]
    return {
        "steps": steps,
        "train_cpu_s": round(trained, 1),
        "judged": len(x),
    } | scores(x.clamp(0, 1).cpu(), test.x[real], test.y[real])
