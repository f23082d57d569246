"""What a training leaves behind: curves, snapshots, time."""

import numpy as np


class History:
    """The record of a training.

    Attributes
    ----------
    rounds : int array, shape (r,)
        The rounds that have been played, counted from 1.
    snapshots : list of (int, Tensor)
        What `look` returned, with the number of rounds played by then.
    seconds : float
        Wall time spent in rounds, resumed parts included.
    """

    def __init__(self):
        self._blocks, self._names = [], []
        self.snapshots, self.seconds = [], 0.0

    @property
    def names(self):
        """The curves: one a player, and ``player/quantity`` for what it logs."""
        return list(self._names)

    @property
    def rounds(self):
        """Rounds 1, 2, ... as an integer array of shape (r,)."""
        return np.arange(1, 1 + sum(len(b) for b in self._blocks))

    def extend(self, names, block):
        """Append a block of shape (rounds, len(names)); NaN where a player sat out."""
        block = np.asarray(block, dtype=np.float64).reshape(-1, len(names))
        if self._names and list(names) != self._names:
            raise ValueError(f"the curves were {self._names}, now {list(names)}")
        self._names = list(names)
        self._blocks.append(block)

    def table(self):
        """Return all curves as one array of shape (rounds, names)."""
        empty = np.empty((0, len(self._names)))
        return np.concatenate([empty, *self._blocks])

    def __getitem__(self, name):
        if name not in self._names:
            raise KeyError(f"no curve {name!r}; there are {', '.join(self._names)}")
        return self.table()[:, self._names.index(name)]

    def smooth(self, name, window=50):
        """Return the running mean over at most `window` rounds, NaN skipped."""
        if window < 1:
            raise ValueError(f"a window is at least one round, not {window}")
        curve = self[name]
        seen = np.isfinite(curve)
        total = np.concatenate([[0.0], np.cumsum(np.where(seen, curve, 0.0))])
        count = np.concatenate([[0], np.cumsum(seen)])
        end = np.arange(1, len(curve) + 1)
        start = np.maximum(end - window, 0)
        with np.errstate(invalid="ignore"):
            return (total[end] - total[start]) / (count[end] - count[start])

    def __repr__(self):
        rounds = len(self.rounds)
        last = {n: float(f"{self[n][-1]:.4g}") for n in self._names if rounds}
        return f"History({rounds} rounds in {self.seconds:.1f} s, last {last})"
