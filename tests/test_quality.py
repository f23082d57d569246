"""Scores and distances of samples, on laws whose answer is known."""

import math

import pytest
import torch
from scipy import linalg
from torch import nn

from gmlib import data, metrics, runtime

# ------------------------------------------------------------- inception score


def test_inception_score_is_k_for_balanced_certainty_and_one_for_equal_rows():
    balanced = torch.eye(10).repeat(5, 1)
    assert metrics.inception_score(balanced) == pytest.approx(10, abs=1e-9)
    equal = torch.rand(1, 10).softmax(1).repeat(50, 1)
    assert metrics.inception_score(equal) == pytest.approx(1, abs=1e-6)
    assert metrics.inception_score(torch.eye(10)[[3] * 8]) == pytest.approx(1)


def test_inception_score_sums_over_classes_and_averages_over_samples():
    p = [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]
    marginal = [0.6, 0.4]
    kl = [
        sum(a * math.log(a / b) for a, b in zip(row, marginal, strict=True))
        for row in p
    ]
    expected = math.exp(sum(kl) / 3)
    assert metrics.inception_score(torch.tensor(p)) == pytest.approx(expected)


def test_inception_score_of_parts_is_the_mean_over_them():
    p = torch.randn(30, 4).mul(2).softmax(1)
    parts = [metrics.inception_score(part) for part in p.split(10)]
    assert metrics.inception_score(p, splits=3) == pytest.approx(sum(parts) / 3)


