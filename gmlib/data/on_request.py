"""Larger sets of pictures, on request: through torchvision, never for a build."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.utils.data import Subset

from gmlib import checks
from gmlib.data.empirical import Empirical
from gmlib.data.fetch import Unavailable, roots
from gmlib.data.own_items import from_torchvision
from gmlib.data.registry import SPLITS

MANY = 20_000  # pictures of a set, if it is not said how many


def _cifar10(root: Path, split: str, **more: Any) -> Any:
    from torchvision.datasets import CIFAR10

    return CIFAR10(str(root), train=split == "train", **more)


def _celeba(root: Path, split: str, **more: Any) -> Any:
    from torchvision.datasets import CelebA

    return CelebA(str(root), split=split, target_type=[], **more)


LARGER: dict[str, tuple[Callable[..., Any], int]] = {  # and the side of its middle
    "cifar10": (_cifar10, 32),
    "celeba": (_celeba, 148),
}


def larger(
    which: str, split: str = "train", size: int = 32, most: int = MANY
) -> Empirical:
    """Return photographs of CIFAR-10 or faces of CelebA, if they can be had.

    They are looked for in ``GMLIB_DATA`` and in the cache, as torchvision lays them
    out, then fetched by torchvision into the cache (CelebA needs its package gdown as
    well), unless ``GMLIB_MIRRORS`` is empty. Their licences are their owners': CelebA
    is for research only, and of CIFAR-10 none is stated.

    Parameters
    ----------
    which : {"cifar10", "celeba"}
        CIFAR-10 (Krizhevsky 2009) has ten classes; CelebA (Liu et al. 2015) is cut to
        the middle 148 × 148 pixels, and has no labels here.
    split : {"train", "test"}
    size : int
        Pixels a side.
    most : int
        The first so many pictures are read, into memory.

    Raises
    ------
    Unavailable
        If the set cannot be had; the message says why.
    ValueError
        If there is no such set or split.
    """
    open_set, middle = LARGER[checks.choice("larger set", which, LARGER)]
    checks.choice("split", split, SPLITS)
    size, most = checks.counts(size=size, most=most)
    from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

    square = Compose([CenterCrop(middle), Resize((size, size)), PILToTensor()])
    found = _opened(which, open_set, split, transform=square)
    part = Subset(found, range(min(most, len(found))))
    return from_torchvision(part, f"{which} {split}")


def _opened(which: str, open_set: Callable[..., Any], split: str, **more: Any) -> Any:
    """Open a set where it lies, or let torchvision fetch it."""
    tried = []
    for root in roots():
        try:
            return open_set(root, split, download=False, **more)
        except Exception as error:  # of all kinds: no file, a torn one, no gdown
            tried.append(f"{root}: {error}")
    if os.environ.get("GMLIB_MIRRORS") != "":
        try:
            return open_set(roots()[-1], split, download=True, **more)
        except Exception as error:
            tried.append(f"torchvision: {error}")
    raise Unavailable(f"{which} cannot be had. Tried:\n  " + "\n  ".join(tried))
