"""Bach's chorales as bars of melody over chords, read from an installed music21.

The works are in the public domain, their encodings are not the course's to pass on: it
ships counts (see `set_melodies`) and this reader.
"""

import hashlib
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from gmlib import checks
from gmlib.data import shelf
from gmlib.data.aligned import Aligned
from gmlib.data.barred import Phrase, phrases
from gmlib.data.fetch import Unavailable
from gmlib.data.registry import SPLITS, declare
from gmlib.data.scores import voices
from gmlib.data.steps import Bars, Tune

ALIKE = 12  # intervals in a row that make two melodies one tune
TESTED = 8  # one tune of so many is to test


def folder() -> Path:
    """Return music21's folder of Bach's works, or raise `Unavailable`."""
    found = find_spec("music21")
    places = found.submodule_search_locations if found else None
    place = Path(next(iter(places))) / "corpus" / "bach" if places else None
    if place is None or not place.is_dir():
        raise Unavailable(
            "the chorales are read from the package music21, which is "
            + ("installed without its corpus" if places else "not installed")
            + ": pip install 'gmlib[music]', or take data.melodies(), the law that "
            "was counted in them"
        )
    return place


@cache
def _read(place: Path) -> dict[str, list[Phrase]]:
    files = sorted([*place.glob("bwv*.mxl"), *place.glob("bwv*.xml")])
    read = {path.name: phrases(voices(path)) for path in files}
    return {name: found for name, found in read.items() if found}


def chorale_phrases() -> dict[str, list[Phrase]]:
    """Return the whole bars of each chorale in 4/4, by the name of its file.

    Raises
    ------
    Unavailable
        If music21 is not installed, or without its corpus.
    """
    return _read(folder())


def _intervals(found: list[Phrase]) -> list[int]:
    begun = [token for run in found for bar in run.tokens for token in bar if token]
    return [b - a for a, b in pairwise(begun)]


def by_tune(read: dict[str, list[Phrase]]) -> list[list[str]]:
    """Group chorales by tune: two that share `ALIKE` intervals in a row are of one."""
    leader = {name: name for name in read}

    def of(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    owner: dict[tuple[int, ...], str] = {}
    for name, found in read.items():
        steps = _intervals(found)
        for i in range(len(steps) - ALIKE + 1):
            first = owner.setdefault(tuple(steps[i : i + ALIKE]), name)
            leader[of(name)] = of(first)
    groups: dict[str, list[str]] = {}
    for name in read:
        groups.setdefault(of(name), []).append(name)
    return sorted(groups.values(), key=min)


def to_test(names: list[str]) -> bool:
    """Say whether a tune is to test, by the name of its first chorale alone."""
    return hashlib.sha256(min(names).encode()).digest()[0] % TESTED == 0


class Chorales(Aligned[Bars]):
    """Pairs of bars of chorales, and the runs of bars that they come from."""

    def __init__(self, runs: list[Phrase], names: list[str]) -> None:
        self._runs = runs
        tunes = [self._tune(run, 0, len(run.tokens)) for run in runs]
        pairs = [tune.pairs() for tune in tunes if tune.tokens.shape[1] > 1]
        parts = Bars(*(torch.cat(part) for part in zip(*pairs, strict=True)))
        super().__init__("chorales", parts)
        self.chorales = tuple(names)

    @staticmethod
    def _tune(run: Phrase, begin: int, end: int) -> Tune:
        parts = (torch.tensor(part[begin:end], device="cpu") for part in run)
        return Tune(*(part[None] for part in parts))

    def tunes(self, bars: int) -> Tune:
        """All pieces of so many bars in a row that do not overlap, in their order.

        Raises
        ------
        ValueError
            If no run is so long.
        """
        bars = checks.count("bars", bars)
        found = [
            self._tune(run, begin, begin + bars)
            for run in self._runs
            for begin in range(0, len(run.tokens) - bars + 1, bars)
        ]
        if not found:
            raise ValueError(f"no chorale has {bars} whole bars in a row")
        where = self._parts[0].device
        return Tune(*(torch.cat(part).to(where) for part in zip(*found, strict=True)))


def chorales(split: str = "train") -> Chorales:
    """Bars of Bach's chorales with the bar before and a chord a beat.

    The chorales in 4/4 of the package music21, moved to the key without signs; all
    chorales on one tune are on one side of the split. See the card.

    Raises
    ------
    Unavailable
        If music21 is not installed, or without its corpus.
    ValueError
        If the split is neither ``train`` nor ``test``.
    """
    checks.choice("split", split, SPLITS)
    read = chorale_phrases()
    whole = [bar for found in read.values() for run in found for bar in run]
    shelf.remember("chorales", repr(whole).encode())
    groups = [g for g in by_tune(read) if to_test(g) == (split == "test")]
    names = sorted(name for group in groups for name in group)
    return Chorales([run for name in names for run in read[name]], names)


def counted() -> tuple[Tensor, Tensor]:
    """Count all chorales: steps (22, 25, 4, 23), and chords (2, 25, 25).

    Raises
    ------
    Unavailable
        If music21 is not installed, or without its corpus.
    """
    from gmlib.data.set_melodies import SIZES
    from gmlib.data.steps import count_steps

    runs = [run for found in chorale_phrases().values() for run in found]
    steps = count_steps(Chorales(runs, []).parts)
    chords = torch.zeros(SIZES["chords"], device="cpu")
    for run in runs:
        walk = [chord for bar in run.chords for chord in bar]
        for i in range(1, len(walk)):
            chords[i % 2, walk[i - 1], walk[i]] += 1
    return steps.cpu(), chords


declare("chorales", "pairs of bars", chorales)
