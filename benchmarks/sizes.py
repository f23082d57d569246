"""What size costs: throughput against batch, width and resolution; sweeps; checkpoints.

    python -m benchmarks.sizes [--seconds 1.5] [--repeats 3] [--record]

A DCGAN, one size varied and the others at their defaults (batch 64, width 32, 28 × 28);
a sweep of eight small GANs against the number of workers; and how long a checkpoint
takes, as a share of the two minutes between two of them.
--record writes data/speed/sizes.csv and its figure.
"""

import argparse
import importlib.util
import statistics
import tempfile
from pathlib import Path

from benchmarks import games, measure, records
from gmlib import plot, runtime
from gmlib.game import SAVE_SECONDS, fit
from gmlib.game.engine import Game
from gmlib.game.keeper import Keeper
from gmlib.sweep import crossed, sweep

DEFAULT = {"batch": 64, "width": 32, "size": 28}
SIZES = {
    "batch": [4, 8, 16, 32, 64, 128, 256, 512],
    "width": [4, 8, 16, 32, 64, 128],
    "size": [14, 28, 56],
}
WORKERS = [1, 2, 4]


def game(batch, width, size):
    """Return the DCGAN of these sizes, as a game of the bench."""
    return games.dcgan(size)._replace(
        batch=batch, networks=lambda: games.dcgan_networks(size, width)
    )


def throughput(this, seconds, repeats):
    """Return (images/s, share of the peak of a matrix product): medians."""
    train = games.engine_loop(this)
    rounds = measure.enough(train, seconds)
    flops, _ = measure.work_of(train)
    speeds, shares = [], []
    for _ in range(repeats):
        speeds.append(this.batch / measure.seconds_of_a_round(train, rounds))
        shares.append(flops * speeds[-1] / this.batch / measure.matrix_peak())
    return statistics.median(speeds), statistics.median(shares)


def short_gans():
    """Return the recorded sweep of GANs of the ring, with few rounds a cell."""
    name = "gan_seeds"
    # A module that nobody can import travels to the workers by value, rounds and all.
    path = records.ROOT / "sweeps" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.rounds = 600
    return module


def seconds_of_a_sweep(workers):
    """Return how long eight GANs of the ring take, with the start of the workers."""
    module = short_gans()
    grid = crossed(ratio=[1.0], seed=range(8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.csv"
        run = lambda _: sweep(module.cell, grid, path, workers=workers)  # noqa: E731
        return measure.seconds_of(run, 1)


def seconds_of_a_checkpoint(name):
    """Return how long one checkpoint of a game of the bench takes to write."""
    this = games.GAMES[name]
    players = this.players(*[m.to(runtime.device()) for m in this.networks()])
    p_data = games.noise(this)
    fit(players, p_data, 2, batch_size=this.batch, progress=False)
    state = Game(players, p_data, this.batch)
    state.names = list(players)
    with tempfile.TemporaryDirectory() as folder:
        keeper = Keeper(state, Path(folder) / "state.safetensors")
        keeper.begin(rounds=2)
        times = [measure.seconds_of(lambda _: keeper.save(), 1) for _ in range(5)]
    return statistics.median(times)


def figure(rows):
    """Return the curves: images/s, and the share of the peak."""
    fig, axes = plot.new(width=8.4, height=4.6, rows=2, columns=3, sharey="row")
    for column, (varied, values) in zip(axes.T, SIZES.items(), strict=True):
        found = {r["value"]: r for r in rows if r["varied"] == varied}
        for ax, key, scale in zip(
            column, ("images/s", "of matrix peak"), (1, 100), strict=True
        ):
            ax.plot(values, [scale * found[v][key] for v in values], "o-", ms=4)
            ax.set_xscale("log", base=2)
            ax.set_xticks(values[:: 1 + len(values) // 5])
            ax.xaxis.set_major_formatter("{x:g}")
            ax.minorticks_off()
        column[0].set_yscale("log")
        column[1].set(xlabel=varied, ylim=(0, 100))
    axes[0, 0].set_ylabel("images/s")
    axes[1, 0].set_ylabel("% of matrix peak")
    return fig


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.5, help="of one measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="write CSV and figure")
    asked = parser.parse_args(argv)
    runtime.seed(0)
    rows, here = [], records.machine()
    for varied, values in SIZES.items():
        for value in values:
            this = game(**DEFAULT | {varied: value})
            speed, share = throughput(this, asked.seconds, asked.repeats)
            rows.append(
                {
                    "varied": varied,
                    "value": value,
                    "images/s": speed,
                    "of matrix peak": share,
                }
                | here
            )
            print(f"{varied:6} {value:4} {speed:8.0f} images/s, {share:4.0%} of peak")
    for workers in WORKERS:
        taken = seconds_of_a_sweep(workers)
        row = {"varied": "workers", "value": workers, "seconds": taken}
        rows.append(row | here)
        print(f"a sweep of eight cells with {workers} workers: {taken:.1f} s")
    for name in games.GAMES:
        taken = seconds_of_a_checkpoint(name)
        print(
            f"checkpoint of {name:15} {1e3 * taken:6.1f} ms,"
            f" {taken / SAVE_SECONDS:.3%} of the time between two"
        )
    if asked.record:
        records.record("sizes", rows)
        figure(rows).savefig(records.RESULTS / "sizes.webp", dpi=144)
    return rows


if __name__ == "__main__":
    main()
