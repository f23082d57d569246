"""The table of a sweep: a CSV file that is whole at any moment."""

import csv
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gmlib.data import read_rows, typed
from gmlib.fingerprint import digest

FACTS = (
    *("status", "error", "seconds", "peak_mb", "date", "scale", "device"),
    *("threads", "gmlib", "torch", "code", "cell"),
)


def mark(value: Any) -> str:
    """Return a fingerprint as the table holds it."""
    return f"x{digest(value)}"  # the letter, lest a table take digits for a number


def text(name: str, value: Any) -> str:
    """Return a value as a cell of the table holds it; ValueError if none can.

    An empty string is no value, and is read back as None: to refuse it would throw away
    the minutes of its cell.
    """
    if hasattr(value, "item"):
        value = value.item()
    if value is None or value == "":
        return ""
    written = repr(value) if isinstance(value, float) else str(value)
    back = typed(written)
    same = type(back) is type(value) and (back == value or value != value)
    if not same or len(written.splitlines()) > 1:
        raise ValueError(
            f"{name} is {value!r}: a table holds numbers, bools, None, and strings "
            "of one line that do not look like one of these"
        )
    return written


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of the file, none if it is absent, as texts.

    Raises
    ------
    ValueError
        If it is another file than the table of a sweep.
    """
    rows = read_rows(path)
    if rows and not set(FACTS) <= rows[0].keys():
        raise ValueError(f"{path} exists and is not the table of a sweep")
    return rows


def put(path: Path, row: dict[str, str], order: dict[str, int]) -> None:
    """Write a row into the table; cells of `order` stand in that order, at its end."""
    same = ("cell", "code", "scale")
    with _locked(path):
        rows = [r for r in rows_of(path) if any(r[k] != row[k] for k in same)]
        rows = sorted([*rows, row], key=lambda r: order.get(r["cell"], -1))
        columns = [k for k in dict.fromkeys(itertools.chain(*rows)) if k not in FACTS]
        part = path.with_name(f".{path.name}.part")
        with open(part, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, [*columns, *FACTS], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file as it is now: a rename may have put another in its place.

    Without the module `fcntl` (Windows) nothing is held.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    while True:
        with open(path, "a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(
                os.fstat(stream.fileno()), path.stat()
            ):
                yield
                return
