"""The digits of scikit-learn, made to look like MNIST: they need no network."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from gmlib import checks
from gmlib.data import shelf
from gmlib.data.empirical import Empirical
from gmlib.data.fetch import Unavailable
from gmlib.data.registry import SPLITS, declare

_said: set[str] = set()  # why the digits stand in, once a reason


@cache
def read_digits() -> dict[str, tuple[Tensor, Tensor]]:
    """Return ``{"train": (images, labels), "test": ...}`` as bytes, on the CPU."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    x = torch.from_numpy(bunch.images / 16).float()[:, None]
    # As in MNIST: a digit is 20 pixels high and has a frame of 4.
    x = interpolate(x, size=(20, 20), mode="bicubic", align_corners=False)
    x = (pad(x.clamp(0, 1), [4] * 4) * 255).round().to(torch.uint8)
    y = torch.from_numpy(bunch.target)
    # Every fifth image of each class is for testing.
    test = torch.zeros_like(y, dtype=torch.bool)
    for label in range(10):
        test[(y == label).nonzero()[4::5]] = True
    splits = {"train": (x[~test], y[~test]), "test": (x[test], y[test])}
    parts = [t.to(torch.uint8) for split in splits.values() for t in split]
    shelf.remember("digits", b"".join(t.numpy().tobytes() for t in parts))
    return splits


def digits(split: str = "train") -> Empirical:
    """The 1797 digits of scikit-learn, upsampled to MNIST's 28 × 28 pixels.

    1442 to train and 355 to test; they need no network.

    Raises
    ------
    ValueError
        If the split is neither ``train`` nor ``test``.

    >>> digits("test")
    Empirical(digits: 355 of shape (1, 28, 28))
    """
    checks.choice("split", split, SPLITS)
    return Empirical(*read_digits()[split], "digits")


def or_digits(load: Callable[[str], Empirical], split: str) -> Empirical:
    """Return ``load(split)``, or the digits and one message if it cannot be had."""
    try:
        return load(split)
    except Unavailable as error:
        reason = str(error)
        if reason not in _said:
            _said.add(reason)
            print(f"{reason}\nGoing on with the scikit-learn digits.")
        return digits(split)


declare("digits", "images", digits)
