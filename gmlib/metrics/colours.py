"""Plain numbers of coloured pictures, for which no network is asked."""

from typing import Any

import torch
from torch import Tensor

from gmlib import checks


def chroma(x: Any) -> Tensor:
    """Largest less smallest of red, green and blue: (n, 3, h, w) → (n, h, w).

    0 is grey, 1 as coloured as a screen can be.

    >>> chroma(torch.tensor([[[[1.0]], [[0.2]], [[0.5]]]]))
    tensor([[[0.8000]]])
    """
    x = _coloured("x", x)
    return x.amax(1) - x.amin(1)


def chroma_share(made: Any, true: Any, least: float = 0.1) -> float:
    """How coloured pictures are where the true ones are coloured, over the truth.

    The mean chroma of `made` over that of `true`, both on the pixels of all pictures
    where the chroma of `true` is above `least`. 1 for the truth itself, 0 for greys;
    white paper, on which every method is right, does not count.

    Parameters
    ----------
    made, true : Tensor, shape (n, 3, h, w), in [0, 1]
        Two pictures of one thing in each row.
    least : float

    Raises
    ------
    ValueError
        If the shapes differ, or no pixel of `true` is coloured.
    """
    made, true = _coloured("made", made), _coloured("true", true)
    if made.shape != true.shape:
        shapes = f"{tuple(made.shape)} and {tuple(true.shape)}"
        raise ValueError(f"made and true must have one shape, not {shapes}")
    of_true = chroma(true)
    where = of_true > checks.number("least", least, zero=True)
    if not where.any():
        raise ValueError(f"no pixel of the true pictures has a chroma above {least:g}")
    return float(chroma(made)[where].mean() / of_true[where].mean())


def colour_features(x: Any) -> Tensor:
    """21 plain numbers of each picture: (n, 3, h, w) → (n, 21), for a Fréchet distance.

    For each of red, green and blue: the means of the four quarters, the standard
    deviation over the picture, and the mean absolute difference of neighbours to the
    right and below. They see rough place, amount and sharpness of colour, and no
    things: with 64 features of a trained judge a distance needs more pictures.

    Raises
    ------
    ValueError
        If the pictures are not of shape (n, 3, h, w) with h and w of 2 or more.
    """
    x = _coloured("x", x)
    h, w = x.shape[2] // 2, x.shape[3] // 2
    if not (h and w):
        raise ValueError(f"pictures have two pixels a side or more, not {x.shape[2:]}")
    halves = [x[:, :, :h], x[:, :, h:]]
    means = [q.mean((2, 3)) for part in halves for q in (part[..., :w], part[..., w:])]
    right = (x[..., 1:] - x[..., :-1]).abs().mean((2, 3))
    below = (x[:, :, 1:] - x[:, :, :-1]).abs().mean((2, 3))
    return torch.cat([*means, x.flatten(2).std(2), right, below], 1)


def _coloured(name: str, x: Any) -> Tensor:
    x = checks.floats(checks.array(name, x))
    if x.dim() != 4 or x.shape[1] != 3 or not len(x):
        raise ValueError(f"{name} must be pictures (n, 3, h, w), not {tuple(x.shape)}")
    return x
