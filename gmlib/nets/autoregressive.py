"""Masked networks: one pass returns the logits of all conditionals of a law.

Output i depends on the inputs before i alone, in reading order. So with logits t and
x in {0, 1}, Π_i σ((2 x_i − 1) t_i(x_<i)) is a probability: its sum over all x is one.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from gmlib import checks, runtime
from gmlib.nets.basic import ACTIVATIONS, built_for, on_device


class MaskedLinear(nn.Linear):
    """A linear layer whose weights count only where `mask` is one.

    Parameters
    ----------
    mask : Tensor of 0 and 1, shape (outputs, inputs)

    Raises
    ------
    ValueError
        If the mask is no matrix.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        if mask.dim() != 2:
            raise ValueError(f"a mask has shape (outputs, inputs), not {mask.shape}")
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight))

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.mask * self.weight, self.bias)


class MaskedConv2d(nn.Conv2d):
    """A convolution that sees only pixels before its own, in reading order.

    Parameters
    ----------
    i, o : int
        Channels in and out: takes (n, i, h, w), returns (n, o, h, w).
    kernel : int
        Odd.
    sees_itself : bool
        Whether a pixel sees itself too. It must not in the first layer, which gets x;
        it may in all later ones, which get what the first has made of earlier pixels
        (van den Oord et al. 2016, masks A and B).

    Raises
    ------
    ValueError
        If `kernel` is even, or a size is not a positive integer.
    """

    mask: Tensor

    def __init__(self, i: int, o: int, kernel: int, sees_itself: bool) -> None:
        i, o, kernel = checks.counts(i=i, o=o, kernel=kernel)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, to have a centre, not {kernel}")
        super().__init__(i, o, kernel, padding=kernel // 2)
        before = torch.arange(kernel**2) < kernel**2 // 2 + bool(sees_itself)
        self.register_buffer("mask", before.view(1, 1, kernel, kernel).float())

    def forward(self, input: Tensor) -> Tensor:
        return conv2d(input, self.mask * self.weight, self.bias, padding=self.padding)


class _Sum(nn.Module):
    """The sum of what several networks return."""

    def __init__(self, *networks: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        first, *others = [part(x) for part in self.parts]
        for other in others:
            first = first + other
        return first


def made_masks(sizes: Sequence[int]) -> list[Tensor]:
    """The masks of MADE (Germain et al. 2015, eqs. 12 and 13), input to output.

    Input i has the degree i = 1, ..., D, hidden units have degrees 1, ..., D − 1 in
    equal shares, and output i may use inputs of degree < i. A unit sees units of its
    own degree and less, an output units of a degree *strictly* less.

    Parameters
    ----------
    sizes : list of int
        Widths; the first and the last are D.

    Returns
    -------
    list of Tensor, shape (sizes[k + 1], sizes[k])

    Raises
    ------
    ValueError
        If there are less than two sizes, the ends differ, or D is less than 2.

    Examples
    --------
    >>> first, last = made_masks([3, 2, 3])
    >>> (last @ first).int()  # paths from each input to each output
    tensor([[0, 0, 0],
            [1, 0, 0],
            [2, 1, 0]], dtype=torch.int32)
    """
    sizes = checks.counts(**{f"sizes[{k}]": s for k, s in enumerate(sizes)})
    if len(sizes) < 2 or sizes[0] != sizes[-1] or sizes[0] < 2:
        raise ValueError(f"sizes begin and end with one D of 2 or more, not {sizes}")
    D = sizes[0]
    degrees = [torch.arange(D) + 1]
    degrees += [1 + torch.arange(h) * (D - 1) // h for h in sizes[1:-1]]
    masks = [
        (below[None] <= above[:, None]).float() for below, above in pairwise(degrees)
    ]
    return [*masks, (degrees[-1][None] < degrees[0][:, None]).float()]


def made(
    hidden: Sequence[int], shape: Sequence[int], activation: str = "relu"
) -> nn.Sequential:
    """A masked multilayer perceptron (MADE) with direct links from x to the logits.

    Parameters
    ----------
    hidden : list of int
        Widths of the hidden layers; with none it is logistic regression of each
        number on those before it.
    shape : tuple of int
        Of one sample, for instance ``(1, 28, 28)``; its order is that of reading.
    activation : str
        As in `mlp`.

    Returns
    -------
    nn.Sequential
        (n, *shape) → logits (n, *shape).

    Raises
    ------
    ValueError
        If a size is not a positive integer, a sample has less than two numbers, or
        the activation is unknown.

    Examples
    --------
    >>> T = made([8], (1, 2, 3))
    >>> T(torch.zeros(5, 1, 2, 3)).shape
    torch.Size([5, 1, 2, 3])
    """
    shape = checks.sizes("shape", shape)
    checks.choice("activation", activation, ACTIVATIONS)
    D = math.prod(shape)
    direct = MaskedLinear(made_masks([D, D])[0])
    deep: list[nn.Module] = []
    for mask in made_masks([D, *hidden, D]) if hidden else []:
        deep += [MaskedLinear(mask), ACTIVATIONS[activation]()]
    parts = [direct, nn.Sequential(*deep[:-1])] if hidden else [direct]
    network = nn.Sequential(nn.Flatten(), _Sum(*parts), nn.Unflatten(1, shape))
    return built_for(network, *shape).to(runtime.device())


def pixel_cnn(
    channels: int = 1, width: int = 32, blocks: int = 4, kernel: int = 7
) -> nn.Sequential:
    """A small PixelCNN (van den Oord et al. 2016, section 3) of residual blocks.

    A first masked convolution that does not see its own pixel, then blocks of 1 × 1,
    masked 3 × 3 and 1 × 1 convolutions, then two of 1 × 1. As masked convolutions
    have a blind spot, some earlier pixels to the right stay unseen.

    Parameters
    ----------
    channels : int
        Of x; all channels of a pixel are given at once, independently.
    width : int
        Channels between blocks, even.
    blocks : int
    kernel : int
        Of the first convolution, odd.

    Returns
    -------
    nn.Sequential
        (n, channels, h, w) → logits of the same shape, for any h and w.

    Raises
    ------
    ValueError
        If a size is not a positive integer, `width` is odd or `kernel` even.
    """
    channels, width, blocks = checks.counts(
        channels=channels, width=width, blocks=blocks
    )
    if width % 2:
        raise ValueError(f"width must be even, as a block halves it, not {width}")
    layers: list[nn.Module] = [MaskedConv2d(channels, width, kernel, False)]
    for _ in range(blocks):
        block = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, width // 2, 1),
            nn.ReLU(),
            MaskedConv2d(width // 2, width // 2, 3, True),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 1),
        )
        layers.append(_Sum(nn.Identity(), block))
    layers += [nn.ReLU(), nn.Conv2d(width, width, 1)]
    layers += [nn.ReLU(), nn.Conv2d(width, channels, 1)]
    return on_device(nn.Sequential(*layers))
