"""Photographs, cut into patches: for super-resolution."""

from functools import cache

import torch
from torch import Tensor

from gmlib import checks
from gmlib.data import sheets
from gmlib.data.empirical import Empirical
from gmlib.data.registry import SPLITS, declare

SIZE, STEP = 64, 32  # pixels of a patch, and between two
FINE = 4  # pixels of a block: what is lost when a picture becomes so much smaller
CONTRAST = 8  # the least standard deviation of grey in such blocks, of 255
NAMES = (
    "astronaut", "brook", "brushes", "chelsea", "china", "coffee", "dandelions",
    "dogs", "fig", "flower", "mountains", "peaks", "rocket", "sunset", "wine",
)  # fmt: skip
TEST = ("china", "coffee", "dogs")
CREDIT = (
    "Photographs: A. Berasategi, T. Freespace, J. Mede, danielbuechele, vultilion "
    "(CC BY), C. Engelhardt, R. Michetti, S. van der Walt (CC0), NASA, SpaceX (public "
    "domain)"
)


@cache
def photograph(name: str) -> Tensor:
    """Return one photograph as bytes (3, height, width), 512 pixels on its long side.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    checks.choice("photograph", name, NAMES)
    return sheets.read(f"photographs/{name}.webp")


@cache
def patches(name: str) -> Tensor:
    """Return the patches of a photograph that hold detail (n, 3, 64, 64), as bytes."""
    x = photograph(name).unfold(1, SIZE, STEP).unfold(2, SIZE, STEP)
    x = x.permute(1, 2, 0, 3, 4).flatten(0, 1)
    grey = x.long().sum(1)  # 0 to 765; in integers, the same everywhere
    blocks = grey.unfold(1, FINE, FINE).unfold(2, FINE, FINE).flatten(3).flatten(1, 2)
    n = FINE**2
    spread = n * blocks.square().sum(2) - blocks.sum(2).square()  # n² × the variance
    least = (3 * CONTRAST * n) ** 2 * spread.shape[1]
    return x[spread.sum(1) >= least].contiguous()


def photographs(split: str = "train", size: int = 64) -> Empirical:
    """Patches of 15 photographs, 12 to train and 3 to test; they come with gmlib.

    Patches without detail (sky, walls, what is out of focus) are left out. The labels
    say of which photograph a patch is, ``.classes`` their names; `photograph` is a
    whole one. A figure carries the credit of the card.

    Parameters
    ----------
    split : {"train", "test"}
    size : {64, 32, 16, 8, 4, 2, 1}
        Pixels a side; a smaller picture has the means of blocks.

    Raises
    ------
    ValueError
        If split or size is another.

    >>> photographs("test", 32).shape
    torch.Size([3, 32, 32])
    """
    checks.choice("split", split, SPLITS)
    names = [name for name in NAMES if (name in TEST) == (split == "test")]
    cut = [sheets.smaller(patches(name), size) for name in names]
    y = [torch.full((len(x),), k, device="cpu") for k, x in enumerate(cut)]
    return Empirical(torch.cat(cut), torch.cat(y), "photographs", classes=names)


declare("photographs", "pictures", photographs)
