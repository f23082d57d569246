"""A model is a game: players own modules, and each descends its own loss.

A VAE has one player, a GAN two, an adversarial autoencoder three. The engine
differentiates a player's loss in that player's parameters and in no others, so
that no lecture ever writes `detach`.
"""

from gmlib.game.draws import shared
from gmlib.game.engine import NotFinite, Sampler
from gmlib.game.optimizers import adam, rmsprop, sgd
from gmlib.game.player import Player
from gmlib.game.training import SAVE_SECONDS, fit

__all__ = [
    "SAVE_SECONDS",
    "NotFinite",
    "Player",
    "Sampler",
    "adam",
    "fit",
    "rmsprop",
    "sgd",
    "shared",
]
