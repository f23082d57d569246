"""The games that are timed: their networks, and the three ways to train them.

Speed does not depend on what is in the pictures, so they are noise.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import interpolate

from benchmarks import by_hand, textbook
from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import (
    bernoulli,
    gradient_penalty,
    jensen_shannon,
    kl_divergence,
    normal,
    standard_normal,
    wasserstein,
)

PICTURES = 10_000
Z = 100


class Joint(nn.Module):
    """An MLP of several arguments, flattened and put side by side."""

    def __init__(self, sizes, activation="relu", shape=None):
        super().__init__()
        self.mlp = nets.mlp(sizes, activation, shape=shape)

    def forward(self, *parts):
        return self.mlp(torch.cat([p.flatten(1) for p in parts], dim=1))


class Game(NamedTuple):
    """A game of the bench: how to make its networks, and three ways to train them."""

    targets: dict[str, float]  # the ratios asked for on two CPU cores, by loop
    batch: int
    size: int
    tanh: bool
    networks: object  # () → tuple of modules
    textbook: object  # (*networks, batches, device) → (rounds → None)
    by_hand: object  # (*networks, pictures, batch) → (rounds → None)
    players: object  # (*networks) → dict of players


def mlp_generator():
    """100-128-256-512-1024-784 with batch normalisation, as is common."""
    layers, sizes = [nn.Linear(Z, 128), nn.LeakyReLU(0.2)], [128, 256, 512, 1024]
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.BatchNorm1d(o), nn.LeakyReLU(0.2)]
    return nn.Sequential(
        *layers, nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))
    )


def mlp_networks():
    return mlp_generator(), nets.mlp([784, 512, 256, 1], "leaky", shape=())


def upsampling_networks():
    """A DCGAN that doubles by the nearest pixel, and drops out in its critic."""

    def up(i, o):
        conv = nn.Conv2d(i, o, 3, 1, 1)
        return [nn.Upsample(scale_factor=2), conv, nn.BatchNorm2d(o), nn.LeakyReLU(0.2)]

    def down(i, o):
        norm = [nn.BatchNorm2d(o)] if i > 1 else []
        drop = nn.Dropout2d(0.25)
        return [nn.Conv2d(i, o, 3, 2, 1), nn.LeakyReLU(0.2), drop, *norm]

    G = nn.Sequential(
        nn.Linear(Z, 128 * 64), nn.Unflatten(1, (128, 8, 8)), nn.BatchNorm2d(128),
        *up(128, 128), *up(128, 64), nn.Conv2d(64, 1, 3, 1, 1), nn.Tanh(),
    )  # fmt: skip
    widths = [1, 16, 32, 64, 128]
    levels = [m for i, o in pairwise(widths) for m in down(i, o)]
    return G, nn.Sequential(*levels, nn.Flatten(), nn.Linear(512, 1), nn.Flatten(0))


def dcgan_networks(size, width=32, batch_norm=True):
    G = nets.dcgan_generator(Z, size=size, width=width)
    T = nets.dcgan_discriminator(size=size, width=width, batch_norm=batch_norm)
    return G, T


def generated(G):
    """Return what players share: samples of G, one for each x."""
    p_z = standard_normal(Z)
    return shared(lambda x: G(p_z.sample((len(x),))))


def gan_players(G, T, lr=2e-4):
    G_z = generated(G)

    def L_T(x):
        return -jensen_shannon(T(x), T(G_z(x)))

    def L_G(x):  # non-saturating
        return -jensen_shannon(T(G_z(x)), T(x))

    optimizer = adam(lr, (0.5, 0.999))
    return {"T": Player([T], L_T, optimizer), "G": Player([G], L_G, optimizer)}


def wgan_gp_players(G, T):
    G_z = generated(G)

    def L_T(x):
        y = G_z(x)
        return 10 * gradient_penalty(T, x, y) - wasserstein(T(x), T(y))

    def L_G(x):
        return wasserstein(T(x), T(G_z(x)))

    optimizer = adam(1e-4, (0.5, 0.999))
    T_player = Player([T], L_T, optimizer, steps=5)
    return {"T": T_player, "G": Player([G], L_G, optimizer)}


def vae_networks():
    return nets.mlp([784, 400, 2 * 20]), nets.mlp([20, 400, 784], shape=(1, 28, 28))


def vae_players(encoder, decoder):
    p_z = standard_normal(20)

    def loss(x):
        mean, log_var = encoder(x).chunk(2, dim=1)
        q = normal(mean, (0.5 * log_var).exp())
        p = bernoulli(decoder(q.rsample()))
        return -(p.log_prob(x) - kl_divergence(q, p_z)).mean()

    return {"VAE": Player([encoder, decoder], loss, adam(1e-3))}


def ali_networks():
    E = nets.mlp([784, 512, 256, 2 * Z])
    G = nn.Sequential(nets.mlp([Z, 256, 512, 784], shape=(1, 28, 28)), nn.Tanh())
    return E, G, Joint([784 + Z, 512, 256, 1], "leaky", shape=())


def ali_players(E, G, T):
    p_z = standard_normal(Z)

    @shared
    def joints(x):
        mean, log_std = E(x).chunk(2, dim=1)
        z = p_z.sample((len(x),))
        return (x, normal(mean, log_std.exp()).rsample()), (G(z), z)

    def L_T(x):
        encoded, decoded = joints(x)
        return -jensen_shannon(T(*encoded), T(*decoded))

    def L_EG(x):
        encoded, decoded = joints(x)
        return -jensen_shannon(T(*decoded), T(*encoded))

    return {"T": Player([T], L_T), "EG": Player([E, G], L_EG)}


def avb_networks():
    E = Joint([784 + Z, 512, 256, Z])
    G = nets.mlp([Z, 256, 512, 784], shape=(1, 28, 28))
    return E, G, Joint([784 + Z, 512, 256, 1], "leaky", shape=())


def avb_players(E, G, T):
    p_z = standard_normal(Z)
    q = shared(lambda x: E(x, p_z.sample((len(x),))))

    def L_T(x):
        return -jensen_shannon(T(x, q(x)), T(x, p_z.sample((len(x),))))

    def L_EG(x):
        z = q(x)
        return (T(x, z) - normal(G(z), 1.0).log_prob(x)).mean()

    return {"T": Player([T], L_T), "EG": Player([E, G], L_EG)}


def dcgan(size):
    networks = lambda: dcgan_networks(size)  # noqa: E731
    return Game({}, 64, size, True, networks, textbook.gan, by_hand.gan, gan_players)


GAMES = {
    "MLP GAN": Game(
        {"engine": 1.6, "bf16": 2.2}, 64, 28, True,
        mlp_networks, textbook.gan, by_hand.gan, gan_players,
    ),
    "DCGAN, upsampling": Game(
        {"engine": 1.25, "bf16": 1.6}, 64, 32, True,
        upsampling_networks, textbook.gan, by_hand.gan, gan_players,
    ),
    "WGAN-GP": Game(
        {"engine": 2.2, "bf16": 3.0}, 64, 28, True,
        mlp_networks, textbook.wgan_gp, by_hand.wgan_gp, wgan_gp_players,
    ),
    "VAE 784-400-20": Game(
        {"engine": 2.5, "bf16": 3.2}, 128, 28, False,
        vae_networks, textbook.vae, by_hand.vae, vae_players,
    ),
    "DCGAN 28x28": dcgan(28),
    "ALI 784": Game(
        {}, 64, 28, True, ali_networks, textbook.ali, by_hand.ali, ali_players
    ),
    "AVB 784": Game(
        {}, 64, 28, True, avb_networks, textbook.avb, by_hand.avb, avb_players
    ),
}  # fmt: skip


def textbook_loop(game):
    """Return rounds → None: the game as tutorials train it."""
    device = runtime.device()
    pictures = torch.randint(256, (PICTURES, 28, 28), dtype=torch.uint8)
    batches = textbook.loader(pictures, game.batch, game.size, game.tanh)
    networks = [m.to(device) for m in game.networks()]
    return game.textbook(*networks, batches, device)


def by_hand_loop(game):
    """Return rounds → None: the game as an expert would train it."""
    networks = [m.to(runtime.device()) for m in game.networks()]
    return game.by_hand(*networks, noise(game).x, game.batch)


def noise(game):
    """Return pictures of noise of the game's size, as an empirical distribution."""
    pictures = torch.randint(256, (PICTURES, 1, 28, 28), dtype=torch.uint8)
    if game.size != 28:
        pictures = interpolate(pictures.float(), size=game.size).to(torch.uint8)
    return data.Empirical(pictures, transform=data.to_tanh if game.tanh else None)


def engine_loop(game, fast=False):
    """Return rounds → None: the game as lectures train it."""
    p_data = noise(game)
    networks = [m.to(runtime.device()) for m in game.networks()]
    players = game.players(*networks)

    def train(rounds):
        fit(players, p_data, rounds, batch_size=game.batch, fast=fast, progress=False)

    return train
