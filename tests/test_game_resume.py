"""How a training survives: checkpoints, interrupts, and whose a checkpoint is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import on_signals
import pytest
import torch
from games import bits, cloud, equal, gan
from torch import nn

from gmlib import runtime
from gmlib.checkpoint import CheckpointError
from gmlib.game import Player, adam, fit
from gmlib.objectives import wasserstein


def test_a_resumed_run_is_bit_equal(tmp_path):
    path = tmp_path / "gan.safetensors"

    def start():
        runtime.seed(7)
        players = gan(average=0.9, steps=2)
        G = players["G"].modules[0]
        return players, {"look": lambda: G(torch.randn(4, 2)), "looks": [0, 4, 12, 20]}

    whole, look = start()
    expected = fit(whole, cloud, 20, **look)
    first, look = start()
    fit(first, cloud, 12, checkpoint=path, look=look["look"], looks=[0, 4, 12])
    second, look = start()  # fresh networks, as in a new process
    history = fit(second, cloud, 20, checkpoint=path, **look)
    assert equal(bits(whole), bits(second))
    np.testing.assert_array_equal(history.table(), expected.table())
    for (r, a), (s, b) in zip(history.snapshots, expected.snapshots, strict=True):
        assert r == s
        assert torch.equal(a, b)


def test_a_resumed_run_keeps_the_layout_of_its_optimizer(tmp_path):
    def game():
        torch.manual_seed(0)
        G = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        loss = lambda x: G(x).square().mean()  # noqa: E731
        return G, {"G": Player([G], loss, adam(0.1))}

    x = torch.randn(8, 3, 6, 6)
    whole, players = game()
    fit(players, lambda n: x, 6, progress=False)
    _, players = game()
    path = tmp_path / "half.safetensors"
    fit(players, lambda n: x, 3, checkpoint=path, progress=False)
    resumed, players = game()
    fit(players, lambda n: x, 6, checkpoint=path, progress=False)
    assert torch.equal(whole.weight, resumed.weight)


def test_a_finished_training_is_not_repeated(tmp_path):
    path = tmp_path / "gan.safetensors"
    runtime.seed(0)
    fit(gan(), cloud, 10, checkpoint=path)
    runtime.seed(0)
    again = gan()
    weights_before = bits(again)
    history = fit(again, cloud, 10, checkpoint=path)
    assert len(history.rounds) == 10
    assert not equal(bits(again), weights_before)  # they came from the file


CHANGES = {
    "loss of T": lambda: gan(V=wasserstein),
    "schedule of T": lambda: gan(steps=2),
    "schedule of G": lambda: gan(average=0.5),
    "optimizer of T": lambda: gan(optimizer=adam(1e-3)),
    "hook of T": lambda: gan(after=lambda: None),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_changed_game_is_refused(tmp_path, part):
    path = tmp_path / "gan.safetensors"
    fit(gan(), cloud, 3, checkpoint=path)
    with pytest.raises(CheckpointError, match=f"another game: .*{part}"):
        fit(CHANGES[part](), cloud, 6, checkpoint=path)


def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path):
    path = tmp_path / "gan.safetensors"
    fit(gan(), cloud, 3, checkpoint=path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        fit(gan(), cloud, 6, checkpoint=path)
    assert path.read_bytes() == whole[: len(whole) // 2]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 7), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_an_interrupt_leaves_a_checkpoint_that_goes_on_bit_equally(
    tmp_path, number, code
):
    path, go = tmp_path / "run" / "net.safetensors", tmp_path / "go"
    program = Path(on_signals.__file__)
    process = subprocess.Popen(
        [sys.executable, *map(str, (program, path, 40))],
        env={**os.environ, "PYTHONPATH": str(program.parents[1]), "GO": str(go)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline().strip() == "ready"
    process.send_signal(number)
    go.touch()
    out, err = process.communicate()
    assert process.returncode == code, err
    assert f"stopped after round {on_signals.ROUND} of 40" in out
    assert "run this again" in out
    assert path.exists()
    resumed = on_signals.train(path, 40)
    assert equal(resumed, on_signals.train(tmp_path / "other", 40))


def test_signal_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    fit(gan(), cloud, 2)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_another_batch_size_is_another_game(tmp_path):
    path = tmp_path / "gan.safetensors"
    runtime.seed(0)
    fit(gan(), cloud, 3, checkpoint=path)
    runtime.seed(0)
    with pytest.raises(CheckpointError, match="batch_size"):
        fit(gan(), cloud, 6, checkpoint=path, batch_size=32)
