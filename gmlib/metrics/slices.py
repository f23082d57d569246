"""Sliced Wasserstein distances, of points and of the patches of pictures.

A law of pictures has too many dimensions for a transport plan between samples to say
much of it. Its shadows on lines have one, where the plan is to sort.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gmlib import checks

BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)
COARSEST = 16  # pixels a side of the last level of a pyramid


def _chance(seed: int) -> torch.Generator:
    return torch.Generator(device="cpu").manual_seed(checks.count("seed", seed, 0))


def sliced_wasserstein(
    x: Tensor, y: Tensor, directions: int = 512, seed: int = 0
) -> float:
    """E_θ W₁(θ·x, θ·y) over directions θ on the unit sphere, Rabin et al. 2011.

    A metric, at most W₁, in the units of x. Of n samples of one law it is about 1.8
    standard deviations over √n, in any dimension: quote n with it.

    Parameters
    ----------
    x, y : Tensor, shapes (n, ...) and (n, ...)
    directions : int
        Drawn at random: so many θ, the same for x and y.
    seed : int
        Of the directions.

    Raises
    ------
    ValueError
        If x and y differ in number or dimension.

    Examples
    --------
    On a line there is one direction, and a shift of 2 is 2 far:

    >>> x = torch.tensor([[0.0], [1.0], [5.0]])
    >>> round(sliced_wasserstein(x, x + 2), 6)
    2.0
    """
    x, y = checks.pair(x, y)
    if len(x) != len(y):
        raise ValueError(f"x and y must be equally many, not {len(x)} and {len(y)}")
    d, many = x.shape[1], checks.count("directions", directions)
    theta = torch.randn(
        d, many, generator=_chance(seed), device="cpu", dtype=torch.float64
    )
    theta = theta / theta.norm(dim=0)
    total = 0.0
    for part in theta.split(64, 1):  # a sorted column a direction
        shadows = [(points @ part).sort(0).values for points in (x, y)]
        total += float((shadows[0] - shadows[1]).abs().mean(0).sum())
    return total / many


def _blurred(x: Tensor, gain: float = 1.0) -> Tensor:
    """Convolve each channel with the binomial kernel; edges are mirrored."""
    line = torch.tensor(BINOMIAL, dtype=x.dtype, device=x.device) / 16
    c = x.shape[1]
    kernel = gain * torch.outer(line, line).expand(c, 1, 5, 5)
    return conv2d(pad(x, (2, 2, 2, 2), mode="reflect"), kernel, groups=c)


def laplacian_pyramid(x: Tensor, coarsest: int = COARSEST) -> list[Tensor]:
    """Split pictures into bands of detail, Burt and Adelson 1983.

    A level is a picture minus the next smaller one, which is blurred, every second
    pixel of it kept, and blurred up again; the last is what remains. Added up again
    from the last, they are the picture.

    Parameters
    ----------
    x : Tensor, shape (n, c, s, s)
        s a power of two times `coarsest`.
    coarsest : int
        Pixels a side of the last level, at least 3.

    Returns
    -------
    list of Tensor
        (n, c, s, s), (n, c, s/2, s/2), ...

    Raises
    ------
    ValueError
        For other shapes.
    """
    coarsest, s = checks.count("coarsest", coarsest, 3), x.shape[-1]
    times, rest = divmod(s, coarsest)
    if x.dim() != 4 or x.shape[2] != s or rest or times & (times - 1) or not times:
        raise ValueError(
            f"pictures have shape (n, c, s, s), s = {coarsest} times a power of two, "
            f"not {tuple(x.shape)}"
        )
    levels = []
    while x.shape[-1] > coarsest:
        less = _blurred(x)[:, :, ::2, ::2]
        apart = torch.zeros_like(x)
        apart[:, :, ::2, ::2] = less
        levels.append(x - _blurred(apart, 4.0))
        x = less
    return [*levels, x]


def patches(
    x: Tensor, side: int = 7, each: int = 128, seed: int = 0, normalise: bool = True
) -> Tensor:
    """Draw square patches of pictures, at random places.

    Parameters
    ----------
    x : Tensor, shape (n, c, h, w)
    side : int
        Pixels a side of a patch, at most h and w.
    each : int
        How many of each picture.
    seed : int
        Of the places.
    normalise : bool
        Give every channel mean 0 and standard deviation 1 over all patches, as Karras
        et al. 2018 do (section 5). What is then compared knows nothing of a tint.

    Returns
    -------
    Tensor, shape (n·each, c·side²)

    Raises
    ------
    ValueError
        If x has another shape, or is smaller than a patch.
    """
    side, each = checks.counts(side=side, each=each)
    if x.dim() != 4 or min(x.shape[2:]) < side or not len(x):
        raise ValueError(f"no patches of {side} pixels a side in {tuple(x.shape)}")
    n, _, h, w = x.shape
    chance, step = _chance(seed), torch.arange(side, device=x.device)
    top, left = (
        torch.randint(room - side + 1, (n * each,), generator=chance, device="cpu")
        for room in (h, w)
    )
    top, left = top.to(x.device), left.to(x.device)
    rows, columns = (top[:, None] + step)[:, :, None], (left[:, None] + step)[:, None]
    whose = torch.arange(n, device=x.device).repeat_interleave(each)[:, None, None]
    found = x[whose, :, rows, columns]  # (n·each, side, side, c)
    if normalise:
        found = found - found.mean((0, 1, 2))
        found = found / found.std((0, 1, 2), correction=0).clamp(min=1e-12)
    return found.permute(0, 3, 1, 2).flatten(1)


def patch_distances(
    x: Tensor,
    y: Tensor,
    each: int = 128,
    directions: int = 512,
    seed: int = 0,
    normalise: bool = True,
) -> dict[int, float]:
    """The sliced Wasserstein distance of patches, level by level of the pyramid.

    As Karras et al. 2018, section 5: patches of 7 × 7 pixels, levels down to 16 × 16.
    They quote it times 1000.

    Parameters
    ----------
    x, y : Tensor, shapes (n, c, s, s), s a power of two from 16 on
        Equally many of each.
    each, directions, seed, normalise
        Patches of a picture; see `sliced_wasserstein` and `patches`.

    Returns
    -------
    dict of float
        {size of the level: distance}, the finest first.

    Raises
    ------
    ValueError
        If the shapes differ, or are no such pictures.
    """
    if x.shape != y.shape:
        raise ValueError(f"{tuple(x.shape)} and {tuple(y.shape)} are not compared")
    pairs: Sequence[tuple[Tensor, Tensor]] = list(
        zip(laplacian_pyramid(x), laplacian_pyramid(y), strict=True)
    )
    return {
        a.shape[-1]: sliced_wasserstein(
            patches(a, 7, each, seed, normalise),
            patches(b, 7, each, seed + 1, normalise),
            directions,
            seed,
        )
        for a, b in pairs
    }
