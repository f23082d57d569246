"""Data as distributions: the empirical one, the digits, and what all laws share."""

import hashlib
import math

import numpy as np
import pytest
import torch

from gmlib import data, runtime
from gmlib.data import set_digits

W, B = torch.ones(3, 2), torch.zeros(3)
LAWS = {
    "ring": data.ring,
    "grid": data.grid,
    "swiss_roll": data.swiss_roll,
    "shapes": lambda: data.shapes(8),
    "four_points": data.four_points,
    "digits": data.digits,
    "stacked": lambda: data.stacked(data.digits()),
    "linear": lambda: data.LinearGaussian(W, B, 0.5),
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_law_samples_on_the_device_and_follows_the_seed(law):
    law = law()
    runtime.seed(3)
    first = law.sample((7,))
    runtime.seed(3)
    assert torch.equal(first, law.sample((7,)))
    assert not torch.equal(first, law.sample((7,)))
    assert len(first) == 7
    assert first.dtype == torch.float32
    assert first.device.type == runtime.device().type


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("shape", [(0,), (-1,), 5, (2, 3), (2.0,), (True,), None])
def test_a_law_refuses_a_wrong_size(law, shape):
    with pytest.raises(ValueError, match=r"sample\(\(n,\)\)|a positive integer"):
        law().sample(shape)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_law_does_not_depend_on_the_default_device(law):
    """On a GPU the default device is the GPU; nothing may be left to it.

    A tensor that is created on the default device here has no values.
    """
    set_digits.read_digits.cache_clear()
    with torch.device("meta"):
        x = law().sample((5,))
        y = law().log_prob(x) if hasattr(law(), "log_prob") else x
        z = law().posterior(x).sample() if hasattr(law(), "posterior") else x
    assert {t.device.type for t in (x, y, z)} == {"cpu"}


# ------------------------------------------------- the empirical distribution


def test_bytes_become_numbers_from_zero_to_one():
    x = data.Empirical(torch.tensor([[0], [51], [255]], dtype=torch.uint8))
    assert torch.equal(x.x, torch.tensor([[0.0], [0.2], [1.0]]))


def test_every_point_is_drawn_equally_often():
    n = 20_000
    counts = data.four_points().sample((n,)).sum(0)
    # four standard deviations of a binomial
    assert (counts - n / 4).abs().max() < 4 * math.sqrt(n * 3 / 16)


def test_pairs_stay_together():
    law = data.Empirical(torch.arange(10.0), torch.arange(10))
    x, y = law.sample_pairs((100,))
    assert torch.equal(x, y.float())
    assert len(y.unique()) > 5


def test_map_is_the_pushforward_in_the_order_of_writing():
    law = data.Empirical(torch.tensor([1.0])).map(lambda x: x + 1).map(lambda x: 10 * x)
    assert law.sample((1,)).item() == 20
    assert law.x.item() == 20


def test_a_random_map_draws_anew():
    law = data.Empirical(torch.full((1, 1000), 0.3), name="grey").map(data.binarize)
    a, b = law.sample((1,)), law.sample((1,))
    assert set(a.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(a, b)
    # five standard deviations
    assert abs(a.mean().item() - 0.3) < 5 * math.sqrt(0.21 / 1000)


def test_only_keeps_the_labels_asked_for():
    zeros = data.digits().only(0, 7)
    assert set(zeros.y.tolist()) == {0, 7}
    assert len(zeros) == int(torch.isin(data.digits().y, torch.tensor([0, 7])).sum())


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan])
def test_only_chances_can_be_binarised(value):
    with pytest.raises(ValueError, match="only numbers in"):
        data.binarize(torch.tensor([0.5, value]))


def test_to_tanh_covers_minus_one_to_one():
    ends = data.to_tanh(torch.tensor([0.0, 0.5, 1.0]))
    assert ends.tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.empty(0, 2),), "no data"),
        ((torch.tensor(3.0),), "no data"),
        ((torch.tensor([1.0, math.nan]),), "NaN"),
        ((torch.tensor([1.0, math.inf]),), "NaN"),
        ((torch.ones(3), torch.ones(2, dtype=int)), "labels must be 3 integers"),
        ((torch.ones(3), torch.ones(3)), "labels must be 3 integers"),
    ],
)
def test_bad_data_is_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.Empirical(*arguments)


