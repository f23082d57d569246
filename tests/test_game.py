"""The engine: who moves what, and what is recorded."""

import numpy as np
import pytest
import torch
from games import bits, cloud, equal, gan
from torch import nn

from gmlib import nets, runtime
from gmlib.game import Player, adam, fit, rmsprop, sgd
from gmlib.objectives import (
    clip_weights,
    gradient_penalty,
    standard_normal,
    wasserstein,
)

# ------------------------------------------------------------------- learning


def test_a_game_of_one_finds_the_maximum_likelihood_answer():
    mean = nn.Parameter(torch.zeros(2))
    loss = lambda x: ((x - mean) ** 2).sum(1).mean()  # noqa: E731
    fit({"fit": Player([mean], loss, sgd(0.05))}, cloud, 400, batch_size=256)
    torch.testing.assert_close(mean.detach(), torch.ones(2), atol=0.15, rtol=0)


def test_a_gan_moves_its_samples_onto_the_data():
    players = gan()
    fit(players, cloud, 800, batch_size=128)
    G = players["G"].modules[0]
    with runtime.evaluating(G):
        samples = G(standard_normal(2).sample((2000,)))
    assert (samples.mean(0) - 1).abs().max() < 0.4


def test_one_simultaneous_round_is_the_update_on_paper():
    x, y = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.5))
    players = {
        "x": Player([x], lambda: x * y, sgd(0.1)),
        "y": Player([y], lambda: -x * y, sgd(0.1)),
    }
    fit(players, None, 1, simultaneous=True)
    assert (x.item(), y.item()) == pytest.approx((1 - 0.1 * 0.5, 0.5 + 0.1 * 1))
    fit(players, None, 1)  # now y answers the x that has already moved
    new_x = 0.95 - 0.1 * 0.6
    assert (x.item(), y.item()) == pytest.approx((new_x, 0.6 + 0.1 * new_x))


def test_a_player_moves_nobody_else():
    players = gan()
    G = players["G"].modules[0]
    before = [p.clone() for p in G.parameters()]
    w = nn.Parameter(torch.ones(1))
    fit({"T": players["T"], "w": Player([w], lambda x: w.sum())}, cloud, 3)
    assert all(torch.equal(a, b) for a, b in zip(before, G.parameters(), strict=True))


def test_frozen_parameters_stay_frozen_and_others_come_back_trainable():
    net = nets.mlp([2, 4, 1], shape=())
    net[1].weight.requires_grad_(False)
    frozen = net[1].weight.clone()
    fit({"T": Player([net], lambda x: net(x).square().mean())}, cloud, 3)
    assert torch.equal(net[1].weight, frozen)
    assert [p.requires_grad for p in net.parameters()] == [False, True, True, True]


def test_steps_and_every_are_update_ratios():
    moves = {"T": 0, "G": 0}

    def counted(name):
        return lambda: moves.__setitem__(name, moves[name] + 1)

    players = gan()
    for name, ratio in (("T", {"steps": 3}), ("G", {"every": 2})):
        p = players[name]
        players[name] = Player(p.modules, p.loss, after=counted(name), **ratio)
    history = fit(players, cloud, 10)
    assert moves == {"T": 30, "G": 5}
    assert np.isfinite(history["T"]).all()
    assert np.isnan(history["G"]).tolist() == [True, False] * 5


def test_the_hook_runs_after_each_update():
    p_z = standard_normal(2)
    G, C = nets.mlp([2, 8, 2]), nets.mlp([2, 8, 1], shape=())
    fake = lambda x: G(p_z.sample((len(x),)))  # noqa: E731
    players = {
        "C": Player([C], lambda x: -wasserstein(C(x), C(fake(x))), rmsprop(1e-3),
                    steps=5, after=lambda: clip_weights(C, 0.05)),
        "G": Player([G], lambda x: -wasserstein(C(fake(x)), C(x))),
    }  # fmt: skip
    fit(players, cloud, 5)
    assert max(p.abs().max().item() for p in C.parameters()) <= torch.tensor(0.05)


def test_a_gradient_penalty_trains_inside_a_loss():
    p_z = standard_normal(2)
    G, C = nets.mlp([2, 8, 2]), nets.mlp([2, 32, 1], shape=())

    def loss_C(x):
        y = G(p_z.sample((len(x),)))
        penalty = gradient_penalty(C, x, y)
        return -wasserstein(C(x), C(y)) + 10 * penalty, {"penalty": penalty}

    history = fit({"C": Player([C], loss_C, adam(1e-3))}, cloud, 150)
    assert history["C/penalty"][-20:].mean() < history["C/penalty"][:5].mean()


