"""Stacked digits: three of them, drawn independently, in one image."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks
from gmlib.data.empirical import Empirical
from gmlib.data.registry import declare
from gmlib.data.set_digits import digits


class WithMode(NamedTuple):
    """Images `x` of shape (n, 3, h, w) and the `mode` (n,) of each, 0 to 999."""

    x: Tensor
    mode: Tensor


class Stacked:
    """Three digits drawn independently are the channels of one image.

    Parameters
    ----------
    images : Empirical
        One channel, labels in {0, ..., 9}.

    Raises
    ------
    ValueError
        If the images are of another kind.
    """

    def __init__(self, images: Empirical) -> None:
        if images.y is None or len(images.shape) != 3 or images.shape[0] != 1:
            raise ValueError(f"only labelled images of one channel stack, not {images}")
        if images.y.min() < 0 or images.y.max() > 9:
            raise ValueError(f"{images.name}: the labels must be digits, 0 to 9")
        self.images, self.name = images, f"stacked {images.name}"

    def sample_pairs(self, shape: Sequence[int]) -> WithMode:
        """Draw n images x (n, 3, h, w) and the mode 100 a + 10 b + c of each (n,)."""
        n = checks.sample_size(shape)
        x, y = self.images.sample_pairs((3 * n,))
        place = torch.tensor([100, 10, 1], device=y.device)
        mode = (y.view(n, 3) * place).sum(1)
        return WithMode(x.view(n, 3, *x.shape[2:]), mode)

    def sample(self, shape: Sequence[int]) -> Tensor:
        """Draw n images: ``sample((n,))`` → (n, 3, h, w)."""
        return self.sample_pairs(shape).x


def stacked(images: Empirical) -> Stacked:
    """Stacked MNIST, 1000 modes (Metz et al. 2017; Srivastava et al. 2017, 4.1).

    `metrics.stacked_modes` counts them. To train against a tanh:
    ``stacked(images().map(to_tanh))``.
    """
    return Stacked(images)


declare("stacked", "law", lambda split: stacked(digits(split)))
