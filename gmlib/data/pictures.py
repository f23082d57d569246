"""The images of a lecture, by name."""

from typing import cast

from gmlib import checks
from gmlib.data.empirical import Empirical
from gmlib.data.registry import load, named
from gmlib.data.set_mnist import mnist


def images(split: str = "train", which: str = "auto") -> Empirical:
    """Return the images of a lecture: MNIST, or `digits` if it cannot be had.

    `which` is ``auto``, or insists on a data set of images by its name: ``mnist``,
    ``fashion_mnist``, ``digits``.

    Raises
    ------
    Unavailable
        If `which` insists on a data set that cannot be had.
    ValueError
        If there is no such data set or split.
    """
    checks.choice("images", which, [*named("images"), "auto"])
    return mnist(split) if which == "auto" else cast(Empirical, load(which, split))
