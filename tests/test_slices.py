"""Sliced distances: their formula, their floor, and what patches do not see."""

import math

import pytest
import torch
from scipy import stats
from torch.nn.functional import conv2d, pad

from gmlib import metrics


def test_on_a_line_it_is_the_distance_of_quantiles():
    torch.manual_seed(0)
    x, y = torch.randn(50), 2 * torch.rand(50)
    expected = stats.wasserstein_distance(x.numpy(), y.numpy())
    assert metrics.sliced_wasserstein(x, y, 3) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("d", [2, 20])
def test_a_shift_counts_by_its_mean_shadow(d):
    """E|θ·δ| = ‖δ‖ Γ(d/2) / (√π Γ((d + 1)/2)), not ‖δ‖/√d."""
    torch.manual_seed(0)
    x, shift = torch.randn(40, d), torch.zeros(d)
    shift[0] = 2.0
    mean = math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) / math.sqrt(math.pi)
    found = metrics.sliced_wasserstein(x, x + shift, 8000)
    assert found == pytest.approx(2 * mean, rel=0.04)
    assert abs(found - 2 / math.sqrt(d)) > 0.08 * found


def test_samples_of_one_law_are_a_floor_apart():
    torch.manual_seed(0)
    line = torch.linspace(-8, 8, 4001)
    F = torch.special.ndtr(line)
    factor = 2 / math.sqrt(math.pi) * torch.trapezoid((F * (1 - F)).sqrt(), line).item()
    for d in (2, 60):
        found = metrics.sliced_wasserstein(
            torch.randn(1000, d), torch.randn(1000, d), 200
        )
        assert found == pytest.approx(factor / math.sqrt(1000), rel=0.35)


def larger(x):
    """A picture blurred up, pixel by pixel by the definition."""
    apart = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    apart[:, :, ::2, ::2] = x
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 8
    kernel = torch.outer(line, line).expand(x.shape[1], 1, 5, 5)
    edges = pad(apart, (2, 2, 2, 2), mode="reflect")
    return conv2d(edges, kernel, groups=x.shape[1])


def test_a_pyramid_adds_up_to_the_picture():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 64, 64)
    fine, middle, coarse = metrics.laplacian_pyramid(x)
    assert coarse.shape == (2, 3, 16, 16)
    assert torch.allclose(fine + larger(middle + larger(coarse)), x, atol=1e-5)
    flat = metrics.laplacian_pyramid(torch.ones(1, 1, 32, 32))
    assert flat[0].abs().max() < 1e-5
    assert torch.allclose(flat[1], torch.ones(1, 1, 16, 16), atol=1e-5)


def test_patches_are_squares_of_their_picture():
    x = torch.arange(2 * 9 * 9.0).view(2, 1, 9, 9).repeat(1, 3, 1, 1)
    found = metrics.patches(x, 7, each=50, normalise=False)
    assert found.shape == (100, 3 * 49)
    square = found.view(100, 3, 7, 7)
    assert torch.equal(square[:, 0], square[:, 2])
    assert torch.equal(square[:, 0, 0, 1:] - square[:, 0, 0, :-1], torch.ones(100, 6))
    assert torch.equal(
        square[:, 0, 1:, 0] - square[:, 0, :-1, 0], 9 * torch.ones(100, 6)
    )
    corners = square[:50, 0, 0, 0].unique().tolist()
    assert set(corners) == {9.0 * r + c for r in range(3) for c in range(3)}
    even = metrics.patches(torch.rand(5, 3, 8, 8), 7, 20).view(100, 3, 49)
    assert torch.allclose(even.mean((0, 2)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(even.std((0, 2), correction=0), torch.ones(3), atol=1e-5)


def test_normalised_patches_do_not_see_a_tint():
    torch.manual_seed(0)
    x, y = torch.rand(30, 3, 32, 32), torch.rand(30, 3, 32, 32).sqrt()
    tint = torch.tensor([0.5, 0.9, 0.7]).view(3, 1, 1) * y + 0.05
    how = {"each": 4, "directions": 20}
    plain, tinted = (metrics.patch_distances(x, v, **how) for v in (y, tint))
    assert list(plain) == [32, 16]
    assert tinted == pytest.approx(plain, rel=1e-3)
    seen = [metrics.patch_distances(x, v, normalise=False, **how) for v in (y, tint)]
    assert abs(seen[0][16] - seen[1][16]) > 0.1 * seen[0][16]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.sliced_wasserstein(torch.ones(3, 2), torch.ones(4, 2)), "equ"),
        (lambda: metrics.sliced_wasserstein(torch.ones(3, 2), torch.ones(3, 1)), "one"),
        (lambda: metrics.laplacian_pyramid(torch.ones(1, 3, 24, 24)), "power of two"),
        (lambda: metrics.laplacian_pyramid(torch.ones(1, 3, 8, 8)), "power of two"),
        (lambda: metrics.patches(torch.ones(1, 3, 6, 9)), "no patches of 7"),
        (
            lambda: metrics.patch_distances(
                torch.ones(1, 3, 16, 16), torch.ones(1, 3, 32, 32)
            ),
            "not compared",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
