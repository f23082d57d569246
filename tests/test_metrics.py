"""The theorems behind the measures, on laws whose answer is known."""

import hashlib
import importlib.util
import math
import os
import sys
from itertools import pairwise

import pytest
import torch
from scipy import linalg
from torch import distributions as td
from torch import nn

from gmlib import data, metrics, runtime
from gmlib.objectives import bernoulli, normal, standard_normal

# ------------------------------------------------------------------- evidence


@pytest.fixture
def world():
    runtime.seed(1)
    W = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.3, 0.2]])
    return data.LinearGaussian(W, torch.tensor([0.1, 0.0, -1.0]), 0.6)


def wide(world, factor=1.5):
    """A q(z|x) that covers the posterior without being it."""

    def q(x):
        p = world.posterior(x)
        return normal(p.mean + 0.1, factor * p.variance.sqrt())

    return q


def test_with_the_posterior_every_weight_is_the_evidence(world):
    """p(x|z) p(z) / p(z|x) = p(x): no variance, whatever k is."""
    x = world.sample((11,))
    exact = world.log_evidence(x)
    for k in (1, 7):
        # chunk 4 < 11: the data points are split as well
        found = metrics.log_evidence(
            x, world.posterior, world.likelihood, world.prior, k=k, chunk=4
        )
        assert torch.allclose(found, exact, atol=1e-5)


def test_importance_sampling_finds_the_evidence(world):
    x = world.sample((20,))
    found = metrics.log_evidence(
        x, wide(world), world.likelihood, world.prior, k=20_000
    )
    assert (found - world.log_evidence(x)).abs().max() < 0.05


def test_the_bound_rises_with_k_from_the_elbo_to_the_evidence(world):
    """Burda et al. 2016, theorem 1, and E log w = log p(x) − KL(q ‖ p(z|x))."""
    x = world.sample((1,)).expand(4000, 3)
    exact = world.log_evidence(x[:1]).item()
    q = wide(world, factor=2.5)

    def bound(k):
        values = metrics.log_evidence(x, q, world.likelihood, world.prior, k=k)
        return values.double().mean().item(), values.std().item() / math.sqrt(len(x))

    bounds = [bound(k) for k in (1, 4, 16, 64)]
    for (low, low_error), (high, high_error) in pairwise(bounds):
        assert high - low > 3 * math.hypot(low_error, high_error)
    assert all(value < exact + 3 * error for value, error in bounds)
    assert exact - bounds[-1][0] < 0.05
    q_x, posterior = q(x[:1]), world.posterior(x[:1])
    as_multivariate = td.MultivariateNormal(q_x.mean, torch.diag_embed(q_x.variance))
    gap = td.kl_divergence(as_multivariate, posterior).item()
    elbo, error = bounds[0]
    assert abs(elbo - (exact - gap)) < 4 * error
    assert gap > 0.3


class Prepared:
    """A q(z|x) that hands out prepared draws, so that chunks can be compared."""

    def __init__(self, z):
        self.z, self.given = z, 0

    def sample(self, shape):
        self.given += shape[0]
        return self.z[self.given - shape[0] : self.given]

    def log_prob(self, z):
        return standard_normal(2, device="cpu").log_prob(z / 2)


@pytest.mark.parametrize("chunk", [5, 13, 1000])
def test_chunks_do_not_change_the_estimate(world, chunk):
    """Every draw meets its own data point, whichever chunk it comes in."""
    x, z = world.sample((5,)), torch.randn(9, 5, 2)
    log_w = torch.stack(
        [
            world.likelihood(part).log_prob(x)
            + world.prior.log_prob(part)
            - Prepared(z).log_prob(part)
            for part in z
        ]
    )
    found = metrics.log_evidence(
        x, lambda _: Prepared(z), world.likelihood, world.prior, k=9, chunk=chunk
    )
    expected = torch.logsumexp(log_w, 0) - math.log(9)
    assert torch.allclose(found, expected, atol=1e-4)


def test_weights_too_small_for_a_float_do_no_harm(world):
    x = torch.full((3, 3), 60.0)
    exact = world.log_evidence(x)
    assert exact.max() < -1000
    found = metrics.log_evidence(
        x, wide(world, 1.2), world.likelihood, world.prior, k=2000
    )
    assert ((found - exact).abs() < 0.1).all()


