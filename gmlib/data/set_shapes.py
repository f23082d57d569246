"""Pictures of coloured shapes: a law whose every factor is known."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks, runtime
from gmlib.data.registry import declare


class Drawn(NamedTuple):
    """Pictures `x` of shape (n, 3, size, size) and their `factors` (n, 5)."""

    x: Tensor
    factors: Tensor


class Shapes:
    """Pictures of one coloured shape on white, drawn from five known factors.

    The factors of a picture are a row ``(kind, colour, r, x, y)``: which of
    `kinds`, which of `colours`, then size and position in units of half the
    picture's width. A disc of radius r, a square and an upright triangle have the
    same area π r², so that the size says nothing about the kind. Kind and colour
    are uniform on three values each, r on `radii`, x and y on `places`; all are
    independent, and no shape is cut off.

    Parameters
    ----------
    size : int
        Pixels a side.
    """

    kinds = ("disc", "square", "triangle")
    colours = ("blue", "orange", "black")
    rgb = ((0.0, 0.447, 0.698), (0.902, 0.624, 0.0), (0.0, 0.0, 0.0))
    radii, places = (0.36, 0.54), (-0.15, 0.15)

    def __init__(self, size: int = 32) -> None:
        self.size = checks.count("size", size, 4)

    def factors(self, shape: Sequence[int]) -> Tensor:
        """Draw the factors of n pictures: ``factors((n,))`` → (n, 5)."""
        n, where = checks.sample_size(shape), runtime.device()
        low = torch.tensor([0, 0, self.radii[0], *[self.places[0]] * 2], device=where)
        high = torch.tensor([3, 3, self.radii[1], *[self.places[1]] * 2], device=where)
        f = low + (high - low) * torch.rand(n, 5, device=where)
        return torch.cat([f[:, :2].floor().clamp(max=2), f[:, 2:]], 1)

    def draw(self, factors: Tensor) -> Tensor:
        """Return the pictures of factors (n, 5): (n, 3, size, size) in [0, 1].

        A pixel is covered by how deep it lies under the edge, between none and
        all within one pixel; this is smooth in r, x and y.
        """
        device = runtime.device()
        f = checks.tensor("factors", factors, (None, 5), device, look=False)
        line = (torch.arange(self.size, device=f.device) + 0.5) * (2 / self.size) - 1
        r, x, y = (c[:, None, None] for c in f[:, 2:].unbind(1))
        right, up = line[None, None, :] - x, -line[None, :, None] - y
        square = torch.maximum(right.abs(), up.abs()) - r * math.sqrt(math.pi / 4)
        slanted = math.sqrt(3) / 2 * right.abs() + up / 2
        triangle = torch.maximum(slanted, -up) - r * math.sqrt(math.pi / 27**0.5)
        kinds = [(right**2 + up**2).sqrt() - r, square, triangle]
        outside = torch.stack([k.expand(len(f), self.size, self.size) for k in kinds])
        rows = torch.arange(len(f), device=f.device)
        cover = (0.5 - outside[f[:, 0].long(), rows] * self.size / 2).clamp(0, 1)
        ink = torch.tensor(self.rgb, device=f.device).to(f)[f[:, 1].long()]
        return 1 - cover[:, None] * (1 - ink[:, :, None, None])

    def sample_pairs(self, shape: Sequence[int]) -> Drawn:
        """Draw n pictures x (n, 3, size, size) and their factors (n, 5)."""
        f = self.factors(shape)
        return Drawn(self.draw(f), f)

    def sample(self, shape: Sequence[int]) -> Tensor:
        """Draw n pictures: ``sample((n,))`` → (n, 3, size, size)."""
        return self.sample_pairs(shape).x


def shapes(size: int = 32) -> Shapes:
    """Coloured discs, squares and triangles with known factors; see `Shapes`."""
    return Shapes(size)


declare("shapes", "law", lambda split: shapes())
