"""Samples that the players of a round share: who draws, who reuses, what gradients."""

from typing import NamedTuple

import pytest
import torch
from games import bits, cloud, equal
from torch import nn

from gmlib import nets, runtime
from gmlib.game import Player, fit, sgd, shared
from gmlib.objectives import jensen_shannon, standard_normal

V = jensen_shannon


def counted(f):
    """Return a shared function and the list of what it has drawn."""
    drawn = []

    @shared
    def draw(*args):
        drawn.append(f(*args))
        return drawn[-1]

    return draw, drawn


def watching(modules, seen, draw, name, **how):
    """A player that writes down which sample it was given."""

    def loss(x):
        y = draw(x)
        seen.append((name, y.detach().clone()))
        return sum(p.square().sum() for m in modules for p in m.parameters()) + (
            y.mean() * 0
        )

    return Player(modules, loss, sgd(0.01), **how)


def after_rehearsal(seen, players):
    return seen[len(players) :]  # which evaluates every loss once


@pytest.mark.parametrize("minimax", [True, False])
def test_gradients_are_those_of_the_formula_at_this_sample(minimax):
    def networks():
        runtime.seed(3)
        G = nets.mlp([2, 16, 2], batch_norm=True)
        return G, nets.mlp([2, 16, 1], shape=())

    p_z = standard_normal(2)
    G, T = networks()
    G_z = shared(lambda x: G(p_z.sample((len(x),))))
    L_G = (lambda x: V(T(x), T(G_z(x)))) if minimax else (lambda x: -V(T(G_z(x)), T(x)))
    players = {
        "T": Player([T], lambda x: -V(T(x), T(G_z(x))), sgd(0.1)),
        "G": Player([G], L_G, sgd(0.1)),
    }
    runtime.seed(5)
    fit(players, cloud, 3, progress=False)

    by_hand, (H, S) = [], networks()
    runtime.seed(5)
    for _ in range(3):
        x = cloud(64)
        y = H(p_z.sample((64,)))
        loss = -V(S(x), S(y.detach()))
        for p, g in zip(
            S.parameters(),
            torch.autograd.grad(loss, list(S.parameters())),
            strict=True,
        ):
            p.data -= 0.1 * g
        loss = V(S(x), S(y)) if minimax else -V(S(y), S(x))
        for p, g in zip(
            H.parameters(),
            torch.autograd.grad(loss, list(H.parameters())),
            strict=True,
        ):
            p.data -= 0.1 * g
    for ours, theirs in ((G, H), (T, S)):
        by_hand += [
            torch.allclose(a, b, atol=1e-6)
            for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
        ]
    assert all(by_hand)
    assert torch.allclose(G[2].running_mean, H[2].running_mean, atol=1e-6)  # one pass


def game(steps=1, every=1, order="TG", **how):
    """T and G watch the same samples of G; returns what each was given."""
    runtime.seed(0)
    G, T, seen = nn.Linear(2, 2), nn.Linear(2, 1), []
    draw, drawn = counted(lambda x: G(torch.randn(len(x), 2)))
    players = {
        "T": watching([T], seen, draw, "T", steps=steps, every=every),
        "G": watching([G], seen, draw, "G"),
    }
    players = {name: players[name] for name in order}
    fit(players, cloud, 2, progress=False, **how)
    return after_rehearsal(seen, players), drawn[len(players) :]


def test_players_share_a_sample_and_rounds_do_not():
    seen, drawn = game()
    assert [name for name, _ in seen] == ["T", "G", "T", "G"]
    assert len(drawn) == 2
    for (_, mine), y in zip(seen, [drawn[0], drawn[0], *drawn[1:] * 2], strict=True):
        assert torch.equal(mine, y)


def test_a_player_of_several_steps_draws_each_and_the_next_takes_the_last():
    seen, drawn = game(steps=3)
    assert len(drawn) == 6
    assert torch.equal(seen[3][1], drawn[2])
    assert not torch.equal(seen[1][1], seen[2][1])


def test_who_sits_out_draws_nothing():
    seen, drawn = game(every=2)
    assert [name for name, _ in seen] == ["G", "T", "G"]
    assert len(drawn) == 2


def test_a_sample_of_networks_that_have_moved_is_drawn_anew():
    seen, drawn = game(order="GT")
    assert len(drawn) == 4
    assert not torch.equal(seen[0][1], seen[1][1])


def test_simultaneous_players_share_whoever_comes_first():
    seen, drawn = game(order="GT", simultaneous=True)
    assert len(drawn) == 2
    assert torch.equal(seen[0][1], seen[1][1])


def test_two_players_can_differentiate_through_one_sample():
    """All gradients are taken before anyone moves: the graph has to last."""
    A, B = nn.Linear(2, 2), nn.Linear(2, 2)
    y = shared(lambda x: B(A(x).tanh()))
    loss = lambda x: y(x).square().mean()  # noqa: E731
    before = [p.clone() for m in (A, B) for p in m.parameters()]
    fit(
        {"A": Player([A], loss), "B": Player([B], loss)},
        cloud, 2, simultaneous=True, progress=False,
    )  # fmt: skip
    now = [p for m in (A, B) for p in m.parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(before, now, strict=True))


