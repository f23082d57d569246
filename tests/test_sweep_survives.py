"""Sweeps: every cell once, whatever dies."""

import os
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from sweeping import run_here, soon

from gmlib import data, runtime
from gmlib.sweep import crossed, sweep


@pytest.fixture
def at_hand(monkeypatch):
    run_here(monkeypatch)


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
    while i >= int((folder / "free").read_text()):
        time.sleep(0.02)
    return {"square": i**2}

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rows = sweep(cell, crossed(i=range(low, high)), folder / "table.csv",
                 workers=workers)
    assert [row["square"] for row in rows] == [row["i"]**2 for row in rows]
"""


@pytest.fixture
def script(tmp_path):
    """Start a sweep of cells [low, high) in a process; those from `free` on wait."""
    (tmp_path / "script.py").write_text(SCRIPT)
    started = []

    def start(low, high, workers, free):
        (tmp_path / "free").write_text(str(free))
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
        process = subprocess.Popen(
            [*command, *map(str, (low, high, workers))],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
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
    first = script(0, 8, 2, free=4)
    assert soon(lambda: len(done(tmp_path)) >= 4)
    first.send_signal(signal.SIGKILL)
    first.wait()
    survived = done(tmp_path)
    assert survived == [0, 1, 2, 3]
    assert workers_are_gone(tmp_path), "a killed sweep leaves nobody at work"
    assert done(tmp_path) == survived
    (tmp_path / "free").write_text("8")
    monkeypatch.setattr("sys.argv", ["script", str(tmp_path), "0", "8", "1"])
    runtime.set_scale("cpu")  # as the script found it
    same = runpy.run_path(str(tmp_path / "script.py"))
    sweep(same["cell"], crossed(i=range(8)), tmp_path / "table.csv")
    assert done(tmp_path) == list(range(8)), "none is lost"
    counts = marks(tmp_path)
    assert [counts[i] for i in survived] == [1] * len(survived), "none runs twice"
    assert counts.total() <= 8 + 2, "again: at most the two that were at work"


def test_ctrl_c_keeps_what_is_done(tmp_path, script):
    process = script(0, 8, 2, free=3)
    assert soon(lambda: len(done(tmp_path)) >= 3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode not in (0, None)
    assert done(tmp_path) == [0, 1, 2]
    assert "stopped: 3 of 8 cells are in" in said
    assert workers_are_gone(tmp_path)


def test_two_sweeps_into_one_file_lose_no_row(tmp_path, script):
    both = [script(0, 15, 1, free=30), script(15, 30, 1, free=30)]
    seen = [0]
    while any(process.poll() is None for process in both):
        rows = data.read_rows(tmp_path / "table.csv")
        assert all(int(r["square"]) == int(r["i"]) ** 2 for r in rows)
        seen.append(len(rows))
        time.sleep(0.02)
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(done(tmp_path)) == list(range(30))
    assert seen == sorted(seen), "a reader never sees fewer rows than before"
