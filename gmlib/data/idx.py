"""Files of the idx format, in which MNIST and its kin are handed out.

Two bytes of zero, one for the type (8: unsigned bytes), one for the number of
dimensions; the sizes, four bytes each, the first byte the highest; the values.
http://yann.lecun.com/exdb/mnist describes it.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gmlib import checks
from gmlib.data import fetch
from gmlib.data.empirical import Empirical
from gmlib.data.registry import SPLITS

# (data set, where it was looked for): the data, or why there is none
_tried: dict[
    tuple[str, tuple[Path, ...], tuple[str, ...]],
    dict[str, tuple[Tensor, Tensor]] | fetch.Unavailable,
] = {}


def array(content: bytes) -> np.ndarray:
    """Return the array of bytes that an idx file holds; it may be written to.

    Raises
    ------
    ValueError
        If the file holds something else.

    >>> array(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])).tolist()
    [7, 9]
    """
    if content[:3] != b"\0\0\x08":
        raise ValueError("this is no idx file of bytes")
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start], ">u4").astype(int)
    return np.frombuffer(content, np.uint8, offset=start).copy().reshape(shape)


def labelled_images(archives: fetch.Archives, name: str, split: str) -> Empirical:
    """Return one split of four archives: images and labels, to train and to test.

    All four are read at the first call, and a failure is remembered: nobody should
    train on one data set and test on another.

    Raises
    ------
    Unavailable
        If one of the four cannot be had.
    """
    checks.choice("split", split, SPLITS)
    key = archives.name, fetch.roots(), fetch.mirrors(archives)
    if key not in _tried:
        try:
            _tried[key] = _splits(archives)
        except fetch.Unavailable as error:
            _tried[key] = error
    found = _tried[key]
    if isinstance(found, fetch.Unavailable):
        raise fetch.Unavailable(str(found))
    return Empirical(*found[split], name, classes=range(10))


def _splits(archives: fetch.Archives) -> dict[str, tuple[Tensor, Tensor]]:
    contents = fetch.read(archives).values()
    x, y, x_test, y_test = (torch.from_numpy(array(one)) for one in contents)
    return {"train": (x[:, None], y), "test": (x_test[:, None], y_test)}
