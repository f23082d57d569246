"""The laws of gmlib.data are what their names and formulas say."""

import math

import pytest
import torch
from torch import distributions as td

from gmlib import data, runtime


def test_the_ring_has_eight_modes_not_seven():
    """An angle from 0 to 2π, both ends included, would give seven."""
    ring = data.ring(8, radius=2.0)
    assert torch.allclose(ring.centres.norm(dim=1), torch.tensor(2.0))
    neighbours = (ring.centres - ring.centres.roll(1, 0)).norm(dim=1)
    assert torch.allclose(neighbours, torch.tensor(4 * math.sin(math.pi / 8)))


def test_the_grid_is_that_of_the_papers():
    line = {-4.0, -2.0, 0.0, 2.0, 4.0}
    centres = {tuple(c) for c in data.grid().centres.tolist()}
    assert centres == {(a, b) for a in line for b in line}


@pytest.mark.parametrize("law", [data.ring(std=0.3), data.grid(3, std=0.4)])
def test_a_mixture_has_the_density_it_says(law):
    line = torch.linspace(-5, 5, 401)
    points = torch.cartesian_prod(line, line)
    total = law.log_prob(points).exp().double().sum() * (10 / 400) ** 2
    assert abs(total.item() - 1) < 1e-5
    k = len(law.centres)
    components = td.Independent(td.Normal(law.centres, law.std), 1)
    reference = td.MixtureSameFamily(td.Categorical(torch.ones(k)), components)
    x = points[::97]
    assert torch.allclose(law.log_prob(x), reference.log_prob(x), atol=1e-4)


@pytest.mark.parametrize("law", [data.ring(), data.grid()])
def test_a_mixture_samples_from_its_density(law):
    """Far apart modes: the entropy is log K + log(2πe std²) in the plane."""
    n = 20_000
    log_p = law.log_prob(law.sample((n,)))
    entropy = math.log(len(law.centres)) + math.log(2 * math.pi * math.e * law.std**2)
    # log p is a constant minus a standard exponential: its variance is one.
    assert abs(-log_p.mean().item() - entropy) < 4 / math.sqrt(n)
    nearest = torch.cdist(law.sample((n,)), law.centres).argmin(1)
    share = torch.bincount(nearest, minlength=len(law.centres)) / n
    k = len(law.centres)
    assert (share - 1 / k).abs().max() < 4.5 * math.sqrt((1 / k) * (1 - 1 / k) / n)


def test_a_shape_is_where_its_factors_say_and_as_large():
    """In units of half the width: area π r² for every kind, centred at (x, y)."""
    law = data.shapes(128)
    f = torch.tensor([[k, c, 0.4, 0.15, -0.1] for k in range(3) for c in range(3)])
    ink = 1 - law.draw(f)
    cover = ink.amax(1) / ink.amax((1, 2, 3))[:, None, None]
    area = cover.sum((1, 2)) * (2 / 128) ** 2
    assert torch.allclose(area, torch.full((9,), math.pi * 0.4**2), rtol=0.01)
    line = (torch.arange(128) + 0.5) / 64 - 1
    right = (cover.sum(1) * line).sum(1) / cover.sum((1, 2))
    up = -(cover.sum(2) * line).sum(1) / cover.sum((1, 2))
    assert torch.allclose(right, torch.full((9,), 0.15), atol=0.01)
    assert torch.allclose(up, torch.full((9,), -0.1), atol=0.01)


def test_shapes_have_the_law_of_their_card():
    law = data.shapes(24)
    runtime.seed(0)
    x, f = law.sample_pairs((9000,))
    assert x.shape == (9000, 3, 24, 24)
    assert x.min() >= 0
    assert x.max() <= 1
    cells = torch.bincount((3 * f[:, 0] + f[:, 1]).long(), minlength=9)
    assert (cells - 1000).abs().max() < 5 * math.sqrt(1000)
    ranges = torch.tensor([law.radii, law.places, law.places])
    assert (f[:, 2:].amin(0) >= ranges[:, 0]).all()
    assert (f[:, 2:].amax(0) <= ranges[:, 1]).all()
    assert torch.allclose(f[:, 2:].mean(0), ranges.mean(1), atol=0.01)
    frame = torch.cat([x[:, :, 0], x[:, :, -1], x[..., 0], x[..., -1]], -1)
    assert (frame > 0.5).float().mean() > 0.99, "a shape is cut off"


