"""The one file of validators: what passes, what is refused, and in which words."""

import numpy as np
import pytest
import torch

from gmlib import checks


@pytest.mark.parametrize("n", [1, np.int64(3)])
def test_a_count_is_an_integer(n):
    assert type(checks.count("k", n)) is int


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "3", None])
def test_what_is_no_count_is_refused_by_name(n):
    with pytest.raises(ValueError, match="rounds must be a positive integer, not"):
        checks.counts(rounds=n)


def test_a_least_count_is_said():
    with pytest.raises(ValueError, match="size must be an integer >= 4, not 3"):
        checks.count("size", 3, 4)


@pytest.mark.parametrize("shape", [3, (), (1, 2), None])
def test_samples_are_asked_for_as_a_shape(shape):
    with pytest.raises(ValueError, match=r"ask for samples as sample\(\(n,\)\)"):
        checks.sample_size(shape)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "1", None, True])
def test_a_number_is_positive_and_finite(value):
    with pytest.raises(ValueError, match="std must be a finite number > 0"):
        checks.number("std", value)


def test_a_number_may_be_zero_where_that_is_said():
    assert checks.number("noise", 0, zero=True) == 0.0
    assert checks.number("step", torch.tensor(0.5)) == 0.5


def test_a_choice_names_what_there_is():
    with pytest.raises(ValueError, match="split 'all': choose from train, test"):
        checks.choice("split", "all", ("train", "test"))


def test_a_function_is_callable():
    with pytest.raises(TypeError, match="loss must be callable, not int"):
        checks.function("loss", 3)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(3), r"shape \(n, 2\), not \(3,\)"),
        (torch.zeros(0, 2), r"shape \(n, 2\), not \(0, 2\)"),
        (torch.full((1, 2), float("nan")), "NaN"),
    ],
)
def test_a_tensor_has_its_shape(x, words):
    with pytest.raises(ValueError, match=words):
        checks.tensor("x", x, (None, 2))


def test_a_tensor_of_integers_becomes_floats():
    assert checks.tensor("x", [[1, 2]], (None, 2)).dtype == torch.float32


def test_pictures_have_the_shape_they_are_judged_at():
    with pytest.raises(ValueError, match=r"\(n, 1, 28, 28\), not \(2, 1, 32, 32\)"):
        checks.images("x", torch.zeros(2, 1, 32, 32), (1, 28, 28))


def test_a_pair_has_one_dimension():
    with pytest.raises(ValueError, match="one dimension, not 2 and 3"):
        checks.pair(torch.zeros(4, 2), torch.zeros(4, 3))
