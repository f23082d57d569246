"""Networks from pictures to pictures: U-Nets, and discriminators of patches.

A patch discriminator is the exception among the discriminators of this room: it returns
a map of logits, one for each patch that it sees.
"""

import torch
from torch import Tensor, nn

from gmlib import checks
from gmlib.nets.basic import built_for, on_device
from gmlib.nets.dcgan import dcgan_init, levels

MOST = 4  # widths are not doubled beyond so many times the first


class Around(nn.Module):
    """What an inner network makes of its input, with that input beside it or alone.

    Parameters
    ----------
    inner : nn.Module
        Takes (n, c, h, w) and returns (n, c', h, w).
    skip : bool
        Return (n, c + c', h, w), the input first, instead of (n, c', h, w).
    """

    def __init__(self, inner: nn.Module, skip: bool = True) -> None:
        super().__init__()
        self.inner, self.skip = inner, bool(skip)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.inner(x)
        return torch.cat([x, inside], 1) if self.skip else inside

    def extra_repr(self) -> str:
        return f"skip={self.skip}"


def unet(
    i: int,
    o: int,
    width: int = 32,
    size: int = 32,
    skips: bool = True,
    dropout: float = 0.0,
) -> nn.Sequential:
    """A U-Net, (n, i, size, size) → (n, o, size, size) in (−1, 1).

    Convolutions of 4 × 4 halve the picture down to 4 to 7 pixels a side, transposed
    ones double it again. With `skips` what stood before each halving but the last is
    put beside what comes back up (Ronneberger et al. 2015); the order of layers is
    pix2pix's (Isola et al. 2017, section 6.1): batch normalisation except next to
    input and output, leaky ReLU on the way down, ReLU on the way up, tanh.

    Parameters
    ----------
    i, o : int
        Channels in and out.
    width : int
        Channels after the first halving; they double up to four times that.
    size : int
        4, 5, 6 or 7 times a power of two, and at least two halvings.
    skips : bool
        Without, all goes through the smallest map; the kernels on the way up then have
        half of the inputs.
    dropout : float
        The share of channel values that dropout sets to zero on the way up, below the
        last doubling: pix2pix's noise. In training mode only, as any dropout.

    Raises
    ------
    ValueError
        If a size is not a positive integer, `size` is another, or `dropout` is not in
        [0, 1).

    Examples
    --------
    >>> G = unet(1, 3, width=4, size=16)
    >>> G(torch.zeros(2, 1, 16, 16)).shape
    torch.Size([2, 3, 16, 16])
    """
    i, o, width = checks.counts(i=i, o=o, width=width)
    _, n = levels(size)
    if n < 2:
        raise ValueError(
            f"a U-Net halves at least twice, and {size} can be halved once"
        )
    dropout = checks.number("dropout", dropout, zero=True)
    if dropout >= 1:
        raise ValueError(f"dropout is a share in [0, 1), not {dropout}")
    c = [width * min(2**k, MOST) for k in range(n)]
    inner: nn.Module | None = None
    for k in reversed(range(1, n)):
        up = c[k] * (2 if inner is not None and skips else 1)
        layers = [nn.LeakyReLU(0.2), nn.Conv2d(c[k - 1], c[k], 4, 2, 1)]
        layers += [nn.BatchNorm2d(c[k])]
        layers += [] if inner is None else [Around(inner, skips)]
        layers += [nn.ReLU(), nn.ConvTranspose2d(up, c[k - 1], 4, 2, 1)]
        layers += [nn.BatchNorm2d(c[k - 1])]
        layers += [nn.Dropout(dropout)] if dropout else []
        inner = nn.Sequential(*layers)
    assert inner is not None
    first, last = nn.Conv2d(i, c[0], 4, 2, 1), c[0] * (2 if skips else 1)
    out = nn.ConvTranspose2d(last, o, 4, 2, 1)
    whole = nn.Sequential(first, Around(inner, skips), nn.ReLU(), out, nn.Tanh())
    return on_device(dcgan_init(built_for(whole, i, size, size)))


def patch_discriminator(
    channels: int, width: int = 32, strided: int = 3, batch_norm: bool = True
) -> nn.Sequential:
    """PatchGAN's discriminator, (n, channels, h, w) → a map of logits (n, h', w').

    `strided` convolutions of 4 × 4 that halve, one more that does not, and one to the
    logit: each logit sees a square of `receptive_field` pixels. With none strided all
    kernels are 1 × 1, and each pixel is judged by itself (Isola et al. 2017, sections
    3.2.2 and 6.1). It takes pictures of any size that leaves a logit.

    Raises
    ------
    ValueError
        If a size is not a positive integer, or `strided` is negative.

    Examples
    --------
    >>> T = patch_discriminator(4, width=4, strided=1)
    >>> T(torch.zeros(2, 4, 32, 32)).shape, receptive_field(T)
    (torch.Size([2, 14, 14]), 16)
    """
    channels, width = checks.counts(channels=channels, width=width)
    strided = checks.count("strided", strided, 0)
    layers: list[nn.Module] = []
    c = channels
    for k in range(strided + 1 if strided else 2):
        out = width * min(2**k, MOST)
        stride = 2 if k < strided else 1
        shape = (4, stride, 1) if strided else (1, 1, 0)
        layers.append(nn.Conv2d(c, out, *shape))
        layers += [nn.BatchNorm2d(out)] if batch_norm and k else []
        layers.append(nn.LeakyReLU(0.2))
        c = out
    last = (4, 1, 1) if strided else (1, 1, 0)
    layers += [nn.Conv2d(c, 1, *last), nn.Flatten(1, 2)]
    return on_device(dcgan_init(nn.Sequential(*layers)))


def receptive_field(network: nn.Sequential) -> int:
    """Pixels a side of the square that one output of a convolutional network sees.

    Backwards from one output, r ← s (r − 1) + k for each convolution or pooling of
    kernel k and stride s (Dumoulin and Visin 2016 derive such sizes). Edges are not
    looked at: near them a part of the square is padding. Batch normalisation in
    training mode sees the whole batch, which is not counted.

    Raises
    ------
    TypeError
        If a layer is none whose window is known.
    ValueError
        If a window is no square.

    Examples
    --------
    >>> [receptive_field(patch_discriminator(6, 1, n)) for n in (0, 1, 2, 3)]
    [1, 16, 34, 70]
    """
    field = 1
    for layer in reversed(list(network)):
        if isinstance(layer, nn.Conv2d | nn.AvgPool2d | nn.MaxPool2d):
            field = _seen(field, layer)
        elif not isinstance(layer, POINTWISE):
            raise TypeError(f"what a {type(layer).__name__} sees is not known")
    return field


POINTWISE = (
    nn.BatchNorm2d, nn.Dropout, nn.Identity, nn.LeakyReLU, nn.ReLU, nn.Sigmoid, nn.Tanh,
    nn.Flatten,
)  # fmt: skip


def _seen(field: int, layer: nn.Conv2d | nn.AvgPool2d | nn.MaxPool2d) -> int:
    """How many pixels a side a layer needs for `field` of its outputs."""
    found = set()
    for side in (0, 1):
        kernel, stride, apart = (
            value if isinstance(value, int) else value[side]
            for value in (layer.kernel_size, layer.stride, _dilation(layer))
        )
        found.add(stride * (field - 1) + apart * (kernel - 1) + 1)
    if len(found) > 1:
        raise ValueError(f"the window of {layer} is no square")
    return found.pop()


def _dilation(layer: nn.Module) -> int | tuple[int, ...]:
    return getattr(layer, "dilation", 1)  # an average has none
