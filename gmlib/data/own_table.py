"""Your own table: columns of numbers become a data set, and samples go back."""

import csv
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gmlib import checks, ranks
from gmlib.data import shelf
from gmlib.data.empirical import Empirical

GAPS = {"", "na", "n/a", "nan", "nat", "null", "none", "<na>"}  # there is no value
FEW = 5  # so many rows in a message


class Table(Empirical):
    """The rows of a table, each column with mean 0 and standard deviation 1.

    Attributes
    ----------
    columns : tuple of str
        Their names, in the order of a row.
    mean, std : Tensor of float64, shape (d,), on the CPU
        Of each column before, in its own units; where all rows are equal the
        standard deviation counts as 1.
    """

    def __init__(
        self,
        x: np.ndarray,
        columns: Iterable[str],
        y: Any = None,
        name: str = "table",
        classes: Iterable[str] = (),
    ) -> None:
        rows = torch.as_tensor(x, dtype=torch.float64, device="cpu")
        self.columns = tuple(columns)
        self.mean, spread = rows.mean(0), rows.std(0, correction=0)
        self.std = torch.where(spread > 0, spread, 1.0)
        standard = (rows - self.mean) / self.std
        super().__init__(standard.float(), y, name, classes=tuple(classes))

    def undo(self, x: Tensor) -> Tensor:
        """Return rows (n, d) in the units of the table, as float64 on the CPU.

        Raises
        ------
        ValueError
            If the rows have not as many numbers as the table has columns.
        """
        if not torch.is_tensor(x) or x.shape[-1:] != self.mean.shape:
            came = tuple(x.shape) if torch.is_tensor(x) else type(x).__name__
            d = len(self.columns)
            raise ValueError(f"rows to undo must be a tensor (n, {d}), not {came}")
        return self.mean + self.std * x.detach().cpu().double()


def table(frame: Any, label: str | None = None, name: str = "table") -> Table:
    """Your own table: its rows as a data set of standardised numbers.

    Rows in which a number is missing are left out, and one line names them.

    Parameters
    ----------
    frame : pandas DataFrame, dict of columns, or the path of a CSV file
        Of a CSV file the first line names the columns.
    label : str, optional
        The column that holds the label of each row, words or whole numbers.
    name : str
        What a figure or a message calls it.

    Returns
    -------
    Table
        An `Empirical` of rows (d,). ``.undo(x)`` takes samples back to the units
        of the table, whose names are in ``.columns``.

    Raises
    ------
    TypeError
        If it is no table.
    ValueError
        If a column that is not the label holds words or dates, or no row is whole.

    >>> heights = table({"height": [150, 160, 170], "sex": ["f", "m", "m"]}, "sex")
    >>> heights.y.tolist(), heights.classes
    ([0, 1, 1], ('f', 'm'))
    >>> heights.undo(heights.x).flatten().tolist()
    [150.0, 160.0, 170.0]
    """
    columns, rows = _columns(frame)
    names = [column for column, _ in columns]
    if label is not None:
        checks.choice("label", label, names)
    if twice := {c for c in names if names.count(c) > 1}:
        raise ValueError(f"two columns have one name: {', '.join(sorted(twice))}")
    numbers, words = {}, []
    for column, values in columns:
        try:
            if column != label:
                numbers[column] = _numbers(values)
        except (TypeError, ValueError) as error:
            words.append(f"{column} ({error})")
    if words:
        raise ValueError(
            f"columns that hold no numbers: {', '.join(words)}; leave them out, make "
            "numbers of them (pandas.get_dummies), or name one of them as label"
        )
    if not numbers or not rows:
        raise ValueError(
            f"a table needs rows and columns of numbers, not {len(rows)} rows and "
            f"{len(numbers)} columns"
        )
    gaps = {c: ~np.isfinite(v) for c, v in numbers.items()}
    meant = [str(v) for c, values in columns if c == label for v in values]
    if label is not None:
        gaps[label] = np.array([_missing(word) for word in meant])
    whole = ~np.any(list(gaps.values()), 0)
    _say_gaps(name, rows, gaps, whole)
    x = np.stack(list(numbers.values()), 1)[whole]
    shelf.remember(f"own/{name}", x.tobytes())
    if label is None:
        return Table(x, numbers, name=name)
    kept = [word for word, keep in zip(meant, whole, strict=True) if keep]
    classes = sorted(set(kept), key=_order)
    return Table(x, numbers, [classes.index(word) for word in kept], name, classes)


def _columns(frame: Any) -> tuple[list[tuple[str, Any]], list[str]]:
    """Return (name, values) of each column, and what the rows are called."""
    if isinstance(frame, str | os.PathLike):
        return _read(Path(frame).expanduser())
    if not hasattr(frame, "items"):
        kind = type(frame).__name__
        raise TypeError(
            "table takes a pandas DataFrame, a dict of columns or the path of a CSV "
            f"file, not a {kind}"
        )
    columns = [(str(name), values) for name, values in frame.items()]
    lengths = {len(values) for _, values in columns}
    if len(lengths) > 1:
        raise ValueError(f"the columns have different lengths: {sorted(lengths)}")
    index = getattr(frame, "index", range(max(lengths, default=0)))
    return columns, [f"row {i}" for i in index]


def _read(path: Path) -> tuple[list[tuple[str, Any]], list[str]]:
    """Return the columns of a CSV file; its lines are counted from 1."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no CSV file {path}: is its name right?")
    with open(path, newline="", encoding="utf-8-sig") as stream:  # Excel adds a BOM
        head = stream.readline()
        stream.seek(0)
        mark = max(",;\t", key=head.count)
        reader = csv.reader(stream, delimiter=mark)
        lines = [(reader.line_num, cells) for cells in reader if any(cells)]
    if not lines:
        raise ValueError(
            f"{path} is empty: a line of names and lines of numbers needed"
        )
    (_, names), *body = lines
    for number, cells in body:
        if len(cells) != len(names):
            raise ValueError(
                f"{path}, line {number}: {len(cells)} cells, and the first line names "
                f"{len(names)} columns"
            )
    columns = [(name, [c[i] for _, c in body]) for i, name in enumerate(names)]
    return columns, [f"line {number}" for number, _ in body]


def _missing(value: Any) -> bool:
    return str(value).strip().lower() in GAPS


def _numbers(values: Any) -> np.ndarray:
    """Return a column as float64, NaN where nothing is; raise if it holds words."""
    if getattr(getattr(values, "dtype", None), "kind", "O") in "biuf":
        return np.asarray(values, float)
    return np.array([math.nan if _missing(v) else float(v) for v in values])


def _order(word: str) -> tuple[float, str]:
    """Sort numbers by their size, and before all words."""
    try:
        return float(word), ""
    except ValueError:
        return math.inf, word


def _say_gaps(
    name: str, rows: list[str], gaps: dict[str, np.ndarray], whole: np.ndarray
) -> None:
    """Name the rows that are left out; refuse a table without a whole row."""
    bad = np.flatnonzero(~whole)
    if not len(bad):
        return
    named = [
        f"{rows[i]} ({', '.join(c for c, gap in gaps.items() if gap[i])})"
        for i in bad[:FEW]
    ]
    more = f" and {len(bad) - FEW} more" if len(bad) > FEW else ""
    listed = ", ".join(named) + more
    if not whole.any():
        raise ValueError(f"{name}: no row is whole, something is missing in {listed}")
    ranks.say(f"{name}: left out, as something is missing: {listed}")
