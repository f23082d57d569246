"""Are two sets of samples from one law?"""

import math

import torch
from torch import Tensor

from gmlib import checks


def two_sample_test(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Are x and y from one law? The classifier test of Lopez-Paz and Oquab 2017.

    A nearest-neighbour classifier (√n neighbours, as in the paper) learns one
    half of the samples. The accuracy on the other half is ½ if the laws are
    equal. Its p-value is exact: under that hypothesis the held-out labels are a
    random arrangement, so the number of right answers is hypergeometric (near
    the paper's N(½, 1/(4 n)) in a large sample of n).

    Parameters
    ----------
    x, y : Tensor, shapes (n, ...) and (m, ...)
        At least 8 of each; of the larger, min(n, m) drawn at random are used.

    Returns
    -------
    accuracy, p_value : float

    Raises
    ------
    ValueError
        If there are fewer samples, or the dimensions differ.
    """
    from scipy import stats  # a second, which lectures that test nothing can spare

    x, y = checks.pair(x, y, least=8)
    half = min(len(x), len(y)) // 2
    x, y = (s[torch.randperm(len(s), device="cpu")[: 2 * half]] for s in (x, y))
    train = torch.cat([x[:half], y[:half]])
    test = torch.cat([x[half:], y[half:]])
    k = math.isqrt(2 * half) // 2 * 2 + 1  # odd: no ties
    near = [
        torch.cdist(part, train).topk(k, largest=False)[1] for part in test.split(512)
    ]
    neighbours = torch.cat(near)
    says_y = (neighbours >= half).sum(1) > k // 2
    right = int((~says_y[:half]).sum() + says_y[half:].sum())
    hits, calls = int(says_y[half:].sum()), int(says_y.sum())
    # P(at least as many hits | calls): Fisher's exact test, one-sided.
    p_value = stats.hypergeom.sf(hits - 1, 2 * half, half, calls)
    return right / (2 * half), min(float(p_value), 1.0)
