"""Sweeps: one table, the same whoever runs it, and what it refuses."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from sweeping import run_here, soon

from gmlib import data, runtime
from gmlib.sweep import FACTS, crossed, pools, sweep

TIMES = {"seconds", "peak_mb", "date"}


def untimed(rows, without=()):
    return [
        {k: v for k, v in row.items() if k not in {*TIMES, *without}} for row in rows
    ]


def make_cell():
    """A cell as a notebook has them: workers cannot import it."""

    def cell(seed, a):
        time.sleep(0.3 * (seed == 0))  # with two workers the ends come in another order
        if a == "bad":
            raise ValueError(f"not\nthis, in {Path.home() / 'x' / 'y.csv'}")
        if a == "dead":
            os._exit(3)
        if a == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return {
            "normal": torch.randn(3).sum(),
            "numpy": np.random.rand(),  # noqa: NPY002
            "random": random.random(),
            "threads_seen": torch.get_num_threads(),
            "scale_seen": runtime.scale(),
        }

    return cell


random_cell = make_cell()


GRID = [
    *crossed(seed=[0, 1], a=["x", "bad"]),
    {"seed": 2, "a": None},
    {"seed": 0, "a": "dead"},
    {"seed": 0, "a": "killed"},
]


def started_processes():
    """The processes under this one, but for Python's own trackers."""
    under = psutil.Process().children(recursive=True)
    lines = []
    for process in under:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                lines.append(" ".join(process.cmdline()))
        except psutil.NoSuchProcess:
            continue
    return [line for line in lines if line and "tracker" not in line]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The rows of `GRID` from one worker, and their file."""
    runtime.set_scale("smoke")
    path = tmp_path_factory.mktemp("one") / "table.csv"
    return sweep(random_cell, GRID, path, workers=1), path


@pytest.fixture
def at_hand(monkeypatch):
    run_here(monkeypatch)


# ------------------------------------------------------------------------- a table


def test_a_row_says_what_came_out_and_how(reference):
    rows, path = reference
    assert [{k: row[k] for k in ("seed", "a")} for row in rows] == GRID
    assert [row["status"] for row in rows] == [
        *("ok", "failed", "ok", "failed", "ok", "failed", "failed")
    ]
    assert rows[1]["error"] == "ValueError: not this, in y.csv"
    assert rows[1]["normal"] is None
    for row in rows[5:]:
        assert row["error"].startswith("the worker died")
    runtime.seed(1)
    assert rows[2]["normal"] == torch.randn(3).sum().item()
    for row in rows:
        assert set(FACTS) < row.keys()
        assert row["scale"] == "smoke"
        assert row["device"] == "cpu"
        assert row["normal"] is None or row["threads_seen"] == 1
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", row["date"])
    assert rows[0]["scale_seen"] == "smoke"
    assert rows[0]["seconds"] >= 0.3
    text = path.read_text()
    for private in (socket.gethostname(), str(Path.home()), str(path.parent), "127.0."):
        assert private not in text
    assert len(text.splitlines()) == 1 + len(GRID)


def test_the_table_does_not_depend_on_the_number_of_workers(reference, tmp_path):
    rows = sweep(random_cell, GRID, tmp_path / "two.csv", workers=2)
    assert untimed(rows) == untimed(reference[0])
    files = [data.read_rows(p) for p in (tmp_path / "two.csv", reference[1])]
    assert untimed(files[0]) == untimed(files[1]), "row for row"
    assert list(files[0][0]) == list(files[1][0]), "and column for column"


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_cluster_gives_the_same_table_and_leaves_nothing(
    backend, reference, tmp_path
):
    pytest.importorskip({"ray": "ray", "dask": "distributed"}[backend])
    before = started_processes()
    try:
        rows = sweep(
            random_cell, GRID, tmp_path / "cluster.csv", workers=2, backend=backend
        )
    except Exception as fault:
        # Thrice: its processes give each other so many seconds, and then end.
        if "timed out during startup" in str(fault):
            pytest.skip("Ray cannot start on a machine as busy as this one")
        raise
    # Who says that a worker died has its own word for it; Dask's threads use `random`.
    without = {"error", *(["random"] if backend == "dask" else [])}
    assert untimed(rows, without) == untimed(reference[0], without)
    assert [r["error"] for r in rows[:4]] == [r["error"] for r in reference[0][:4]]
    for row in rows[5:]:
        assert row["error"].startswith("the worker died")
    assert soon(lambda: started_processes() == before), started_processes()


def test_a_cluster_that_starts_too_slowly_is_started_anew(monkeypatch):
    calls, theirs, before = [], [], started_processes()
    code = "import time; time.sleep(1000)"
    other = subprocess.Popen([sys.executable, "-c", code, "not Ray's"])

    def init(where, **settings):
        calls.append((where, settings))
        theirs.append(subprocess.Popen([sys.executable, "-c", code, "/ray/raylet"]))
        if len(calls) < failures:
            raise RuntimeError("The current node timed out during startup.")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    failures = 3
    pools._ray_init(None, {"num_cpus": 2})
    assert calls == [("local", {"num_cpus": 2})] * 3
    assert [process.wait() for process in theirs[:2]] == [-signal.SIGKILL] * 2
    assert theirs[2].poll() is None, "this start went well"
    theirs[2].kill()
    calls.clear()
    failures = 5
    with pytest.raises(RuntimeError, match="timed out"):
        pools._ray_init(None, {})
    assert len(calls) == 3
    assert [process.wait() for process in theirs[3:]] == [-signal.SIGKILL] * 3
    with pytest.raises(RuntimeError, match="timed out"):
        pools._ray_init("10.0.0.1:6379", {})
    assert len(calls) == 4, "a cluster of others is asked once"
    theirs[-1].kill()
    assert other.poll() is None, "no process that is not Ray's is stopped"
    other.kill()
    assert soon(lambda: started_processes() == before)


def test_a_cluster_that_runs_is_joined(reference, tmp_path):
    distributed = pytest.importorskip("distributed")
    # Two threads in one process: their cells must not share a random state.
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, processes=True
    ) as cluster:
        rows = sweep(
            random_cell, GRID[:4], tmp_path / "joined.csv", backend="dask",
            address=cluster.scheduler_address,
        )  # fmt: skip
        assert cluster.status.name == "running", "it is not ours to stop"
    assert untimed(rows, {"random"}) == untimed(reference[0][:4], {"random"})


def test_cells_without_a_seed_differ_and_are_reproducible(tmp_path, at_hand):
    def cell(a):
        return {"x": torch.rand(())}

    first, again = (
        sweep(cell, grid, tmp_path / f"{len(grid)}.csv", workers=2)
        for grid in (crossed(a=[1, 2, 3]), crossed(a=[3]))
    )
    assert len({row["x"] for row in first}) == 3
    assert first[2]["x"] == again[0]["x"]


def test_progress_counts_and_estimates(tmp_path, at_hand, monkeypatch, capfd):
    monkeypatch.setenv("TQDM_DISABLE", "0")

    def cell(a):
        return {"b": 1 / a}

    sweep(cell, crossed(a=[0, 1]), tmp_path / "p.csv", workers=1, title="the title")
    shown = capfd.readouterr().err
    assert re.search(r"the title: 100%.*2/2 cells, .*1 failed, about 00:00 left", shown)


# ------------------------------------------------------------------------ bad input


def test_results_that_no_table_holds_fail_with_a_reason(tmp_path, at_hand):
    def cell(kind):
        values = {"list": {"x": [1]}, "none": None, "clash": {"kind": 1}}
        values |= {"fact": {"code": 1}, "number": {"x": "3"}, "exit": {}}
        return values[kind] if kind != "exit" else sys.exit("enough")

    kinds = ["list", "none", "clash", "fact", "number", "exit"]
    rows = sweep(cell, crossed(kind=kinds), tmp_path / "t.csv", workers=1)
    reasons = [
        "x is [1]", "returns a dict", "'kind' is already", "'code' is already",
        "x is '3'", "SystemExit: enough",
    ]  # fmt: skip
    for row, reason in zip(rows, reasons, strict=True):
        assert row["status"] == "failed"
        assert reason in row["error"]


def test_an_empty_string_is_no_value_and_does_not_cost_the_cell(tmp_path, at_hand):
    def cell(a):
        return {"picture": "" if a else "data:", "none": None}

    rows = sweep(cell, crossed(a=[0, 1]), tmp_path / "t.csv", workers=1)
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert [row["picture"] for row in rows] == ["data:", None]


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ([], {}, "empty"),
        ([{"a": 1}, {"a": 1}], {}, "twice"),
        ([{"a": [1]}], {}, r"a is \[1\]"),
        ([{"a": "1"}], {}, "a is '1'"),
        ([{"a": "b\nc"}], {}, "one line"),
        ([{"status": 1}], {}, "rename"),
        ([{"seed": -1}], {}, "seed must be"),
        ([{"a": 1}], {"backend": "slurm"}, "loky, ray, dask"),
        ([{"a": 1}], {"workers": 0}, "workers"),
        ([{"a": 1}], {"threads": 0}, "threads"),
        ([{"a": 1}], {"address": "tcp://x"}, "address"),
    ],
)
def test_bad_input_is_refused_before_the_first_cell(grid, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        sweep(lambda **_: {}, grid, tmp_path / "t.csv", **options)
    assert not (tmp_path / "t.csv").exists()


def test_a_file_that_is_no_sweep_is_left_alone(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="not the table of a sweep"):
        sweep(lambda a: {}, [{"a": 1}], path)
    assert path.read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_missing_package_is_named_with_its_extra(backend, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'gmlib\[cluster\]'"):
        sweep(lambda a: {}, [{"a": 1}], tmp_path / "t.csv", backend=backend)