def test_labels_and_functions_that_are_not_there():
    law = data.Empirical(torch.ones(3), name="ones")
    with pytest.raises(ValueError, match="ones has no labels"):
        law.sample_pairs((1,))
    with pytest.raises(ValueError, match="ones has no labels"):
        law.only(1)
    with pytest.raises(ValueError, match="no data with the labels"):
        data.digits().only(11)
    with pytest.raises(TypeError, match="f must be callable"):
        law.map(None)
    with pytest.raises(TypeError, match="the transform of ones must be callable"):
        data.Empirical(torch.ones(3), name="ones", transform=5)


def test_arrays_of_numpy_are_welcome():
    law = data.Empirical(np.ones((3, 2), np.float32), np.arange(3))
    assert law.sample((4,)).shape == (4, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: data.ring(0),
        lambda: data.ring(2.5),
        lambda: data.ring(8, radius=0),
        lambda: data.ring(std=-1),
        lambda: data.ring(std=math.nan),
        lambda: data.ring().log_prob(torch.zeros(0, 2)),
        lambda: data.ring().log_prob(torch.zeros(2)),
        lambda: data.ring().log_prob(torch.zeros(4, 3)),
        lambda: data.ring().log_prob(torch.full((4, 2), math.nan)),
        lambda: data.grid(-5),
        lambda: data.grid(spacing=math.inf),
        lambda: data.GaussianMixture(torch.empty(0, 2), 1.0),
        lambda: data.GaussianMixture(torch.ones(2), 1.0),
        lambda: data.swiss_roll(noise=-0.1),
        lambda: data.swiss_roll(scale=0),
        lambda: data.LinearGaussian(torch.ones(3), B, 1.0),
        lambda: data.LinearGaussian(W, torch.zeros(2), 1.0),
        lambda: data.LinearGaussian(W * math.nan, B, 1.0),
        lambda: data.LinearGaussian(W, B, 0.0),
        lambda: data.LinearGaussian(W, B, torch.ones(2)),
        lambda: data.LinearGaussian(W, B, 1.0).log_evidence(torch.zeros(5, 2)),
        lambda: data.LinearGaussian(W, B, 1.0).posterior(torch.zeros(0, 3)),
        lambda: data.LinearGaussian(W, B, 1.0).likelihood(torch.zeros(5, 3)),
        lambda: data.digits("validation"),
        lambda: data.mnist("validation"),
        lambda: data.fashion_mnist("Test"),
        lambda: data.images("train", "imagenet"),
        lambda: data.images("validation"),
        lambda: data.published("phrenology"),
        lambda: data.stacked(data.four_points()),
        lambda: data.stacked(data.Empirical(torch.zeros(3, 1, 4, 4))),
        lambda: data.stacked(
            data.Empirical(B[:, None, None, None], torch.arange(3, 6) * 2)
        ),
    ],
)
def test_a_wrong_argument_is_named_at_once(call):
    with pytest.raises(ValueError, match=r"must|NaN|choose from|only"):
        call()


# --------------------------------------------------------------------- digits


def test_digits_look_like_mnist():
    train, test = data.digits("train"), data.digits("test")
    assert (len(train), len(test)) == (1442, 355)
    for law in (train, test):
        x = law.x
        assert x.shape[1:] == (1, 28, 28)
        assert x.min() == 0
        assert x.max() == 1
        frame = torch.ones(28, 28, dtype=bool)
        frame[4:24, 4:24] = False
        assert x[:, 0, frame].abs().max() == 0
        counts = torch.bincount(law.y)
        assert len(counts) == 10
        assert counts.max() < 1.1 * counts.min()


def test_no_digit_is_in_both_splits():
    rows = [
        {hashlib.sha256(x.numpy().tobytes()).digest() for x in data.digits(split).x}
        for split in ("train", "test")
    ]
    assert not rows[0] & rows[1]