def test_drawing_shapes_is_smooth_in_size_and_place():
    law = data.shapes(128)
    f = torch.tensor([[k, 0, 0.4, 0.053, 0.011] for k in range(3)], requires_grad=True)
    ((1 - law.draw(f))[:, 0].sum() * (2 / 128) ** 2).backward()
    # The area is π r², wherever the shape is.
    assert torch.allclose(f.grad[:, 2], torch.full((3,), 2 * math.pi * 0.4), rtol=0.03)
    assert f.grad[:, 3:].abs().max() < 0.1


def test_without_noise_the_swiss_roll_is_a_spiral():
    x = data.swiss_roll(noise=0.0).sample((1000,)).double() * 7.5
    t = x.norm(dim=1)
    assert t.min() > 1.5 * math.pi - 1e-4
    assert t.max() < 4.5 * math.pi + 1e-4
    assert torch.allclose(x, torch.stack([t * t.cos(), t * t.sin()], 1), atol=1e-3)


def test_the_swiss_roll_is_that_of_scikit_learn():
    from sklearn.datasets import make_swiss_roll

    n = 50_000
    ours = data.swiss_roll().sample((n,)).double()
    theirs = torch.from_numpy(
        make_swiss_roll(n, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    )
    for power in (1, 2, 4):
        a, b = ours**power, theirs**power
        error = (a.var(0) / n + b.var(0) / n).sqrt()
        assert ((a.mean(0) - b.mean(0)).abs() < 4.5 * error).all()


@pytest.mark.parametrize("k", [1, 2])
def test_linear_gaussian_obeys_bayes(k):
    runtime.seed(5)
    W, b = torch.randn(3, k).double(), torch.randn(3).double()
    world = data.LinearGaussian(W, b, torch.tensor([0.3, 0.5, 1.0]))
    x, z = world.sample_pairs((50,))
    joint = world.prior.log_prob(z) + world.likelihood(z).log_prob(x)
    product = world.log_evidence(x) + world.posterior(x).log_prob(z)
    assert torch.allclose(joint, product, atol=1e-10)


def test_linear_gaussian_evidence_is_the_integral_over_z():
    """Quadrature knows nothing of the formula N(b, W Wᵀ + diag std²)."""
    W, b = torch.tensor([[2.0], [-1.0]]).double(), torch.tensor([0.5, 0.0]).double()
    world = data.LinearGaussian(W, b, 0.7)
    z = torch.linspace(-9, 9, 4001, dtype=torch.float64)[:, None]
    for x in world.sample((5,)):
        integrand = world.prior.log_prob(z) + world.likelihood(z).log_prob(x)
        integral = integrand.exp().sum() * (18 / 4000)
        assert abs(integral.log() - world.log_evidence(x[None])) < 1e-8


def test_linear_gaussian_samples_have_its_covariance():
    W = torch.tensor([[1.0, 0.5], [0.0, 2.0], [1.0, 1.0]])
    world = data.LinearGaussian(W, torch.tensor([1.0, 2.0, 3.0]), 0.5)
    n = 50_000
    x = world.sample((n,))
    expected = W @ W.T + 0.25 * torch.eye(3)
    deviation = expected.diagonal().sqrt()
    assert ((x.mean(0) - world.b).abs() < 4.5 * deviation / math.sqrt(n)).all()
    bound = 4.5 * math.sqrt(2 / n) * torch.outer(deviation, deviation)
    assert ((torch.cov(x.T) - expected).abs() < bound).all()


def test_stacked_digits_are_three_independent_ones_and_a_thousand_modes():
    plain = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1) * 25
    law = data.stacked(data.Empirical(plain, torch.arange(10)).map(data.to_tanh))
    n = 100_000
    x, mode = law.sample_pairs((n,))
    assert x.shape == (n, 3, 1, 1)
    channels = ((x[:, :, 0, 0] + 1) / 2 * 255 / 25).round().long()
    assert torch.equal(mode, (channels * torch.tensor([100, 10, 1])).sum(1))
    counts = torch.bincount(mode, minlength=1000)
    assert len(counts) == 1000
    # Pearson's χ² has mean 999 and variance 2 · 999 if all modes are equally likely.
    chi2 = ((counts - n / 1000) ** 2 / (n / 1000)).sum()
    assert abs(chi2 - 999) < 5 * math.sqrt(2 * 999)
