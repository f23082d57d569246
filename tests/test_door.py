"""What users bring is taken in at the door, or refused there by name.

In each table a comment says what was seen before: torch's own words, or nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from bringing import Frame, X, train
from torch import nn
from torch.utils.data import TensorDataset

from gmlib import data, metrics, nets, plot, runtime
from gmlib import objectives as o
from gmlib.architectures import critic, dense, draw
from gmlib.game import Player

PICTURES = np.arange(2 * 9).reshape(2, 1, 3, 3) * 14


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# ------------------------------------------------------------------- types of number


@pytest.mark.parametrize("kind", ["f8", "f2", ">f4", "i4", "i8", "u2", "i1", "?", "f4"])
def test_a_data_set_of_any_real_numbers_is_of_floats(kind):
    """Before: RuntimeError, mat1 and mat2 must have the same dtype."""
    x = (10 * X).astype(kind)
    law = data.Empirical(x)
    assert law.sample((3,)).dtype == torch.float32
    np.testing.assert_array_equal(law.x.numpy(), x.astype("f4"))
    train(law)
    train(data.Empirical(x[::-1]))  # torch has no negative strides


def test_wide_pictures_do_not_say_what_white_is():
    """Before: taken as they were, 0 to 255, without a word."""
    for kind in ("i4", "i8", "u2"):
        with pytest.raises(ValueError, match=r"do not say what white is: give x\.ast"):
            data.Empirical(PICTURES.astype(kind))
    assert data.Empirical(PICTURES.astype("u1")).x.max() == PICTURES.max() / 255
    assert data.Empirical(PICTURES > 99).x.unique().tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["f8", "f2", "f4"])
@pytest.mark.parametrize("form", [np.asarray, torch.as_tensor, Frame])
def test_batches_take_the_precision_of_the_networks(kind, form):
    """Before: TypeError, flatten() takes from 0 to 1 ...; RuntimeError, mat1 ..."""
    seen = []
    T = nets.mlp([2, 1], shape=())

    def loss(x):
        seen.append(x.dtype)
        return T(x).mean()

    train(lambda n: form(X[:n].astype(kind)), loss=loss, T=T, batch_size=5)
    T.double()
    train(lambda n: form(X[:n].astype(kind)), loss=loss, T=T, batch_size=5)
    assert seen == 3 * [torch.float32] + 3 * [torch.float64]


def test_integers_of_a_batch_stay_what_they_are():
    T = nets.mlp([2, 3])
    loss = lambda x, y: nn.functional.cross_entropy(T(x), y)  # noqa: E731
    given = X.astype("f4"), (np.arange(20) % 3)
    for kind in ("i8", "u2"):
        train(lambda n, k=kind: (given[0], given[1].astype(k)), loss=loss, T=T)


def test_integers_for_a_network_are_refused_with_the_batch():
    """Before: RuntimeError, mat1 and mat2 must have the same dtype."""
    with pytest.raises(TypeError, match="built for floats, got") as seen:
        train(lambda n: np.ones((n, 2), int))
    assert "of a batch int64 (64, 2)" in seen.value.__notes__[0]


def test_doubles_by_default_are_doubles_throughout(double):
    """Before: RuntimeError, index_copy_(): self and source expected ..."""
    for law in (data.ring(), data.Empirical((255 * X).astype("u1")), data.Empirical(X)):
        assert law.sample((2,)).dtype == torch.float64
        assert np.isfinite(train(law)["T"]).all()
    train(data.Empirical(torch.as_tensor(X).float()))


REFUSED_NUMBERS = [
    # NotImplementedError: "max_all" not implemented for 'ComplexFloat'
    (lambda: data.Empirical(X * 1j), r"data must be real numbers, not torch\.complex"),
    # TypeError: can't convert np.ndarray of type numpy.object_ ...
    (lambda: data.Empirical(X.astype(object)), "must be numbers .* not object"),
    # RuntimeError: Could not infer dtype of NoneType
    (lambda: data.Empirical(None), "must be numbers .* not NoneType"),
    # ValueError: only one element tensors can be converted to Python scalars
    (
        lambda: data.Empirical(TensorDataset(torch.zeros(3, 2))),
        "must be numbers .* not TensorDataset",
    ),
    # a UserWarning, and the imaginary part was gone
    (lambda: metrics.frechet_distance(X * 1j, X * 1j), "x must be real numbers"),
    (lambda: metrics.modes(X.astype(object), [[0.0, 0.0]], 1.0), "not object"),
    (lambda: plot.scatter(X * 1j), "points must be real numbers, not complex128"),
    (lambda: plot.image_grid(PICTURES * 1j), "an image must be real numbers"),
    # TypeError: conv2d() received an invalid combination of arguments ...
    (lambda: nets.conv_encoder(1, width=4)(X), "built for tensors, got ndarray: use"),
    # NotImplementedError: "check_uniform_bounds" not implemented for 'Long'
    (
        lambda: o.gradient_penalty(len, *torch.zeros(2, 3, 2, dtype=int)),
        "x and y must be floats to be mixed",
    ),
]


@pytest.mark.parametrize(("call", "words"), REFUSED_NUMBERS)
def test_what_are_no_real_numbers_is_refused_by_name(call, words):
    with pytest.raises(TypeError, match=words):
        call()
    plt.close("all")


def test_measures_and_plots_take_arrays_frames_and_lists():
    """Before: ValueError, only one element tensors ...; Got unsupported ScalarType."""
    rows = [torch.as_tensor(row) for row in X]
    for x in (rows, Frame(X), list(X)):
        assert metrics.modes(x, [[0.0, 0.0]], 1.0) == metrics.modes(X, [[0, 0]], 1.0)
    assert metrics.judge("digits").probs(np.zeros((2, 1, 28, 28))).shape == (2, 10)
    plot.scatter([torch.zeros(2, requires_grad=True), torch.ones(2)])
    assert plot.to_numpy(torch.ones(2, dtype=torch.bfloat16)).tolist() == [1, 1]
    plt.close("all")


# ------------------------------------------------------------------ lists and labels


@pytest.mark.parametrize(
    "x", [list(torch.ones(3, 1, 4, 4)), list(np.ones((3, 1, 4, 4))), Frame(np.ones(3))]
)
def test_lists_and_frames_are_data(x):
    """Before: ValueError, only one element tensors can be converted ..."""
    assert len(data.Empirical(x)) == 3


def test_parts_of_several_shapes_are_named():
    """Before: ValueError, expected sequence of length 4 at dim 2 (got 5)."""
    with pytest.raises(ValueError, match=r"not of \(1, 4, 4\), \(1, 5, 5\): cut, pad"):
        data.Empirical([np.ones((1, 5, 5)), np.ones((1, 4, 4))])


@pytest.mark.parametrize("form", [list, np.array, Frame, lambda y: np.array(y, object)])
def test_words_are_numbered_and_kept(form):
    """Before: ValueError, too many dimensions 'str'."""
    law = data.Empirical(X[:3], form(["fox", "cat", "fox"]))
    assert (law.y.tolist(), law.classes) == ([1, 0, 1], ("cat", "fox"))
    assert law.only("fox").y.tolist() == law.map(torch.neg).only("fox").y.tolist()
    assert len(law.only("fox")) == 2
    part = data.Empirical(X[:1], ["fox"], classes=law.classes)
    assert part.y.item() == 1
    with pytest.raises(ValueError, match=r"labels \('dog',\): choose from cat, fox"):
        law.only("dog")
    with pytest.raises(ValueError, match="labels dog must be in classes, which are"):
        data.Empirical(X[:1], ["dog"], classes=law.classes)


def test_labels_begin_at_zero_or_are_named():
    """Before: kept, so that a loss of ten classes met a label 10."""
    y = np.arange(1, 11)
    with pytest.raises(ValueError, match=r"begin at 0, not at 1: .*range\(1, 11\)"):
        data.Empirical(X[:10], y)
    law = data.Empirical(X[:10], y, classes=range(1, 11))
    assert law.y.tolist() == list(range(10))
    assert law.only(3, 7).y.tolist() == [2, 6]
    for classes in (range(10), "abcdefghij"):  # names, and places of names
        some = data.Empirical(X[:2], [3, 7], classes=classes)
        assert some.y.tolist() == some.only(3, 7).map(torch.neg).y.tolist() == [3, 7]


@pytest.mark.parametrize(
    ("y", "advice"),
    [
        ([0.0, 1.0], r"y\.long\(\)"),
        ([[0], [1]], r"y\[:, 0\]"),
        (np.eye(2, dtype=int), r"y\.argmax\(1\)"),
        (np.array(["a", None], object), "none may be missing"),
        ([-1, 0], r"classes=range\(-1, 1\)"),
    ],
)
def test_what_are_no_labels_says_what_would_be(y, advice):
    with pytest.raises(ValueError, match=advice):
        data.Empirical(X[:2], y)


# --------------------------------------------------------------------------- counts


@pytest.mark.parametrize("one", [np.int64, np.int32, torch.tensor, np.array])
def test_a_count_may_come_from_numpy_or_torch(one):
    """Before: TypeError, unflattened_size must be tuple of ints ...; must be a
    positive integer, not tensor(3)."""
    two, four = one(2), one(4)
    assert nets.mlp([two, four, two], shape=(two,))(torch.zeros(3, 2)).shape == (3, 2)
    assert nets.dcgan_generator(two, width=four)(torch.zeros(2, 2)).shape[1:] == (
        (1, 28, 28)
    )
    assert nets.MinibatchDiscrimination(two, four)(torch.zeros(3, 2)).shape == (3, 6)
    assert critic(four, depth=four)(torch.zeros(1, 1, 28, 28)).shape == (1,)
    assert dense([two, four])(torch.zeros(3, 2)).shape == (3, 4)
    assert draw(two) == draw(2)
    assert len(data.ring(four).centres) == len(data.ring().sample((four,)))
    assert o.standard_normal(two).sample((3,)).shape == (3, 2)
    assert len(data.digits().only(two, four)) == len(data.digits().only(2, 4))
    look = {"look": lambda: torch.ones(1), "looks": two}
    history = train(data.ring(), four, batch_size=two, **look)
    assert [played for played, _ in history.snapshots] == [0, 4]
    assert len(history.smooth("T", two)) == 4
    assert type(Player(nn.Linear(1, 1), len, steps=two).steps) is int
    assert plot.tile(torch.zeros(4, 1, 2, 2), columns=two).shape == (5, 5)
    assert plot.plane(1.0, two).shape == (4, 2)
    assert plot.data_uri(np.zeros((2, 2)), enlarge=two)[1:] == (4, 4)
    runtime.seed(two)
    first = torch.rand(())
    runtime.seed(2)
    assert torch.rand(()) == first


@pytest.mark.parametrize(
    "n", [np.True_, True, 2.0, np.float64(2), torch.tensor(True), np.array([2]), "2"]
)
@pytest.mark.parametrize(
    "takes",
    [
        data.ring,
        nets.levels,
        runtime.seed,
        o.standard_normal,
        lambda n: nets.mlp([2, n]),
        lambda n: dense([2, n]),
        lambda n: train(data.ring(), n),
        lambda n: train(data.ring(), 2, look=list, looks=[n]),
        lambda n: plot.tile(torch.zeros(4, 1, 2, 2), columns=n),
        lambda n: plot.plane(1.0, n),
    ],
)
def test_what_is_no_count_is_a_value_error(takes, n):
    """Before, among others: TypeError, 'float' object cannot be interpreted ..."""
    with pytest.raises(ValueError, match=r"positive|integer"):
        takes(n)


def test_an_output_shape_fits_the_last_size():
    """Before: seen at the first call, as a RuntimeError of unflatten."""
    with pytest.raises(ValueError, match=r"shape \(3,\) needs an output of 3"):
        nets.mlp([2, 4], shape=(3,))
