"""How melodies that a model goes on with differ from those that it was shown."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gmlib.data import Tune, in_chord, sounding

Draw = Callable[[Tensor, Tensor], Tensor]
LARGEST = 21  # semitones between two pitches


class MelodyScores(NamedTuple):
    """What is counted in tunes, their first bar, which was given, left out.

    `in_chord`: share of the notes that belong to the chord under which they begin.
    `jump`: semitones over the bar line, from what sounds to the next note, in the mean.
    `begun`: notes a bar. `empty`: share of bars without a note. `repeated`: share of
    bars with the tokens of the bar before. `pitches` and `intervals`: total variation
    from the reference, of pitch classes and of intervals between notes in a row.
    """

    in_chord: float
    jump: float
    begun: float
    empty: float
    repeated: float
    pitches: float
    intervals: float


def continued(draw: Draw, tunes: Tune) -> Tune:
    """Let a model go on from the first bar of each tune, over the tune's chords.

    Each later bar follows the model's *own* bar before, not the tune's: nothing is
    forced upon it but the first bar and the chords.

    Parameters
    ----------
    draw : callable
        From what sounded in the bar before (n, 8) and chords (n, 4) to tokens (n, 8).
    tunes : Tune

    Returns
    -------
    Tune
        Of the same shapes; its first bar is that of the tunes.
    """
    made, heard = [tunes.tokens[:, 0]], [tunes.sounding[:, 0]]
    for bar in range(1, tunes.tokens.shape[1]):
        made.append(draw(heard[-1], tunes.chords[:, bar]))
        heard.append(sounding(made[-1], heard[-1][:, -1]))
    return Tune(torch.stack(made, 1), torch.stack(heard, 1), tunes.chords)


def _first(x: Tensor) -> Tensor:
    """The pitch of the first note of each bar (n, 8) of tokens; −1 if there is none."""
    found = torch.full_like(x[:, 0], -1)
    for token in x.T.flip(0):
        found = torch.where(token > 0, token - 1, found)
    return found


def _histograms(tunes: Tune) -> tuple[Tensor, Tensor]:
    """Shares of pitch classes (12,) and of intervals (43,), bars after the first."""
    x = tunes.tokens[:, 1:]
    classes = torch.bincount((x[x > 0] - 1) % 12, minlength=12).double()
    begun = tunes.tokens.flatten(1).cpu()
    begins = tunes.tokens.shape[2]
    apart = torch.zeros(2 * LARGEST + 1, dtype=torch.float64, device="cpu")
    for row in begun:
        places = row.nonzero()[:, 0]
        steps = row[places].diff()[places[1:] >= begins] + LARGEST
        apart += torch.bincount(steps, minlength=len(apart))
    classes = classes.cpu()
    return classes / classes.sum().clamp(min=1), apart / apart.sum().clamp(min=1)


def melody_scores(tunes: Tune, reference: Tune) -> MelodyScores:
    """Count what tunes do, bar by bar, and compare their notes with a reference.

    Raises
    ------
    ValueError
        If there are less than two bars in a row.
    """
    if min(tunes.tokens.shape[1], reference.tokens.shape[1]) < 2:
        raise ValueError("tunes have at least two bars, the first of which is given")
    x, b, h = tunes.pairs()
    begun, first = x > 0, _first(x)
    inside = in_chord(x - 1, h.repeat_interleave(2, 1))[begun]
    jump = (first - b[:, -1]).abs()[first >= 0]
    same = (tunes.tokens[:, 1:] == tunes.tokens[:, :-1]).all(2)
    pairs = zip(_histograms(tunes), _histograms(reference), strict=True)
    found = [
        _mean(inside),
        _mean(jump),
        _mean(begun) * x.shape[1],
        _mean(first < 0),
        _mean(same),
        *(float((p - q).abs().sum()) / 2 for p, q in pairs),
    ]
    return MelodyScores(*found)


def _mean(x: Tensor) -> float:
    return float(x.double().mean()) if x.numel() else 0.0


def _heard(tunes: Tune) -> Tensor:
    """What a listener is told of each pair of bars in a row: (n, bars − 1, d)."""
    n, bars = tunes.tokens.shape[:2]
    x, b, h = tunes.pairs()
    heard, first = sounding(x, b[:, -1]), _first(x)
    steps = heard.diff(dim=1, prepend=b[:, -1:])
    inside = in_chord(heard, h.repeat_interleave(2, 1)).long()
    told = [
        b, heard, (x > 0).long(), steps, h % 12, h // 12, inside,
        (x > 0).sum(1, keepdim=True), steps.abs().amax(1, keepdim=True),
        (first - b[:, -1])[:, None], inside.sum(1, keepdim=True),
    ]  # fmt: skip
    return torch.cat(told, 1).view(n, bars - 1, -1)


def listener_accuracy(a: Tune, b: Tune, seed: int = 0) -> float:
    """How often a listener who has heard examples tells two kinds of tunes apart.

    The classifier test of Lopez-Paz and Oquab 2017 with a forest of trees. It hears
    pairs of bars with their chords, steps and leaps, learns from one half of the tunes
    of each kind and is asked about the other. One half if the kinds have one law.

    Parameters
    ----------
    a, b : Tune
        As many of one as of the other; tunes are independent, their bars are not.
    seed : int
        Of the forest.

    Raises
    ------
    ValueError
        If there are not as many of both, or less than two.
    """
    from sklearn.ensemble import RandomForestClassifier  # two seconds

    if a.tokens.shape != b.tokens.shape or len(a.tokens) < 2:
        raise ValueError(
            "as many tunes of one kind as of the other, at least two: "
            f"{tuple(a.tokens.shape)} and {tuple(b.tokens.shape)}"
        )
    half = len(a.tokens) // 2
    kinds = [_heard(tunes).cpu() for tunes in (a, b)]
    parts = [torch.cat([k[:half] for k in kinds]), torch.cat([k[half:] for k in kinds])]
    learn, ask = (part.flatten(0, 1).numpy() for part in parts)
    bars = kinds[0].shape[1]
    two = torch.arange(2, device="cpu")
    taught, true = (
        two.repeat_interleave(k * bars).numpy() for k in (half, len(a.tokens) - half)
    )
    forest: Any = RandomForestClassifier(100, min_samples_leaf=4, random_state=seed)
    forest.fit(learn, taught)
    return float((forest.predict(ask) == true).mean())
