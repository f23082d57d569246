"""Modes are counted as the papers count them, in space and in stacked images."""

import math

import pytest
import torch

from gmlib import data, metrics, runtime


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


# ------------------------------------------------------------- stacked images


class Reader:
    """A judge that reads one of K classes off a pixel."""

    name = "pixels"

    def __init__(self, K=10, shape=(1, 28, 28)):
        self.K, self.shape = K, shape

    def features(self, x):
        return x.flatten(1)

    def probs(self, x):
        assert x.shape[1:] == self.shape
        read = (x[:, 0, 0, 0] * (self.K - 1)).round().long()
        return torch.nn.functional.one_hot(read, self.K)


def written(mode, K=10, h=28, w=28):
    """Images on which a `Reader` reads the classes of `mode`, of shape (n,)."""
    read = torch.stack([mode // K**2, mode // K % K, mode % K], 1)
    return (read / (K - 1)).view(-1, 3, 1, 1).expand(-1, -1, h, w)


@pytest.mark.parametrize("m", [1, 8, 1000])
def test_m_equally_frequent_modes_have_reverse_kl_log_1000_over_m(m):
    mode = (torch.arange(m) * 7 + 3).remainder(1000).repeat(3)
    found = metrics.stacked_modes(written(mode), Reader())
    assert found.covered == m
    assert found.reverse_kl == pytest.approx(math.log(1000 / m), abs=1e-9)


@pytest.mark.parametrize(("K", "m"), [(2, 8), (2, 3), (5, 125), (12, 1000)])
def test_a_judge_of_k_classes_tells_k_cubed_modes(K, m):
    assert isinstance(Reader(), metrics.Judge)
    mode = (torch.arange(m) * 7 + 3).remainder(K**3).repeat(2)
    found = metrics.stacked_modes(written(mode, K, 8, 12), Reader(K, (1, 8, 12)))
    assert found.covered == m
    assert found.reverse_kl == pytest.approx(math.log(K**3 / m), abs=1e-9)


def test_a_judge_of_colour_images_cannot_read_a_channel():
    with pytest.raises(ValueError, match=r"one of \(1, h, w\), not \(3, 28, 28\)"):
        metrics.stacked_modes(torch.zeros(2, 3, 28, 28), Reader(shape=(3, 28, 28)))


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
