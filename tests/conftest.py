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


def pytest_configure(config):
    # Two workers on two cores: one thread each.
    torch.set_num_threads(1)
