"""Who runs the cells: processes of this machine, or a cluster."""

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, NamedTuple

import joblib
from joblib.externals import loky

from gmlib.sweep.cells import run

RAY_STORE = 80_000_000  # bytes, about the least Ray takes: a row is small

Submit = Callable[..., Future]
Pool = AbstractContextManager[tuple[Submit, int]]


class Backend(NamedTuple):
    """How workers are started, and the package that this needs, if any."""

    start: Callable[[int | None, int, str | None], Pool]
    package: str | None


def outcomes(
    tasks: dict[str, tuple[Any, ...]], pool: Pool
) -> Generator[tuple[str, Any, int], None, None]:
    """Run `run` on each task; yield (cell, outcome, cells at once) as cells end.

    The outcome is what `run` returned, or the exception of a worker that died.
    """
    if not tasks:
        return
    waiting, running, suspects = deque(tasks), {}, []
    with pool as (submit, workers):
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
def _loky(
    workers: int | None, threads: int, address: str | None
) -> Iterator[tuple[Submit, int]]:
    """Processes of this machine; a pool in which one died is replaced."""
    if address is not None:
        raise ValueError("backend='loky' is this machine: it has no address")
    workers = workers or max(1, joblib.cpu_count() // threads)
    pools = []

    def submit(*task: Any) -> Future:
        try:
            return pools[-1].submit(run, *task)
        except (IndexError, BrokenExecutor):
            begin = {"initializer": _begin, "initargs": (os.getpid(),)}
            pools.append(loky.ProcessPoolExecutor(workers, **begin))
            return pools[-1].submit(run, *task)

    kill = True
    try:
        yield submit, workers
        kill = False
    finally:
        for pool in pools:
            pool.shutdown(wait=True, kill_workers=kill)


def _begin(parent: int) -> None:
    """Leave Ctrl-C to the parent, and end when it has been killed.

    (On Windows a process keeps the number of a parent that is gone, and its workers
    end when they next look for work.)
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _ray(
    workers: int | None, threads: int, address: str | None
) -> Iterator[tuple[Submit, int]]:
    """A Ray cluster: one that runs, or one of this machine for this block."""
    import ray

    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # report to nobody
        where = address or os.environ.get("RAY_ADDRESS")
        own: dict[str, Any] = {}
        if where is None:
            cores = (workers or max(1, joblib.cpu_count() // threads)) * threads
            own = {"num_cpus": cores, "object_store_memory": RAY_STORE}
            own["include_dashboard"] = False
        own |= {"log_to_driver": False, "logging_level": logging.ERROR}
        _ray_init(where, own)
    try:
        remote = ray.remote(num_cpus=threads, max_retries=0)(run)
        cores = int(ray.cluster_resources()["CPU"])
        yield lambda *task: remote.remote(*task).future(), workers or cores // threads
    finally:
        if started:
            ray.shutdown()


def _ray_init(where: str | None, own: dict[str, Any]) -> None:
    """Join the cluster at `where`, or start one of this machine.

    Ray gives its own processes 30 s to start, which on a busy machine is too little:
    those that are then left over are stopped, and it tries anew, twice.
    """
    import psutil
    import ray

    if where is not None:
        ray.init(where, **own)
        return
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "600")
    for tries_left in (2, 1, 0):
        before = set(psutil.Process().children(recursive=True))
        try:
            ray.init("local", **own)
            return
        except Exception:
            late = set(psutil.Process().children(recursive=True)) - before
            for process in late:
                with suppress(psutil.NoSuchProcess):
                    if any("/ray/" in word for word in process.cmdline()):
                        process.kill()
            if not tries_left:
                raise


@contextmanager
def _dask(
    workers: int | None, threads: int, address: str | None
) -> Iterator[tuple[Submit, int]]:
    """A Dask cluster: one that runs, or one of this machine for this block."""
    import dask
    from distributed import Client

    where = address or dask.config.get("scheduler-address", None)
    own: dict[str, Any] = {}
    if where is None:
        own = {"n_workers": workers or max(1, joblib.cpu_count() // threads)}
        own |= {"threads_per_worker": 1, "dashboard_address": None}
        own["silence_logs"] = logging.CRITICAL
    settings = {
        # A cell that kills its worker is not to kill three others.
        "distributed.scheduler.allowed-failures": 0,
        # The worker is started anew. A cluster that loses patience with it (after 15 s
        # of a busy machine) has none in the end, and waits for one for ever.
        "distributed.deploy.lost-worker-timeout": "1 hour",
    }
    with dask.config.set(settings), Client(where, **own) as client:
        pool = client.get_executor(pure=False)
        yield (
            lambda *task: pool.submit(run, *task),
            workers or sum(client.nthreads().values()),
        )


BACKENDS = {
    "loky": Backend(_loky, None),
    "ray": Backend(_ray, "ray"),
    "dask": Backend(_dask, "distributed"),
}
