"""The cells of a sweep: their parameters, and how a worker runs one."""

import itertools
import os
import pickle
import random
import re
import sys
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import gmlib
from gmlib import checks, runtime
from gmlib.data import typed
from gmlib.sweep.table import FACTS, mark, text

_alone = threading.Lock()


def crossed(**values: Iterable[Any]) -> list[dict[str, Any]]:
    """Return all combinations as a grid: ``crossed(seed=range(3), lr=[1e-3, 1e-4])``.

    The last parameter changes fastest.
    """
    return [
        dict(zip(values, combination, strict=True))
        for combination in itertools.product(*values.values())
    ]


def cells_of(grid: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Check the grid and return its cells, {fingerprint: parameters}.

    Raises
    ------
    ValueError
        If it is empty or holds a cell twice, a value that no table holds, a
        column of every table, or a seed that is none.
    """
    cells = {}
    for parameters in grid:
        texts = {name: text(name, value) for name, value in parameters.items()}
        if taken := texts.keys() & set(FACTS):
            raise ValueError(f"{taken.pop()!r} is a column of every table: rename it")
        values = {name: typed(written) for name, written in texts.items()}
        checks.count("seed", values.get("seed", 0), 0)
        identifier = mark(sorted(texts.items()))
        if identifier in cells:
            raise ValueError(f"the grid holds a cell twice: {values}")
        cells[identifier] = values
    if not cells:
        raise ValueError("the grid is empty")
    return cells


def run(
    blob: bytes, parameters: dict[str, Any], identifier: str, threads: int, scale: str
) -> dict[str, str]:
    """Run one cell in a worker and return its results and facts, as texts.

    Parameters
    ----------
    blob : bytes
        The cell, pickled by value.
    parameters, identifier
        The cell's, see `cells_of`.
    threads, scale
        Of torch and linear algebra; of the run.
    """
    os.environ["TQDM_DISABLE"] = "1"
    results, failed = {}, {}
    # A worker of Dask may run several cells as threads; random states are global.
    with _alone, threadpool_limits(threads):
        start = time.perf_counter()
        try:
            torch.set_num_threads(threads)
            if runtime.device().type != "cpu":
                torch.set_default_device(runtime.device())
            runtime.set_scale(scale)
            seed = parameters.get("seed", int(identifier[1:], 16) % 2**31)
            runtime.seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 (what libraries fall back on)
            measured = pickle.loads(blob)(**parameters)
            if not isinstance(measured, dict):
                raise TypeError(f"a cell returns a dict, not {measured!r}")
            if taken := measured.keys() & {*FACTS, *parameters}:
                raise ValueError(f"{taken.pop()!r} is already a column: rename it")
            results = {name: text(name, value) for name, value in measured.items()}
        except (Exception, SystemExit) as error:
            failed = {"status": "failed", "error": _line(error)}
        seconds = f"{time.perf_counter() - start:.3f}"
        return results | facts(threads) | {"seconds": seconds} | failed


def facts(threads: int) -> dict[str, str]:
    """Return when and where a row was made; it counts as ``ok``."""
    return {
        "status": "ok",
        "error": "",
        "peak_mb": _peak_mb(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": runtime.device().type,
        "threads": str(threads),
        "gmlib": gmlib.__version__,
        "torch": torch.__version__,
    }


def _peak_mb() -> str:
    """The memory peak of this process, in MiB; empty without `resource` (Windows)."""
    try:
        import resource
    except ImportError:
        return ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return str(peak // (1024**2 if sys.platform == "darwin" else 1024))


def _line(error: BaseException) -> str:
    """Say what went wrong in one line, without the folders of this machine."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return re.sub(r"(?<![\w.:/])/(?:[^\s'\":/]+/)+", "", said)[:300]
