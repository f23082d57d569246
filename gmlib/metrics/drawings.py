"""Which shape is this? A judge of `data.shapes` that draws, and is not trained."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks, data, runtime


class Reading(NamedTuple):
    """What `read_shapes` finds in n pictures.

    `factors` (n, 5) as `data.shapes` has them; `error` (n,), how far a picture is from
    the shape so read: the root mean square over pixels and channels, from 0 to 1.
    """

    factors: Tensor
    error: Tensor


@torch.no_grad()
def read_shapes(x: Tensor) -> Reading:
    """Read kind, colour, size and place of the shape in each picture.

    A pixel is covered as far as its darkest channel is from white, which is exact for
    the three colours. All kinds have the area π r², so r is known from what is covered,
    and the centre is its centre of mass. Then the judge draws the three kinds in the
    three colours there, and the nearest of the nine is what it reads.

    Parameters
    ----------
    x : Tensor, shape (n, 3, size, size)
        In [0, 1]. Where nothing is covered r is 0, and the centre 0.

    Returns
    -------
    Reading

    Raises
    ------
    ValueError
        If the pictures have another shape, or are smaller than 4 pixels.

    Examples
    --------
    >>> law = data.shapes(16)
    >>> f = torch.tensor([[2.0, 1.0, 0.4, 0.1, -0.1]])  # a triangle, orange
    >>> read_shapes(law.draw(f)).factors.sub(f.to(runtime.device())).abs().max() < 0.02
    tensor(True)
    """
    found = checks.array("pictures", x, runtime.device()).float()
    if found.dim() != 4 or found.shape[1] != 3 or found.shape[2] != found.shape[3]:
        shape = tuple(found.shape)
        raise ValueError(f"pictures of shapes are (n, 3, size, size), not {shape}")
    law = data.shapes(found.shape[2])
    parts = [_read(part, law) for part in found.split(500)]
    return Reading(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _read(x: Tensor, law: data.Shapes) -> Reading:
    """Read a few pictures (n, 3, size, size)."""
    n, size = len(x), law.size
    cover = 1 - x.clamp(0, 1).amin(1)
    mass = cover.sum((1, 2)).clamp(min=1e-6)
    line = (torch.arange(size, device=x.device) + 0.5) * (2 / size) - 1
    right = (cover.sum(1) * line).sum(1) / mass
    up = -(cover.sum(2) * line).sum(1) / mass
    r = (cover.mean((1, 2)) * 4 / math.pi).sqrt()
    nine = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0)).to(x)
    where = torch.stack([r, right, up], 1)
    f = torch.cat([nine.repeat(n, 1), where.repeat_interleave(9, 0)], 1)
    apart = (law.draw(f) - x.repeat_interleave(9, 0)).square().mean((1, 2, 3))
    error, best = apart.view(n, 9).min(1)
    return Reading(torch.cat([nine[best], where], 1), error.sqrt())
