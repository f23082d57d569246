"""Judges: what one is, which there are, and that they are as good as they say."""

import hashlib
import importlib.util
import json
import math
import os
import re
import sys

import pytest
import torch
from safetensors.torch import save_file

from gmlib import data, metrics
from gmlib.metrics import judges

NAMES = ["digits", "fashion_mnist", "mnist"]
needs_archives = pytest.mark.skipif(
    "GMLIB_DATA" not in os.environ, reason="GMLIB_DATA is not set"
)


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """An empty folder of judges in the place of the stored ones."""
    (tmp_path / "judges").mkdir()
    monkeypatch.setattr(data.shelf, "PLACE", tmp_path)
    judges.made.cache_clear()
    yield tmp_path / "judges"
    judges.made.cache_clear()


# ---------------------------------------------------------------- the protocol


class Jets:
    """A judge of another modality: eight numbers a sample, four classes."""

    name, shape = "jets", (8,)

    def features(self, x):
        return x[:, :5]

    def probs(self, x):
        return x[:, :4].softmax(1)


def test_whoever_has_four_members_is_a_judge():
    assert isinstance(metrics.judge("digits"), metrics.Judge)
    assert isinstance(Jets(), metrics.Judge)
    assert not isinstance(torch.nn.Identity(), metrics.Judge)


def test_the_measures_never_ask_what_a_sample_is():
    judge, real, fake = Jets(), torch.randn(300, 8), torch.randn(300, 8)
    near = metrics.frechet_distance(judge.features(real), judge.features(fake))
    far = metrics.frechet_distance(judge.features(real), judge.features(3 + fake))
    assert near < 1 < far
    assert 1 <= metrics.inception_score(judge.probs(fake)) <= 4
    density, _ = metrics.density_coverage(judge.features(real), judge.features(fake))
    assert density == pytest.approx(1, abs=0.2)


def test_another_judge_is_a_line(monkeypatch):
    monkeypatch.setitem(judges.JUDGES, "jets", lambda name: Jets())
    assert metrics.judge("jets").shape == (8,)
    judges.made.cache_clear()


def test_a_weights_file_says_the_shape_and_the_classes(elsewhere, monkeypatch):
    network = metrics.judge_network((3, 16, 24), 5)
    info = {"accuracy": 0.5, "shape": [3, 16, 24]}
    path = elsewhere / "icons.safetensors"
    save_file(network.state_dict(), path, {"info": json.dumps(info)})
    monkeypatch.setitem(judges.JUDGES, "icons", judges.stored)
    judge, x = metrics.judge("icons"), torch.rand(6, 3, 16, 24)
    assert judge.shape == (3, 16, 24)
    assert judge.features(x).shape == (6, 64)
    assert judge.probs(x).shape == (6, 5)
    assert judge.probs(x).sum(1).tolist() == pytest.approx([1.0] * 6)
    with pytest.raises(ValueError, match=r"\(n, 3, 16, 24\), not \(2, 1, 28, 28\)"):
        judge.probs(torch.rand(2, 1, 28, 28))


# --------------------------------------------------------------- the stored ones


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("digits", 0.97),
        pytest.param("fashion_mnist", 0.91, marks=needs_archives),
        pytest.param("mnist", 0.993, marks=needs_archives),
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


def test_the_stored_judges_are_those_of_the_card():
    """Their names, and the hash of every file."""
    card = (data.folder() / "judges.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| `([0-9a-f]{64})` \|$", card, re.M))
    files = {path.stem: path for path in data.folder().glob("judges/*.safetensors")}
    assert sorted(rows) == sorted(files) == NAMES == list(judges.JUDGES)
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == rows[name], name


@pytest.mark.parametrize("name", NAMES)
def test_a_judge_is_small_and_comes_along(name):
    path = data.folder() / "judges" / f"{name}.safetensors"
    assert path.stat().st_size < 400_000
    judge = metrics.judge(name)
    assert metrics.judge(name) is judge
    assert judge.shape == (1, 28, 28)
    x = data.digits("test").x[:7]
    features, probs = judge.features(x), judge.probs(x)
    assert features.shape == (7, 64)
    assert probs.shape == (7, 10)
    assert torch.allclose(probs.sum(1), torch.ones(7), atol=1e-5)
    assert torch.allclose(judge.network[1](features).softmax(1), probs, atol=1e-6)
    assert not judge.network.training
    assert not probs.requires_grad


def test_the_command_trains_a_judge_and_says_how(request, monkeypatch, elsewhere):
    tool = request.config.rootpath / "tools" / "train_judge.py"
    spec = importlib.util.spec_from_file_location("train_judge", tool)
    train_judge = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec.loader.exec_module(train_judge)
    command = ["train_judge.py", "digits", "--epochs", "3", "--to", str(elsewhere)]
    monkeypatch.setattr(sys, "argv", command)
    train_judge.main()
    judge = metrics.judge("digits")
    expected = "python tools/train_judge.py digits --seed 0 --epochs 3"
    assert judge.info["command"] == expected
    test_set = data.digits("test")
    assert judge.accuracy(test_set.x, test_set.y) == judge.info["accuracy"]
    assert judge.info["accuracy"] > 0.5  # a guess is right in a tenth
    pixels = (255 * data.digits("train").x).round().to(torch.uint8).numpy().tobytes()
    assert judge.info["training_pixels_sha256"] == hashlib.sha256(pixels).hexdigest()
    assert (judge.info["shape"], judge.info["classes"]) == ([1, 28, 28], 10)


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
        (torch.zeros(3, 28, 28, 1), r"use x\.permute\(0, 3, 1, 2\)"),
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
    with pytest.raises(ValueError, match=r"no judge 'imagenet'.*digits, fashion"):
        metrics.judge("imagenet")


def test_no_measure_depends_on_the_default_device():
    """On a GPU the default device is the GPU, where there may be no float64.

    A tensor that is created on the default device here has no values.
    """
    a, b = torch.randn(40, 2), torch.randn(40, 2)
    law = data.ring()
    world = data.LinearGaussian(torch.ones(2, 1), torch.zeros(2), 1.0)
    judges.made.cache_clear()
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
