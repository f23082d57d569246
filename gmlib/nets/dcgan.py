"""Convolutional networks for square images, by the recipe of DCGAN.

Each was built for one size and says so: a batch of other images, or of other z, is
a ValueError ("built for (1, 28, 28), got (1, 32, 32)").
"""

from typing import TypeVar

from torch import nn

from gmlib import checks
from gmlib.nets.basic import ACTIVATIONS, built_for, on_device

Network = TypeVar("Network", bound=nn.Module)


def levels(size: int) -> tuple[int, int]:
    """Return (base, n) with size = base · 2ⁿ and a base of 4, 5, 6 or 7.

    Raises ValueError if there are none.
    """
    n, size = 0, checks.count("size", size)
    while size % 2 == 0 and size > 7:
        size, n = size // 2, n + 1
    if not 4 <= size <= 7 or n < 1:
        raise ValueError("an image size is 4, 5, 6 or 7 times a power of two")
    return size, n


def dcgan_init(module: Network) -> Network:
    """DCGAN's initialisation: weights N(0, 0.02²), batch-norm gains N(1, 0.02²)."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(m.weight, 0.0, 0.02)
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1.0, 0.02)
    return module


def _up(
    z_dim: int, channels: int, width: int, size: int, batch_norm: bool
) -> list[nn.Module]:
    """Layers (n, z_dim) → (n, channels, size, size): one doubling at a time."""
    z_dim, channels, width, size = checks.counts(
        z_dim=z_dim, channels=channels, width=width, size=size
    )
    base, n = levels(size)
    c = width * 2 ** (n - 1)
    layers: list[nn.Module] = [nn.Linear(z_dim, c * base * base)]
    layers.append(nn.Unflatten(1, (c, base, base)))
    for level in range(n):
        out = channels if level == n - 1 else c // 2
        layers += [nn.BatchNorm2d(c)] if batch_norm else []
        layers += [nn.ReLU(), nn.ConvTranspose2d(c, out, 4, 2, 1)]
        c = out
    return layers


def _down(
    out: int, channels: int, width: int, size: int, batch_norm: bool, activation: str
) -> list[nn.Module]:
    """Layers (n, channels, size, size) → (n, out): one halving at a time."""
    out, channels, width, size = checks.counts(
        out=out, channels=channels, width=width, size=size
    )
    base, n = levels(size)
    layers: list[nn.Module] = []
    c = channels
    for level in range(n):
        layers.append(nn.Conv2d(c, width * 2**level, 4, 2, 1))
        c = width * 2**level
        layers += [nn.BatchNorm2d(c)] if batch_norm and level else []
        layers.append(ACTIVATIONS[activation]())
    return [*layers, nn.Flatten(), nn.Linear(c * base * base, out)]


def dcgan_generator(
    z_dim: int,
    channels: int = 1,
    width: int = 32,
    size: int = 28,
    batch_norm: bool = True,
) -> nn.Sequential:
    """DCGAN's generator, (n, z_dim) → (n, channels, size, size) in (−1, 1).

    A projection to 4 to 7 pixels square, then one transposed convolution
    (4 × 4, stride 2) a doubling; ReLU, batch normalisation except at the
    output, tanh (Radford et al. 2016, section 3). `width` is the number of
    channels before the last layer and doubles towards the input.
    """
    layers = _up(z_dim, channels, width, size, batch_norm)
    network = built_for(nn.Sequential(*layers, nn.Tanh()), z_dim)
    return on_device(dcgan_init(network))


def dcgan_discriminator(
    channels: int = 1, width: int = 32, size: int = 28, batch_norm: bool = True
) -> nn.Sequential:
    """DCGAN's discriminator, (n, channels, size, size) → logits (n,).

    One strided convolution (4 × 4, stride 2) a halving, leaky ReLU of slope
    0.2, batch normalisation except at the input (Radford et al. 2016, section
    3). No sigmoid: objectives take logits. ``batch_norm=False`` for critics
    with a gradient penalty.
    """
    layers = _down(1, channels, width, size, batch_norm, "leaky")
    network = built_for(nn.Sequential(*layers, nn.Flatten(0)), channels, size, size)
    return on_device(dcgan_init(network))


def conv_encoder(
    out: int, channels: int = 1, width: int = 32, size: int = 28
) -> nn.Sequential:
    """Strided convolutions, (n, channels, size, size) → (n, out); for encoders."""
    layers = _down(out, channels, width, size, False, "relu")
    return on_device(built_for(nn.Sequential(*layers), channels, size, size))


def conv_decoder(
    z_dim: int, channels: int = 1, width: int = 32, size: int = 28
) -> nn.Sequential:
    """Transposed convolutions, (n, z_dim) → (n, channels, size, size), linear output.

    The output is the logits of a Bernoulli or the mean of a normal.
    """
    layers = _up(z_dim, channels, width, size, False)
    return on_device(built_for(nn.Sequential(*layers), z_dim))
