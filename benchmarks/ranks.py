"""Scaling over ranks: measured for 1 and 2 processes here, projected for 8.

    python -m benchmarks.ranks [--record]

Each rank has one thread and a batch of 64 of its own (weak scaling), with Gloo
between them. Two ranks are held against two processes that do not know each other and
run at the same time, so that what two cores share (memory, clock, sometimes the core)
is not blamed on the messages. What eight ranks would cost on top of their own work
follows from the bytes of a round, in a ring of a given bandwidth and latency.
--record writes data/speed/ranks.csv.
"""

import argparse
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout

from benchmarks import games, records
from benchmarks.measure import seconds_of_a_round
from benchmarks.traffic import traffic
from gmlib import ranks, runtime

ROUNDS = {"MLP GAN": 120, "DCGAN 28x28": 16, "WGAN-GP": 6}
LATENCY = 20e-6  # seconds a message and step of the ring
NETWORKS = {"10 Gb/s": 1.25e9, "PCIe 4, 25 GB/s": 25e9, "NVLink 4, 450 GB/s": 450e9}


def worker(name):
    """Under torchrun: print the mean seconds of a round, on rank 0."""
    with redirect_stdout(sys.stderr):
        ranks.start(runtime.device().type)
        game = games.GAMES[name]
        train = games.engine_loop(game._replace(batch=game.batch * ranks.world()))
        train(2)
        taken = [seconds_of_a_round(train, ROUNDS[name]) for _ in range(3)]
    ranks.say(json.dumps(sorted(taken)[1]))
    ranks.stop()


def seconds_on(name, ranks=1, at_once=1):
    """Return the seconds of a round, one thread a rank; the mean of `at_once` runs."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    run += ["--local-addr=127.0.0.1"]  # a machine need not know its own name
    command = [*run, f"--nproc-per-node={ranks}", "-m", "benchmarks.ranks"]
    command += ["--worker", name]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pipes["cwd"] = records.ROOT
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    runs = [subprocess.Popen(command, env=env, **pipes) for _ in range(at_once)]
    found = []
    for process in runs:
        out, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{name} on {ranks} ranks failed:\n{errors[-2000:]}")
        found.append(json.loads(out.splitlines()[-1]))
    return sum(found) / at_once


def ring(sent, world, bandwidth):
    """Return the seconds of all-reducing what a round sends, round a ring.

    Every message takes 2 (world − 1) steps, each of a part 1/world of its bytes
    (Patarasuk and Yuan 2009).
    """
    steps = 2 * (world - 1)
    size = sent["gradients"] + sent["moments"]
    return steps * (sent["messages"] * LATENCY + size / world / bandwidth)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true", help="write the CSV")
    parser.add_argument("--worker", metavar="GAME", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.worker:
        return worker(asked.worker)
    rows, here = [], records.machine() | {"threads": 1}
    for name in ROUNDS:
        game = games.GAMES[name]
        players = game.players(*[m.to(runtime.device()) for m in game.networks()])
        sent = traffic(players, games.noise(game), game.batch, 8)
        one, apart = seconds_on(name), seconds_on(name, at_once=2)
        two = seconds_on(name, ranks=2)
        row = {
            "game": name,
            "images/s, 1 process": game.batch / one,
            "2 apart": 2 * game.batch / apart,
            "2 ranks": 2 * game.batch / two,
            "efficiency of 2": apart / two,
            "gradients, MB": sent["gradients"] / 1e6,
            "moments, kB": sent["moments"] / 1e3,
            "messages": sent["messages"],
        }
        for network, bandwidth in NETWORKS.items():
            row[f"efficiency of 8, {network}"] = one / (one + ring(sent, 8, bandwidth))
        rows.append(row | here)
        print(
            f"{name:15} images/s: 1 process {row['images/s, 1 process']:.0f}, 2 apart"
            f" {row['2 apart']:.0f}, 2 ranks {row['2 ranks']:.0f}"
            f" ({row['efficiency of 2']:.0%});"
            f" {row['gradients, MB']:.1f} MB, {row['messages']:.0f} messages a round;"
            " projected for 8: "
            + ", ".join(f"{row[f'efficiency of 8, {n}']:.0%} at {n}" for n in NETWORKS),
            flush=True,
        )
    if asked.record:
        records.record("ranks", rows)
    return rows


if __name__ == "__main__":
    main()
