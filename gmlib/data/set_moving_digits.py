"""Moving digits: short films whose law, and so whose futures, are known."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from gmlib import checks
from gmlib.data.empirical import Empirical
from gmlib.data.registry import declare
from gmlib.data.set_digits import digits

MOVES = ("right", "up", "left", "down")
AWAY = ((0, 1), (-1, 0), (0, -1), (1, 0))  # rows and columns of each move


class Film(NamedTuple):
    """Frames `past` (n, p, size, size) and those that follow, `future` (n, f, ...)."""

    past: Tensor
    future: Tensor


class FilmWithMoves(NamedTuple):
    """A `Film` and its `moves` (n, p + f − 1), places in ``right, up, left, down``."""

    past: Tensor
    future: Tensor
    moves: Tensor


class MovingDigits:
    """A digit that jumps about on a torus; what comes next is known exactly.

    The digit starts anywhere. Its first move is one of four, each with chance 1/4. It
    keeps its direction with chance 1 − turn, and with chance `turn` draws one of the
    four anew, its own among them. What leaves on one side enters on the other. Frames
    are the channels of a picture.

    Parameters
    ----------
    images : Empirical
        Grey pictures (1, h, w), not larger than a frame.
    past, future : int
        Frames that are given, and that follow.
    turn : float
        From 0 (two frames of the past decide the future) to 1 (nothing decides it: four
        futures, each 1/4).
    size, step : int
        Pixels of a side of a frame, and of a jump.

    Raises
    ------
    ValueError
        If an argument is another than it may be.
    """

    def __init__(
        self,
        images: Empirical,
        past: int = 2,
        future: int = 1,
        turn: float = 1.0,
        size: int = 32,
        step: int = 4,
    ) -> None:
        self.past, self.future = (
            checks.count("past", past),
            checks.count("future", future),
        )
        self.size, self.step = checks.count("size", size), checks.count("step", step)
        self.turn = checks.number("turn", turn, zero=True)
        if self.turn > 1:
            raise ValueError(f"turn must be a chance, at most 1, not {turn}")
        if 2 * self.step >= self.size:
            raise ValueError("a step must be less than half a frame, or left is right")
        shape = tuple(images.shape)
        if len(shape) != 3 or shape[0] != 1 or max(shape[1:]) > self.size:
            raise ValueError(f"{images.name}: must be grey and fit frames of {size}")
        self.images, self.name = images, f"moving {images.name}"

    def sample_pairs(self, shape: Sequence[int]) -> FilmWithMoves:
        """Draw n films with their moves."""
        n, total = checks.sample_size(shape), self.past + self.future
        x = self.images.sample((n,))[:, 0]
        high, wide = (self.size - side for side in x.shape[1:])
        x = pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        where = x.device
        away = torch.randint(self.size, (n, 1, 2), device=where)
        moves = self._moves(n, total - 1, where)
        jumps = self.step * torch.tensor(AWAY, device=where)[moves]
        frames = _placed(x, torch.cat([away, jumps], 1).cumsum(1))
        return FilmWithMoves(frames[:, : self.past], frames[:, self.past :], moves)

    def _moves(self, n: int, count: int, where: torch.device) -> Tensor:
        fresh = torch.randint(len(MOVES), (n, count), device=where)
        turns = torch.rand(n, count, device=where) < self.turn
        moves = [fresh[:, :1]] if count else [fresh]
        for k in range(1, count):
            moves.append(
                torch.where(turns[:, k : k + 1], fresh[:, k : k + 1], moves[-1])
            )
        return torch.cat(moves, 1)

    def sample(self, shape: Sequence[int]) -> Film:
        """Draw n films: past (n, p, size, size) and future (n, f, size, size)."""
        return Film(*self.sample_pairs(shape)[:2])

    def futures(self, past: Tensor) -> Tensor:
        """Return the four frames that can follow: (n, 4, size, size), as `MOVES`."""
        last = self._checked(past)[:, -1]
        jumps = self.step * torch.tensor(AWAY, device=last.device)
        return _placed(last, jumps.expand(len(last), -1, -1))

    def chances(self, past: Tensor) -> Tensor:
        """Return the chance of each of `futures`, given the past: (n, 4).

        With one frame of past nothing is known of the direction: each has 1/4.
        """
        past, count = self._checked(past), len(MOVES)
        equal = torch.full((len(past), count), 1 / count, device=past.device)
        if past.shape[1] == 1:
            return equal
        before = self.futures(past[:, :-1])
        apart = (before - past[:, -1:]).square().sum((2, 3))
        kept = torch.zeros_like(equal).scatter(1, apart.argmin(1, keepdim=True), 1.0)
        return self.turn * equal + (1 - self.turn) * kept

    def mean(self, past: Tensor) -> Tensor:
        """Return the mean of the next frame, given the past: (n, 1, size, size).

        It is what a network that minimises the squared error learns.
        """
        weights = self.chances(past)[:, :, None, None]
        return (weights * self.futures(past)).sum(1, keepdim=True)

    def _checked(self, past: Tensor) -> Tensor:
        shape = (None, None, self.size, self.size)
        return checks.tensor("past", past, shape, look=False)


def _placed(x: Tensor, away: Tensor) -> Tensor:
    """Return pictures (n, s, s), moved on the torus by away (n, t, 2): (n, t, s, s)."""
    side = torch.arange(x.shape[-1], device=x.device)
    rows, columns = ((side - away[..., k, None]).remainder(x.shape[-1]) for k in (0, 1))
    each = torch.arange(len(x), device=x.device).view(-1, 1, 1, 1)
    return x[each, rows[..., :, None], columns[..., None, :]]


def moving_digits(
    split: str = "train",
    past: int = 2,
    future: int = 1,
    turn: float = 1.0,
    size: int = 32,
    step: int = 4,
) -> MovingDigits:
    """Films of one digit each, made as they are drawn; see `MovingDigits` for the law.

    The digits are scikit-learn's, which need no network; of others:
    ``MovingDigits(images())``.

    Raises
    ------
    ValueError
        If the split is neither ``train`` nor ``test``, or as `MovingDigits`.

    >>> moving_digits("train", past=3).sample((5,)).past.shape
    torch.Size([5, 3, 32, 32])
    """
    return MovingDigits(digits(split), past, future, turn, size, step)


declare("moving_digits", "films", moving_digits)
