"""What a game refuses, before any work, and where it stops."""

import math

import numpy as np
import pytest
import torch
from games import bits, cloud, equal, gan
from torch import nn

from gmlib.game import NotFinite, Player, fit, sgd


def test_a_nan_stops_with_the_player_and_the_round():
    w, v = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(1.0))
    count = torch.zeros(())

    def bad():
        count.add_(1)  # the rehearsal counts as the first call
        return w * torch.where(count > 37, torch.nan, 1.0)

    players = {"ok": Player([v], lambda: v**2), "bad": Player([w], bad)}
    with pytest.raises(NotFinite, match="bad became nan in round 37"):
        fit(players, None, 1000)


def test_a_nan_leaves_the_last_checkpoint(tmp_path):
    path = tmp_path / "w.safetensors"
    w = nn.Parameter(torch.tensor(1.0))
    scale = torch.ones(())  # grows by itself: one changed by hand is another game
    loss = lambda: w * scale.mul_(10)  # noqa: E731
    player = {"w": Player([w], loss, sgd(0.1))}
    fit(player, None, 5, checkpoint=path)
    kept = path.read_bytes()
    with pytest.raises(NotFinite) as caught:
        fit(player, None, 300, checkpoint=path)
    assert path.read_bytes() == kept
    assert len(caught.value.history.rounds) > 5


def not_reaching():
    w = nn.Parameter(torch.ones(2))
    other = nn.Parameter(torch.ones(2))
    return {"stray": Player([w], lambda x: other.sum())}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: fit({}, cloud, 5), ValueError, "needs players"),
        (lambda: fit([1], cloud, 5), ValueError, "needs players"),
        (lambda: fit({"G": 3}, cloud, 5), TypeError, "not a Player"),
        (lambda: fit(gan(), cloud, -1), ValueError, "rounds must be a positive"),
        (lambda: fit(gan(), cloud, 0), ValueError, "rounds must be a positive"),
        (lambda: fit(gan(), cloud, 2.5), ValueError, "rounds must be a positive"),
        (lambda: fit(gan(), cloud, 5, batch_size=0), ValueError, "batch_size"),
        (lambda: fit(gan(), 7, 5), TypeError, "neither a method sample"),
        (lambda: fit(gan(), lambda n: torch.zeros(0, 2), 5), ValueError, "empty batch"),
        (
            lambda: fit(gan(), lambda n: torch.full((n, 2), math.nan), 5),
            NotFinite,
            "'T' is nan before round 1",
        ),
        (lambda: fit(gan(), lambda n: torch.zeros(n, 3), 5), ValueError, "built for"),
        (lambda: fit(not_reaching(), cloud, 5), ValueError, "does not reach"),
        (
            lambda: fit(gan(steps=2), cloud, 5, simultaneous=True),
            ValueError,
            "one step",
        ),
        (lambda: fit(gan(), cloud, 5, looks=3), ValueError, "without look"),
        (lambda: fit(gan(), cloud, 5, look=list), ValueError, "looks must be positive"),
        (
            lambda: fit(gan(), cloud, 5, look=list, looks=[9]),
            ValueError,
            "rounds 0 to 5",
        ),
        (lambda: fit(gan(), cloud, 5, fast={"warp"}), ValueError, "fast is"),
        (lambda: Player([], lambda: 0), ValueError, "trainable parameter"),
        (lambda: Player([nn.Flatten()], lambda: 0), ValueError, "trainable parameter"),
        (lambda: Player(["G"], lambda: 0), TypeError, "not str"),
        (lambda: Player(nn.Linear(1, 1), "loss"), TypeError, "loss must be callable"),
        (lambda: Player(nn.Linear(1, 1), len, steps=0), ValueError, "steps"),
        (lambda: Player(nn.Linear(1, 1), len, every=True), ValueError, "every"),
        (lambda: Player(nn.Linear(1, 1), len, after=1), TypeError, "after must be"),
        (lambda: Player(nn.Linear(1, 1), len, average=1.0), ValueError, r"\[0, 1\)"),
    ],
)
def test_bad_input_is_refused_before_any_work(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_numbers_of_numpy_count():
    """They come out of `np.arange` and of recorded tables."""
    player = Player(nn.Linear(2, 1), len, steps=np.int64(2), every=np.int32(3))
    assert (type(player.steps), type(player.every)) == (int, int)
    history = fit(
        gan(), cloud, np.int64(3), batch_size=np.int64(4), look=lambda: torch.ones(1),
        looks=np.int64(2),
    )  # fmt: skip
    assert [rounds for rounds, _ in history.snapshots] == [0, 3]


def test_a_loss_per_sample_is_refused_with_advice():
    net = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="take the mean") as caught:
        fit({"net": Player([net], lambda x: net(x))}, cloud, 5)
    assert "player 'net'" in caught.value.__notes__[0]


def test_a_refused_game_is_left_as_it_was():
    players = gan()
    players["stray"] = not_reaching()["stray"]
    before, state = bits(players), torch.get_rng_state()
    with pytest.raises(ValueError, match="does not reach"):
        fit(players, cloud, 5)
    assert equal(bits(players), before)  # batch-norm statistics too
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.requires_grad for pl in players.values() for p in pl.parameters)
