"""The laws of gmlib.data are what their names and formulas say."""

import hashlib
import math
import re

import numpy as np
import pytest
import torch
from torch import distributions as td

from gmlib import data, runtime

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
    with pytest.raises(ValueError, match=r"sample\(\(n,\)\)|integer >= 1"):
        law().sample(shape)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_law_does_not_depend_on_the_default_device(law):
    """On a GPU the default device is the GPU; nothing may be left to it.

    A tensor that is created on the default device here has no values.
    """
    data._digits.cache_clear()
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
        ((torch.ones(3), None, "x", 5), "callable"),
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
    with pytest.raises(ValueError, match="map needs a function"):
        law.map(None)


# ------------------------------------------------------------- synthetic laws


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
    with pytest.raises(
        ValueError, match=r"must|needed|NaN|not '|choose from|no figures|split is|only"
    ):
        call()


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


# ----------------------------------------------------------- what comes along


def test_published_figures_are_whole(request):
    place = data.folder() / "published"
    topics = sorted(path.stem for path in place.glob("*.csv"))
    assert {"vae", "gan"} <= set(topics)
    bibliography = request.config.rootpath / "references.bib"
    keys = set(re.findall(r"^@\w+\{([^,]+),", bibliography.read_text(), re.MULTILINE))
    seen = set()
    for topic in topics:
        rows = data.published(topic)
        assert rows, topic
        for row in rows:
            assert row.id not in seen, f"{row.id} stands twice"
            seen.add(row.id)
            assert math.isfinite(row.value)
            assert row.spread is None or row.spread > 0
            assert row.status in ("verified", "recomputed", "unverified")
            assert row.source in keys or row.status == "recomputed", row
            assert row.quantity, row
            assert row.unit, row
            assert row.setting, row


def test_published_figures_are_those_of_the_papers():
    vae = {row.id: row for row in data.published("vae")}
    assert vae["vae-1-k1"].value == -86.76
    assert vae["iwae-2-k50"].value == -82.90
    assert "50" in vae["vae-1-k1"].setting
    gan = {row.id: row for row in data.published("gan")}
    assert gan["parzen-mnist-gan"][2:4] == (225.0, 2.0)
    perfect = gan["ring-perfect-quality"]
    assert perfect.value == round(100 * (1 - math.exp(-4.5)), 1)


def test_the_cards_quote_the_archives_that_are_checked():
    for card, kind in (("mnist.md", "MNIST"), ("fashion_mnist.md", "FashionMNIST")):
        text = (data.folder() / card).read_text()
        for file, (size, sha256) in data.ARCHIVES[kind].items():
            assert file in text
            assert f"{size:,}".replace(",", " ") in text
            assert sha256 in text


def test_arrays_of_numpy_are_welcome():
    law = data.Empirical(np.ones((3, 2), np.float32), np.arange(3))
    assert law.sample((4,)).shape == (4, 2)
