"""A whole sweep: what is left to do, its rows as they come, its progress."""

import importlib.util
import math
import statistics
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import cloudpickle
from tqdm.auto import tqdm

from gmlib import checks, runtime
from gmlib.data import typed
from gmlib.fingerprint import code_mark
from gmlib.sweep.cells import cells_of, facts
from gmlib.sweep.pools import BACKENDS, Backend, outcomes
from gmlib.sweep.table import put, rows_of, text


def sweep(
    cell: Callable[..., dict[str, Any]],
    grid: Iterable[dict[str, Any]],
    path: str | Path,
    *,
    workers: int | None = None,
    backend: str = "loky",
    address: str | None = None,
    threads: int = 1,
    retry: bool = False,
    progress: bool = True,
    title: str | None = None,
) -> list[dict[str, Any]]:
    """Run `cell` on every entry of `grid` and return the rows of the table.

    A cell has its own random state: its parameter ``seed`` if it has one, else
    a number made from its parameters. So its row depends neither on the other
    cells nor on who ran it. (Draw from torch or numpy: the threads of a Dask
    worker draw from Python's `random` as well.)

    Cells of the table with the same parameters, code and scale are not run
    again. What a cell names counts as its code, see
    `gmlib.fingerprint.describe`.

    Parameters
    ----------
    cell : callable
        Parameters → dict of numbers, bools and strings. It may be defined in a
        notebook; it is handed to the workers by value.
    grid : list of dict
        The parameters of each cell: numbers, bools, None and strings.
    path : str or Path
        The CSV file. A sweep that was stopped or killed goes on from it.
    workers : int, optional
        How many cells run at once; by default as the machine or cluster has cores.
    backend : {"loky", "ray", "dask"}
        Processes of this machine (joblib's), or a cluster (``gmlib[cluster]``).
    address : str, optional
        Of the cluster. Else ``RAY_ADDRESS`` or ``DASK_SCHEDULER_ADDRESS``; else
        a cluster is started on this machine and stopped in the end.
    threads : int
        Threads of torch and of linear algebra in a cell.
    retry : bool
        Run cells again that failed.
    progress : bool
        Show a progress bar (``TQDM_DISABLE=1`` silences all).
    title : str, optional
        Its label.

    Returns
    -------
    list of dict
        One row a cell, in the order of the grid; None where there is no value.
        A cell that raised, or whose worker died, has ``status`` "failed".

    Raises
    ------
    ValueError, ModuleNotFoundError
        Bad input or a missing package, before the first cell.
    KeyboardInterrupt
        On Ctrl-C. All cells that were done are in the file.
    """
    path, cells = checks.path("path", path), cells_of(grid)
    start = _backend(backend).start
    workers = workers if workers is None else checks.count("workers", workers)
    threads = checks.count("threads", threads)
    blob, scale = cloudpickle.dumps(cell), runtime.scale()
    made_by = {"code": code_mark(cell), "scale": scale}
    mine, others = _known(path, cells, made_by)
    if others:
        print(
            f"{path.name}: {others} rows are kept but not counted: they come from "
            "other code or another scale"
        )
    again = {i for i, row in mine.items() if retry and row["status"] == "failed"}
    todo = [i for i in cells if i not in mine or i in again]
    failed = sum(row["status"] == "failed" for row in mine.values()) - len(again)
    order = {identifier: i for i, identifier in enumerate(cells)}
    tasks = {i: (blob, cells[i], i, threads, scale) for i in todo}
    path.parent.mkdir(parents=True, exist_ok=True)
    ends = outcomes(tasks, start(workers, threads, address))
    shown = _Progress(title or path.stem, len(cells), len(todo), failed, progress)
    with shown.bar, closing(ends):
        try:
            for identifier, outcome, at_once in ends:
                row = _row(cells[identifier], outcome, threads)
                row |= made_by | {"cell": identifier}
                put(path, row, order)
                shown.add(row, at_once)
        except KeyboardInterrupt:
            kept, _ = _known(path, cells, made_by)
            raise KeyboardInterrupt(
                f"stopped: {len(kept)} of {len(cells)} cells are in {path}; "
                "run this again to go on from there"
            ) from None
    mine, _ = _known(path, cells, made_by)
    return [{k: typed(v) for k, v in mine[i].items()} for i in cells]


def _backend(name: str) -> Backend:
    """Return the backend of that name; raise if there is none or it lacks a package."""
    if name not in BACKENDS:
        raise ValueError(f"backend is one of {', '.join(BACKENDS)}, not {name!r}")
    package = BACKENDS[name].package
    if package and importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(
            f"backend={name!r} needs {package}: pip install 'gmlib[cluster]'"
        )
    return BACKENDS[name]


def _known(
    path: Path, cells: dict[str, Any], made_by: dict[str, str]
) -> tuple[dict[str, dict[str, str]], int]:
    """Return the rows of these cells by this code, and the number of their others."""
    rows = [row for row in rows_of(path) if row["cell"] in cells]
    mine = {r["cell"]: r for r in rows if made_by.items() <= r.items()}
    return mine, len(rows) - len(mine)


def _row(parameters: dict[str, Any], outcome: Any, threads: int) -> dict[str, str]:
    """Return the row of a cell, whose outcome may be the end of its worker."""
    if isinstance(outcome, BaseException):
        name = type(outcome).__name__
        why = f"the worker died, or could not run it ({name})"
        outcome = facts(threads) | {"peak_mb": ""}
        outcome |= {"status": "failed", "error": why}
    return {name: text(name, value) for name, value in parameters.items()} | outcome


class _Progress:
    """What is done, how much of it failed, and about how long the rest will take."""

    def __init__(
        self, title: str, cells: int, left: int, failed: int, progress: bool
    ) -> None:
        self.left, self.failed, self._seconds = left, failed, []
        self.bar = tqdm(
            total=cells,
            initial=cells - left,
            desc=title,
            disable=runtime.silent(progress),
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} cells, {elapsed}{postfix}",
        )

    def add(self, row: dict[str, str], at_once: int) -> None:
        """Count a row; `at_once` cells run at a time."""
        self.left -= 1
        self.failed += row["status"] == "failed"
        self._seconds.append(float(row.get("seconds") or 0))
        # Cells end in bursts, as many as there are workers: their mean duration
        # tells more than the rate so far.
        waves = math.ceil(self.left / at_once)
        left = tqdm.format_interval(waves * statistics.fmean(self._seconds))
        self.bar.set_postfix_str(f"{self.failed} failed, about {left} left", False)
        self.bar.update()
