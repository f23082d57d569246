"""The engine: who moves what, what is recorded, and how a training survives."""

import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gmlib import nets, runtime
from gmlib.checkpoint import CheckpointError
from gmlib.game import NotFinite, Player, adam, fit, rmsprop, sgd
from gmlib.objectives import (
    clip_weights,
    gradient_penalty,
    jensen_shannon,
    standard_normal,
    wasserstein,
)


def cloud(n):
    return torch.randn(n, 2) + 1


def gan(V=jensen_shannon, average=None, **kwargs):
    """A small GAN from the global seed; batch norm makes resuming harder."""
    p_z = standard_normal(2)
    G = nets.mlp([2, 16, 2], batch_norm=True)
    T = nets.mlp([2, 16, 1], shape=())
    loss_T = lambda x: -V(T(x), T(G(p_z.sample((len(x),)))))  # noqa: E731
    loss_G = lambda x: -V(T(G(p_z.sample((len(x),)))), T(x))  # noqa: E731
    return {
        "T": Player([T], loss_T, **kwargs),
        "G": Player([G], loss_G, average=average),
    }


def bits(players):
    """All weights, buffers and averages of a game."""
    tensors = [
        t.clone() for p in players.values() for m in p.modules
        for t in m.state_dict().values()
    ]  # fmt: skip
    averages = [p for p in players.values() if p._average is not None]
    return tensors + [t.clone() for p in averages for t in p._average.sums]


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


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


# ----------------------------------------------------------- faults and input


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
    limit = [5.0]
    data = lambda n: torch.full((n,), 1.0)  # noqa: E731
    scale = torch.ones(())
    player = {"w": Player([w], lambda x: (w * scale * x).mean(), sgd(0.1))}
    fit(player, data, int(limit[0]), checkpoint=path)
    kept = path.read_bytes()
    scale.fill_(1e38)
    with pytest.raises(NotFinite):
        fit(player, data, 300, checkpoint=path)
    assert path.read_bytes() == kept


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
        (lambda: fit(gan(), lambda n: torch.zeros(n, 3), 5), RuntimeError, "shapes"),
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


# -------------------------------------------------------- checkpoint, resume


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
    runtime.seed(99)  # the generators' state comes from the checkpoint too
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


def test_other_data_or_batches_are_refused(tmp_path):
    path = tmp_path / "gan.safetensors"
    fit(gan(), cloud, 3, checkpoint=path)
    with pytest.raises(CheckpointError, match="batch_size"):
        fit(gan(), cloud, 6, checkpoint=path, batch_size=32)


def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path):
    path = tmp_path / "gan.safetensors"
    fit(gan(), cloud, 3, checkpoint=path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        fit(gan(), cloud, 6, checkpoint=path)
    assert path.read_bytes() == whole[: len(whole) // 2]


SCRIPT = """
    import sys, time, torch
    from torch import nn
    from gmlib import runtime, nets
    from gmlib.game import Player, fit
    torch.set_num_threads(1)
    runtime.seed(0)
    net = nets.mlp([2, 8, 1], batch_norm=True, shape=())
    slow, calls = float(sys.argv[2]), []
    def data(n):
        time.sleep(slow)
        calls.append(n)
        if len(calls) == 3:
            print("ready", flush=True)
        return torch.randn(n, 2)
    try:
        fit({"net": Player([net], lambda x: net(x).square().mean())}, data,
            int(sys.argv[3]), checkpoint=sys.argv[1])
    except KeyboardInterrupt as stop:
        print(stop)
        raise SystemExit(7)
    print("sum", [t.double().sum().item().hex() for t in net.state_dict().values()])
"""


def launch(path, slow, rounds):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), slow, rounds]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 7), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_an_interrupt_leaves_a_checkpoint_that_goes_on_bit_equally(
    tmp_path, number, code
):
    path = tmp_path / "run" / "net.safetensors"
    process = launch(path, "0.05", "200")
    assert process.stdout.readline().strip() == "ready"
    time.sleep(0.5)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "stopped after round" in out
    assert "run this again" in out
    assert path.exists()
    resumed, _ = launch(path, "0", "200").communicate(timeout=60)
    straight, _ = launch(tmp_path / "other", "0", "200").communicate(timeout=60)
    assert resumed.splitlines()[-1].startswith("sum")
    assert resumed.splitlines()[-1] == straight.splitlines()[-1]


def test_signal_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    fit(gan(), cloud, 2)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


# ------------------------------------------------------------------ fast path


def test_the_fast_path_falls_back_with_one_line(capsys):
    runtime.seed(5)
    asked = gan()
    fit(asked, cloud, 5, fast=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "no CUDA graphs on cpu" in out
    runtime.seed(5)
    plain = gan()
    fit(plain, cloud, 5)
    assert equal(bits(asked), bits(plain))


def test_bf16_runs_inside_networks_and_leaves_no_trace():
    runtime.seed(5)
    players = gan()
    T = players["T"].modules[0]
    seen = set()
    T[1].register_forward_hook(lambda m, i, out: seen.add(out.dtype))
    history = fit(players, cloud, 200, fast={"bf16"}, batch_size=128)
    assert torch.bfloat16 in seen
    assert "forward" not in vars(T)
    runtime.seed(5)
    reference = fit(gan(), cloud, 200, batch_size=128)
    for name in ("T", "G"):  # the losses follow those of float32
        gap = abs(history[name][-100:].mean() - reference[name][-100:].mean())
        assert gap < 0.05


def test_a_failing_compiler_falls_back_with_one_line(monkeypatch, capsys):
    def broken(f):
        def raising(*args):
            raise RuntimeError("no compiler here")

        return raising

    monkeypatch.setattr(torch, "compile", broken)
    history = fit(gan(), cloud, 5, fast={"compile"})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "compiling the losses failed" in out
    assert len(history.rounds) == 5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_captured_rounds_follow_eager_ones(monkeypatch):
    monkeypatch.setenv("GMLIB_DEVICE", "cuda")

    def train(fast):
        runtime.seed(0)
        players = gan(average=0.9, steps=2)
        data = lambda n: torch.randn(n, 2, device="cuda") + 1  # noqa: E731
        return fit(players, data, 200, fast=fast, batch_size=256)

    eager, captured = train(False), train({"graph"})
    for name in ("T", "G"):
        gap = abs(eager[name][-50:].mean() - captured[name][-50:].mean())
        assert gap < 0.05
