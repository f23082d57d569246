"""Sweeps: one function, many cells of parameters, one table that survives.

The table is a CSV file with a row a cell: its parameters, its results, and

``status``, ``error``   ``ok``, or ``failed`` and why, in one line
``seconds``, ``peak_mb``  wall time; memory peak of the worker's process so far
``date``                UTC
``scale``, ``device``, ``threads``, ``gmlib``, ``torch``  where it was made
``code``, ``cell``      fingerprints of the function and of the parameters

Every row is written at once: the whole file anew beside the old one, which it
then replaces. So a reader or a kill at any moment finds a whole table, and
columns may join later. A lock on the file keeps two sweeps from losing rows
(on Linux and macOS: `fcntl`).
"""

import csv
import fcntl
import importlib.util
import itertools
import logging
import math
import os
import pickle
import random
import re
import resource
import signal
import statistics
import sys
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import torch
from joblib.externals import loky
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

import gmlib
from gmlib import runtime
from gmlib.data import read_rows, typed
from gmlib.fingerprint import describe, digest

FACTS = (
    *("status", "error", "seconds", "peak_mb", "date", "scale", "device"),
    *("threads", "gmlib", "torch", "code", "cell"),
)
RAY_STORE = 80_000_000  # bytes, about the least Ray takes: a row is small
_alone = threading.Lock()


def crossed(**values):
    """Return all combinations as a grid: ``crossed(seed=range(3), lr=[1e-3, 1e-4])``.

    The last parameter changes fastest.
    """
    return [
        dict(zip(values, combination, strict=True))
        for combination in itertools.product(*values.values())
    ]


def sweep(
    cell,
    grid,
    path,
    *,
    workers=None,
    backend="loky",
    address=None,
    threads=1,
    retry=False,
    progress=True,
    title=None,
):
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
    path, cells = Path(path), _cells(grid)
    start, package = BACKENDS.get(backend, (None, None))
    if start is None:
        raise ValueError(f"backend is one of {', '.join(BACKENDS)}, not {backend!r}")
    if package and importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(
            f"backend={backend!r} needs {package}: pip install 'gmlib[cluster]'"
        )
    for name, number in (("workers", workers), ("threads", threads)):
        if number is not None and (not isinstance(number, int) or number < 1):
            raise ValueError(f"{name} must be an integer >= 1, not {number!r}")
    blob = cloudpickle.dumps(cell)
    made_by = {"code": _mark(describe(cell, deep=True)), "scale": runtime.scale()}

    def known():
        rows = [row for row in _rows(path) if row["cell"] in cells]
        mine = {r["cell"]: r for r in rows if made_by.items() <= r.items()}
        return mine, len(rows) - len(mine)

    mine, others = known()
    if others:
        print(
            f"{path.name}: {others} rows are kept but not counted: they come from "
            "other code, another scale or another Python"
        )
    again = {i for i, row in mine.items() if retry and row["status"] == "failed"}
    todo = [i for i in cells if i not in mine or i in again]
    failed = sum(row["status"] == "failed" for row in mine.values()) - len(again)
    order = {identifier: i for i, identifier in enumerate(cells)}
    tasks = {i: (blob, cells[i], i, threads, runtime.scale()) for i in todo}
    silent = not progress or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    seconds = []
    path.parent.mkdir(parents=True, exist_ok=True)
    bar = tqdm(
        total=len(cells),
        initial=len(cells) - len(todo),
        desc=title or path.stem,
        disable=silent,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} cells, {elapsed}{postfix}",
    )
    outcomes = _outcomes(tasks, start, workers, threads, address)
    with bar, closing(outcomes):
        try:
            for identifier, outcome, at_once in outcomes:
                if isinstance(outcome, BaseException):
                    name = type(outcome).__name__
                    why = f"the worker died, or could not run it ({name})"
                    outcome = _facts(threads) | {"peak_mb": ""}
                    outcome |= {"status": "failed", "error": why}
                texts = {k: _text(k, v) for k, v in cells[identifier].items()}
                row = texts | outcome | made_by | {"cell": identifier}
                _put(path, row, order)
                failed += row["status"] == "failed"
                seconds.append(float(row.get("seconds") or 0))
                # Cells end in bursts, as many as there are workers: their mean
                # duration tells more than the rate so far.
                waves = math.ceil((len(todo) - len(seconds)) / at_once)
                left = tqdm.format_interval(waves * statistics.fmean(seconds))
                bar.set_postfix_str(f"{failed} failed, about {left} left", False)
                bar.update()
        except KeyboardInterrupt:
            done = len(cells) - len(todo) + len(seconds)
            raise KeyboardInterrupt(
                f"stopped: {done} of {len(cells)} cells are in {path}; "
                "run this again to go on from there"
            ) from None
    mine, _ = known()
    return [{k: typed(text) for k, text in mine[i].items()} for i in cells]


# ------------------------------------------------------------------------ cells


def _mark(value):
    return f"x{digest(value)}"  # the letter, lest a table take digits for a number


def _text(name, value):
    """Return a value as a cell of the table holds it."""
    if hasattr(value, "item"):
        value = value.item()
    text = repr(value) if isinstance(value, float) else str(value)
    text = "" if value is None else text
    back = typed(text)
    same = type(back) is type(value) and (back == value or value != value)
    if not same or len(text.splitlines()) > 1:
        raise ValueError(
            f"{name} is {value!r}: a table holds numbers, bools, None, and strings "
            "of one line that do not look like one of these"
        )
    return text


