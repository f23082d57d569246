"""The examples in the docstrings of the pure modules give what they say."""

import doctest
import importlib

import pytest

MODULES = ["gmlib.divergences", "gmlib.objectives", "gmlib.data.laws"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
