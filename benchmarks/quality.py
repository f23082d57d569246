"""Seconds of training until a fixed Fréchet distance: the engine and the textbook loop.

    python -m benchmarks.quality [--target 150] [--seeds 3] [--record]

The same DCGAN (28 × 28, width 16), the same initial weights, learning rates and
batches of 64; MNIST, or the digits where it cannot be had. The distance is taken
between 2000 samples and the test images, in the features of the judge, every 100
rounds; only training is timed. --record writes data/speed/quality.csv.
"""

import argparse
import statistics
import time

import torch

from benchmarks import games, records, textbook
from benchmarks.measure import synchronize
from gmlib import data, metrics, runtime
from gmlib.game import fit

EVERY, LIMIT, LR = 100, 4000, 2e-3


def loops(images):
    """Return {name: (G, T) → (rounds → None)}."""
    device = runtime.device()

    def engine(G, T):
        players = games.gan_players(G, T, LR)
        p_data = images.map(data.to_tanh)
        return lambda rounds: fit(players, p_data, rounds, progress=False)

    def tutorial(G, T):
        pictures = (255 * images.x[:, 0]).round().to(torch.uint8).cpu()
        batches = textbook.loader(pictures, 64)
        return textbook.gan(G, T, batches, device, lr=LR)

    return {"textbook": tutorial, "engine": engine}


def distance_of(judge, real):
    """Return G → its Fréchet distance to the features `real`, from fixed noise."""
    noise = torch.randn(2000, games.Z, device=runtime.device())

    def distance(G):
        with runtime.evaluating(G):
            fake = torch.cat([judge.features((G(z) + 1) / 2) for z in noise.split(500)])
        return metrics.frechet_distance(fake, real)

    return distance


def to_quality(make, seed, distance, target):
    """Return (seconds, rounds, distance) at the first look at or under the target."""
    runtime.seed(seed)
    G, T = games.dcgan_networks(28, width=16)
    train, seconds, rounds, found = make(G, T), 0.0, 0, float("inf")
    while found > target and rounds < LIMIT:
        start = time.perf_counter()
        train(EVERY)
        synchronize()
        seconds += time.perf_counter() - start
        rounds, found = rounds + EVERY, distance(G)
    return seconds, rounds, found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--target", type=float, default=150.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="write the CSV")
    asked = parser.parse_args(argv)
    runtime.seed(0)
    images, test = data.images("train"), data.images("test")
    judge = metrics.judge(images.name)
    distance = distance_of(judge, judge.features(test.x))
    rows, here = [], records.machine()
    for seed in range(asked.seeds):
        for name, make in loops(images).items():
            seconds, rounds, found = to_quality(make, seed, distance, asked.target)
            rows.append(
                {
                    "data": images.name,
                    "seed": seed,
                    "loop": name,
                    "FID asked for": asked.target,
                    "FID reached": found,
                    "rounds": rounds,
                    "seconds": seconds,
                }
                | here
            )
            print(
                f"seed {seed} {name:9} FID {found:6.1f} after {rounds:4} rounds,"
                f" {seconds:6.1f} s",
                flush=True,
            )
    slow, quick = (
        statistics.fmean(r["seconds"] for r in rows if r["loop"] == name)
        for name in ("textbook", "engine")
    )
    print(
        f"mean: textbook {slow:.1f} s, engine {quick:.1f} s: {slow / quick:.2f} times"
    )
    if asked.record:
        records.record("quality", rows)
    return rows


if __name__ == "__main__":
    main()