def _cells(grid):
    """Check the grid and return its cells, {fingerprint: parameters}."""
    cells = {}
    for parameters in grid:
        texts = {name: _text(name, value) for name, value in parameters.items()}
        if taken := texts.keys() & set(FACTS):
            raise ValueError(f"{taken.pop()!r} is a column of every table: rename it")
        values = {name: typed(text) for name, text in texts.items()}
        seed = values.get("seed", 0)
        if type(seed) is not int or seed < 0:
            raise ValueError(f"a seed is an integer >= 0, not {seed!r}")
        identifier = _mark(sorted(texts.items()))
        if identifier in cells:
            raise ValueError(f"the grid holds a cell twice: {values}")
        cells[identifier] = values
    if not cells:
        raise ValueError("the grid is empty")
    return cells


def _facts(threads):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "status": "ok",
        "error": "",
        "peak_mb": str(peak // (1024**2 if sys.platform == "darwin" else 1024)),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": runtime.device().type,
        "threads": str(threads),
        "gmlib": gmlib.__version__,
        "torch": torch.__version__,
    }


def _run(blob, parameters, identifier, threads, scale):
    """Run one cell in a worker and return its results and facts, as texts."""
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
            results = {name: _text(name, value) for name, value in measured.items()}
        except (Exception, SystemExit) as error:
            failed = {"status": "failed", "error": _line(error)}
        seconds = f"{time.perf_counter() - start:.3f}"
        return results | _facts(threads) | {"seconds": seconds} | failed


def _line(error):
    """Say what went wrong in one line, without the folders of this machine."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return re.sub(r"(?<![\w.:/])/(?:[^\s'\":/]+/)+", "", text)[:300]


# -------------------------------------------------------------------- the table


@contextmanager
def _locked(path):
    """Hold the file as it is now: a rename may have put another in its place."""
    while True:
        with open(path, "a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(
                os.fstat(stream.fileno()), path.stat()
            ):
                yield
                return


def _rows(path):
    rows = read_rows(path)
    if rows and not set(FACTS) <= rows[0].keys():
        raise ValueError(f"{path} exists and is not the table of a sweep")
    return rows


def _put(path, row, order):
    """Write a row into the table; cells of `order` stand in that order, at its end."""
    same = ("cell", "code", "scale")
    with _locked(path):
        rows = [r for r in _rows(path) if any(r[k] != row[k] for k in same)]
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


# ------------------------------------------------------------------ the workers


def _outcomes(tasks, start, workers, threads, address):
    """Yield (cell, outcome, cells at once) as cells end; a dead worker is an error."""
    if not tasks:
        return
    waiting, running, suspects = deque(tasks), {}, []
    with start(workers, threads, address) as (submit, workers):
        # Which of several cells killed a worker, or the pool, cannot be told. In the
        # end each goes again, alone, where it also has the memory for itself.
        for at_once in (workers, 1):
            while waiting or running:
                while waiting and len(running) < at_once:
                    identifier = waiting.popleft()
                    running[submit(*tasks[identifier])] = identifier
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    identifier = running.pop(future)
                    outcome = future.exception() or future.result()
                    if isinstance(outcome, Exception) and at_once > 1:
                        suspects.append(identifier)
                    else:
                        yield identifier, outcome, at_once
            waiting, suspects = deque(suspects), []


@contextmanager
def _loky(workers, threads, address):
    """Processes of this machine; a pool in which one died is replaced."""
    if address is not None:
        raise ValueError("backend='loky' is this machine: it has no address")
    workers = workers or max(1, joblib.cpu_count() // threads)
    pools = []

    def submit(*task):
        try:
            return pools[-1].submit(_run, *task)
        except (IndexError, BrokenExecutor):
            begin = {"initializer": _begin, "initargs": (os.getpid(),)}
            pools.append(loky.ProcessPoolExecutor(workers, **begin))
            return pools[-1].submit(_run, *task)

    kill = True
    try:
        yield submit, workers
        kill = False
    finally:
        for pool in pools:
            pool.shutdown(wait=True, kill_workers=kill)


def _begin(parent):
    """Leave Ctrl-C to the parent, and end when it has been killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _ray(workers, threads, address):
    import ray

    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # report to nobody
        where, own = address or os.environ.get("RAY_ADDRESS"), {}
        if where is None:
            cores = (workers or max(1, joblib.cpu_count() // threads)) * threads
            own = {"num_cpus": cores, "object_store_memory": RAY_STORE}
            own["include_dashboard"] = False
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        ray.init(where or "local", **own, **quiet)
    try:
        run = ray.remote(num_cpus=threads, max_retries=0)(_run)
        cores = int(ray.cluster_resources()["CPU"])
        yield lambda *task: run.remote(*task).future(), workers or cores // threads
    finally:
        if started:
            ray.shutdown()


@contextmanager
def _dask(workers, threads, address):
    import dask
    from distributed import Client

    where, own = address or dask.config.get("scheduler-address", None), {}
    if where is None:
        own = {"n_workers": workers or max(1, joblib.cpu_count() // threads)}
        own |= {"threads_per_worker": 1, "dashboard_address": None}
        own["silence_logs"] = logging.CRITICAL
    # A cell that kills its worker is not to kill three others.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        Client(where, **own) as client,
    ):
        pool = client.get_executor(pure=False)
        yield (
            lambda *task: pool.submit(_run, *task),
            workers or sum(client.nthreads().values()),
        )


BACKENDS = {
    "loky": (_loky, None),
    "ray": (_ray, "ray"),
    "dask": (_dask, "distributed"),
}
