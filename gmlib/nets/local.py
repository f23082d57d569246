"""Locally connected layers, and the networks of LAGAN at a width for a CPU."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gmlib import checks
from gmlib.nets.basic import built_for, on_device
from gmlib.nets.blocks import MinibatchDiscrimination

SIZE = 25  # pixels a side of a jet picture


class _Products(torch.autograd.Function):
    """The product at each place of its window with its own weights.

    Pictures (h, w, n, i) and weights (places, k² i, o) give (places, n, o). Torch's own
    gradient would copy each matrix by itself, and fill a picture of zeros a shift.
    """

    @staticmethod
    def _shifts(x: Tensor, kernel: int, stride: int, out: int) -> list[Tensor]:
        end = stride * (out - 1) + 1
        return [
            x[a : a + end : stride, b : b + end : stride]
            for a in range(kernel)
            for b in range(kernel)
        ]

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, kernel: int, stride: int, out: int
    ) -> Tensor:
        seen = x.new_empty(out, out, x.shape[2], kernel**2, x.shape[3])
        shifts = _Products._shifts(x, kernel, stride, out)
        for row, shift in zip(seen.unbind(3), shifts, strict=True):
            row.copy_(shift)
        seen = seen.flatten(3).flatten(0, 1)
        ctx.shape, ctx.given = x.shape, (kernel, stride, out)
        ctx.save_for_backward(seen, weight)
        return torch.bmm(seen, weight)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (seen, weight), slope = ctx.saved_tensors, slopes[0].contiguous()
        kernel, _, out = ctx.given
        of_weight = torch.bmm(seen.mT, slope) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None, None, None
        total = slope.new_zeros(ctx.shape)
        rows = torch.bmm(slope, weight.mT).unflatten(0, (out, out))
        rows = rows.unflatten(3, (kernel**2, -1)).unbind(3)
        shifts = _Products._shifts(total, *ctx.given)
        for row, shift in zip(rows, shifts, strict=True):
            shift += row
        return total, of_weight, None, None, None


class LocallyConnected2d(nn.Module):
    """A convolution whose kernel is another at every place: no weights are shared.

    Parameters
    ----------
    i, o : int
        Channels in and out.
    size : int
        Takes (n, i, size, size); returns (n, o, s, s) with
        s = (size + 2 padding − kernel) // stride + 1.
    kernel, stride, padding : int
    bias : bool
        One number a place and channel.

    Raises
    ------
    ValueError
        If a size is not a positive integer, or the kernel is larger than the picture.
    """

    def __init__(
        self,
        i: int,
        o: int,
        size: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        i, o, size, kernel, stride = checks.counts(
            i=i, o=o, size=size, kernel=kernel, stride=stride
        )
        self.padding = checks.count("padding", padding, 0)
        self.kernel, self.stride = kernel, stride
        self.out = (size + 2 * padding - kernel) // stride + 1
        if self.out < 1:
            raise ValueError(f"a kernel of {kernel} does not fit into {size} pixels")
        most = 1 / math.sqrt(i * kernel**2)  # as torch's own layers begin
        places = self.out**2
        weight = torch.empty(places, kernel**2 * i, o).uniform_(-most, most)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(places, 1, o)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        # Places lead and channels come last: what a product takes lies together.
        x = pad(x, 4 * [self.padding]).permute(2, 3, 0, 1).contiguous()
        given = self.kernel, self.stride, self.out
        made = _Products.apply(x, self.weight, *given)
        made = made if self.bias is None else made + self.bias
        return made.permute(1, 2, 0).contiguous().unflatten(2, (self.out, self.out))

    def extra_repr(self) -> str:
        return f"kernel={self.kernel}, stride={self.stride}, padding={self.padding}"


def lagan_generator(z_dim: int, width: int = 8, local: bool = True) -> nn.Sequential:
    """LAGAN's generator up to its last activation, (n, z_dim) → (n, 1, 25, 25).

    A projection to 7 × 7, a convolution, and three locally connected layers after
    doublings (de Oliveira et al. 2017 and their code, where `width` is 64); the paper
    ends with a ReLU, which the caller adds. ``local=False``: a DCGAN as they compare it
    with, two transposed convolutions and two convolutions.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    z_dim, w = checks.counts(z_dim=z_dim, width=width)
    first = [nn.Linear(z_dim, 2 * w * 49), nn.Unflatten(1, (2 * w, 7, 7))]
    if local:
        rest = [
            nn.Conv2d(2 * w, w, 5, padding=2), nn.LeakyReLU(0.3), nn.BatchNorm2d(w),
            nn.Upsample(scale_factor=2),
            LocallyConnected2d(w, 6, 14, 5, padding=2), nn.LeakyReLU(0.3),
            nn.BatchNorm2d(6), nn.Upsample(scale_factor=2),
            LocallyConnected2d(6, 6, 28, 3), nn.LeakyReLU(0.3),
            LocallyConnected2d(6, 1, 26, 2, bias=False),
        ]  # fmt: skip
    else:
        rest = [
            nn.ConvTranspose2d(2 * w, w, 4, 2, 1), nn.LeakyReLU(0.3),
            nn.BatchNorm2d(w),
            nn.ConvTranspose2d(w, w // 2 or 1, 4, 2, 1), nn.LeakyReLU(0.3),
            nn.BatchNorm2d(w // 2 or 1),
            nn.Conv2d(w // 2 or 1, 8, 3), nn.LeakyReLU(0.3), nn.Conv2d(8, 1, 2),
        ]  # fmt: skip
    return on_device(built_for(nn.Sequential(*first, *rest), z_dim))


def lagan_features(width: int = 8, local: bool = True) -> nn.Sequential:
    """The body of LAGAN's discriminator, (n, 1, 25, 25) → (n, features).

    A convolution and three locally connected layers with dropout and batch
    normalisation, then minibatch features, 20 kernels of 10 numbers; in the paper
    `width` is 32. Real and generated pictures go through it in batches of their own.
    ``local=False``: convolutions throughout, as in the DCGAN they compare it with.

    Raises
    ------
    ValueError
        If the width is not a positive integer.
    """
    w = checks.count("width", width)
    if local:
        layers = [
            LocallyConnected2d(w, 8, SIZE, 5, 2, 2),
            LocallyConnected2d(8, 8, 13, 5, 1, 2),
            LocallyConnected2d(8, 8, 13, 3, 2, 1),
        ]
        channels = [8, 8, 8]
    else:
        layers = [
            nn.Conv2d(w, 2 * w, 5, 2, 2),
            nn.Conv2d(2 * w, 2 * w, 5, padding=2),
            nn.Conv2d(2 * w, 4 * w, 3, 2, 1),
        ]
        channels = [2 * w, 2 * w, 4 * w]
    body: list[nn.Module] = [nn.Conv2d(1, w, 5, padding=2), nn.LeakyReLU(0.3)]
    body.append(nn.Dropout(0.2))
    for layer, c in zip(layers, channels, strict=True):
        body += [layer, nn.LeakyReLU(0.3), nn.BatchNorm2d(c), nn.Dropout(0.2)]
    flat = channels[-1] * 9
    body += [nn.AvgPool2d(2), nn.Flatten(), MinibatchDiscrimination(flat, 20, 10)]
    return on_device(built_for(nn.Sequential(*body), 1, SIZE, SIZE))
