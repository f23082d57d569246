"""Which of two answers to one question is the real one?"""

import torch
from torch import Tensor

from gmlib import checks


def forced_choice(real: Tensor, made: Tensor) -> tuple[float, float]:
    """How often a scorer takes the made answer for the real one, and a p-value.

    A conditional two-sample test. For each condition y there are a real answer x and a
    made one x', and a score T that was fixed before: it names the answer with the
    larger score. If x and x' have one law given y and are independent given y, every
    naming is a fair coin, and the p-value is exact: the chance that so many or more of
    all fair coins name the real one. Ties count half to the share, and not at all to
    the p-value. The score may see y; one that does not is blind to pairs that are
    wrong and pictures that are right.

    Parameters
    ----------
    real, made : Tensor, shape (n,)
        T(y, x) and T(y, x'), row by row of one y. Conditions drawn independently.

    Returns
    -------
    fooled, p_value : float
        ½ and, on average, about ½ for a perfect model; 0 for one that is always seen.

    Raises
    ------
    ValueError
        If the shapes differ, are not (n,), or a score is not finite.
    """
    from scipy import stats  # a second, which lectures that test nothing can spare

    real, made = (
        checks.finite(name, checks.array(name, t, "cpu").to(torch.float64))
        for name, t in (("real", real), ("made", made))
    )
    if real.dim() != 1 or real.shape != made.shape or not len(real):
        shapes = f"{tuple(real.shape)} and {tuple(made.shape)}"
        raise ValueError(f"scores have one shape (n,), a row a condition, not {shapes}")
    seen, fooled = int((real > made).sum()), int((made > real).sum())
    decided = seen + fooled
    p_value = float(stats.binom.sf(seen - 1, decided, 0.5)) if decided else 1.0
    return (fooled + (len(real) - decided) / 2) / len(real), min(p_value, 1.0)
