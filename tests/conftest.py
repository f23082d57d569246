"""Every test starts from the same seed and scale, on the CPU, silent."""

import os

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["GMLIB_DEVICE"] = "cpu"

import pytest
import torch

from gmlib import runtime


@pytest.fixture(autouse=True)
def same_start(monkeypatch):
    for name in ("GMLIB_SCALE", "GMLIB_CHECKPOINTS"):
        monkeypatch.delenv(name, raising=False)
    runtime.set_scale("smoke")
    runtime.seed(0)


@pytest.fixture(scope="session")
def browser():
    """A browser; one serves all tests of a worker (see browser.Visit)."""
    from browser import launch
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server():
    """The built site, served as a web host would."""
    from serve import base, serve
    from test_site import HTML

    with serve(HTML, prefix=base()) as server:
        yield server
        server.shutdown()


def pytest_configure(config):
    # Two workers on two cores: one thread each.
    torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption("--chapter", help="only what is tried on this chapter")


# What takes minutes begins first, so that no worker ends long after the others.
LONGEST = {"test_sweep", "test_benchmarks", "test_runs", "test_sweep_recorded"}


def pytest_collection_modifyitems(config, items):
    """Put the longest first; keep what concerns the chapter asked for, if one was."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    name = config.getoption("--chapter")
    if name is None:
        return

    def concerns(item):
        values = getattr(getattr(item, "callspec", None), "params", {})
        path, page = values.get("path"), values.get("page")
        return getattr(path, "stem", None) == name or page == f"chapters/{name}.html"

    kept = [item for item in items if concerns(item)]
    config.hook.pytest_deselected(items=[i for i in items if i not in kept])
    items[:] = kept