def test_batches_are_shared_by_the_same_rule():
    given, seen = [], []
    w, v = (nn.Parameter(torch.ones(1)) for _ in "wv")

    def data(n):
        given.append(torch.randn(n, 1))
        return given[-1]

    def loss(p, name):
        def of(x):
            seen.append((name, x))
            return (p * x).square().mean()

        return of

    players = {
        "w": Player([w], loss(w, "w"), steps=2),
        "v": Player([v], loss(v, "v")),
    }
    fit(players, data, 2, progress=False)
    assert len(given) == 2 + 4
    batches = [x for _, x in after_rehearsal(seen, players)]
    expected = [given[2], given[3], given[3], given[4], given[5], given[5]]
    assert all(torch.equal(a, b) for a, b in zip(batches, expected, strict=True))


def test_what_a_loss_has_changed_in_place_is_drawn_anew():
    seen = []
    w, v = (nn.Parameter(torch.ones(1)) for _ in "wv")

    def spoils(x):
        return (w * x.mul_(0)).mean() + w.square().mean()

    def reads(x):
        seen.append(x.abs().sum().item())
        return (v * x).square().mean()

    fit({"w": Player([w], spoils), "v": Player([v], reads)}, cloud, 3, progress=False)
    assert min(seen) > 0


def test_two_calls_in_one_loss_are_two_samples():
    G, T, pairs = nn.Linear(1, 1), nn.Linear(1, 1), []
    draw, drawn = counted(lambda x: G(torch.randn(len(x), 1)))

    def loss(module):
        def of(x):
            a, b = draw(x), draw(x)
            pairs.append((a, b))
            return (a - b).square().mean() + module.weight.square().sum()

        return of

    players = {"T": Player([T], loss(T)), "G": Player([G], loss(G))}
    fit(players, cloud, 1, progress=False)
    (a, b), (c, d) = after_rehearsal(pairs, players)
    assert not torch.equal(a, b)
    assert torch.equal(a, c)
    assert torch.equal(b, d)
    assert c.requires_grad
    assert not a.requires_grad  # for T they are constants
    assert len(drawn) == 4 + 2


def test_one_shared_sample_may_be_made_of_another():
    E, G, T = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1)
    code = shared(lambda x: E(x))
    picture = shared(lambda x: G(code(x)))
    loss = lambda x: T(picture(x)).mean()  # noqa: E731
    before = E.weight.clone()
    players = {
        "T": Player([T], loss, sgd(0.1)),
        "EG": Player([E, G], lambda x: -loss(x), sgd(0.1)),
    }
    fit(players, cloud, 1, progress=False)
    assert not torch.equal(E.weight, before)


class Pair(NamedTuple):
    x: torch.Tensor
    z: torch.Tensor


def test_a_sample_may_have_parts():
    G = nn.Linear(2, 2)
    parts = shared(lambda x: {"both": Pair(G(x), x), "list": [x]})
    kinds = []

    def loss(x):
        y = parts(x)
        kinds.append((type(y["both"]), type(y["list"]), y["both"].x.requires_grad))
        return y["both"].x.square().mean() + w.square().sum()

    w = nn.Parameter(torch.ones(1))
    fit({"w": Player([w], loss), "G": Player([G], loss)}, cloud, 1, progress=False)
    assert kinds[-2:] == [(Pair, list, False), (Pair, list, True)]


def test_outside_a_game_and_in_look_it_is_the_function():
    G = nn.Linear(2, 2)
    draw, drawn = counted(lambda x: G(torch.randn(len(x), 2)))
    assert draw(torch.zeros(3, 2)) is drawn[-1]
    loss = lambda x: draw(x).square().mean()  # noqa: E731
    fit(
        {"G": Player([G], loss)}, cloud, 1, progress=False,
        look=lambda: draw(torch.zeros(3, 2)), looks=2,
    )  # fmt: skip
    assert [len(y) for y in drawn] == [3, 64, 3, 64, 3]


@pytest.mark.parametrize(
    "value", [lambda x: len(x), lambda x: (x, torch.distributions)]
)
def test_what_cannot_be_shared_is_refused(value):
    w = nn.Parameter(torch.ones(1))
    y = shared(value)
    with pytest.raises(TypeError, match="players share tensors"):
        fit({"w": Player([w], lambda x: (y(x), w.sum())[1])}, cloud, 1)
    with pytest.raises(TypeError, match="must be callable"):
        shared(3)


def test_a_game_with_shared_samples_resumes_bit_equally(tmp_path):
    def start():
        runtime.seed(7)
        p_z = standard_normal(2)
        G = nets.mlp([2, 16, 2], batch_norm=True)
        T = nets.mlp([2, 16, 1], shape=())
        G_z = shared(lambda x: G(p_z.sample((len(x),))))
        return {
            "T": Player([T], lambda x: -V(T(x), T(G_z(x))), steps=2),
            "G": Player([G], lambda x: -V(T(G_z(x)), T(x)), every=3),
        }

    whole, path = start(), tmp_path / "gan.safetensors"
    fit(whole, cloud, 20, progress=False)
    fit(start(), cloud, 11, checkpoint=path, progress=False)
    resumed = start()
    fit(resumed, cloud, 20, checkpoint=path, progress=False)
    assert equal(bits(whole), bits(resumed))
