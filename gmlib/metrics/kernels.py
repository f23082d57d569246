"""The kernel distance of two sets of features, without bias."""

from torch import Tensor

from gmlib import checks


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """MMD²_u with k(x, y) = (⟨x, y⟩/d + 1)³, Bińkowski et al. 2018, section 4 (KID).

    The mean kernel between two samples of x, plus that between two of y, less twice
    that between one of each; no sample is paired with itself. So it is unbiased, and
    negative about half the time if the laws are equal. Its limit is

        Σ_{j=1..3} C(3, j) d^{-j} ‖E x^{⊗j} − E y^{⊗j}‖²,

    which is zero for laws whose moments agree up to the third. It all enters at once;
    the authors' code takes means over subsets, which have the same expectation.

    Parameters
    ----------
    x, y : Tensor, shapes (n, d) and (m, d)
        Features, for instance ``judge("mnist").features(images)``.

    Raises
    ------
    ValueError
        If there are fewer than two samples on a side, or the dimensions differ.

    Examples
    --------
    Points at ±1 against points at ±3, which differ in their second moment:

    >>> x = torch.tensor([[-1.0], [1.0]]).repeat(500, 1)
    >>> round(kernel_distance(x, 3 * x) / (3 * (9 - 1) ** 2), 1)
    1.0
    """
    x, y = checks.pair(x, y, least=2)
    return _within(x) + _within(y) - 2 * _sum(x, y) / (len(x) * len(y))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _sum(x: Tensor, y: Tensor) -> float:
    return sum(float(_kernel(part, y).sum()) for part in x.split(1024))


def _within(x: Tensor) -> float:
    """The mean kernel of two different samples."""
    alone = float(((x.square().sum(1) / x.shape[1] + 1) ** 3).sum())
    return (_sum(x, x) - alone) / (len(x) * (len(x) - 1))
