"""Whatever ends a training, its weights, history and checkpoint can be reached."""

import errno
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from games import bits, cloud, equal, gan
from sweeping import run_here
from torch import nn

from gmlib import checkpoint, runtime
from gmlib.checkpoint import CheckpointError
from gmlib.data import fetch
from gmlib.game import NotFinite, Player, fit, sgd
from gmlib.sweep import sweep

ROUND = 20


def failing(error):
    """A game, and data that fail in round `ROUND`."""
    players, moves = gan(), []
    players["G"].after = lambda: moves.append(1)

    def p_data(n):
        if len(moves) == ROUND - 1:
            raise error
        return torch.randn(n, 2)

    return players, p_data


@pytest.mark.parametrize(
    "error", [OSError("the drive is away"), KeyboardInterrupt(), SystemExit(3)]
)
def test_data_that_fail_lose_nothing(tmp_path, monkeypatch, error):
    monkeypatch.setattr("gmlib.game.training.SAVE_SECONDS", -1)
    path, (players, p_data) = tmp_path / "gan.safetensors", failing(error)
    before = bits(players)
    with pytest.raises(type(error)) as caught:
        fit(players, p_data, 50, checkpoint=path)
    assert caught.value.__notes__ == [f"(player 'T', in round {ROUND})"]
    history = caught.value.history
    assert len(history.rounds) == ROUND - 1
    assert np.isfinite(history.table()).all()
    assert history is players["T"].history is players["G"].history
    assert history.seconds > 0
    assert not equal(bits(players), before)
    assert checkpoint.load(path)[1]["done"] == ROUND - 1


def test_a_loss_that_fails_is_named_with_its_round():
    w, calls = nn.Parameter(torch.ones(())), []

    def loss():
        calls.append(1)
        return w**2 if len(calls) < 6 else w.no_such_thing

    v = nn.Parameter(torch.ones(()))
    players = {"good": Player([v], lambda: v**2), "bad": Player([w], loss)}
    with pytest.raises(AttributeError) as caught:
        fit(players, None, 10)
    assert caught.value.__notes__ == ["(player 'bad', in round 5)"]
    assert len(caught.value.history.rounds) == 4


def test_the_rehearsal_says_so_once():
    with pytest.raises(ZeroDivisionError) as caught:
        fit(gan(), lambda n: 1 / 0, 5)
    assert caught.value.__notes__ == ["(in the loss of player 'T', before round 1)"]
    assert len(caught.value.history.rounds) == 0


def test_a_look_that_fails_leaves_a_checkpoint_of_its_round(tmp_path):
    """Where the look is mended, the training goes on and lacks no snapshot."""
    path, broken = tmp_path / "gan.safetensors", True

    def look():
        if broken:
            raise ValueError("a figure failed")
        return torch.ones(1)

    runtime.seed(0)
    players = gan()
    with pytest.raises(ValueError, match="a figure") as caught:
        fit(players, cloud, 10, look=look, looks=[6, 10], checkpoint=path)
    assert caught.value.__notes__ == ["(in look, after round 6)"]
    assert len(caught.value.history.rounds) == 6
    broken = False
    history = fit(players, cloud, 10, look=look, looks=[6, 10], checkpoint=path)
    assert [number for number, _ in history.snapshots] == [6, 10]
    runtime.seed(0)
    whole = gan()
    fit(whole, cloud, 10)
    assert equal(bits(players), bits(whole))


def test_a_nan_leaves_the_history_up_to_it():
    w, scale = nn.Parameter(torch.ones(())), torch.ones(())
    player = Player([w], lambda: w * scale.mul_(10), sgd(0.1))
    with pytest.raises(NotFinite, match="in round 20") as caught:
        fit({"w": player}, None, 300)
    curve = caught.value.history["w"]
    assert np.isfinite(curve[:19]).all()
    assert not np.isfinite(curve[19])
    assert player.history is caught.value.history


def test_weights_that_are_nan_are_not_saved(tmp_path, monkeypatch):
    """The loss is finite in the round whose gradient is not."""
    monkeypatch.setattr("gmlib.game.training.SAVE_SECONDS", -1)
    path, w = tmp_path / "w.safetensors", nn.Parameter(torch.tensor(3.0))
    loss = lambda: (w - 1).abs().sqrt()  # noqa: E731 (its slope at 1 is none)
    with pytest.raises(NotFinite, match="a weight of w became NaN or infinite by"):
        fit({"w": Player([w], loss, lambda ps: Step(ps))}, None, 10, checkpoint=path)
    tensors, meta = checkpoint.load(path)
    assert meta["done"] == 2
    assert tensors["modules/w/0/0"].item() == 1.0


