"""The data sets of torchvision, and what is made like them, as empirical laws."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from gmlib import ranks, runtime
from gmlib.data import shelf
from gmlib.data.eight_bit import eight_bit
from gmlib.data.empirical import Empirical

GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F"}  # modes of Pillow


def from_torchvision(dataset: Any, name: str | None = None) -> Empirical:
    """Read a data set of torchvision once, into memory.

    Parameters
    ----------
    dataset : map-style data set
        ``dataset[i]`` is a picture, or (picture, label), for i from 0 to
        ``len(dataset) - 1``. A picture is an image of Pillow, which becomes bytes
        of one channel or of three, or a tensor (channels, height, width). A random
        transform is drawn once an item; see `Empirical.map` for one that is drawn
        anew.
    name : str, optional
        By default that of its class.

    Returns
    -------
    Empirical
        With labels if they are whole numbers; one line says so if they are not.
        ``.classes`` is that of the data set, if it has any.

    Raises
    ------
    TypeError
        If this is no map-style data set, or its items are no pictures.
    ValueError
        If it is empty, or its pictures have different shapes.

    >>> from torchvision.datasets import FakeData
    >>> from_torchvision(FakeData(20, image_size=(3, 8, 8)))
    Empirical(FakeData: 20 of shape (3, 8, 8))
    """
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        kind = type(dataset).__name__
        raise TypeError(
            "from_torchvision takes a data set with a length, whose items are asked "
            f"for by number, not a {kind}: of a DataLoader, give its .dataset"
        )
    name = name or type(dataset).__name__
    if len(dataset) == 0:
        raise ValueError(f"{name} is empty: is its split or its folder the right one?")
    pictures, labels = [], []
    for i in tqdm(
        range(len(dataset)), desc=name, unit="item", delay=2, disable=runtime.silent()
    ):
        # On a GPU the default device is the GPU, and bytes are collected here.
        with torch.device("cpu"):
            item = dataset[i]
            pair = isinstance(item, tuple | list) and len(item) > 1
            x, y = item[:2] if pair else (item, None)
            pictures.append(_tensor(x, i, name))
        labels.append(y)
        if pictures[i].shape != pictures[0].shape:
            raise ValueError(
                f"{name}: picture {i} has shape {tuple(pictures[i].shape)}, picture 0 "
                f"{tuple(pictures[0].shape)}: give the data set a transform that makes "
                "them equal, such as Compose([Resize(32), CenterCrop(32)])"
            )
    x, y = torch.stack(pictures), _numbers(labels, name)
    shelf.remember(f"torchvision/{name}", x.numpy().tobytes())
    inner = getattr(dataset, "dataset", None)  # of torch's Subset
    classes = getattr(dataset, "classes", getattr(inner, "classes", ()))
    names: Sequence[Any] = [*map(str, classes)]
    if y is not None and not names and y.min() > 0:
        names = range(int(y.max()) + 1)  # a part of a set that has a 0 elsewhere
    return Empirical(x, y, name, classes=[] if y is None else names)


def _tensor(x: Any, i: int, name: str) -> Tensor:
    """Return a picture as bytes or floats (channels, height, width)."""
    from torchvision.transforms.functional import pil_to_tensor

    if isinstance(x, Image.Image):
        return pil_to_tensor(eight_bit(x, 1 if x.mode in GREY else 3))
    if torch.is_tensor(x) and x.dim() == 3 and x.is_floating_point():
        return x.detach().cpu().float()
    if torch.is_tensor(x) and x.dim() == 3 and x.dtype == torch.uint8:
        return x.cpu()
    came = type(x).__name__
    if hasattr(x, "dtype"):
        came = f"{came} of {x.dtype} and shape {tuple(x.shape)}"
    raise TypeError(
        f"{name}: item {i} is no picture but a {came}: give the data set "
        "transform=ToTensor(), or items that are images of Pillow or tensors "
        "(channels, height, width) of bytes or floats"
    )


def _numbers(labels: list[Any], name: str) -> Tensor | None:
    """Return labels as a tensor, None if they are no whole numbers from 0 on."""
    try:
        y = torch.tensor([int(label) for label in labels], device="cpu")
        if all(a == b for a, b in zip(labels, y.tolist(), strict=True)):
            if y.min() >= 0:
                return y
            ranks.say(f"{name}: labels below 0 stand for none: all are left out")
            return None
    except (TypeError, ValueError, RuntimeError):
        pass
    if any(label is not None for label in labels):
        kind = type(labels[0]).__name__
        ranks.say(f"{name}: labels of type {kind} are no whole numbers: left out")
    return None
