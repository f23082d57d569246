"""Networks that turn a picture into another of its size, and judge it part by part."""

import torch
from torch import Tensor, nn

from gmlib import checks
from gmlib.nets.basic import on_device


class _Block(nn.Module):
    """x + C₂ relu(C₁ relu(x)), with 3 × 3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(torch.relu(x))))


class _Departs(nn.Module):
    """clip(x + f(x)); with other channels than x has, its mean channel is kept."""

    def __init__(self, i: int, o: int, f: nn.Module) -> None:
        super().__init__()
        self.f, self.same, self.o = f, i == o, o

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.same else x.mean(1, keepdim=True).expand(-1, self.o, -1, -1)
        return (kept + self.f(x)).clamp(0, 1)


def residual_translator(
    i: int = 3, o: int = 3, width: int = 32, blocks: int = 3, keep: bool = False
) -> nn.Sequential:
    """A small residual network, pictures (n, i, h, w) → (n, o, h, w) in [0, 1].

    It halves the sides once, has residual blocks there, and doubles again; a sigmoid
    ends it. Zhu et al. 2017, appendix, have the blocks at a fourth of the sides, and
    normalise.

    Parameters
    ----------
    i, o : int
        Channels in and out.
    width : int
        Channels of the blocks.
    blocks : int
    keep : bool
        No sigmoid: what comes out is added to the picture, and the sum is clipped. The
        last layer starts at zero. So before training the network does nothing, or,
        where i and o differ, returns the mean of the channels.

    Raises
    ------
    ValueError
        If a size is not a positive integer.

    Examples
    --------
    >>> x = torch.rand(2, 3, 32, 32)
    >>> residual_translator(keep=True)(x).equal(x)
    True
    """
    i, o, width, blocks = checks.counts(i=i, o=o, width=width, blocks=blocks)
    up = nn.ConvTranspose2d(width, o, 4, 2, 1)
    middle = [_Block(width) for _ in range(blocks)]
    f = nn.Sequential(nn.Conv2d(i, width, 4, 2, 1), *middle, nn.ReLU(), up)
    if not keep:
        return on_device(nn.Sequential(*f, nn.Sigmoid()))
    for p in up.parameters():
        nn.init.zeros_(p)
    return on_device(nn.Sequential(_Departs(i, o, f)))


def local_discriminator(channels: int = 3, width: int = 32) -> nn.Sequential:
    """A discriminator of patches, (n, channels, h, w) → logits (n · h/4 · w/4,).

    A logit for each patch of 18 × 18 pixels, in steps of 4, so that a value function
    takes a patch for a sample; what is farther apart than that it does not compare
    (Isola et al. 2017, section 3.2.2, with 70 × 70). Two strided convolutions and one
    of 3 × 3, leaky ReLU of slope 0.2, no normalisation.

    Raises
    ------
    ValueError
        If a size is not a positive integer.

    Examples
    --------
    >>> local_discriminator()(torch.rand(2, 3, 32, 32)).shape
    torch.Size([128])
    """
    channels, width = checks.counts(channels=channels, width=width)
    return on_device(
        nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, 1, 1),
            nn.Flatten(0),
        )
    )
