"""Networks that grow while they are trained, and the layers that they are made of.

The layers of Karras et al. 2018: scaled weights, pixel normalisation, the standard
deviation of a minibatch. Each keeps one plain parameter ``weight``; what scales it is a
number. Both networks know every size from the start and run at one of them, `at`, by
half or wholly.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    avg_pool2d,
    conv2d,
    conv_transpose2d,
    interpolate,
    leaky_relu,
    linear,
    pad,
)

from gmlib import checks, runtime

SMALLEST = 4  # pixels a side where the first layer of G and the last of T work
RESAMPLE = ("no", "double", "halve")


def _weight(shape: Sequence[int], c: float, equal: bool) -> nn.Parameter:
    """Weights whose use, after their factor, starts as N(0, c²)."""
    return nn.Parameter(torch.randn(*shape) * (1.0 if equal else c))


class EqualLinear(nn.Module):
    """x W' + b with W' = c W, W ~ N(0, 1) and c = gain/√i (section 4.1).

    In training, Adam moves every W by about its learning rate, so that all layers move
    by one share of their spread. It is a learning rate a layer, not a normalisation:
    the function and its first law are those of He et al. 2015.

    Parameters
    ----------
    i, o : int
        Takes (n, i), returns (n, o).
    gain : float
        √2 before a (leaky) ReLU, 1 at an output.
    equal : bool
        With False the factor c goes into the first weights, as is usual.
    """

    def __init__(
        self, i: int, o: int, gain: float = math.sqrt(2), equal: bool = True
    ) -> None:
        super().__init__()
        i, o = checks.counts(i=i, o=o)
        c = checks.number("gain", gain) / math.sqrt(i)
        self.c = c if equal else 1.0
        self.weight = _weight((o, i), c, equal)
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.c * self.weight, self.bias)


class EqualConv2d(nn.Module):
    """A convolution with scaled weights, like `EqualLinear`; c = gain/√(i k²).

    Parameters
    ----------
    i, o : int
        Channels: takes (n, i, h, w), returns (n, o, h', w').
    kernel : int
        k, odd; the edges are padded with zeros.
    gain, equal
        As in `EqualLinear`.
    resample : {"no", "double", "halve"}
        With ``double`` the picture is doubled (nearest neighbour) before the
        convolution, with ``halve`` halved (2 × 2 means) after it. Both are computed in
        one step, by a kernel that is larger by one: fewer products, the same numbers.

    Raises
    ------
    ValueError
        If `kernel` is even, or a size is no positive integer.
    """

    def __init__(
        self,
        i: int,
        o: int,
        kernel: int = 3,
        gain: float = math.sqrt(2),
        equal: bool = True,
        resample: str = "no",
    ) -> None:
        super().__init__()
        i, o, kernel = checks.counts(i=i, o=o, kernel=kernel)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, to have a centre, not {kernel}")
        self.resample = checks.choice("resample", resample, RESAMPLE)
        c = checks.number("gain", gain) / math.sqrt(i * kernel**2)
        self.c, self.edge = (c if equal else 1.0), kernel // 2
        self.weight = _weight((o, i, kernel, kernel), c, equal)
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        w = self.c * self.weight
        if self.resample == "no":
            return conv2d(x, w, self.bias, padding=self.edge)
        # The mean of four copies of the kernel, shifted by 0 or 1 each way.
        means = avg_pool2d(pad(w, (1, 1, 1, 1)), 2, 1)
        if self.resample == "halve":
            return conv2d(x, means, self.bias, stride=2, padding=self.edge)
        turned = 4 * means.flip(2, 3).transpose(0, 1)  # as a transpose needs it
        return conv_transpose2d(x, turned, self.bias, stride=2, padding=self.edge)


class PixelNorm(nn.Module):
    """a/√(mean of a² over channels + 1e-8), at every pixel (section 4.2).

    The result lies on the sphere of radius √C, so that the next layer's input has one
    size whatever the weights before it. Takes (n, C, ...).
    """

    def forward(self, a: Tensor) -> Tensor:
        return a * (a.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class MinibatchDeviation(nn.Module):
    """One more channel, which says how much a group of samples differs (section 3).

    The standard deviation over the group, of each number, without Bessel's correction
    and with 1e-8 under the root; its mean over channels and pixels is a constant
    channel of every sample of the group. Of N samples in groups of g, sample i is with
    i + N/g, i + 2N/g, ...

    Parameters
    ----------
    group : int
        g; of fewer samples it takes all.

    Raises
    ------
    ValueError
        When it is called, if groups of g do not fill the batch.
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = checks.count("group", group, 2)

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        g = min(self.group, n)
        if n % g:
            raise ValueError(f"{n} samples do not make groups of {g}")
        parts = x.reshape(g, n // g, -1)
        apart = (parts.var(0, correction=0) + 1e-8).sqrt().mean(1)
        return torch.cat([x, apart.repeat(g).view(n, 1, 1, 1).expand(n, 1, h, w)], 1)


class _Growing(nn.Module):
    """What both networks share: the sizes, the present one, and the fade."""

    alpha: Tensor

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.widths = checks.sizes("widths", widths)
        if len(self.widths) < 2:
            raise ValueError("widths: one for 4 pixels a side, one for each doubling")
        self.channels = checks.count("channels", channels)
        sizes = tuple(SMALLEST * 2**k for k in range(1, len(self.widths)))
        self.sizes, self.size, self.fading = sizes, sizes[-1], False
        self.register_buffer("alpha", torch.ones(()))

    def at(self, size: int, fade: bool = False) -> Self:
        """Run at `size` pixels from now on; return the network.

        Parameters
        ----------
        size : int
            One of `sizes`: 8, 16, ...
        fade : bool
            Set `alpha` to 0: the layers of this size count for nothing yet, and what
            was learnt at half of it for all. They count by `alpha`, a tensor of shape
            (), which the training raises in place to 1. Without, it is 1.

        Raises
        ------
        ValueError
            If the network has no such size, or nothing to fade from.
        """
        self.size = checks.choice("size", size, self.sizes)
        self.fading = bool(fade)
        if self.fading and size == self.sizes[0]:
            raise ValueError(f"at {size} pixels there is nothing to fade from")
        with torch.no_grad():
            self.alpha.fill_(0.0 if fade else 1.0)
        return self

    def _done(self) -> None:
        self.to(runtime.device()).to(memory_format=torch.channels_last)


class GrowingGenerator(_Growing):
    """A generator of pictures of 8, 16, ... pixels, (n, z_dim) → (n, channels, s, s).

    z is normalised; a layer makes 4 × 4 pixels, one convolution a doubling the rest.
    Each is followed by leaky ReLU (slope 0.2) and pixel normalisation. At size s a
    1 × 1 convolution makes a picture of the channels, linear at the end. While size s
    fades in, it is (1 − α) U G_{s/2}(z) + α G_s(z), where U doubles by nearest
    neighbours. It has one 3 × 3 convolution a size, half of those of the paper.

    Parameters
    ----------
    z_dim : int
    widths : list of int
        Channels at 4, 8, 16, ... pixels.
    channels : int
        Of the picture.
    equal, norm : bool
        Scaled weights; pixel normalisation (that of z included).
    """

    def __init__(
        self,
        z_dim: int,
        widths: Sequence[int] = (64, 64, 32, 16),
        channels: int = 3,
        equal: bool = True,
        norm: bool = True,
    ) -> None:
        super().__init__(widths, channels)
        w, self.z_dim = self.widths, checks.count("z_dim", z_dim)
        self.first = EqualLinear(z_dim, w[0] * SMALLEST**2, equal=equal)
        self.up = nn.ModuleList(
            EqualConv2d(i, o, equal=equal, resample="double") for i, o in pairwise(w)
        )
        self.paint = nn.ModuleList(EqualConv2d(o, channels, 1, 1, equal) for o in w[1:])
        self.norm = PixelNorm() if norm else nn.Identity()
        self._done()

    def forward(self, z: Tensor) -> Tensor:
        if z.shape[1:] != (self.z_dim,):
            raise ValueError(f"built for ({self.z_dim},), got {tuple(z.shape[1:])}")
        x = self.first(self.norm(z)).unflatten(1, (-1, SMALLEST, SMALLEST))
        x = self.norm(leaky_relu(x, 0.2))
        last, before = self.sizes.index(self.size), x
        for layer in list(self.up)[: last + 1]:
            before, x = x, self.norm(leaky_relu(layer(x), 0.2))
        y = self.paint[last](x)
        if not self.fading:
            return y
        old = interpolate(self.paint[last - 1](before), scale_factor=2.0)
        return torch.lerp(old, y, self.alpha)


class GrowingDiscriminator(_Growing):
    """The mirror of `GrowingGenerator`: (n, channels, s, s) → logits (n,).

    While size s fades in, its first features are (1 − α) r(H x) + α f(x), where H takes
    2 × 2 means, r reads a picture of half the size as before, and f has a new layer.

    Parameters
    ----------
    widths, channels, equal
        As in `GrowingGenerator`.
    group : int
        Of `MinibatchDeviation`, before the last convolution; 0 leaves it out.

    Raises
    ------
    ValueError
        For widths as of the generator; when it is called, for another shape.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 64, 32, 16),
        channels: int = 3,
        equal: bool = True,
        group: int = 4,
    ) -> None:
        super().__init__(widths, channels)
        w = self.widths
        self.read = nn.ModuleList(
            EqualConv2d(channels, o, 1, equal=equal) for o in w[1:]
        )
        self.down = nn.ModuleList(
            EqualConv2d(i, o, equal=equal, resample="halve") for o, i in pairwise(w)
        )
        self.apart = MinibatchDeviation(group) if group else nn.Identity()
        self.mix = EqualConv2d(w[0] + bool(group), w[0], equal=equal)
        self.last = EqualLinear(w[0] * SMALLEST**2, 1, 1, equal)
        self._done()

    def forward(self, x: Tensor) -> Tensor:
        wanted = (self.channels, self.size, self.size)
        if x.shape[1:] != wanted:
            advice = checks.advice(x.shape, wanted)
            raise ValueError(f"it runs at {wanted}, got {tuple(x.shape[1:])}{advice}")
        first = self.sizes.index(self.size)
        h = leaky_relu(self.down[first](leaky_relu(self.read[first](x), 0.2)), 0.2)
        if self.fading:
            old = leaky_relu(self.read[first - 1](avg_pool2d(x, 2)), 0.2)
            h = torch.lerp(old, h, self.alpha)
        for layer in reversed(list(self.down)[:first]):
            h = leaky_relu(layer(h), 0.2)
        h = leaky_relu(self.mix(self.apart(h)), 0.2)
        return self.last(h.flatten(1)).flatten()
