"""What chance does between two models, and how sure a difference of them is."""

import itertools

import pytest
import torch

from gmlib import metrics, runtime


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 3), (2, 5), (4, 3)])
def test_separation_by_chance_is_the_share_of_arrangements(n, m):
    """Count: of all choices of n of the n + m ranks one is that of the top n."""
    ranks = range(n + m)
    choices = list(itertools.combinations(ranks, n))
    apart = [min(c) > max(set(ranks) - set(c)) for c in choices]
    assert metrics.separation_by_chance(n, m) == pytest.approx(sum(apart) / len(apart))


def test_three_against_three_separate_in_one_of_twenty():
    assert metrics.separation_by_chance(3, 3) == 1 / 20
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="positive integer"):
            metrics.separation_by_chance(wrong, 3)


def judged(n, images, of_seed, of_image, noise, bias=0.0):
    """Values of n trainings on the same images; their difficulties are given."""
    return (
        bias + of_seed * torch.randn(n, 1) + of_image + noise * torch.randn(n, images)
    )


@pytest.mark.parametrize(("of_seed", "noise"), [(0.0, 1.0), (0.3, 1.0), (1.0, 0.1)])
def test_the_paired_error_is_the_spread_of_the_difference(of_seed, noise):
    """Over many repetitions: error² is the variance of the mean, or a little more."""
    runtime.seed(0)
    found, of_image = [], 20 * torch.randn(60)
    for _ in range(1500):
        a = judged(4, 60, of_seed, of_image, noise, bias=1.0)
        found.append(
            metrics.paired_difference(a, judged(3, 60, of_seed, of_image, noise))
        )
    mean, error = torch.tensor(found, dtype=torch.float64).T
    assert abs(mean.mean() - 1) < 4 * mean.std() / len(mean) ** 0.5
    known = of_seed**2 * (1 / 4 + 1 / 3)
    # What single entries add is counted in both parts, once too often at most.
    single = noise**2 / 60 * (1 / 4 + 1 / 3)
    assert mean.var() == pytest.approx(known + single, rel=0.15)
    assert error.square().mean() == pytest.approx(known + 2 * single, rel=0.1)


def test_images_that_are_hard_for_both_do_not_count():
    hard = 100 * torch.randn(50)
    easier = hard + 1 + 0.01 * torch.randn(50)
    mean, error = metrics.paired_difference(easier, hard)
    assert mean == pytest.approx(1, abs=0.01)
    assert error < 0.01
    assert metrics.paired_difference(hard, hard) == (0, 0)
    back, same = metrics.paired_difference(hard, easier)
    assert (back, same) == pytest.approx((-mean, error))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (torch.zeros(3, 5), torch.zeros(3, 4), "not on 5 and 4"),
        (torch.zeros(3, 1), torch.zeros(3, 1), "two or more"),
        (torch.zeros(2, 3, 4), torch.zeros(3, 4), "a must have shape"),
        ([1.0, float("nan")], [1.0, 2.0], "NaN"),
    ],
)
def test_what_cannot_be_paired_is_refused(a, b, words):
    with pytest.raises(ValueError, match=words):
        metrics.paired_difference(a, b)
