"""What a training leaves behind: curves, snapshots, time."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class History:
    """The record of a training.

    Attributes
    ----------
    rounds : int array, shape (r,)
        The rounds that have been played, counted from 1.
    snapshots : list of (int, Tensor or tuple of Tensor)
        What `look` returned, with the number of rounds played by then.
    seconds : float
        Wall time spent in rounds, resumed parts included.
    """

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.float64]] = []
        self._names: list[str] = []
        self.snapshots: list[tuple[int, Any]] = []
        self.seconds = 0.0

    @property
    def names(self) -> list[str]:
        """The curves: one a player, and ``player/quantity`` for what it logs."""
        return list(self._names)

    @property
    def rounds(self) -> NDArray[np.int64]:
        """Rounds 1, 2, ... as an integer array of shape (r,)."""
        return np.arange(1, 1 + sum(len(b) for b in self._blocks))

    def extend(self, names: Sequence[str], block: ArrayLike) -> None:
        """Append a block of shape (rounds, len(names)); NaN where a player sat out.

        Raises
        ------
        ValueError
            If the curves have other names than those before.
        """
        block = np.asarray(block, dtype=np.float64).reshape(-1, len(names))
        if self._names and list(names) != self._names:
            raise ValueError(f"the curves were {self._names}, now {list(names)}")
        self._names = list(names)
        self._blocks.append(block)

    def table(self) -> NDArray[np.float64]:
        """Return all curves as one array of shape (rounds, names)."""
        empty = np.empty((0, len(self._names)))
        return np.concatenate([empty, *self._blocks])

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Return the curve `name`, shape (rounds,); KeyError if there is none."""
        if name not in self._names:
            raise KeyError(f"no curve {name!r}; there are {', '.join(self._names)}")
        return self.table()[:, self._names.index(name)]

    def smooth(self, name: str, window: int = 50) -> NDArray[np.float64]:
        """Return the running mean over at most `window` rounds, NaN skipped.

        Raises
        ------
        ValueError, KeyError
            If the window is empty, or there is no such curve.
        """
        try:
            whole = operator.index(window)  # of numpy or torch, too
        except TypeError:
            whole = 0
        if whole < 1:
            raise ValueError(f"a window is at least one round, not {window!r}")
        curve = self[name]
        seen = np.isfinite(curve)
        total = np.concatenate([[0.0], np.cumsum(np.where(seen, curve, 0.0))])
        count = np.concatenate([[0], np.cumsum(seen)])
        end = np.arange(1, len(curve) + 1)
        start = np.maximum(end - whole, 0)
        with np.errstate(invalid="ignore"):
            return (total[end] - total[start]) / (count[end] - count[start])

    def __repr__(self) -> str:
        rounds = len(self.rounds)
        last = {n: float(f"{self[n][-1]:.4g}") for n in self._names if rounds}
        return f"History({rounds} rounds in {self.seconds:.1f} s, last {last})"
