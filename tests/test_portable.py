"""Training and sweeping need no module that Python lacks on Windows."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HIDE = """import sys
for name in ("fcntl", "resource"):
    sys.modules[name] = None
"""
SCRIPT = """
import importlib, pkgutil, sys
from pathlib import Path

import torch
from torch import nn
import gmlib

torch.set_num_threads(1)
for module in pkgutil.walk_packages(gmlib.__path__, "gmlib."):
    importlib.import_module(module.name)
from gmlib.game import Player, fit
from gmlib.sweep import crossed, sweep

folder = Path(sys.argv[1])
for rounds in (2, 4):
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    players = {"net": Player([net], lambda x: net(x).square().mean())}
    history = fit(players, lambda n: torch.randn(n, 2), rounds,
                  checkpoint=folder / "net.safetensors")
    assert len(history.rounds) == rounds

def cell(a):
    return {"hidden": sys.modules["fcntl"] is sys.modules["resource"] is None}

rows = sweep(cell, crossed(a=[1, 2]), folder / "table.csv", workers=1)
print([(row["a"], row["status"], row["hidden"], row["peak_mb"]) for row in rows])
"""


def test_all_rooms_a_training_and_a_sweep_do_without_fcntl_and_resource(tmp_path):
    # Python imports it when it starts, in this process and in the sweep's workers.
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [(a, "ok", True, None) for a in (1, 2)]
    assert done.stdout.splitlines()[-1] == str(rows)
