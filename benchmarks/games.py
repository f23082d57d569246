"""The games that are timed: their networks, and both ways to train them.

Speed does not depend on what is in the pictures, so they are noise.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import interpolate, logsigmoid

from benchmarks import textbook
from gmlib import data, nets, runtime
from gmlib.game import Player, adam, fit
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
Z = 64


class Joint(nn.Module):
    """An MLP of several arguments, flattened and put side by side."""

    def __init__(self, sizes, activation="relu", shape=None):
        super().__init__()
        self.mlp = nets.mlp(sizes, activation, shape=shape)

    def forward(self, *parts):
        return self.mlp(torch.cat([p.flatten(1) for p in parts], dim=1))


class Game(NamedTuple):
    """A game of the bench: how to make its networks, and both ways to train them."""

    target: float  # the ratio asked for on two CPU cores; 0: none
    batch: int
    size: int
    tanh: bool
    networks: object  # () → tuple of modules
    textbook: object  # (*networks, batches, device) → (rounds → None)
    players: object  # (*networks) → dict of players


def mlp_networks():
    G = nn.Sequential(nets.mlp([Z, 256, 512, 784], shape=(1, 28, 28)), nn.Tanh())
    return G, nets.mlp([784, 512, 256, 1], "leaky", shape=())


def dcgan_networks(size, width=32, batch_norm=True):
    G = nets.dcgan_generator(Z, size=size, width=width)
    T = nets.dcgan_discriminator(size=size, width=width, batch_norm=batch_norm)
    return G, T


def gan_players(G, T, lr=2e-4):
    p_z = standard_normal(Z)

    def L_T(x):
        return -jensen_shannon(T(x), T(G(p_z.sample((len(x),)))))

    def L_G(x):  # non-saturating: the term that moves G, as in the textbook
        return -logsigmoid(T(G(p_z.sample((len(x),))))).mean()

    optimizer = adam(lr, (0.5, 0.999))
    return {"T": Player([T], L_T, optimizer), "G": Player([G], L_G, optimizer)}


def wgan_gp_players(G, T):
    p_z = standard_normal(Z)

    def L_T(x):
        y = G(p_z.sample((len(x),)))
        return 10 * gradient_penalty(T, x, y) - wasserstein(T(x), T(y))

    def L_G(x):
        return -T(G(p_z.sample((len(x),)))).mean()

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

    def joints(x):
        mean, log_std = E(x).chunk(2, dim=1)
        z = p_z.sample((len(x),))
        return T(x, normal(mean, log_std.exp()).rsample()), T(G(z), z)

    def L_T(x):
        return -jensen_shannon(*joints(x))

    def L_EG(x):
        t_q, t_p = joints(x)
        return -jensen_shannon(t_p, t_q)

    return {"T": Player([T], L_T), "EG": Player([E, G], L_EG)}


def avb_networks():
    E = Joint([784 + Z, 512, 256, Z])
    G = nets.mlp([Z, 256, 512, 784], shape=(1, 28, 28))
    return E, G, Joint([784 + Z, 512, 256, 1], "leaky", shape=())


def avb_players(E, G, T):
    p_z = standard_normal(Z)

    def q(x):
        return E(x, p_z.sample((len(x),)))

    def L_EG(x):
        z = q(x)
        return (T(x, z) - normal(G(z), 1.0).log_prob(x)).mean()

    def L_T(x):
        return -jensen_shannon(T(x, q(x)), T(x, p_z.sample((len(x),))))

    return {"EG": Player([E, G], L_EG), "T": Player([T], L_T)}


def dcgan(target, size):
    networks = lambda: dcgan_networks(size)  # noqa: E731
    return Game(target, 64, size, True, networks, textbook.gan, gan_players)


GAMES = {
    "MLP GAN 784": Game(2.5, 64, 28, True, mlp_networks, textbook.gan, gan_players),
    "DCGAN 28x28": dcgan(1.9, 28),
    "DCGAN 32x32": dcgan(1.9, 32),
    "DCGAN 64x64": dcgan(1.9, 64),
    "WGAN-GP 28x28": Game(
        2.2, 64, 28, True,
        lambda: dcgan_networks(28, batch_norm=False),
        textbook.wgan_gp, wgan_gp_players,
    ),
    "VAE 784-400-20": Game(
        4.2, 128, 28, False, vae_networks, textbook.vae, vae_players
    ),
    "ALI 784": Game(0, 64, 28, True, ali_networks, textbook.ali, ali_players),
    "AVB 784": Game(0, 64, 28, True, avb_networks, textbook.avb, avb_players),
}  # fmt: skip


def textbook_loop(game):
    """Return rounds → None: the game as tutorials train it."""
    device = runtime.device()
    pictures = torch.randint(256, (PICTURES, 28, 28), dtype=torch.uint8)
    batches = textbook.loader(pictures, game.batch, game.size, game.tanh)
    networks = [m.to(device) for m in game.networks()]
    return game.textbook(*networks, batches, device)


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
