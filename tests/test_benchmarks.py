"""The benchmarks measure what they say; how fast is for `make bench` to say."""

import math
from functools import partial

import pytest
import torch

from benchmarks import loops, measure, precision, quality, ranks, sizes
from benchmarks.games import GAMES, engine_loop


def test_the_bench_measures_every_game(monkeypatch):
    """All loops of each game train."""
    for peak in (measure.matrix_peak, measure.copy_peak):
        monkeypatch.setattr(loops, peak.__name__, partial(peak, 8, 1))
    monkeypatch.setattr(loops, "enough", lambda train, seconds: 1)
    quick = ["--seconds", "0.01", "--repeats", "1", "--no-switches", "--no-cold"]
    rows = loops.main([*GAMES, *quick])
    assert [(r["game"], r["loop"]) for r in rows] == [
        (name, loop) for name in GAMES for loop in ("textbook", "by hand", "engine")
    ]
    # So short a measurement is noise: what counts here is that there is one.
    measured = [row[k] for row in rows for k in ("images/s", "of matrix peak")]
    assert all(math.isfinite(number) and number != 0 for number in measured)


def test_the_work_of_a_round_is_counted_as_on_paper():
    """Every product once forward, once for its weights, once for its input."""
    game = GAMES["VAE 784-400-20"]
    flops, moved = measure.work_of(engine_loop(game))
    first = 784 * 400
    products = first + 400 * 40 + 20 * 400 + 400 * 784
    # The data needs no gradient: the first layer saves its third product.
    assert flops == 2 * game.batch * (3 * products - first)
    assert moved > 4 * products


def test_a_cold_start_is_measured_in_a_process_of_its_own():
    found = loops.apart("MLP GAN", "--cold", "engine")
    assert 0 < found["cold start, s"] < 300
    assert found["peak memory, MiB"] > 100


def test_time_to_quality_is_measured_for_both_loops(monkeypatch):
    monkeypatch.setattr(quality, "EVERY", 3)
    rows = quality.main(["--target", "1e9", "--seeds", "1"])
    assert [(r["loop"], r["rounds"]) for r in rows] == [
        ("textbook", quality.EVERY), ("engine", quality.EVERY)
    ]  # fmt: skip
    assert all(row["seconds"] > 0 and row["FID reached"] > 1 for row in rows)


def test_precision_is_judged_in_pairs(monkeypatch):
    """The same seed on both sides: without a difference there is none to see."""

    def trial(fast):
        return torch.rand(()).item() + (0.5 if fast else 0)

    monkeypatch.setattr(precision, "trials", lambda: {("a game", "points"): trial})
    (row,) = precision.main(["--seeds", "3"])
    assert row["bf16 worse by"] == pytest.approx(0.5)
    assert row["standard error"] == pytest.approx(0, abs=1e-6)
    assert row["spread over seeds"] > 0.01


def test_sizes_are_measured_and_drawn(monkeypatch):
    monkeypatch.setattr(measure, "matrix_peak", partial(measure.matrix_peak, 8, 1))
    this = sizes.game(batch=8, width=4, size=14)
    speed, share = sizes.throughput(this, 0.01, 1)
    assert math.isfinite(speed)
    assert share != 0  # of so short a measurement no more can be said
    rows = [
        {"varied": varied, "value": value, "images/s": 10.0, "of matrix peak": 0.5}
        for varied, values in sizes.SIZES.items()
        for value in values
    ]
    assert len(sizes.figure(rows).axes) == 2 * len(sizes.SIZES)
    assert 0 < sizes.seconds_of_a_checkpoint("VAE 784-400-20") < 60


def test_a_ring_of_two_moves_every_byte_once():
    sent = {"gradients": 3e9, "moments": 1e9, "messages": 0}
    assert ranks.ring(sent, 2, 1e9) == pytest.approx(4.0)
    assert ranks.ring(sent, 8, 1e9) == pytest.approx(4.0 * 14 / 8)
    silent = {"gradients": 0, "moments": 0, "messages": 3}
    assert ranks.ring(silent, 8, 1e9) == pytest.approx(3 * 14 * 20e-6)
