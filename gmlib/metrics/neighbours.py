"""What nearest neighbours say of samples: support, and whether they are copies."""

import torch
from torch import Tensor

from gmlib import checks


def _covered(balls: Tensor, points: Tensor, k: int) -> float:
    """The share of points in a ball that reaches to a sample's k-th neighbour."""
    parts = balls.split(1024)
    radius = torch.cat([torch.cdist(p, balls).kthvalue(k + 1, dim=1)[0] for p in parts])
    inside = [(torch.cdist(p, balls) <= radius).any(1) for p in points.split(1024)]
    return float(torch.cat(inside).double().mean())


def precision_recall(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Improved precision and recall, Kynkäänniemi et al. 2019, eqs. 1 and 2.

    Around each sample a ball reaches to its k-th neighbour of the same set.
    Precision: the share of fake samples in the union of the real balls. Recall: the
    share of real samples in the union of the fake ones. For equal laws neither is 1,
    nor known beforehand; one real outlier brings a ball that holds much
    (`density_coverage` mends both).

    Parameters
    ----------
    real, fake : Tensor, shapes (n, d) and (m, d)
    k : int
        Less than n and m; the paper takes 3.

    Returns
    -------
    precision, recall : float

    Raises
    ------
    ValueError
        If there are not more than k samples on each side, or the dimensions differ.
    """
    k = checks.count("k", k)
    real, fake = checks.pair(real, fake, ("real", "fake"))
    if min(len(real), len(fake)) <= k:
        raise ValueError(
            f"k = {k} neighbours need more samples than {len(real)} and {len(fake)}"
        )
    return _covered(real, fake, k), _covered(fake, real, k)


def copying_test(fake: Tensor, train: Tensor, test: Tensor) -> tuple[float, float]:
    """Are fake samples nearer to the training data than test data are?

    The share of pairs in which the fake sample is the nearer one, ties half: ½ if the
    samples are from the law of the data, without a look at the training data; 1 for
    copies; below ½ if they are far from any data. This is the global form of the test
    of Meehan et al. 2020, section 3, with their rank test: under that hypothesis all
    distances are exchangeable given the training data.

    Parameters
    ----------
    fake, train, test : Tensor, shapes (n, ...), (m, ...) and (l, ...)
        Pixels or features; distances are Euclidean.

    Returns
    -------
    share, p_value : float
        The p-value is one-sided: small for copies.

    Raises
    ------
    ValueError
        If a set is empty, or the dimensions differ.
    """
    from scipy import stats  # a second, which lectures that test nothing can spare

    fake, train = checks.pair(fake, train, ("fake", "train"))
    test, train = checks.pair(test, train, ("test", "train"))
    of_fake, of_test = (
        torch.cat([torch.cdist(p, train).min(1).values for p in points.split(512)])
        for points in (fake, test)
    )
    found = stats.mannwhitneyu(
        of_test.numpy(), of_fake.numpy(), alternative="greater", method="asymptotic"
    )
    share = float(found.statistic) / (len(fake) * len(test))
    return share, float(found.pvalue)
