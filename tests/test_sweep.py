"""Sweeps: every cell once, whatever dies; the same table, whoever runs it."""

import os
import random
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import sweep as tool
import torch

from gmlib import data, nets, runtime
from gmlib.sweep import BACKENDS, FACTS, _run, crossed, sweep

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


def soon(condition, seconds=20):
    """Wait until a condition holds and tell whether it came to hold."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return bool(condition())


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The rows of `GRID` from one worker, and their file."""
    runtime.set_scale("smoke")
    path = tmp_path_factory.mktemp("one") / "table.csv"
    return sweep(random_cell, GRID, path, workers=1), path


@pytest.fixture
def at_hand(monkeypatch):
    """Cells run in this process: what is tested is not who runs them."""

    @contextmanager
    def here(workers, threads, address):
        with ThreadPoolExecutor(1) as pool:
            yield (lambda *task: pool.submit(_run, *task)), 1

    monkeypatch.setitem(BACKENDS, "loky", (here, None))
    monkeypatch.setenv("TQDM_DISABLE", "1")


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
    rows = sweep(
        random_cell, GRID, tmp_path / "cluster.csv", workers=2, backend=backend
    )
    # Who says that a worker died has its own word for it; Dask's threads use `random`.
    without = {"error", *(["random"] if backend == "dask" else [])}
    assert untimed(rows, without) == untimed(reference[0], without)
    assert [r["error"] for r in rows[:4]] == [r["error"] for r in reference[0][:4]]
    for row in rows[5:]:
        assert row["error"].startswith("the worker died")
    assert soon(lambda: started_processes() == before), started_processes()


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


# -------------------------------------------------------------------- what survives


def marking(folder):
    """A cell that leaves a mark whenever it runs."""

    def cell(i):
        with open(folder / "marks", "a") as marks:
            marks.write(f"{i}\n")
        if i == 2 and not (folder / "mended").exists():
            raise RuntimeError("not yet")
        return {"square": i**2}

    return cell


def marks(folder):
    return Counter(map(int, (folder / "marks").read_text().split()))


def test_a_cell_that_is_done_is_not_run_again(tmp_path, at_hand, capsys):
    cell, path = marking(tmp_path), tmp_path / "table.csv"
    sweep(cell, crossed(i=range(3)), path, workers=2)
    rows = sweep(cell, crossed(i=range(4)), path, workers=2)
    assert marks(tmp_path) == {0: 1, 1: 1, 2: 1, 3: 1}
    assert [row["square"] for row in rows] == [0, 1, None, 9]
    (tmp_path / "mended").touch()
    rows = sweep(cell, crossed(i=range(4)), path, workers=2, retry=True)
    assert marks(tmp_path) == {0: 1, 1: 1, 2: 2, 3: 1}
    assert [row["square"] for row in rows] == [0, 1, 4, 9]
    assert len(data.read_rows(path)) == 4
    assert "not counted" not in capsys.readouterr().out

    def changed(i):
        return {"square": i**2 + 1}

    rows = sweep(changed, crossed(i=range(2)), path, workers=1)
    assert [row["square"] for row in rows] == [1, 2]
    assert "2 rows are kept but not counted" in capsys.readouterr().out
    assert len(data.read_rows(path)) == 6, "the rows of the old cell are still there"
    runtime.set_scale("cpu")
    rows = sweep(changed, crossed(i=[0]), path, workers=1)
    assert rows[0]["scale"] == "cpu"


def test_a_torn_line_costs_its_cell_only(tmp_path, at_hand):
    (tmp_path / "mended").touch()
    cell, path = marking(tmp_path), tmp_path / "table.csv"
    sweep(cell, crossed(i=range(3)), path, workers=1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])  # even where all columns are there
    path.with_name(".table.csv.part").write_text("what a kill left half writ")
    assert len(data.read_rows(path)) == 2
    sweep(cell, crossed(i=range(3)), path, workers=1)
    assert marks(tmp_path) == {0: 1, 1: 1, 2: 2}
    assert path.read_bytes().splitlines()[:3] == whole.splitlines()[:3]
    assert len(data.read_rows(path)) == 3


SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from gmlib.sweep import crossed, sweep

folder, low, high, workers = Path(sys.argv[1]), *map(int, sys.argv[2:])

def cell(i):
    with open(folder / "marks", "a") as marks:
        marks.write(f"{i}\\n")
    with open(folder / "workers", "a") as workers:
        workers.write(f"{os.getpid()}\\n")
    time.sleep(float((folder / "pause").read_text()))
    return {"square": i**2}

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rows = sweep(cell, crossed(i=range(low, high)), folder / "table.csv",
                 workers=workers)
    assert [row["square"] for row in rows] == [row["i"]**2 for row in rows]
"""


@pytest.fixture
def script(tmp_path):
    """Start a sweep of cells [low, high) in a process of its own."""
    (tmp_path / "script.py").write_text(SCRIPT)
    started = []

    def start(low, high, workers, pause):
        (tmp_path / "pause").write_text(str(pause))
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
        process = subprocess.Popen(
            [*command, *map(str, (low, high, workers))],
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def done(folder):
    return [int(row["i"]) for row in data.read_rows(folder / "table.csv")]


def workers_are_gone(folder):
    pids = set(map(int, (folder / "workers").read_text().split()))
    return soon(lambda: not any(map(psutil.pid_exists, pids)))


def test_a_killed_sweep_goes_on(tmp_path, script, at_hand, monkeypatch):
    first = script(0, 8, 2, 0.5)
    assert soon(lambda: len(done(tmp_path)) >= 3, 60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    survived = done(tmp_path)
    assert 3 <= len(survived) < 8
    assert workers_are_gone(tmp_path), "a killed sweep leaves nobody at work"
    assert done(tmp_path) == survived
    (tmp_path / "pause").write_text("0")
    monkeypatch.setattr("sys.argv", ["script", str(tmp_path), "0", "8", "1"])
    runtime.set_scale("cpu")  # as the script found it
    same = runpy.run_path(str(tmp_path / "script.py"))
    sweep(same["cell"], crossed(i=range(8)), tmp_path / "table.csv")
    assert done(tmp_path) == list(range(8)), "none is lost"
    counts = marks(tmp_path)
    assert [counts[i] for i in survived] == [1] * len(survived), "none runs twice"
    assert counts.total() <= 8 + 2, "again: at most the two that were at work"


def test_ctrl_c_keeps_what_is_done(tmp_path, script):
    process = script(0, 8, 2, 0.5)
    assert soon(lambda: len(done(tmp_path)) >= 2, 60)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode not in (0, None)
    kept = len(done(tmp_path))
    assert 2 <= kept < 8
    assert f"stopped: {kept} of 8 cells are in" in said
    assert workers_are_gone(tmp_path)


def test_two_sweeps_into_one_file_lose_no_row(tmp_path, script):
    both = [script(0, 15, 1, 0.02), script(15, 30, 1, 0.02)]
    seen = [0]
    while any(process.poll() is None for process in both):
        rows = data.read_rows(tmp_path / "table.csv")
        assert all(int(r["square"]) == int(r["i"]) ** 2 for r in rows)
        seen.append(len(rows))
        time.sleep(0.02)
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(done(tmp_path)) == list(range(30))
    assert seen == sorted(seen), "a reader never sees fewer rows than before"


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


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ([], {}, "empty"),
        ([{"a": 1}, {"a": 1}], {}, "twice"),
        ([{"a": [1]}], {}, r"a is \[1\]"),
        ([{"a": "1"}], {}, "a is '1'"),
        ([{"a": "b\nc"}], {}, "one line"),
        ([{"status": 1}], {}, "rename"),
        ([{"seed": -1}], {}, "a seed"),
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


# --------------------------------------------------------------- the recorded sweeps


def test_a_recorded_sweep_is_read_with_its_types(
    tmp_path, at_hand, monkeypatch, capsys
):
    (tmp_path / "sweeps").mkdir()
    file = tmp_path / "sweeps" / "tiny.py"
    file.write_text(
        "from gmlib.runtime import by_scale\n"
        "grid = [{'a': a} for a in range(by_scale(smoke=1, cpu=2, gpu=3))]\n"
        "def half(a):\n    return a / 2\n"
        "def cell(a):\n    return {'half': half(a), 'even': a % 2 == 0}\n"
    )
    assert len(tool.record("tiny", "smoke", tmp_path, workers=1)) == 1
    assert not (tmp_path / "data").exists(), "smoke stores nothing"
    tool.record("tiny", "cpu", tmp_path, workers=1)
    file.write_text(file.read_text().replace("a / 2", "a / 4"))
    rows = tool.record("tiny", "cpu", tmp_path, workers=1)
    assert "2 rows are kept but not counted" in capsys.readouterr().out
    monkeypatch.setattr(data.shelf, "PLACE", tmp_path / "data")
    assert data.results("tiny") == rows, "the newest code"
    assert [(r["half"], r["even"]) for r in rows] == [(0.0, True), (0.25, False)]
    with pytest.raises(ValueError, match="'huge': tiny"):
        data.results("huge")


SWEEPS = sorted(path.stem for path in (tool.ROOT / "sweeps").glob("*.py"))


@pytest.mark.parametrize("name", SWEEPS)
def test_the_recorded_sweeps_run(name, capsys):
    assert tool.main([name, "--scale", "smoke", "--workers", "1"]) == 0
    cells = len(tool.load(name).grid)
    assert cells > 1
    assert f"{name}: {cells} cells done, 0 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scores", "word"),
    [
        ((8.0, 20.0, 10, 1.0), "trained"),
        ((8.0, 20.0, 10, 0.2), "collapsed"),
        ((3.0, 200.0, 3, 1.0), "collapsed"),
        ((2.0, 600.0, 9, 1.0), "poor"),
    ],
)
def test_the_verdict_on_an_architecture_follows_its_rule(scores, word):
    assert tool.load("architectures").verdict(*scores) == word


def test_with_all_guidelines_the_networks_are_those_of_the_library():
    module = tool.load("guidelines")
    G, T = module.networks(module.DCGAN)
    assert repr(G) == repr(nets.dcgan_generator(64, width=16))
    assert repr(T) == repr(nets.dcgan_discriminator(width=16))
    for removed, changed in module.REMOVED.items():
        assert changed.keys() <= module.DCGAN.keys(), removed


def test_historical_averaging_is_the_distance_to_the_mean_of_the_past():
    """‖θ − 1/t Σ_i θ_i‖², Salimans et al. 2016, section 3.3."""
    net = torch.nn.Linear(2, 1, bias=False)
    past, thetas = tool.load("tricks").Past([net]), torch.randn(4, 1, 2)
    assert past.distance() == 0, "there is no past yet"
    for theta in thetas:
        with torch.no_grad():
            net.weight.copy_(theta)
            past.update()
    expected = (thetas[-1] - thetas.mean(0)).square().sum()
    assert past.distance().item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_few_labels_are_balanced_and_follow_the_seed():
    few = tool.load("semi_supervised").few
    runtime.seed(1)
    first = few(data.digits(), 100)
    assert torch.equal(torch.bincount(first.y), torch.full((10,), 10))
    runtime.seed(1)
    assert torch.equal(first.x, few(data.digits(), 100).x)
    assert not torch.equal(first.x, few(data.digits(), 100).x)


def test_an_unknown_sweep_is_named(capsys):
    with pytest.raises(SystemExit):
        tool.main(["nothing"])
    assert (
        "no sweep 'nothing': choose from ali_grid, architectures"
        in capsys.readouterr().err
    )
