"""Divergences: closed forms, inequalities and the traps of the slides."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gmlib import divergences as d

GRID = torch.linspace(-15, 15, 6001, dtype=torch.float64)
DX = (GRID[1] - GRID[0]).item()
weights = st.lists(st.floats(0.01, 1), min_size=2, max_size=8)


def normal(mean, std):
    return torch.exp(-0.5 * ((GRID - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def simplex(w):
    w = torch.tensor(w, dtype=torch.float64)
    return w / w.sum()


def test_kl_of_two_normals_has_its_closed_form():
    m, s, u, v = 0.3, 0.8, -0.5, 1.4
    exact = math.log(v / s) + (s**2 + (m - u) ** 2) / (2 * v**2) - 0.5
    assert d.kl(normal(m, s), normal(u, v), DX) == pytest.approx(exact, abs=1e-10)


def test_chi2_of_shifted_normals():
    assert d.chi2(normal(0.7, 1), normal(0, 1), DX) == pytest.approx(
        math.exp(0.49) - 1, abs=1e-9
    )


def test_tv_of_shifted_normals():
    exact = math.erf(0.5 / math.sqrt(2))  # 2Φ(½) − 1
    assert d.tv(normal(1, 1), normal(0, 1), DX) == pytest.approx(exact, abs=1e-5)


def test_wasserstein_of_shifted_normals_is_the_shift():
    assert d.wasserstein_1d(GRID, normal(2, 1), normal(-1, 1)) == pytest.approx(3)


@given(weights, weights)
@settings(max_examples=50, deadline=None)
def test_bounds_and_symmetry(a, b):
    n = min(len(a), len(b))
    p, q = simplex(a[:n]), simplex(b[:n])
    assert -1e-12 <= d.js(p, q) <= math.log(2) + 1e-12
    assert d.js(p, q) == pytest.approx(d.js(q, p), abs=1e-12)
    assert d.kl(p, q) >= 2 * d.tv(p, q) ** 2 - 1e-12  # Pinsker
    assert d.kl(p, q) <= math.log1p(d.chi2(p, q)) + 1e-12


def test_jsd_breaks_the_triangle_and_its_root_keeps_it():
    P, Q, R = (torch.tensor(v) for v in ([1.0, 0.0], [0.5, 0.5], [0.0, 1.0]))
    assert d.js(P, R) > d.js(P, Q) + d.js(Q, R)
    assert math.sqrt(d.js(P, R)) < math.sqrt(d.js(P, Q)) + math.sqrt(d.js(Q, R))


def test_disjoint_supports():
    P, R = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert d.kl(P, R) == math.inf
    assert d.chi2(P, R) == math.inf
    assert d.js(P, R) == pytest.approx(math.log(2))
    assert d.tv(P, R) == 1


def test_zero_mass_is_no_nan():
    P = torch.tensor([0.5, 0.5, 0.0])
    Q = torch.tensor([0.25, 0.75, 0.0])
    assert d.kl(P, P) == 0
    assert math.isfinite(d.kl(P, Q))
    assert math.isfinite(d.chi2(P, Q))
    expected = torch.tensor([2 / 3, 0.4, 0.5], dtype=torch.float64)
    torch.testing.assert_close(
        d.optimal_discriminator(P, Q), expected, atol=1e-7, rtol=0
    )


def test_jsd_is_the_value_of_the_optimal_discriminator():
    p, q = normal(0, 1), normal(1, 2)
    D = d.optimal_discriminator(p, q)
    V = (torch.special.xlogy(p, D) + torch.special.xlogy(q, 1 - D)).sum().item() * DX
    assert abs(V - (2 * d.js(p, q, DX) - math.log(4))) < 1e-10


@pytest.mark.parametrize("f", [d.kl, d.js, d.tv, d.chi2])
def test_bad_densities_are_refused(f):
    good = torch.tensor([0.5, 0.5])
    for bad, words in [
        (torch.tensor([0.5, 0.6]), "integrates to"),
        (torch.tensor([-0.5, 1.5]), "negative or non-finite"),
        (torch.tensor([math.nan, 1.0]), "negative or non-finite"),
        (torch.tensor([1.0]), "same non-empty set"),
        (torch.tensor([]), "same non-empty set"),
    ]:
        with pytest.raises(ValueError, match=words):
            f(good, bad)


def test_a_bad_grid_is_refused():
    p = torch.tensor([0.5, 0.5, 0.0])
    for x, words in [([0.0, 0.0, 1.0], "increasing"), ([0.0, 0.5, 2.0], "evenly")]:
        with pytest.raises(ValueError, match=words):
            d.wasserstein_1d(x, p, p)


def test_a_standard_deviation_is_positive():
    with pytest.raises(ValueError, match="positive"):
        d.kl_normal(torch.zeros(2), torch.tensor([1.0, 0.0]))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="same set"):
        d.optimal_discriminator(torch.ones(2), torch.ones(3))
