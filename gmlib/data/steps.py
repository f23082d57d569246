"""Bars of a melody as eight tokens, and laws that draw them step by step.

A bar of 4/4 has eight steps, eighths. Token 0 means that no note begins there, token
1 + k that pitch k begins, MIDI 60 + k: so a note that is held and one that is repeated
differ. What *sounds* at a step is a pitch from 0 to 21. Chords, one a beat, are 0 to 11
(major, by root), 12 to 23 (minor), or 24: none of these.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks
from gmlib.data.barred import BEATS, HOLD, LOWEST, NO_CHORD, PITCHES, STEPS

TOKENS = PITCHES + 1
CHORDS = NO_CHORD + 1
PLACES = 4  # of a step: first or second half of a strong or a weak beat
BACK_OFF = 1.0  # so many imagined steps come from the table without the chord


class Bars(NamedTuple):
    """Bars `x` (n, 8) of tokens, what sounded in the bar before, `b` (n, 8), and the
    chords `h` (n, 4) of x."""

    x: Tensor
    b: Tensor
    h: Tensor


class Tune(NamedTuple):
    """Bars in a row: `tokens` and `sounding` (n, bars, 8), `chords` (n, bars, 4)."""

    tokens: Tensor
    sounding: Tensor
    chords: Tensor

    def pairs(self) -> Bars:
        """Each bar but the first, with the bar before and its chords."""
        x, b = self.tokens[:, 1:], self.sounding[:, :-1]
        return Bars(*(part.flatten(0, 1) for part in (x, b, self.chords[:, 1:])))


def numbers(name: str, x: Tensor, last: int, below: int) -> Tensor:
    """Return integers of shape (n, last) from 0 up to, not including, `below`."""
    x = checks.array(name, x).long()
    if x.dim() != 2 or x.shape[1] != last or x.numel() == 0:
        raise ValueError(f"{name} must have shape (n, {last}), not {tuple(x.shape)}")
    if x.min() < 0 or x.max() >= below:
        raise ValueError(f"{name} must be from 0 to {below - 1}")
    return x


def sounding(x: Tensor, last: Tensor) -> Tensor:
    """Return what sounds at each step of bars, given what sounded before them.

    Parameters
    ----------
    x : Tensor of integers, shape (n, 8)
        Tokens.
    last : Tensor of integers, shape (n,)
        The pitch before.

    >>> sounding(torch.tensor([[0, 6, 0, 6, 0, 0, 8, 0]]), torch.tensor([3]))
    tensor([[3, 5, 5, 5, 5, 5, 7, 7]])
    """
    x = numbers("x", x, STEPS, TOKENS)
    found = []
    for token in x.T:
        last = torch.where(token == HOLD, last, token - 1)
        found.append(last)
    return torch.stack(found, 1)


def tokens(pitch: Tensor, begins: Tensor) -> Tensor:
    """Return bars as tokens, from what sounds (n, 8) and where a note begins (n, 8).

    The way back from `sounding`: a roll of pitches alone would not tell a repeated
    note from a held one.
    """
    return torch.where(begins, numbers("pitch", pitch, STEPS, PITCHES) + 1, HOLD)


def in_chord(pitch: Tensor, chord: Tensor) -> Tensor:
    """Say of pitches (0 to 21) whether they belong to chords (0 to 24) of one shape.

    >>> in_chord(torch.tensor([0, 4, 5]), torch.tensor([0, 0, 24])).tolist()
    [True, True, False]
    """
    above = (pitch + LOWEST - chord) % 12  # the root, as both sets of 12 begin with C
    third = torch.where(chord < 12, 4, 3)
    return ((above == 0) | (above == third) | (above == 7)) & (chord < NO_CHORD)


def count_steps(bars: Bars) -> Tensor:
    """Count (what sounded, chord, place) → token: (22, 25, 4, 23), in float64.

    Raises
    ------
    ValueError
        If a part has not its shape, or numbers that mean nothing.
    """
    x, b = numbers("x", bars.x, STEPS, TOKENS), numbers("b", bars.b, STEPS, PITCHES)
    h = numbers("h", bars.h, BEATS, CHORDS).repeat_interleave(STEPS // BEATS, 1)
    before = torch.cat([b[:, -1:], sounding(x, b[:, -1])[:, :-1]], 1)
    place = torch.arange(STEPS, device=x.device) % PLACES
    cell = ((before * CHORDS + h) * PLACES + place) * TOKENS + x
    size = (PITCHES, CHORDS, PLACES, TOKENS)
    many = PITCHES * CHORDS * PLACES * TOKENS
    return torch.bincount(cell.flatten(), minlength=many).view(size).double()


def smoothed(counts: Tensor) -> Tensor:
    """Return counts (22, 25, 4, 23) as laws of the next token, none of which is zero.

    To each row are added `BACK_OFF` imagined steps of the table without the chord, to
    that so many of a table that knows only the interval from the pitch before.
    """
    place = counts.sum((0, 1))  # (4, 23): tokens by place
    k = torch.arange(PITCHES, device=counts.device)
    apart = k[None] - k[:, None] + PITCHES - 1  # interval of each pair of pitches
    by_step = counts[..., 1:].sum((1, 2))
    interval = counts.new_full((2 * PITCHES - 1,), 0.5)
    interval.index_add_(0, apart.flatten(), by_step.flatten())
    leap = interval[apart] / interval[apart].sum(1, keepdim=True)  # (22, 22)
    held = (place[:, :1] + 0.5) / (place.sum(1, keepdim=True) + 1)  # (4, 1)
    first = torch.cat(
        [
            held.expand(PITCHES, -1, -1),
            (1 - held)[None] * leap[:, None],
        ],
        2,
    )
    second = counts.sum(1) + BACK_OFF * first
    second = second / second.sum(2, keepdim=True)  # (22, 4, 23)
    third = counts + BACK_OFF * second[:, None]
    return third / third.sum(3, keepdim=True)


class StepLaw:
    """p(x | b, h), a Markov chain: each token given what sounds, its chord, its place.

    Parameters
    ----------
    table : Tensor, shape (22, 25, 4, 23)
        The law of the next token, by pitch, chord and place.

    Raises
    ------
    ValueError
        If the table has another shape, or its rows are no laws.
    """

    def __init__(self, table: Tensor) -> None:
        size = (PITCHES, CHORDS, PLACES, TOKENS)
        self.table = checks.tensor("table", table, size)
        total = self.table.sum(-1)
        if not (self.table.min() >= 0 and (total - 1).abs().max() < 1e-5):
            raise ValueError("each row of the table must be a law of the next token")

    def draw(self, b: Tensor, h: Tensor) -> Tensor:
        """Draw a bar (n, 8) of tokens after each bar `b`, over the chords `h`."""
        last = numbers("b", b, STEPS, PITCHES)[:, -1]
        h = numbers("h", h, BEATS, CHORDS)
        found = []
        for step in range(STEPS):
            rows = self.table[last, h[:, step * BEATS // STEPS], step % PLACES]
            token = rows.multinomial(1)[:, 0]
            last = torch.where(token == HOLD, last, token - 1)
            found.append(token)
        return torch.stack(found, 1)

    def log_prob(self, bars: Bars) -> Tensor:
        """log p(x | b, h) of bars, (n,), in nats."""
        x, b = numbers("x", bars.x, STEPS, TOKENS), bars.b.long()
        h = numbers("h", bars.h, BEATS, CHORDS).repeat_interleave(STEPS // BEATS, 1)
        before = torch.cat([b[:, -1:], sounding(x, b[:, -1])[:, :-1]], 1)
        place = torch.arange(STEPS, device=x.device) % PLACES
        return self.table[before, h, place, x].log().sum(1)
