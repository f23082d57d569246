"""Speed of the engine against two loops without it, with the same networks.

    python -m benchmarks.loops [GAME ...] [--seconds 2] [--repeats 5] [--record]

The textbook loop, the loop of an expert (by hand), the engine, and the engine with each
switch train by turns in one process, on the same device with the same number of
threads; a ratio is taken within each turn, and the median of the turns counts. Each
loop is also started once in a process of its own, which says how long the first round
takes from nothing and how much memory it needs.

--record writes data/speed/loops.csv, which the site shows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch

from benchmarks.games import GAMES, by_hand_loop, engine_loop, textbook_loop
from benchmarks.measure import (
    copy_peak,
    enough,
    matrix_peak,
    seconds_of_a_round,
    synchronize,
    work_of,
)
from benchmarks.records import ROOT, machine, record
from gmlib import runtime
from gmlib.game import fast

FAST = {"engine": False, "compile": ("compile",)}
if torch.cuda.is_available() or fast.processor_has_bf16():
    FAST |= {"bf16": ("bf16",)}
if torch.cuda.is_available():
    FAST |= {"graph": ("graph",), "graph + bf16": ("graph", "bf16")}


def measure(game, seconds, repeats, switches=True):
    """Return one row a loop: speeds and ratios, all from this one run."""
    loops = {"textbook": textbook_loop(game), "by hand": by_hand_loop(game)}
    for name, switched in FAST.items():
        if name == "engine" or switches:
            loops[name] = engine_loop(game, switched)
    rounds = {name: enough(train, seconds) for name, train in loops.items()}
    speeds = {name: [] for name in loops}
    for _ in range(repeats):
        for name, train in loops.items():
            taken = seconds_of_a_round(train, rounds[name])
            speeds[name].append(game.batch / taken)
    work = {name: work_of(loops[name]) for name in ("textbook", "by hand", "engine")}
    peaks = matrix_peak(), copy_peak()
    rows = []
    for name, found in speeds.items():
        ratios, expert = (
            sorted(b / a for a, b in zip(speeds[base], found, strict=True))
            for base in ("textbook", "by hand")
        )
        speed = statistics.median(found)
        row = {
            "loop": name,
            "images/s": speed,
            "ratio": statistics.median(ratios),
            "lowest": ratios[0],
            "highest": ratios[-1],
            "to by hand": statistics.median(expert),
        }
        flops, moved = work.get(name, work["engine"])  # a switch changes no work
        row["of matrix peak"] = flops * speed / game.batch / peaks[0]
        row["of copy peak"] = moved * speed / game.batch / peaks[1]
        rows.append(row)
    return rows


def cold(game, loop):
    """Play one round and say how long it took from the start of the process."""
    train = textbook_loop(game) if loop == "textbook" else engine_loop(game, FAST[loop])
    train(1)
    synchronize()
    seconds = time.time() - float(os.environ["GMLIB_BENCH_START"])
    train(20)
    if runtime.device().type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    else:
        # Not getrusage, whose peak a process inherits from the one that started it.
        status = Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) / 2**10
    return {"cold start, s": seconds, "peak memory, MiB": peak}


def apart(*words):
    """Run this command in a process of its own and return the JSON of its last line."""
    env = os.environ | {"GMLIB_BENCH_START": str(time.time())}
    command = [sys.executable, "-m", "benchmarks.loops", *words]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def arguments(argv):
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("games", nargs="*", metavar="GAME", help=", ".join(GAMES))
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-switches", action="store_true", help="engine alone")
    parser.add_argument("--no-cold", action="store_true", help="no cold starts")
    parser.add_argument("--record", action="store_true", help="write the CSV")
    parser.add_argument("--cold", metavar="LOOP", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    unknown = set(asked.games) - set(GAMES)
    if unknown:
        parser.error(f"no game {', '.join(unknown)}: choose from {', '.join(GAMES)}")
    return asked


def compare(name, asked):
    """Return the rows of one game, and print each."""
    game = GAMES[name]
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stderr(nowhere),
        redirect_stdout(nowhere),
    ):
        found = measure(game, asked.seconds, asked.repeats, not asked.no_switches)
    rows = []
    for row in found:
        if row["loop"] in ("textbook", "engine") and not asked.no_cold:
            row |= apart(name, "--cold", row["loop"])
        target = game.targets.get(row["loop"], "")
        rows.append({"game": name} | row | {"asked for": target})
        print(
            f"{name:17} {row['loop']:10} {row['images/s']:9.0f} {row['ratio']:6.2f}"
            f" {row['to by hand']:6.2f}"
            f"  {row['of matrix peak']:4.0%}   "
            f" {row.get('cold start, s', float('nan')):5.1f} s"
            f" {row.get('peak memory, MiB', float('nan')):5.0f} MiB"
            f"  {row['lowest']:.2f} to {row['highest']:.2f}"
            f"{f'  (asked for: {target})' if target else ''}",
            flush=True,
        )
    return rows


def main(argv=None):
    asked = arguments(argv)
    runtime.seed(0)
    if asked.cold:
        print(json.dumps(cold(GAMES[asked.games[0]], asked.cold)))
        return None
    here = machine()
    print(", ".join(f"{k} {v}" for k, v in here.items()))
    print(
        f"{'':17} {'loop':10} {'images/s':>9} {'ratio':>6} {'hand':>6}"
        "  of peak   cold   memory"
    )
    names = asked.games or GAMES
    rows = [row | here for name in names for row in compare(name, asked)]
    if asked.record:
        record("loops", rows)
    return rows


if __name__ == "__main__":
    main()