def test_evidence_of_images_with_a_bernoulli_decoder():
    """A decoder that ignores z has the evidence of its pixels, exactly."""
    x = data.digits().map(data.binarize).sample((6,))
    logits = torch.randn(1, 1, 28, 28)
    found = metrics.log_evidence(
        x,
        lambda x: normal(torch.zeros(len(x), 2), 1.0),
        lambda z: bernoulli(logits.expand(len(z), 1, 28, 28)),
        standard_normal(2),
        k=3,
    )
    assert torch.allclose(
        found, bernoulli(logits.expand(6, 1, 28, 28)).log_prob(x), rtol=1e-5
    )
    assert not found.requires_grad


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.empty(0, 3)}, "non-empty"),
        ({"x": [1.0]}, "non-empty tensor"),
        ({"x": torch.full((2, 3), math.nan)}, "NaN"),
        ({"k": 0}, "k must be"),
        ({"k": 2.5}, "k must be"),
        ({"chunk": -1}, "chunk must be"),
        ({"q": lambda x: td.Normal(torch.zeros(len(x), 2), 1.0)}, "Independent"),
        ({"p_z": td.Normal(torch.zeros(2), 1.0)}, "Independent"),
        (
            {"p_x_given_z": lambda z: td.Normal(torch.zeros(len(z), 3), 1.0)},
            "Independent",
        ),
        ({"p_x_given_z": lambda z: normal(torch.zeros(len(z), 3), math.nan)}, "NaN"),
    ],
)
def test_evidence_refuses_what_has_no_answer(world, change, message):
    arguments = {
        "x": world.sample((2,)),
        "q": world.posterior,
        "p_x_given_z": world.likelihood,
        "p_z": world.prior,
        "k": 3,
    }
    with pytest.raises(ValueError, match=message):
        metrics.log_evidence(**arguments | change)


# ----------------------------------------------- annealed importance sampling


def annealed(world, x, **how):
    return metrics.annealed_log_evidence(x, world.likelihood, world.prior, **how)


def test_annealing_finds_the_evidence(world):
    x = world.sample((20,))
    found = annealed(world, x, chains=200, temperatures=100)
    assert (found - world.log_evidence(x)).abs().max() < 0.15


def test_the_mean_weight_is_the_evidence_however_few_the_temperatures(world):
    """Neal 2001: E w = p(x), and so E log w < log p(x), less so if one anneals."""
    x = world.sample((1,))
    exact = world.log_evidence(x).item()
    last = math.inf
    for temperatures in (1, 4, 16, 64):
        log_w = annealed(
            world, x.expand(4000, 3), chains=1, temperatures=temperatures, leapfrogs=2
        ).double()
        w = (log_w - exact).exp()
        assert abs(w.mean() - 1) < 5 * w.std() / math.sqrt(len(w))
        gap = exact - log_w.mean().item()
        assert 0 < gap < 0.8 * last
        last = gap
    assert last < 0.15


def test_one_temperature_samples_the_prior(world):
    """Without annealing the weight is p(x|z), z ~ p(z)."""
    x = world.sample((4,))
    runtime.seed(5)
    world.prior.sample((4 * 7,))  # those of the tuning run
    z = world.prior.sample((4 * 7,))
    log_p = world.likelihood(z).log_prob(x.repeat(7, 1)).view(7, 4)
    runtime.seed(5)
    found = annealed(world, x, chains=7, temperatures=1)
    assert torch.allclose(found, log_p.logsumexp(0) - math.log(7), atol=1e-5)


def test_annealing_refuses_bad_input(world):
    x = world.sample((2,))
    for how in ({"chains": 0}, {"temperatures": 0}, {"leapfrogs": 0}, {"step": 0.0}):
        with pytest.raises(ValueError, match=next(iter(how))):
            annealed(world, x, **how)
    with pytest.raises(ValueError, match="non-empty"):
        annealed(world, x[:0])
    with pytest.raises(ValueError, match="infinite"):
        annealed(world, x * math.inf)
    with pytest.raises(ValueError, match="one event"):
        metrics.annealed_log_evidence(
            x, lambda z: td.Normal(z @ world.W.T, 1.0), world.prior
        )


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


# ----------------------------------------------------------------------- modes


@pytest.mark.parametrize("law", [data.ring(), data.grid()], ids=["ring", "grid"])
def test_a_perfect_model_scores_98_9_percent(law):
    n = 20_000
    found = metrics.modes(law.sample((n,)), law.centres, law.std)
    share = 1 - math.exp(-4.5)
    assert round(share, 3) == 0.989
    assert found.covered == len(law.centres)
    assert abs(found.high_quality - share) < 4 * math.sqrt(share * (1 - share) / n)


def test_a_share_above_98_9_percent_betrays_a_shrunken_variance():
    law = data.ring()
    narrow = data.GaussianMixture(law.centres, law.std * 0.8)
    found = metrics.modes(narrow.sample((20_000,)), law.centres, law.std)
    assert found.high_quality > 0.998


