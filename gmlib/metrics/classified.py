"""What a classifier that saw only generated samples knows of the data."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gmlib import checks


def classifier_accuracy(
    x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor, decay: float = 1e-3
) -> float:
    """Train on generated, test on real: the score of Ravuri and Vinyals 2019 (CAS).

    They train a deep network; here it is logistic regression of all classes, whose
    loss, the mean cross-entropy + ½ decay ‖W‖², has one minimum: the score has no
    noise of a training of its own.

    Parameters
    ----------
    x : Tensor, shape (n, ...)
        Generated samples, flattened.
    y : Tensor of int, shape (n,)
        Their labels: those that a conditional model was asked for, or a judge's.
    x_test, y_test : Tensor, shapes (m, ...) and (m,)
        Real data with their labels.
    decay : float

    Returns
    -------
    float
        The share of the real data whose class it names.

    Raises
    ------
    ValueError
        If there are not as many labels as samples, or the dimensions differ.
    """
    decay = checks.number("decay", decay)
    x, x_test = checks.pair(x, x_test, ("x", "x_test"))
    y, y_test = _labels("y", y, x), _labels("y_test", y_test, x_test)
    x = x.float()
    W = torch.zeros(int(y.max()) + 1, x.shape[1], device="cpu", requires_grad=True)
    b = torch.zeros(len(W), device="cpu", requires_grad=True)
    newton = torch.optim.LBFGS(
        [W, b], max_iter=100, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        newton.zero_grad()
        value = cross_entropy(x @ W.T + b, y) + decay / 2 * W.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        newton.step(loss)
    with torch.no_grad():
        says = (x_test.float() @ W.T + b).argmax(1)
    return float((says == y_test).double().mean())


def _labels(name: str, y: Tensor, x: Tensor) -> Tensor:
    y = checks.array(name, y, "cpu").detach().cpu().long()
    if y.shape != (len(x),) or y.min() < 0:
        raise ValueError(f"{name} must be {len(x)} labels >= 0, not {tuple(y.shape)}")
    return y
