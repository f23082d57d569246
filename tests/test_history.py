"""Curves: blocks, gaps and running means."""

import numpy as np
import pytest

from gmlib.history import History


def test_blocks_become_curves():
    h = History()
    h.extend(["T", "G"], [[1, np.nan], [2, 5]])
    h.extend(["T", "G"], [[3, 6]])
    np.testing.assert_array_equal(h["T"], [1, 2, 3])
    np.testing.assert_array_equal(h["G"], [np.nan, 5, 6])
    assert h.rounds.tolist() == [1, 2, 3]
    assert "3 rounds" in repr(h)
    with pytest.raises(ValueError, match="the curves were"):
        h.extend(["T"], [[1]])


def test_the_running_mean_looks_back_and_skips_gaps():
    h = History()
    h.extend(["x"], [[1.0], [np.nan], [3.0], [5.0]])
    np.testing.assert_allclose(h.smooth("x", 2), [1, 1, 3, 4])
    np.testing.assert_allclose(h.smooth("x", 100), [1, 1, 2, 3])
    with pytest.raises(ValueError, match="at least one round"):
        h.smooth("x", 0)


def test_an_empty_history_is_still_a_history():
    h = History()
    assert len(h.rounds) == 0
    assert "0 rounds" in repr(h)
    with pytest.raises(KeyError):
        h["T"]
