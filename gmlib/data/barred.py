"""From the voices of a chorale to bars of its melody with a chord a beat.

A bar has eight steps, eighths; see `gmlib.data.set_melodies` for what a number means.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from gmlib.data.scores import Measure, Note

STEPS, BEATS = 8, 4  # of a bar
LOWEST, PITCHES = 60, 22  # MIDI 60 to 81: C4 to A5
HOLD = 0  # the token of a step at which no note begins
NO_CHORD = 24
TRIADS = [(r, third, 7) for third in (4, 3) for r in range(12)]  # major, then minor
FOUR = ("Soprano", "Alto", "Tenor", "Bass")
ENOUGH = 0.6  # of what sounds in a beat must belong to its chord
HALF = Fraction(1, 2)


class Phrase(NamedTuple):
    """Whole bars that follow each other: a list of so many numbers for each.

    `tokens` (8 a bar) say which note begins, `sounding` (8) which sounds, `chords` (4).
    """

    tokens: list[list[int]]
    sounding: list[list[int]]
    chords: list[list[int]]


def phrases(parts: Mapping[str, Sequence[Measure]]) -> list[Phrase]:
    """Return the runs of whole bars of a chorale, moved to the key without signs.

    Two parts of a bar, as a repeat between them leaves them, become one. What then is
    no whole 4/4, has no note, or leaves the range of `PITCHES`, ends a run. A chorale
    that has not the four voices, or has another metre, has none.
    """
    if not set(FOUR) <= set(parts):
        return []
    voices = [parts[name] for name in FOUR]
    if any(bar.metre != (4, 4) for voice in voices for bar in voice):
        return []
    found, run, last = [], Phrase([], [], []), None
    for bars in _joined([*zip(*voices, strict=False)]):
        shift = (-7 * bars[0].fifths + 6) % 12 - 6
        tokens, sounding, last = _melody(bars[0], shift, last)
        inside = [p for p in sounding if p is not None and 0 <= p < PITCHES]
        sung = any(note.pitch is not None for note in bars[0].notes)
        if bars[0].length == BEATS and len(inside) == STEPS and sung:
            run.tokens.append(tokens)
            run.sounding.append(inside)
            run.chords.append([_chord(bars, shift, beat) for beat in range(BEATS)])
        elif run.tokens:
            found.append(run)
            run = Phrase([], [], [])
    return [*found, run] if run.tokens else found


def _joined(rows: list[tuple[Measure, ...]]) -> Iterator[tuple[Measure, ...]]:
    """Bars of all voices, of which two that are parts of one are made one."""
    rows = rows[::-1]
    while rows:
        bars = rows.pop()
        if rows and bars[0].length < BEATS == bars[0].length + rows[-1][0].length:
            begun = bars[0].length
            bars = tuple(
                first._replace(notes=[*first.notes, *(n.later(begun) for n in rest)])
                for first, (rest, *_) in zip(bars, rows.pop(), strict=True)
            )
        yield bars


def _melody(
    bar: Measure, shift: int, last: int | None
) -> tuple[list[int], list[int | None], int | None]:
    """Tokens and places (from `LOWEST`) of what sounds, step by step; a rest holds.

    A note that begins between two steps begins at the next, if it sounds there.
    """
    tokens, sounding = [], []
    for step in range(STEPS):
        at, token = step * HALF, HOLD
        for note in bar.notes:
            if note.begin <= at < note.end and note.pitch is not None:
                place = note.pitch + shift - LOWEST
                fresh = note.begin > at - HALF and not note.tied
                if fresh or place != last:
                    token, last = place + 1, place
        tokens.append(token)
        sounding.append(last)
    return tokens, sounding, last


def _sounds(bars: Sequence[Measure], beat: int) -> Iterator[tuple[int, Note, float]]:
    """Each note of a beat with its voice, and for how much of the beat it sounds."""
    for voice, bar in enumerate(bars):
        for note in bar.notes:
            length = float(min(note.end, beat + 1) - max(note.begin, beat))
            if length > 0 and note.pitch is not None:
                yield voice, note, length


def _chord(bars: Sequence[Measure], shift: int, beat: int) -> int:
    """The triad of a beat: 0 to 11 major, 12 to 23 minor, by root; or `NO_CHORD`.

    The one whose notes sound longest; its root counts once and a half in the bass.
    """
    weight, bass = [0.0] * 12, [0.0] * 12
    for voice, note, length in _sounds(bars, beat):
        pitch_class = ((note.pitch or 0) + shift) % 12
        weight[pitch_class] += length
        bass[pitch_class] += length * (voice == len(FOUR) - 1)
    inside = [
        sum(weight[(root + step) % 12] for step in (0, third, fifth))
        for root, third, fifth in TRIADS
    ]
    score = [inside[k] + bass[root] / 2 for k, (root, _, _) in enumerate(TRIADS)]
    best = max(range(len(TRIADS)), key=score.__getitem__)
    enough = sum(weight) > 0 and inside[best] >= ENOUGH * sum(weight)
    return best if enough else NO_CHORD
