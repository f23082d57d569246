"""Image networks with every choice open, to ask which of them an objective trains.

`gmlib.nets` holds the recipe of DCGAN. Here nonlinearity, normalisation, depth and
width are arguments, as in the experiments of Gulrajani et al. 2017, section 5.
"""

import random
from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import softplus

from gmlib import nets

__all__ = ["ACTIVATIONS", "FACTORS", "NORMS", "critic", "dense", "draw", "generator"]


class Shifted(nn.Module):
    """softplus(2t + 2)/2 − 1, a smooth ReLU (Gulrajani et al. 2017, table 1)."""

    def forward(self, t):
        return softplus(2 * t + 2) / 2 - 1


class Gated(nn.Module):
    """tanh(a) σ(b) of the two halves of the channels (van den Oord et al. 2016)."""

    def forward(self, t):
        a, b = t.chunk(2, 1)
        return a.tanh() * b.sigmoid()


class Residual(nn.Sequential):
    """t + f(t)."""

    def forward(self, t):
        return t + super().forward(t)


ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "softplus": Shifted,
    "tanh": nn.Tanh,
    "gated": Gated,
}
NORMS = {
    "batch": nn.BatchNorm2d,
    "layer": lambda c: nn.GroupNorm(1, c),  # over channels and pixels of a sample
    "none": lambda c: nn.Identity(),
}


FACTORS = {
    "activation": ["relu", "leaky", "softplus", "tanh"],
    "depth": [1, 2, 3, 5],
    "width": [32, 64, 128],
    "norm": [True, False],
}


def draw(number):
    """Return the random architecture of this number, a dictionary of its factors.

    ``activation_G``, ``depth_G``, ``width_G``, ``norm_G`` and the same with ``_T``,
    each uniform and independent, from the number alone: the factors of Gulrajani et
    al. 2017, table 1, for hidden layers that are fully connected.
    """
    choose = random.Random(number).choice
    return {f"{f}_{who}": choose(FACTORS[f]) for who in "GT" for f in FACTORS}


def dense(sizes, activation="relu", norm="none"):
    """Fully connected layers, (n, sizes[0]) → (n, sizes[-1]), linear at the end.

    Normalisation before each nonlinearity, as in `generator`; He's initialisation,
    a tenth of it in the last layer, so that no output begins saturated.
    """
    _known(activation, norm)
    wide = 2 if activation == "gated" else 1  # the gate halves the numbers
    layers = []
    for i, c in pairwise(sizes[:-1]):
        o = wide * c
        normal = nn.BatchNorm1d(o) if norm == "batch" else NORMS[norm](o)
        layers += [nn.Linear(i, o), normal, ACTIVATIONS[activation]()]
    network = _finish([*layers, nn.Linear(*sizes[-2:])], "he")
    with torch.no_grad():
        network[-1].weight.mul_(0.1)
    return network


def _known(activation, norm):
    for name, value, known in (
        ("activation", activation, ACTIVATIONS),
        ("norm", norm, NORMS),
    ):
        if value not in known:
            raise ValueError(f"{name} {value!r}: choose from {', '.join(known)}")


def _recipe(width, size, depth, activation, norm):
    """Return (pixels at the lowest resolution, channels, flat layers, layer)."""
    _known(activation, norm)
    nets._positive(width=width, size=size)
    base, n = nets._levels(size)
    flat = 0 if depth is None else depth - n - 1
    if flat < 0:
        raise ValueError(f"{size} pixels take at least {n + 1} layers, not {depth}")
    wide = 2 if activation == "gated" else 1  # the gate halves the channels

    def layer(weights, i, o, *how, norm=norm):
        o *= wide
        return [weights(i, o, *how), NORMS[norm](o), ACTIVATIONS[activation]()]

    return base**2, [width * 2**k for k in range(n)], flat, layer


def _flat(c, layers, layer, residual):
    """3 × 3 convolutions of c channels; if residual, in blocks of two."""
    if residual:
        return [Residual(*_flat(c, 2, layer, False)) for _ in range(layers // 2)]
    return [m for _ in range(layers) for m in layer(nn.Conv2d, c, c, 3, 1, 1)]


def _finish(layers, init):
    if init not in ("he", "dcgan"):
        raise ValueError(f"init {init!r}: choose from he, dcgan")
    network = nn.Sequential(*layers)
    if init == "dcgan":
        nets.dcgan_init(network)
    else:
        for m in network.modules():
            if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.kaiming_normal_(m.weight)
                nn.init.zeros_(m.bias)
    return nets._on_device(network)


def generator(
    z_dim,
    width=16,
    size=28,
    depth=None,
    activation="relu",
    norm="batch",
    init="he",
    constant=False,
    residual=False,
):
    """A convolutional generator, (n, z_dim) → (n, 1, size, size) in (−1, 1).

    A projection to 4 to 7 pixels square, further layers there, and one transposed
    convolution (4 × 4, stride 2) a doubling; tanh at the end.

    Parameters
    ----------
    width : int
        Channels before the last layer; they double towards the input.
    depth : int, optional
        Layers with weights; by default the fewest. Those beyond are 3 × 3
        convolutions at the lowest resolution, where they cost least.
    activation : str
        ``relu``, ``leaky``, ``softplus`` (shifted), ``tanh`` or ``gated``.
    norm : str
        ``batch``, ``layer`` or ``none``, before each nonlinearity.
    init : str
        ``he`` (He et al. 2015) or ``dcgan``, see `gmlib.nets.dcgan_init`.
    constant : bool
        Keep `width` channels throughout.
    residual : bool
        Put the 3 × 3 convolutions into residual blocks of two.
    """
    pixels, channels, flat, layer = _recipe(width, size, depth, activation, norm)
    channels = [width] * len(channels) if constant else channels
    side, top = round(pixels**0.5), channels[-1]
    project = layer(lambda i, o: nn.Linear(i, o * pixels), z_dim, top)
    layers = [project[0], nn.Unflatten(1, (-1, side, side)), *project[1:]]
    layers += _flat(top, flat, layer, residual)
    for i, o in pairwise(channels[::-1]):
        layers += layer(nn.ConvTranspose2d, i, o, 4, 2, 1)
    return _finish([*layers, nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh()], init)


def critic(
    width=16,
    size=28,
    depth=None,
    activation="leaky",
    norm="none",
    init="he",
    residual=False,
):
    """A convolutional critic or discriminator, (n, 1, size, size) → (n,).

    The mirror image of `generator`, with its arguments; no normalisation at the input.
    With a gradient penalty, ``norm`` is ``layer`` or ``none``.
    """
    pixels, channels, flat, layer = _recipe(width, size, depth, activation, norm)
    layers = layer(nn.Conv2d, 1, width, 4, 2, 1, norm="none")
    for i, o in pairwise(channels):
        layers += layer(nn.Conv2d, i, o, 4, 2, 1)
    layers += _flat(channels[-1], flat, layer, residual)
    end = [nn.Flatten(), nn.Linear(channels[-1] * pixels, 1), nn.Flatten(0)]
    return _finish([*layers, *end], init)
