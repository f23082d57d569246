"""A relief map of the Earth and its photograph from above, in register."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks
from gmlib.data import sheets
from gmlib.data.aligned import Aligned
from gmlib.data.registry import SPLITS, declare

SIZE, STEP, BLOCK = 64, 16, 192  # pixels: of a tile, between tiles, of a block
SEA, LAND = 40, 0.3  # so much more blue than red is sea; so much of a tile is land
CREDIT = "Relief: NOAA, ETOPO1; photograph: NASA Earth Observatory, Blue Marble"


class Place(NamedTuple):
    """A tile of the `relief` map and of the `photo`, each (n, 3, size, size)."""

    relief: Tensor
    photo: Tensor


@cache
def tiles() -> tuple[Tensor, Tensor, Tensor]:
    """Return relief and photo as bytes (N, 3, 64, 64), and whether each is to test."""
    maps = [sheets.read(f"earth/{name}.webp") for name in Place._fields]
    blocks = [x.unfold(1, BLOCK, BLOCK).unfold(2, BLOCK, BLOCK) for x in maps]
    rows, columns = blocks[0].shape[1:3]
    place = torch.arange(columns, device="cpu") + 2 * torch.arange(
        rows, device="cpu"
    ).view(-1, 1)
    cut = [x.unfold(3, SIZE, STEP).unfold(4, SIZE, STEP) for x in blocks]
    relief, photo = (x.permute(1, 2, 3, 4, 0, 5, 6) for x in cut)
    each = relief.shape[2:4]
    test = (place % 5 == 0)[..., None, None].expand(-1, -1, *each).flatten()
    relief, photo = (x.flatten(0, 3) for x in (relief, photo))
    red, blue = relief[:, 0].int(), relief[:, 2].int()
    land = (blue <= red + SEA).float().mean((1, 2)) >= LAND
    return relief[land].contiguous(), photo[land].contiguous(), test[land]


def earth(split: str = "train", size: int = 64) -> Aligned[Place]:
    """Tiles of a relief map and of the satellite photograph of the same place.

    They come with gmlib. A tile of 64 pixels is 8.5 degrees wide; at least 30 % of it
    is land. The map is cut into 70 blocks, of which 14, spread evenly, are to test:
    no pixel is in both parts. Neighbours in one block overlap by three quarters.

    Parameters
    ----------
    split : {"train", "test"}
    size : {64, 32, 16, 8, 4, 2, 1}
        Pixels a side; a smaller picture has the means of blocks.

    Raises
    ------
    ValueError
        If split or size is another.

    >>> earth("test").fields
    ('relief', 'photo')
    """
    checks.choice("split", split, SPLITS)
    relief, photo, test = tiles()
    mine = test == (split == "test")
    parts = Place(*(sheets.smaller(x[mine], size) for x in (relief, photo)))
    return Aligned("earth", parts, credit=CREDIT)


declare("earth", "pairs", earth)
