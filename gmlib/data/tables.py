"""Tables that come with gmlib: published figures and recorded sweeps."""

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from gmlib import checks
from gmlib.data import shelf


class Figure(NamedTuple):
    """A published figure; `status` is verified, recomputed or unverified."""

    id: str
    quantity: str
    value: float
    spread: float | None
    unit: str
    setting: str
    source: str
    status: str


def published(topic: str) -> list[Figure]:
    """Return the published figures of a topic, a list of `Figure`.

    Raises
    ------
    ValueError
        If there is no ``data/published/{topic}.csv``; the message names the
        topics that there are.
    """
    place = shelf.folder() / "published"
    topics = sorted(path.stem for path in place.glob("*.csv"))
    checks.choice("no figures on", topic, topics)
    with open(place / f"{topic}.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    shelf.note(place / f"{topic}.csv")
    return [_figure(**row) for row in rows]


def _figure(value: str, spread: str, **words: str) -> Figure:
    return Figure(value=float(value), spread=float(spread) if spread else None, **words)


def results(name: str) -> list[dict[str, Any]]:
    """Return the rows of a recorded sweep, a list of dictionaries.

    Only those of its newest code and scale; cells that failed are among them
    (``row["status"] == "failed"``), with None for what they did not measure.
    `gmlib.sweep` describes the columns.

    Raises
    ------
    ValueError
        If there is no ``data/results/{name}.csv``; the message names those
        that there are.
    """
    place = shelf.folder() / "results"
    names = sorted(path.stem for path in place.glob("*.csv"))
    if name not in names:
        there = ", ".join(names) or "none has been recorded"
        raise ValueError(f"no results of a sweep {name!r}: {there}")
    rows = read_rows(place / f"{name}.csv")
    shelf.note(place / f"{name}.csv")
    newest = max(reversed(rows), key=lambda row: row["date"], default={})
    return [
        {column: typed(text) for column, text in row.items()}
        for row in rows
        if all(row[key] == newest[key] for key in ("code", "scale"))
    ]


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file as dictionaries of strings; none if it is absent.

    Every row is one line. A last line without its end was torn, for instance by
    a full disk or a copy cut short: it is left out.
    """
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    return list(csv.DictReader(whole.splitlines(keepends=True)))


def typed(text: str) -> bool | int | float | str | None:
    """Return what a cell of a table means: None, a bool, an int, a float, a string.

    >>> [typed(text) for text in ("", "True", "7", "0.5", "trained")]
    [None, True, 7, 0.5, 'trained']
    """
    if text in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[text]
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text