def test_modes_are_counted_by_their_good_samples_only():
    law = data.ring()
    at = law.centres[[0, 0, 3]]
    assert metrics.modes(at, law.centres, law.std) == (2, 1.0)
    beside = at.clone()
    beside[2] *= 1 + 3.1 * law.std / 2
    covered, share = metrics.modes(beside, law.centres, law.std)
    assert covered == 1
    assert share == pytest.approx(2 / 3)
    assert metrics.modes(0 * at, law.centres, law.std) == (0, 0.0)


@pytest.mark.parametrize(
    ("x", "std", "radius"),
    [
        (torch.empty(0, 2), 0.1, 3.0),
        (torch.zeros(4, 3), 0.1, 3.0),
        (torch.full((4, 2), math.nan), 0.1, 3.0),
        (torch.zeros(4, 2), 0.0, 3.0),
        (torch.zeros(4, 2), 0.1, -1.0),
        (torch.zeros(4, 2), math.nan, 3.0),
    ],
)
def test_modes_refuse_what_has_no_answer(x, std, radius):
    with pytest.raises(ValueError, match=r"must|needed|NaN"):
        metrics.modes(x, data.ring().centres, std, radius)


# ------------------------------------------------------------ two-sample test


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


def test_no_measure_depends_on_the_default_device():
    """On a GPU the default device is the GPU, where there may be no float64.

    A tensor that is created on the default device here has no values.
    """
    a, b = torch.randn(40, 2), torch.randn(40, 2)
    law = data.ring()
    world = data.LinearGaussian(torch.ones(2, 1), torch.zeros(2), 1.0)
    metrics._judge.cache_clear()
    with torch.device("meta"):
        found = [
            *metrics.two_sample_test(a, b),
            *metrics.density_coverage(a, b),
            *metrics.modes(a, law.centres, law.std),
            metrics.frechet_distance(a, b),
            metrics.inception_score(a.softmax(1)),
            *metrics.log_evidence(
                a, world.posterior, world.likelihood, world.prior, k=2
            ).tolist(),
            *metrics.judge("digits").probs(data.digits().x[:1]).flatten().tolist(),
            *metrics.stacked_modes(
                data.stacked(data.digits()).sample((2,)), metrics.judge("digits")
            ),
        ]
    assert all(math.isfinite(value) for value in found)


# ------------------------------------------------------------------ the judge

CAN_SEE_MNIST = "GMLIB_DATA" in os.environ


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("digits", 0.97),
        pytest.param(
            "mnist",
            0.993,
            marks=pytest.mark.skipif(not CAN_SEE_MNIST, reason="GMLIB_DATA is not set"),
        ),
    ],
)
def test_a_judge_is_as_good_as_it_says(name, least):
    test_set = data.images("test", which=name)
    judge = metrics.judge(name)
    accuracy = judge.accuracy(test_set.x, test_set.y)
    # One image may fall on the other side on another machine.
    assert accuracy == pytest.approx(judge.info["accuracy"], abs=1.5 / len(test_set))
    assert accuracy >= least
    assert judge.info["command"].startswith(f"python tools/train_judge.py {name}")


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_a_judge_is_small_and_comes_along(name):
    path = data.folder() / "judges" / f"{name}.safetensors"
    assert path.stat().st_size < 1_000_000
    judge = metrics.judge(name)
    assert metrics.judge(name) is judge
    x = data.digits("test").x[:7]
    features, probs = judge.features(x), judge.probs(x)
    assert features.shape == (7, 64)
    assert probs.shape == (7, 10)
    assert torch.allclose(probs.sum(1), torch.ones(7), atol=1e-5)
    assert torch.allclose(judge.network[1](features).softmax(1), probs, atol=1e-6)
    assert not judge.network.training
    assert not probs.requires_grad


