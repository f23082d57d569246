"""The two-sample test has its level and its power."""

import math

import pytest
import torch

from gmlib import data, metrics, runtime


@pytest.mark.parametrize("n", [16, 60])
def test_the_two_sample_test_has_its_level(n):
    """Equal laws: p ≤ α in at most a share α of the runs, and not far below."""
    runs = 600
    p = torch.tensor(
        [
            metrics.two_sample_test(torch.randn(n, 2), torch.randn(n, 2))[1]
            for _ in range(runs)
        ]
    )
    for alpha in (0.07, 0.35):
        rejected = (p <= alpha).float().mean().item()
        assert rejected < alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
        assert rejected > alpha / 4
    assert ((p > 0) & (p <= 1)).all()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("shifted", lambda n: torch.randn(n, 2) + 1),
        ("narrower", lambda n: 0.4 * torch.randn(n, 2)),
        ("correlated", lambda n: torch.randn(n, 1).repeat(1, 2)),
    ],
)
def test_the_two_sample_test_has_power(name, other):
    found = [metrics.two_sample_test(torch.randn(300, 2), other(300)) for _ in range(9)]
    assert sum(p < 0.01 for _, p in found) >= 8, name
    assert sum(accuracy for accuracy, _ in found) / 9 > 0.6


def test_the_accuracy_of_the_two_sample_test_nears_that_of_bayes():
    """N(±1, 1): the best classifier is right with probability Φ(1) = .841."""
    x, y = torch.randn(4000, 1) - 1, torch.randn(4000, 1) + 1
    accuracy, p_value = metrics.two_sample_test(x, y)
    assert accuracy == pytest.approx(0.8413, abs=0.02)
    assert p_value < 1e-100


def test_the_two_sample_test_takes_images_and_unequal_numbers():
    runtime.seed(4)
    zeros, ones = data.digits().only(0).x, data.digits().only(1).x[:50]
    accuracy, p_value = metrics.two_sample_test(zeros, ones)
    assert accuracy > 0.95
    assert p_value < 1e-6


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (torch.randn(7, 2), torch.randn(50, 2)),
        (torch.randn(50, 2), torch.randn(50, 3)),
        (torch.full((50, 2), math.nan), torch.randn(50, 2)),
        (torch.empty(0, 2), torch.randn(50, 2)),
    ],
)
def test_the_two_sample_test_refuses_what_has_no_answer(x, y):
    with pytest.raises(ValueError, match=r"must|needed|NaN"):
        metrics.two_sample_test(x, y)
