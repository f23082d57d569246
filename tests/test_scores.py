"""Kernel distance, extrapolation, neighbours and classifiers, on known answers."""

import math

import pytest
import torch

from gmlib import metrics, runtime

# -------------------------------------------------------------- kernel distance


def tensor_power_distance(x, y):
    """Σ_j C(3, j) d^-j ‖mean x^⊗j − mean y^⊗j‖², of empirical laws."""
    d, total = x.shape[1], 0.0
    letters = "abc"
    for j in range(1, 4):
        word = ",".join(f"n{c}" for c in letters[:j]) + "->" + letters[:j]
        a, b = (torch.einsum(word, *[s] * j) / len(s) for s in (x, y))
        total += math.comb(3, j) / d**j * (a - b).square().sum().item()
    return total


def test_the_kernel_distance_is_unbiased_for_the_distance_of_three_moments():
    """Over all pairs of draws with replacement from two small laws."""
    runtime.seed(1)
    p, q = torch.randn(5, 2).double(), torch.randn(4, 2).double() + 0.5
    found = [
        metrics.kernel_distance(p[i], q[j])
        for i in torch.randint(5, (4000, 6))
        for j in [torch.randint(4, (7,))]
    ]
    found = torch.tensor(found)
    error = found.std() / len(found) ** 0.5
    expected = tensor_power_distance(p, q)
    assert abs(found.mean() - expected) < 4 * error
    assert 8 * error < expected  # so that a wrong factor is seen


def test_laws_with_three_equal_moments_have_no_kernel_distance():
    """Two modes, and √3 (−1, 0, 0, 0, 0, 1): moments 0, 1, 0 both."""
    two = torch.tensor([[-1.0], [1.0]]).repeat(600, 1)
    three = 3**0.5 * torch.tensor([[-1.0], [0], [0], [0], [0], [1]]).repeat(200, 1)
    assert metrics.kernel_distance(two, three) == pytest.approx(0, abs=0.06)
    skewed = torch.tensor([[-0.5]] * 4 + [[2.0]]).repeat(240, 1)  # 0, 1, 1.5
    assert metrics.kernel_distance(two, skewed) == pytest.approx(1.5**2, abs=0.1)


class Same(torch.nn.Module):
    """The features of a sample are the sample."""

    num_features = 4

    def forward(self, x):
        return x


@pytest.mark.filterwarnings("ignore:Metric `Kernel")
def test_kernel_distance_agrees_with_torchmetrics():
    image = pytest.importorskip("torchmetrics.image.kid")
    runtime.seed(3)
    x, y = torch.randn(200, 4), torch.randn(200, 4) + 0.3
    theirs = image.KernelInceptionDistance(feature=Same(), subsets=1, subset_size=200)
    theirs.update(x, real=True)
    theirs.update(y, real=False)
    mean, _ = theirs.compute()
    assert metrics.kernel_distance(x, y) == pytest.approx(mean.item(), rel=1e-4)


# ---------------------------------------------------------------- extrapolation


def test_the_bias_of_white_features_is_that_of_the_formula():
    runtime.seed(0)
    d = 8
    found = metrics.frechet_bias(torch.randn(200_000, d))
    assert found == pytest.approx(2 * d + d * (d + 1) / 2, rel=0.01)
    scales = torch.tensor([1.0, 0.5, 0.1])
    lam = scales**2
    expected = 2.5 * lam.sum() + (lam[:, None] * lam / (lam[:, None] + lam)).sum()
    found = metrics.frechet_bias(torch.randn(200_000, 3) * scales)
    assert found == pytest.approx(expected.item(), rel=0.01)


def test_the_bias_of_other_laws_is_seen_in_samples():
    """Heavy tails: the fourth moment counts; the normal formula is far off."""
    runtime.seed(4)

    def draw(n):
        return torch.distributions.Laplace(0.0, 1.0).sample((n, 3)).double()

    n = 1000
    found = [metrics.frechet_distance(draw(n), draw(n)) for _ in range(600)]
    mean = n * sum(found) / len(found)
    assert mean == pytest.approx(metrics.frechet_bias(draw(200_000)), rel=0.08)
    normal = metrics.frechet_bias(2**0.5 * torch.randn(200_000, 3))
    assert mean > 1.15 * normal


def test_constant_features_have_no_bias():
    x = torch.cat([torch.randn(1000, 2), torch.ones(1000, 1)], 1)
    assert metrics.frechet_bias(x) == pytest.approx(metrics.frechet_bias(x[:, :2]))


def test_the_limit_is_without_the_bias():
    runtime.seed(5)
    d, n, shift = 16, 2000, 0.2
    found = torch.tensor(
        [
            metrics.frechet_limit(torch.randn(n, d), torch.randn(n, d) + shift)
            for _ in range(30)
        ]
    )
    bias = (2 * d + d * (d + 1) / 2) / n
    assert found[:, 0].mean() == pytest.approx(d * shift**2, abs=0.04)
    assert found[:, 1].mean() == pytest.approx(bias, rel=0.1)
    assert bias > 0.08


