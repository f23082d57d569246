"""A network that enlarges pictures, of the kind of SRResNet."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gmlib import checks, runtime


class Beside(nn.Module):
    """inner(x) + around(x): a network and a way around it.

    Parameters
    ----------
    inner : nn.Module
    around : callable, optional
        What goes around: a function of tensors or a module; by default x itself.
    """

    def __init__(
        self, inner: nn.Module, around: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.inner = inner
        self.around = nn.Identity() if around is None else around

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + self.around(x)


class _Pictures:
    """A forward pre-hook that refuses what is no batch of pictures of floats."""

    def __init__(self, channels: int) -> None:
        self.channels = channels

    def __call__(self, layer: nn.Module, given: tuple[Any, ...]) -> None:
        x = given[0]
        if not torch.is_tensor(x) or x.dim() != 4 or x.shape[1] != self.channels:
            came = tuple(x.shape) if torch.is_tensor(x) else type(x).__name__
            raise ValueError(f"built for (n, {self.channels}, h, w), got {came}")
        if not x.dtype.is_floating_point:
            raise TypeError(f"built for floats, got {x.dtype}: use x.float() / 255")


def _layers(factor: int, width: int, blocks: int, channels: int) -> list[nn.Module]:
    """What learns: (n, channels, h, w) → (n, channels, factor h, factor w)."""

    def block() -> nn.Module:
        return Beside(nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        ))  # fmt: skip

    body = nn.Sequential(*[block() for _ in range(blocks)])
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
    layers.append(Beside(body))
    while factor > 1:
        layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        factor //= 2
    last = nn.Conv2d(width, channels, 3, padding=1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # pyrefly: ignore[bad-argument-type]
    return [*layers, last]


def super_resolver(
    factor: int = 4, width: int = 24, blocks: int = 3, channels: int = 3
) -> nn.Sequential:
    """A network that enlarges pictures: SRResNet, small and without batch norm.

    Residual blocks at the small size (Ledig et al. 2017, figure 4), then doublings, and
    what it makes is added to the bilinear enlargement of its input. The last layer
    starts at zero, so an untrained network is that enlargement. Three things differ
    from SRResNet. There is no batch normalisation (Lim et al. 2017): a picture is
    enlarged alike in any batch. A doubling repeats pixels before its convolution, where
    SRResNet shuffles channels into pixels after it, which draws a grid at first (Odena
    et al. 2016). And the way around carries the picture, not features.
    It takes any height and width.

    Parameters
    ----------
    factor : {2, 4, 8}
    width : int
        Channels of the hidden layers.
    blocks : int
        Residual blocks of two convolutions each.
    channels : int
        Of the pictures.

    Returns
    -------
    nn.Sequential
        (n, channels, h, w) → (n, channels, factor · h, factor · w), linear output.

    Raises
    ------
    ValueError
        If the factor is another or a size is no positive integer; the network, if its
        input is no batch of such pictures.

    Examples
    --------
    >>> super_resolver(4)(torch.zeros(2, 3, 8, 5)).shape
    torch.Size([2, 3, 32, 20])
    """
    checks.choice("factor", factor, (2, 4, 8))
    width, blocks, channels = checks.counts(
        width=width, blocks=blocks, channels=channels
    )
    grow = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
    inner = nn.Sequential(*_layers(factor, width, blocks, channels))
    network = nn.Sequential(Beside(inner, grow))
    network[0].register_forward_pre_hook(_Pictures(channels))
    return network.to(runtime.device()).to(memory_format=torch.channels_last)
