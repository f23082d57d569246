"""The data sets of the course: each declares itself once, in its own file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gmlib import checks
from gmlib.data import shelf
from gmlib.data.cards import Card, read_card

SPLITS = ("train", "test")


class Law(Protocol):
    """What can be sampled: ``sample((n,))`` is a tensor, or a NamedTuple of them."""

    def sample(self, shape: Sequence[int], /) -> Any:
        """Draw n samples."""
        ...


@dataclass(frozen=True)
class DataSet:
    """What a data set says of itself in code; its card says the rest."""

    name: str
    kind: str
    split: Callable[[str], Law]
    card: str


SETS: dict[str, DataSet] = {}


def declare(
    name: str, kind: str, split: Callable[[str], Law], card: str | None = None
) -> None:
    """Make a data set known: to `load`, to its card, to the test of all of them.

    Parameters
    ----------
    name : str
        What `load` calls it.
    kind : str
        What it can stand in for. ``images`` are those of `gmlib.data.images`.
    split : callable
        From ``train`` or ``test`` to its law. It raises `Unavailable` if the data
        cannot be had. What it reads it notes with `shelf.remember`.
    card : str, optional
        The card is ``data/{card}.md``; if left out, it has the name of the data set.

    Raises
    ------
    ValueError
        If there is one of this name.
    """
    if name in SETS:
        raise ValueError(f"there are two data sets {name!r}")
    SETS[name] = DataSet(name, kind, split, card or name)


def named(kind: str) -> list[str]:
    """Return the names of the data sets of a kind."""
    return [name for name, one in SETS.items() if one.kind == kind]


def load(name: str, split: str = "train") -> Law:
    """Return a data set by its name, as its own function does.

    Raises
    ------
    Unavailable
        If it cannot be had.
    ValueError
        If there is no such data set or split; the message names those there are.
    """
    checks.choice("data set", name, SETS)
    return SETS[name].split(checks.choice("split", split, SPLITS))


def card(name: str) -> Card:
    """Return the card of a data set: source, licence, shape, range, splits ...

    Raises
    ------
    ValueError
        If there is no such data set, or its card is not whole.

    >>> card("digits").fields["shape"]
    '1 × 28 × 28'
    """
    checks.choice("data set", name, SETS)
    return read_card(shelf.folder() / f"{SETS[name].card}.md", name)