def test_gradients_arrive_in_the_layout_of_their_weights():
    """torch's fused Adam ignores strides: a gradient laid out otherwise goes wrong."""
    x = torch.randn(8, 3, 6, 6).to(memory_format=torch.channels_last)
    G = nn.Conv2d(3, 4, 3)  # its weights are contiguous, their gradient will not be
    copy = nn.Conv2d(3, 4, 3)
    copy.load_state_dict(G.state_dict())
    (strange,) = torch.autograd.grad(copy(x).square().mean(), [copy.weight])
    assert strange.stride() != copy.weight.stride()
    fit(
        {"G": Player([G], lambda x: G(x).square().mean(), adam(0.1))},
        lambda n: x,
        3,
        progress=False,
    )
    plain = torch.optim.Adam(copy.parameters(), 0.1, fused=False)
    for _ in range(3):
        plain.zero_grad()
        copy(x).square().mean().backward()
        plain.step()
    assert torch.allclose(G.weight, copy.weight, atol=1e-6)


def test_several_arguments_reach_the_loss():
    w = nn.Parameter(torch.zeros(()))
    data = lambda n: (torch.full((n,), 3.0), torch.full((n,), 2.0))  # noqa: E731
    loss = lambda x, y: (w - x / y).square().mean()  # noqa: E731
    fit({"w": Player([w], loss, sgd(0.2))}, data, 60)
    assert w.item() == pytest.approx(1.5, abs=1e-3)


def test_training_can_go_on_with_a_second_call():
    runtime.seed(3)
    whole = gan(average=0.9)
    fit(whole, cloud, 20)
    runtime.seed(3)
    halves = gan(average=0.9)
    fit(halves, cloud, 10)
    fit(halves, cloud, 10)
    assert equal(bits(whole), bits(halves))


@pytest.mark.parametrize("make", [adam(0.1), rmsprop(0.1), sgd(0.1)])
def test_a_factory_takes_the_parameters_as_torch_hands_them_out(make):
    net = nets.mlp([2, 4, 1])
    given = make(net.parameters()).param_groups[0]["params"]
    assert [id(p) for p in given] == [id(p) for p in net.parameters()]


# ------------------------------------------------------------------ recording


def test_history_holds_losses_and_logs_of_every_round():
    w = nn.Parameter(torch.tensor(1.0))
    loss = lambda: (w**2, {"w": w})  # noqa: E731
    history = fit({"w": Player([w], loss, sgd(0.25))}, None, 600)
    expected = 0.5 ** np.arange(600)
    assert history.names == ["w", "w/w"]
    np.testing.assert_allclose(history["w/w"], expected, atol=1e-30, rtol=1e-5)
    np.testing.assert_allclose(history["w"], expected**2, atol=1e-30, rtol=1e-5)
    assert history.rounds.tolist() == list(range(1, 601))
    assert history.seconds > 0
    with pytest.raises(KeyError, match="there are w, w/w"):
        history["loss"]


def test_looking_changes_nothing_and_uses_the_same_noise():
    runtime.seed(1)
    seen = gan()
    G = seen["G"].modules[0]
    look = lambda: (G(torch.randn(5, 2)), torch.randn(3))  # noqa: E731
    history = fit(seen, cloud, 30, look=look, looks=4)
    runtime.seed(1)
    unseen = gan()
    fit(unseen, cloud, 30)
    assert equal(bits(seen), bits(unseen))
    assert [r for r, _ in history.snapshots] == [0, 10, 20, 30]
    assert torch.equal(history.snapshots[0][1][1], history.snapshots[-1][1][1])
    assert not torch.equal(history.snapshots[0][1][0], history.snapshots[-1][1][0])
    assert G.training


def test_looks_may_name_their_rounds():
    w = nn.Parameter(torch.tensor(1.0))
    player = {"w": Player([w], lambda: w**2)}
    history = fit(player, None, 7, look=lambda: w, looks=[0, 1, 5])
    assert [r for r, _ in history.snapshots] == [0, 1, 5]


def test_the_average_is_the_weighted_mean_of_the_weights():
    w = nn.Parameter(torch.tensor([1.0]))
    player = Player([w], lambda: w.sum(), sgd(0.1), average=0.8)
    fit({"w": player}, None, 25)
    path = 1 - 0.1 * np.arange(1, 26)
    weights = 0.2 * 0.8 ** np.arange(24, -1, -1)
    expected = (weights * path).sum() / weights.sum()
    assert player.averaged[0][0].item() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="keeps no average"):
        _ = gan()["G"].averaged


def test_the_average_of_a_normalised_network_has_averaged_moments():
    """Averaged weights with the live network's moments would not fit each other."""
    G = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    player = Player(
        [G], lambda x: G(x).square().mean() - G[0].weight.sum(), sgd(0.5), average=0.8
    )
    seen = []
    player.after = lambda: seen.append(G[1].running_mean.clone())
    fit({"G": player}, lambda n: torch.randn(n, 2) + 1, 6, progress=False)
    (averaged,) = player.averaged
    n = len(seen)
    weights = [0.2 * 0.8 ** (n - 1 - i) / (1 - 0.8**n) for i in range(n)]
    expected = sum(w * m for w, m in zip(weights, seen, strict=True))
    assert torch.allclose(averaged[1].running_mean, expected, atol=1e-5)
    assert not torch.allclose(averaged[1].running_mean, G[1].running_mean, atol=1e-3)
    assert averaged[1].num_batches_tracked == G[1].num_batches_tracked
