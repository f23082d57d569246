"""Is a translation that of its own partner? Scores for those who know the pairs."""

import torch
from torch import Tensor

from gmlib import checks


def retrieval(x: Tensor, y: Tensor) -> float:
    """The share of rows of x whose nearest row of y has the same number.

    Nearest by the sum of absolute differences; where several rows are equally near,
    each counts as found in an equal part. So constant rows find one in n, as chance
    does, whatever the constant is.

    Parameters
    ----------
    x, y : Tensor, shapes (n, ...)
        Row k of both belongs together: a translation and its true partner.

    Returns
    -------
    float
        From 0 to 1; 1/n by chance.

    Raises
    ------
    ValueError
        If a set is empty, or numbers of rows or dimensions differ.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    >>> retrieval(x, torch.tensor([[0.1], [1.2], [8.0], [2.1]]))
    0.5
    """
    x, y = checks.pair(x, y)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} rows of x and {len(y)} of y: no pairs")
    apart = torch.cdist(x, y, p=1)
    own = apart.diagonal()[:, None]
    nearest = ~(apart < own).any(1)
    return float((nearest.double() / (apart == own).sum(1)).mean())