class Same(nn.Module):
    """The features of a sample are the sample."""

    num_features = 4

    def forward(self, x):
        return x


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore`", "ignore:std")
def test_inception_score_agrees_with_torchmetrics():
    image = pytest.importorskip("torchmetrics.image.inception")
    logits = torch.randn(200, 4) * 2
    reference = image.InceptionScore(feature=Same(), splits=1)
    reference.update(logits)
    theirs, _ = reference.compute()
    ours = metrics.inception_score(logits.softmax(1))
    assert ours == pytest.approx(theirs.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("probs", "splits"),
    [
        (torch.empty(0, 10), 1),
        (torch.eye(3) * 2, 1),
        (torch.tensor([[1.5, -0.5]]), 1),
        (torch.full((4, 2), math.nan), 1),
        (torch.eye(3), 0),
        (torch.eye(3), 4),
        (torch.tensor(1.0), 1),
    ],
)
def test_inception_score_refuses_what_is_no_distribution(probs, splits):
    with pytest.raises(ValueError, match=r"probs|splits"):
        metrics.inception_score(probs, splits)


# ------------------------------------------------------------ Fréchet distance


def with_moments(n, mean, covariance):
    """Samples whose sample mean and covariance are exactly those asked for."""
    d = len(mean)
    z = torch.randn(n, d, dtype=torch.float64)
    z = z - z.mean(0)
    z = z @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(z.T).reshape(d, d))).T
    return mean + z @ torch.linalg.cholesky(covariance).T


def random_covariance(d):
    a = torch.randn(d, d, dtype=torch.float64)
    return a @ a.T + 0.1 * torch.eye(d, dtype=torch.float64)


def test_frechet_distance_of_normals_with_diagonal_covariances():
    """‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)²."""
    s = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    r = torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
    m = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    x = with_moments(50, m, torch.diag(s**2))
    y = with_moments(70, 0 * m, torch.diag(r**2))
    expected = m.square().sum() + (s - r).square().sum()
    assert metrics.frechet_distance(x, y) == pytest.approx(expected.item(), abs=1e-9)


def test_frechet_distance_of_any_normals_agrees_with_the_matrix_square_root():
    runtime.seed(2)
    for d in (1, 2, 5, 16):
        a, b = random_covariance(d), random_covariance(d)
        mean = torch.randn(d, dtype=torch.float64)
        x, y = with_moments(4 * d + 4, mean, a), with_moments(5 * d + 4, 0 * mean, b)
        root = linalg.sqrtm((a @ b).numpy()).real.trace()
        expected = mean.square().sum() + a.trace() + b.trace() - 2 * root
        found = metrics.frechet_distance(x, y)
        assert found == pytest.approx(expected.item(), rel=1e-8)
        assert metrics.frechet_distance(y, x) == pytest.approx(found, rel=1e-8)


def test_frechet_distance_agrees_with_torchmetrics():
    image = pytest.importorskip("torchmetrics.image.fid")
    runtime.seed(3)
    x, y = torch.randn(200, 4), torch.randn(300, 4) @ torch.randn(4, 4) + 1
    reference = image.FrechetInceptionDistance(feature=Same(), input_img_size=(4,))
    reference.set_dtype(torch.float64)
    reference.update(x.double(), real=True)
    reference.update(y.double(), real=False)
    ours = metrics.frechet_distance(x, y)
    assert ours == pytest.approx(reference.compute().item(), rel=1e-4)


def test_frechet_distance_of_a_set_to_itself_is_zero_also_where_it_is_flat():
    x = torch.randn(40, 5)
    flat = torch.cat([x, x[:, :1], torch.zeros(40, 2)], 1)
    assert 0 <= metrics.frechet_distance(x, x) < 1e-9
    assert 0 <= metrics.frechet_distance(flat, flat) < 1e-6


@pytest.mark.parametrize("n", [500, 5000])
def test_the_bias_of_the_frechet_distance_falls_with_the_samples(n):
    """Two samples of N(0, I) in d dimensions are about (2d + d(d+1)/2)/n apart:
    the means differ by 2d/n, the covariances by E ‖A − B‖²/4 = d(d+1)/(2n)."""
    d = 64
    found = [
        metrics.frechet_distance(torch.randn(n, d), torch.randn(n, d)) for _ in range(4)
    ]
    assert sum(found) / 4 == pytest.approx((2 * d + d * (d + 1) / 2) / n, rel=0.08)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.randn(64, 64), torch.randn(500, 64), "more than 64 samples"),
        (torch.randn(50, 3), torch.randn(3, 3), "more than 3 samples"),
        (torch.randn(50, 3), torch.randn(50, 4), "one dimension"),
        (torch.empty(0, 3), torch.randn(50, 3), "at least 2"),
        (torch.randn(50, 3), torch.full((50, 3), math.inf), "y contains NaN"),
    ],
)
def test_frechet_distance_refuses_what_has_no_answer(x, y, message):
    with pytest.raises(ValueError, match=message):
        metrics.frechet_distance(x, y)


# --------------------------------------------------------- density and coverage


def test_a_perfect_model_has_the_density_and_coverage_of_the_theorem():
    """Naeem et al. 2020: density 1, and for n = m coverage
    1 − (n−1)···(n−k) / ((2n−1)···(2n−k)), whatever the law is."""
    n, k, runs = 60, 3, 200
    found = torch.tensor(
        [
            metrics.density_coverage(torch.randn(n, 2), torch.randn(n, 2), k)
            for _ in range(runs)
        ]
    )
    missed = math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    error = found.std(0) / math.sqrt(runs)
    off = (found.mean(0) - torch.tensor([1.0, 1 - missed])).abs()
    assert (off < 4 * error).all()
    assert (error < 0.02).all()


def test_coverage_is_the_share_of_the_modes_that_are_met():
    two = data.GaussianMixture(torch.tensor([[-10.0, 0.0], [10.0, 0.0]]), 1.0)
    real = two.sample((800,))
    one = torch.randn(800, 2) + torch.tensor([10.0, 0.0])
    density, coverage = metrics.density_coverage(real, one)
    assert coverage == pytest.approx((real[:, 0] > 0).float().mean().item(), abs=0.03)
    assert density > 0.8
    assert metrics.density_coverage(real, one + 100) == (0.0, 0.0)


def test_a_narrow_model_has_the_density_but_not_the_coverage():
    real = torch.randn(500, 2)
    density, coverage = metrics.density_coverage(real, 0.1 * torch.randn(500, 2))
    assert density == pytest.approx(1, abs=0.3)
    assert coverage < 0.2


def test_density_and_coverage_count_as_the_formula_does():
    real, fake = torch.randn(1500, 2).double(), torch.randn(40, 2).double()
    k = 4
    among = (real[:, None] - real).norm(dim=2).sort(1).values  # first: itself
    within = (real[:, None] - fake).norm(dim=2) < among[:, k, None]
    density, coverage = metrics.density_coverage(real, fake, k)
    assert density == pytest.approx(within.double().sum().item() / (k * 40))
    assert coverage == pytest.approx(within.any(1).double().mean().item())


@pytest.mark.parametrize(
    ("real", "fake", "k"),
    [
        (torch.randn(5, 2), torch.randn(9, 2), 5),
        (torch.randn(9, 2), torch.randn(9, 2), 0),
        (torch.randn(9, 2), torch.randn(9, 3), 2),
        (torch.randn(9, 2), torch.empty(0, 2), 2),
        (torch.full((9, 2), math.nan), torch.randn(9, 2), 2),
    ],
)
def test_density_and_coverage_refuse_what_has_no_answer(real, fake, k):
    with pytest.raises(ValueError, match=r"neighbours|must|needed|NaN"):
        metrics.density_coverage(real, fake, k)
