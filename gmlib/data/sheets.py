"""Pictures that come with gmlib in one file: sheets of equal ones, or one large."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gmlib import checks
from gmlib.data import shelf

COLUMNS = 40  # of pictures in a sheet, row by row


def read(file: str, channels: int = 3) -> Tensor:
    """Return a picture in `shelf.folder` as bytes (channels, height, width).

    It is noted for `used` by its pixels, in this order.
    """
    with Image.open(shelf.folder() / file) as image:
        pixels = np.asarray(image.convert("RGB"))[..., :channels]
    x = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    shelf.remember(file, x.numpy().tobytes())
    return x


def cut(file: str, n: int, channels: int = 3) -> Tensor:
    """Return the n pictures of a sheet as bytes (n, channels, size, size)."""
    x = read(file, channels)
    size = x.shape[2] // COLUMNS
    x = x.unflatten(1, (-1, size)).unflatten(3, (COLUMNS, size))
    return x.permute(1, 3, 0, 2, 4).flatten(0, 1)[:n].contiguous()


def smaller(x: Tensor, size: int) -> Tensor:
    """Return bytes (n, c, s, s) as (n, c, size, size): rounded means of blocks.

    Raises
    ------
    ValueError
        If `size` does not divide s.
    """
    side = x.shape[-1]
    if side % checks.count("size", size):
        fit = ", ".join(str(side // k) for k in range(1, side + 1) if not side % k)
        raise ValueError(f"size must be one of {fit}, not {size}")
    k = side // size
    blocks = x.unflatten(3, (size, k)).unflatten(2, (size, k)).int()
    total = blocks.sum((3, 5), dtype=torch.int32)
    return ((2 * total + k * k) // (2 * k * k)).to(torch.uint8)