def test_the_command_trains_a_judge_and_says_how(request, monkeypatch, tmp_path):
    tool = request.config.rootpath / "tools" / "train_judge.py"
    spec = importlib.util.spec_from_file_location("train_judge", tool)
    train_judge = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec.loader.exec_module(train_judge)
    command = ["train_judge.py", "digits", "--epochs", "3", "--to", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    train_judge.main()
    (tmp_path / "judges").mkdir()
    (tmp_path / "digits.safetensors").rename(tmp_path / "judges/digits.safetensors")
    monkeypatch.setattr(data.shelf, "PLACE", tmp_path)
    metrics._judge.cache_clear()
    judge = metrics.judge("digits")
    metrics._judge.cache_clear()
    expected = "python tools/train_judge.py digits --seed 0 --epochs 3"
    assert judge.info["command"] == expected
    test_set = data.digits("test")
    assert judge.accuracy(test_set.x, test_set.y) == judge.info["accuracy"]
    assert judge.info["accuracy"] > 0.5  # a guess is right in a tenth
    stored = data.digits("train")._x.numpy().tobytes()
    assert judge.info["training_pixels_sha256"] == hashlib.sha256(stored).hexdigest()


def test_a_judge_does_not_care_how_images_are_batched():
    x = data.digits("train").x[:1003]
    whole = metrics.judge("digits").features(x)
    assert torch.allclose(
        whole[-3:], metrics.judge("digits").features(x[-3:]), atol=1e-4
    )


def test_a_judge_remembers_the_features_of_its_test_images():
    judge = metrics.judge("digits")
    assert judge.test_features is judge.test_features
    assert torch.equal(judge.test_features, judge.features(data.digits("test").x))


def test_the_scores_of_the_judge_on_real_digits():
    """Real images: nearly all ten classes, and near other real images."""
    judge = metrics.judge("digits")
    train, test = data.digits("train").x, data.digits("test").x
    assert 9 < metrics.inception_score(judge.probs(test)) <= 10
    noise = torch.rand(355, 1, 28, 28)
    real = judge.features(train)
    near = metrics.frechet_distance(real, judge.features(test))
    assert near < 0.1 * metrics.frechet_distance(real, judge.features(noise))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(0, 1, 28, 28), "shape"),
        (torch.zeros(3, 28, 28), "shape"),
        (torch.zeros(3, 3, 32, 32), "shape"),
        (torch.full((3, 1, 28, 28), -1.0), r"\[0, 1\]"),
        (torch.full((3, 1, 28, 28), 255.0), r"\[0, 1\]"),
        (torch.full((3, 1, 28, 28), math.nan), r"\[0, 1\]"),
        ("digits", "shape"),
    ],
)
def test_a_judge_sees_only_images(x, message):
    for look in (metrics.judge("digits").features, metrics.judge("digits").probs):
        with pytest.raises(ValueError, match=message):
            look(x)


def test_a_judge_wants_a_label_for_every_image():
    with pytest.raises(ValueError, match="3 images need as many labels"):
        metrics.judge("digits").accuracy(
            torch.zeros(3, 1, 28, 28), torch.zeros(2, dtype=int)
        )


def test_a_judge_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(ValueError, match=r"no judge 'imagenet'.*digits, mnist"):
        metrics.judge("imagenet")


# -------------------------------------------------------------- stacked digits


class Reader:
    """A judge that reads the digit off a pixel."""

    def probs(self, x):
        assert x.shape[1:] == (1, 28, 28)
        return torch.nn.functional.one_hot((x[:, 0, 0, 0] * 9).round().long(), 10)


def written(mode):
    """Images on which a `Reader` reads the digits of `mode`, of shape (n,)."""
    digit = torch.stack([mode // 100, mode // 10 % 10, mode % 10], 1)
    return (digit / 9).view(-1, 3, 1, 1).expand(-1, -1, 28, 28)


@pytest.mark.parametrize("m", [1, 8, 1000])
def test_m_equally_frequent_modes_have_reverse_kl_log_1000_over_m(m):
    mode = (torch.arange(m) * 7 + 3).remainder(1000).repeat(3)
    found = metrics.stacked_modes(written(mode), Reader())
    assert found.covered == m
    assert found.reverse_kl == pytest.approx(math.log(1000 / m), abs=1e-9)


def test_the_floor_of_the_reverse_kl_is_that_of_sampling():
    """E KL(histogram ‖ law) ≈ (1000 − 1) / 2n: .019 with 26 000 samples."""
    runtime.seed(0)
    n = 26_000
    draws = [torch.randint(1000, (n,)) for _ in range(3)]
    found = [metrics.stacked_modes(written(d), Reader()) for d in draws]
    mean = sum(f.reverse_kl for f in found) / 3
    assert mean == pytest.approx(999 / (2 * n), rel=0.1)
    assert mean == pytest.approx(0.019, abs=0.001)
    assert {f.covered for f in found} == {1000}


def test_the_judge_reads_stacked_digits_channel_by_channel():
    runtime.seed(0)
    x, mode = data.stacked(data.digits("test")).sample_pairs((200,))
    judge = metrics.judge("digits")
    found = metrics.stacked_modes(x, judge)
    # A mode is misread if one of three digits is: at most three times as often.
    wrong = 3 * (1 - judge.accuracy(*(data.digits("test").x, data.digits("test").y)))
    assert abs(found.covered - len(mode.unique())) <= 3 * (200 * wrong + 3)
    assert found.covered > 150
    one = metrics.stacked_modes(x[:1].repeat(5, 1, 1, 1), judge)
    assert one.covered == 1
    assert one.reverse_kl == pytest.approx(math.log(1000))


@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (3, 28, 28), (0, 3, 28, 28)])
def test_stacked_digits_have_three_channels(shape):
    with pytest.raises(ValueError, match="shape"):
        metrics.stacked_modes(torch.zeros(shape), metrics.judge("digits"))
