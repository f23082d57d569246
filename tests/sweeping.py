"""What the tests of sweeps share: cells run here, and waiting for what will hold."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from gmlib.sweep.cells import run
from gmlib.sweep.pools import BACKENDS, Backend


def run_here(monkeypatch):
    """Let cells run in this process: what is tested is not who runs them."""

    @contextmanager
    def here(workers, threads, address):
        with ThreadPoolExecutor(1) as pool:
            yield (lambda *task: pool.submit(run, *task)), 1

    monkeypatch.setitem(BACKENDS, "loky", Backend(here, None))
    monkeypatch.setenv("TQDM_DISABLE", "1")


def soon(condition, seconds=1500):
    """Wait until a condition holds and tell whether it came to hold."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return bool(condition())
