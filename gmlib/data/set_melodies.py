"""Melodies over chords, a known law: Markov chains counted in Bach's chorales."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gmlib import checks, runtime
from gmlib.data import shelf
from gmlib.data.barred import BEATS, PITCHES, STEPS
from gmlib.data.registry import SPLITS, declare
from gmlib.data.steps import (
    CHORDS,
    PLACES,
    TOKENS,
    Bars,
    StepLaw,
    Tune,
    smoothed,
    sounding,
)

FILE = "music/melodies.npz"
SIZES = {"steps": (PITCHES, CHORDS, PLACES, TOKENS), "chords": (2, CHORDS, CHORDS)}


class Melodies(StepLaw):
    """Chords that walk from beat to beat, and over them a melody that walks in steps.

    A chord depends on the one before and on whether its beat is strong (first and
    third) or weak; a token on what sounds, on the chord, and on its place. So bars in
    a row are a Markov chain, whose state at a bar line is a pitch and a chord. It runs
    in its stationary law.

    Parameters
    ----------
    steps : Tensor, shape (22, 25, 4, 23)
        Counts of (what sounded, chord, place) → token.
    chords : Tensor, shape (2, 25, 25)
        Counts of (chord before, chord) at strong and at weak beats.
    """

    def __init__(self, steps: Tensor, chords: Tensor) -> None:
        super().__init__(smoothed(steps.double()))
        counts = checks.tensor("chords", chords, SIZES["chords"]).double()
        often = counts.sum((0, 1)) + 0.5
        counts = counts + often / often.sum()
        self.changes = counts / counts.sum(2, keepdim=True)
        """p(chord | chord before) at strong and at weak beats, (2, 25, 25)."""
        self.stationary = self._stationary()
        """The law of the pitch that sounds and the chord at a bar line, (22, 25)."""

    def step(self, law: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Move laws of (pitch, chord) on by a step.

        Parameters
        ----------
        law : Tensor, shape (..., 22, 25)
        step : int
            From 0 to 7; at even steps the chord changes first.

        Returns
        -------
        before, after : Tensor, shape (..., 22, 25)
            The law under the new chord before its token, and after it.
        """
        if step % 2 == 0:
            law = law @ self.changes[step // 2 % 2]
        rows = self.table[:, :, step % PLACES]  # (22, 25, 23)
        held = law * rows[..., 0]
        begun = torch.einsum("...pc,pcq->...qc", law, rows[..., 1:])
        return law, held + begun

    def bar_matrix(self) -> Tensor:
        """p(state at the next bar line | state), (550, 550); a state is 25 p + c."""
        n = PITCHES * CHORDS
        law = torch.eye(n, dtype=torch.float64, device=self.table.device)
        law = law.view(n, PITCHES, CHORDS)
        for step in range(STEPS):
            law = self.step(law, step)[1]
        return law.reshape(n, n)

    def _stationary(self) -> Tensor:
        law = self.table.new_full((PITCHES, CHORDS), 1 / (PITCHES * CHORDS))
        for _ in range(200):
            for step in range(STEPS):
                law = self.step(law, step)[1]
        return law

    def entropy(self) -> float:
        """H(x | b, h), the mean of −log p(x | b, h), exactly, in nats a bar."""
        law, total = self.stationary, 0.0
        each = -torch.special.xlogy(self.table, self.table).sum(3)  # (22, 25, 4)
        for step in range(STEPS):
            before, law = self.step(law, step)
            total += float((before * each[:, :, step % PLACES]).sum())
        return total

    def tunes(self, n: int, bars: int) -> Tune:
        """Draw n tunes of so many bars."""
        n, bars = checks.counts(n=n, bars=bars)
        state = self.stationary.flatten().multinomial(n, True)
        last, chord, made = state // CHORDS, state % CHORDS, []
        for _ in range(bars):
            walk = []
            for beat in range(BEATS):
                chord = self.changes[beat % 2, chord].multinomial(1)[:, 0]
                walk.append(chord)
            h = torch.stack(walk, 1)
            x = self.draw(last[:, None].expand(-1, STEPS), h)
            made.append((x, sounding(x, last), h))
            last = made[-1][1][:, -1]
        return Tune(*(torch.stack(part, 1) for part in zip(*made, strict=True)))

    def sample(self, shape: Sequence[int]) -> Bars:
        """Draw n bars with the bar before and the chords: ``sample((n,))``."""
        return self.tunes(checks.sample_size(shape), 2).pairs()


def melodies(split: str = "train") -> Melodies:
    """A law of melodies over chords, counted in 358 of Bach's chorales.

    The counts come with gmlib, no note of a chorale does: see the card. Both splits
    are the same law, drawn anew.

    Raises
    ------
    ValueError
        If the split is neither ``train`` nor ``test``.

    >>> bars = melodies().sample((5,))
    >>> bars.x.shape, bars.h.shape
    (torch.Size([5, 8]), torch.Size([5, 4]))
    """
    checks.choice("split", split, SPLITS)
    path = shelf.folder() / FILE
    shelf.note(path)
    where = runtime.device()
    with np.load(path) as stored:
        tables = [
            dense(stored[f"{name}_at"], stored[f"{name}_count"], size)
            for name, size in SIZES.items()
        ]
    return Melodies(*(table.to(where) for table in tables))


def dense(at: np.ndarray, count: np.ndarray, size: tuple[int, ...]) -> Tensor:
    """Return counts as a table, from their places in it and their numbers."""
    table = torch.zeros(int(np.prod(size)), device="cpu")
    places = torch.as_tensor(at.astype(np.int64), device="cpu")
    table[places] = torch.as_tensor(count.astype(np.float32), device="cpu")
    return table.view(size)


declare("melodies", "law", melodies)
