"""Image networks with every choice open, to ask which of them an objective trains.

`gmlib.nets` holds the recipe of DCGAN. Here nonlinearity, normalisation, depth and
width are arguments, as in the experiments of Gulrajani et al. 2017, section 5.
"""

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gmlib import checks, nets

__all__ = ["ACTIVATIONS", "FACTORS", "NORMS", "critic", "dense", "draw", "generator"]


class Shifted(nn.Module):
    """softplus(2t + 2)/2 − 1, a smooth ReLU (Gulrajani et al. 2017, table 1)."""

    def forward(self, t: Tensor) -> Tensor:
        return softplus(2 * t + 2) / 2 - 1


class Gated(nn.Module):
    """tanh(a) σ(b) of the two halves of the channels (van den Oord et al. 2016)."""

    def forward(self, t: Tensor) -> Tensor:
        a, b = t.chunk(2, 1)
        return a.tanh() * b.sigmoid()


class Residual(nn.Sequential):
    """t + f(t)."""

    def forward(self, input: Tensor) -> Tensor:
        return input + super().forward(input)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "softplus": Shifted,
    "tanh": nn.Tanh,
    "gated": Gated,
}
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "layer": lambda c: nn.GroupNorm(1, c),  # over channels and pixels of a sample
    "none": lambda c: nn.Identity(),
}
FACTORS: dict[str, list[Any]] = {
    "activation": ["relu", "leaky", "softplus", "tanh"],
    "depth": [1, 2, 3, 5],
    "width": [32, 64, 128],
    "norm": [True, False],
}


def draw(number: int) -> dict[str, Any]:
    """Return the random architecture of this number, a dictionary of its factors.

    ``activation_G``, ``depth_G``, ``width_G``, ``norm_G`` and the same with ``_T``,
    each uniform and independent, from the number alone: the factors of Gulrajani et
    al. 2017, table 1, for hidden layers that are fully connected.
    """
    choose = random.Random(checks.count("number", number, 0)).choice
    return {f"{f}_{who}": choose(FACTORS[f]) for who in "GT" for f in FACTORS}


def dense(
    sizes: Sequence[int], activation: str = "relu", norm: str = "none"
) -> nn.Sequential:
    """Fully connected layers, (n, sizes[0]) → (n, sizes[-1]), linear at the end.

    Normalisation before each nonlinearity, as in `generator`; He's initialisation,
    a tenth of it in the last layer, so that no output begins saturated. Raises
    ValueError for names that are not in `ACTIVATIONS` and `NORMS`.
    """
    _known(activation, norm)
    sizes = checks.sizes("sizes", sizes)
    wide = 2 if activation == "gated" else 1  # the gate halves the numbers
    layers: list[nn.Module] = []
    for i, c in pairwise(sizes[:-1]):
        o = wide * c
        normal = nn.BatchNorm1d(o) if norm == "batch" else NORMS[norm](o)
        layers += [nn.Linear(i, o), normal, ACTIVATIONS[activation]()]
    last = nn.Linear(sizes[-2], sizes[-1])
    network = _finish([*layers, last], "he", sizes[0])
    with torch.no_grad():
        last.weight.mul_(0.1)
    return network


def _known(activation: str, norm: str) -> None:
    checks.choice("activation", activation, ACTIVATIONS)
    checks.choice("norm", norm, NORMS)


def _recipe(
    width: int, size: int, depth: int | None, activation: str, norm: str
) -> tuple[int, list[int], int, Callable[..., list[nn.Module]]]:
    """Return (pixels at the lowest resolution, channels, flat layers, layer)."""
    _known(activation, norm)
    width, size = checks.counts(width=width, size=size)
    base, n = nets.levels(size)
    flat = 0 if depth is None else checks.count("depth", depth) - n - 1
    if flat < 0:
        raise ValueError(f"{size} pixels take at least {n + 1} layers, not {depth}")
    wide = 2 if activation == "gated" else 1  # the gate halves the channels

    def layer(weights, i, o, *how, norm=norm):
        o *= wide
        return [weights(i, o, *how), NORMS[norm](o), ACTIVATIONS[activation]()]

    return base**2, [width * 2**k for k in range(n)], flat, layer


def _flat(
    c: int, layers: int, layer: Callable[..., list[nn.Module]], residual: bool
) -> list[nn.Module]:
    """3 × 3 convolutions of c channels; if residual, in blocks of two."""
    if residual:
        return [Residual(*_flat(c, 2, layer, False)) for _ in range(layers // 2)]
    return [m for _ in range(layers) for m in layer(nn.Conv2d, c, c, 3, 1, 1)]


def _finish(layers: list[nn.Module], init: str, *shape: int) -> nn.Sequential:
    """Chain the layers, built for samples of this shape, and initialise them."""
    checks.choice("init", init, ("he", "dcgan"))
    network = nets.built_for(nn.Sequential(*layers), *shape)
    if init == "dcgan":
        nets.dcgan_init(network)
    else:
        for m in network.modules():
            if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.kaiming_normal_(m.weight)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
    return nets.on_device(network)


def generator(
    z_dim: int,
    width: int = 16,
    size: int = 28,
    depth: int | None = None,
    activation: str = "relu",
    norm: str = "batch",
    init: str = "he",
    constant: bool = False,
    residual: bool = False,
) -> nn.Sequential:
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

    Raises
    ------
    ValueError
        If a name is unknown, or no such network has `size` pixels or `depth` layers;
        when it is called, if a batch of z is not of shape (n, z_dim).
    """
    pixels, channels, flat, layer = _recipe(width, size, depth, activation, norm)
    channels = [width] * len(channels) if constant else channels
    side, top = round(pixels**0.5), channels[-1]
    project = layer(lambda i, o: nn.Linear(i, o * pixels), z_dim, top)
    layers = [project[0], nn.Unflatten(1, (-1, side, side)), *project[1:]]
    layers += _flat(top, flat, layer, residual)
    for i, o in pairwise(channels[::-1]):
        layers += layer(nn.ConvTranspose2d, i, o, 4, 2, 1)
    end = [nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh()]
    return _finish([*layers, *end], init, z_dim)


def critic(
    width: int = 16,
    size: int = 28,
    depth: int | None = None,
    activation: str = "leaky",
    norm: str = "none",
    init: str = "he",
    residual: bool = False,
) -> nn.Sequential:
    """A convolutional critic or discriminator, (n, 1, size, size) → (n,).

    The mirror image of `generator`, with its arguments; no normalisation at the input.
    With a gradient penalty, ``norm`` is ``layer`` or ``none``. Raises what `generator`
    raises, and when it is called, for images of another size.
    """
    pixels, channels, flat, layer = _recipe(width, size, depth, activation, norm)
    layers = layer(nn.Conv2d, 1, width, 4, 2, 1, norm="none")
    for i, o in pairwise(channels):
        layers += layer(nn.Conv2d, i, o, 4, 2, 1)
    layers += _flat(channels[-1], flat, layer, residual)
    end = [nn.Flatten(), nn.Linear(channels[-1] * pixels, 1), nn.Flatten(0)]
    return _finish([*layers, *end], init, 1, size, size)