class Step(torch.optim.SGD):
    """Goes down by one; where the gradient is none, to none."""

    def __init__(self, ps):
        super().__init__(ps, lr=1.0)

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad / p.grad)


def test_a_full_disk_loses_neither_the_weights_nor_the_history(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    path, players = tmp_path / "gan.safetensors", gan()
    fit(players, cloud, 3, checkpoint=path)
    kept, before = path.read_bytes(), bits(players)
    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(CheckpointError, match="No space left") as caught:
        fit(players, cloud, 6, checkpoint=path)
    assert path.read_bytes() == kept
    assert len(caught.value.history.rounds) == 6
    assert not equal(bits(players), before)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)],
)
def test_a_signal_loses_nothing_without_a_checkpoint(number, kind):
    moves, players = [], gan()

    def interrupt():
        moves.append(1)
        if len(moves) == 5:
            os.kill(os.getpid(), number)

    players["G"].after = interrupt
    before = bits(players)
    with pytest.raises(kind) as caught:
        fit(players, cloud, 40)
    assert len(caught.value.history.rounds) == 5
    assert caught.value.history is players["G"].history
    assert not equal(bits(players), before)


# --------------------------------------------------------------------- the places


def places(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    return {
        "a folder": (tmp_path / "folder", "it is a folder: name a file in it"),
        "a file where a folder should be": (tmp_path / "file" / "x", "be written"),
        "a drive that is missing": ("/proc/no-drive/x", "could not be written"),
    }


def test_a_place_that_cannot_be_written_is_refused_before_round_1(tmp_path):
    players, moves = gan(), []
    players["T"].after = lambda: moves.append(1)
    for path, words in places(tmp_path).values():
        with pytest.raises(CheckpointError, match=words):
            fit(players, cloud, 5, checkpoint=path)
    assert not moves


def test_a_folder_that_may_not_be_written_is_refused_before_round_1(
    tmp_path, monkeypatch
):
    """Root may write anywhere, so that the refusal is played."""

    def refused(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refused)
    players = gan()
    before = bits(players)
    with pytest.raises(CheckpointError, match="Permission denied"):
        fit(players, cloud, 5, checkpoint=tmp_path / "x")
    assert equal(bits(players), before)


def test_a_finished_training_is_read_from_where_nobody_may_write(tmp_path, monkeypatch):
    players = gan()
    fit(players, cloud, 3, checkpoint=tmp_path / "x")
    monkeypatch.setattr(checkpoint, "prepare", None)
    assert len(fit(players, cloud, 3, checkpoint=tmp_path / "x").rounds) == 3


@pytest.mark.parametrize(
    "name", [errno.EINVAL, errno.ENOTSUP, errno.EPERM, errno.EBADF]
)
def test_a_drive_that_cannot_sync_is_no_error(tmp_path, monkeypatch, name):
    def refused(descriptor):
        raise OSError(name, os.strerror(name))

    monkeypatch.setattr(os, "fsync", refused)
    checkpoint.save(tmp_path / "x", {"a": torch.ones(1)}, {})
    assert checkpoint.load(tmp_path / "x")[0]["a"].item() == 1


def test_a_disk_that_is_full_when_it_syncs_is_an_error(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        checkpoint.save(tmp_path / "x", {"a": torch.ones(1)}, {})
    assert not list(tmp_path.iterdir())


def test_the_folder_is_synced_too(tmp_path, monkeypatch):
    synced, real = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda d: synced.append(os.path.isdir(f"/dev/fd/{d}")) or real(d)
    )
    checkpoint.save(tmp_path / "x", {"a": torch.ones(1)}, {})
    assert synced in ([False, True], [False])  # Windows opens no folders


def test_the_home_folder_is_understood_wherever_a_path_enters(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("GMLIB_CHECKPOINTS", "~/kept")
    monkeypatch.setenv("GMLIB_DATA", "~/data")
    monkeypatch.setenv("GMLIB_CACHE", "~/cache")
    assert runtime.checkpoint_path("a") == tmp_path / "kept" / "a.safetensors"
    assert fetch.roots() == (tmp_path / "data", tmp_path / "cache")
    runtime.seed(0)
    fit(gan(), cloud, 2, checkpoint="~/gan.safetensors")
    assert checkpoint.load("~/gan.safetensors")[1]["done"] == 2
    run_here(monkeypatch)
    sweep(lambda a: {"b": a}, [{"a": 1}], "~/table.csv")
    assert (tmp_path / "table.csv").exists()
    with pytest.raises(TypeError, match="checkpoint must be a path, not 3"):
        fit(gan(), cloud, 2, checkpoint=3)