@pytest.mark.parametrize(
    ("x", "most", "message"),
    [
        (torch.randn(60, 16), 5, "more than 16 samples"),
        (torch.randn(60, 2), 1, "most"),
        (torch.full((60, 2), math.nan), 2, "NaN"),
    ],
)
def test_the_limit_refuses_what_has_no_answer(x, most, message):
    with pytest.raises(ValueError, match=message):
        metrics.frechet_limit(x, torch.randn(60, x.shape[1]), most)
    with pytest.raises(ValueError, match="more than 5 samples"):
        metrics.frechet_bias(torch.randn(5, 5))


# ------------------------------------------------------------------- neighbours


def test_precision_and_recall_count_as_the_formula_does():
    runtime.seed(6)
    real, fake, k = torch.randn(1200, 2).double(), torch.randn(30, 2).double() + 1, 3

    def share(balls, points):
        radius = (balls[:, None] - balls).norm(dim=2).sort(1).values[:, k]
        return ((points[:, None] - balls).norm(dim=2) <= radius).any(1).double().mean()

    found = metrics.precision_recall(real, fake, k)
    assert found == pytest.approx((share(real, fake).item(), share(fake, real).item()))


def test_one_outlier_lifts_precision_and_not_density():
    runtime.seed(7)
    real, fake = torch.randn(200, 2), 0.3 * torch.randn(200, 2) + 8
    assert metrics.precision_recall(real, fake)[0] == 0
    real[0] = fake[0] + 0.5
    assert metrics.precision_recall(real, fake)[0] > 0.9
    density, coverage = metrics.density_coverage(real, fake)
    assert density <= 1 / 5 + 1e-9
    assert coverage <= 1 / 200 + 1e-9


def test_precision_and_recall_refuse_too_few():
    with pytest.raises(ValueError, match="5 and 9"):
        metrics.precision_recall(torch.randn(5, 2), torch.randn(9, 2))


def test_the_copying_test_has_its_level_and_finds_copies():
    runtime.seed(8)
    p_values, shares = [], []
    for _ in range(300):
        fake, train, test = torch.randn(3, 60, 4)
        share, p_value = metrics.copying_test(fake, train, test)
        shares.append(share)
        p_values.append(p_value)
    assert sum(shares) / 300 == pytest.approx(0.5, abs=0.02)
    # given one training set, level 5 %: 300 runs, four standard errors
    assert abs(sum(p < 0.05 for p in p_values) / 300 - 0.05) < 0.051
    fake, train, test = torch.randn(3, 60, 4)
    assert metrics.copying_test(train[:20], train, test)[0] == 1
    assert metrics.copying_test(train[:20], train, test)[1] < 1e-6
    assert metrics.copying_test(fake + 9, train, test)[0] == 0


# ------------------------------------------------------------------- classifier


def test_the_classifier_agrees_with_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    runtime.seed(9)
    centres = torch.randn(4, 6)
    y, y_test = torch.arange(400) % 4, torch.arange(1000) % 4
    x, x_test = centres[y] + torch.randn(400, 6), centres[y_test] + torch.randn(1000, 6)
    decay = 1e-2
    theirs = linear.LogisticRegression(C=1 / (400 * decay), max_iter=1000, tol=1e-8)
    theirs.fit(x.numpy(), y.numpy())
    expected = theirs.score(x_test.numpy(), y_test.numpy())
    found = metrics.classifier_accuracy(x, y, x_test, y_test, decay)
    assert found == pytest.approx(expected, abs=0.003)


def test_a_class_that_was_never_drawn_is_never_named():
    y = torch.arange(90) % 3
    x = torch.eye(3)[y] + 0.01 * torch.randn(90, 3)
    assert metrics.classifier_accuracy(x, y, x, y) == 1
    kept = y < 2
    found = metrics.classifier_accuracy(x[kept], y[kept], x, y)
    assert found == pytest.approx(2 / 3)


@pytest.mark.parametrize("y", [torch.zeros(3), torch.tensor([0, 1, -1, 0])])
def test_the_classifier_refuses_labels_that_do_not_fit(y):
    with pytest.raises(ValueError, match="4 labels"):
        metrics.classifier_accuracy(torch.randn(4, 2), y, torch.randn(4, 2), y)


# ------------------------------------------------------------- rank correlation


def test_rank_correlation_is_spearmans_of_the_means():
    stats = pytest.importorskip("scipy.stats")
    runtime.seed(10)
    a, b = torch.randn(2, 7, 3).double()
    a[0] = a[1]  # a tie
    found, low, high = metrics.rank_correlation(a, b)
    expected = stats.spearmanr(a.mean(1), b.mean(1)).statistic
    assert found == pytest.approx(expected)
    assert low <= found <= high


def test_the_interval_is_narrow_where_trainings_agree():
    order = torch.arange(6.0)[:, None]
    sure = order + 0.01 * torch.randn(6, 4)
    assert metrics.rank_correlation(sure, sure.exp()) == (1, 1, 1)
    assert metrics.rank_correlation(sure, -sure) == (-1, -1, -1)
    noisy = order + 5 * torch.randn(6, 4)
    _, low, high = metrics.rank_correlation(sure, noisy)
    assert high - low > 0.2
    assert math.isnan(metrics.rank_correlation(sure, torch.ones(6, 4))[0])
    with pytest.raises(ValueError, match="three models"):
        metrics.rank_correlation(sure[:2], sure[:2])


# ------------------------------------------------------------------ the sweep of all
