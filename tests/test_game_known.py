"""Terms that cannot move a player: which ones are found, and what is saved."""

import pytest
import torch
from games import cloud
from torch import nn
from torch.nn.functional import logsigmoid, relu

from gmlib import nets, runtime
from gmlib.game import Player, fit, sgd, shared
from gmlib.game.engine import Game
from gmlib.game.known import forwards
from gmlib.objectives import (
    gradient_penalty,
    hinge,
    jensen_shannon,
    least_squares,
    standard_normal,
    wasserstein,
)

V = jensen_shannon


class Counting(nn.Module):
    """A discriminator that counts its calls and can drop units."""

    def __init__(self, dropout=False):
        super().__init__()
        drop = nn.Dropout(0.25) if dropout else nn.Identity()
        self.net = nn.Sequential(
            nn.Linear(2, 16), nn.LeakyReLU(), drop, nn.Linear(16, 1)
        )
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.net(x).squeeze(1)


def game(L_G, dropout=False):
    """Return (G, T, players) of a GAN with this loss of G, from (T, x, y)."""
    runtime.seed(0)
    p_z = standard_normal(2)
    G, T = nets.mlp([2, 16, 2], batch_norm=True), Counting(dropout)
    G_z = shared(lambda x: G(p_z.sample((len(x),))))
    players = {
        "T": Player([T], lambda x: -V(T(x), T(G_z(x))), sgd(0.1)),
        "G": Player([G], lambda x: L_G(T, x, G_z(x)), sgd(0.1)),
    }
    return G, T, players


def needless(L_G, dropout=False):
    """Which calls on the batch cannot move G, by the parts of the batch."""
    played = Game(game(L_G, dropout)[2], cloud)
    with forwards(played.networks, played.known.wrap):
        played.rehearse()
    return [parts for _, parts in played.known.needless.get("G", ())]


APART = {
    "non-saturating": lambda T, x, y: -V(T(y), T(x)),
    "minimax": lambda T, x, y: V(T(x), T(y)),
    "wasserstein": lambda T, x, y: wasserstein(T(x), T(y)),
    "hinge": lambda T, x, y: -hinge(T(y), T(x)),
    "least squares": lambda T, x, y: -least_squares(T(y), T(x)),
    "scaled": lambda T, x, y: -3 * V(T(y), T(x)) / 2 + 1,
}
TOGETHER = {
    "relativistic": lambda T, x, y: -logsigmoid(T(y) - T(x)).mean(),
    "a square": lambda T, x, y: (T(y).mean() - T(x).mean()) ** 2,
    "a gate, shut at first": lambda T, x, y: (
        -T(y).mean() + relu(T(y).mean() - T(x).mean() - 50)
    ),
    "a weight without gradient": lambda T, x, y: (
        -(T(y) * T(x).detach().sigmoid()).mean()
    ),
    "a mask": lambda T, x, y: -(T(y) * (T(x) > 0)).mean(),
    "a product that is zero at first": lambda T, x, y: (
        -T(y).mean() + T(x).mean() * relu(y.abs() - 50).sum()
    ),
    "what is logged": lambda T, x, y: (-T(y).mean(), {"D(x)": T(x).sigmoid().mean()}),
}


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("loss", APART)
def test_terms_without_the_player_are_found(loss, dropout):
    assert needless(APART[loss], dropout) == [(0,)]


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("loss", TOGETHER)
def test_terms_that_matter_are_not(loss, dropout):
    assert needless(TOGETHER[loss], dropout) == []


@pytest.mark.parametrize(("loss", "calls"), [("minimax", 3), ("relativistic", 4)])
def test_such_a_term_costs_nothing_in_a_round(loss, calls):
    _, T, players = game((APART | TOGETHER)[loss])
    fit(players, cloud, 1, progress=False)
    before = T.calls
    fit(players, cloud, 11, progress=False)
    rehearsed = T.calls - before - 11 * calls
    before = T.calls
    fit(players, cloud, 12, progress=False)
    assert T.calls - before == rehearsed + 12 * calls


def test_the_weights_are_those_of_the_whole_loss():
    """The same game with G's loss as it is written and without the idle term."""
    ends = []
    for L_G in (APART["non-saturating"], lambda T, x, y: -logsigmoid(T(y)).mean()):
        G, T, players = game(L_G)
        runtime.seed(1)
        fit(players, cloud, 5, progress=False)
        ends.append([*G.parameters(), *T.parameters()])
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b)


def test_the_curve_holds_the_term_as_it_was_last_computed():
    """T(x) from T's own step, before T has moved."""
    seen = {}
    G, T, _ = game(APART["minimax"])

    def L_T(x):
        seen["x"] = T(x)
        return -V(seen["x"], T(G(x)))

    def L_G(x):
        t_y = T(G(x))
        seen["V"] = V(seen["x"], t_y)  # not T(x): as T saw it
        return V(T(x), t_y)

    players = {"T": Player([T], L_T, sgd(0.5)), "G": Player([G], L_G, sgd(0.1))}
    history = fit(players, cloud, 1, progress=False)
    assert history["G"][0] == pytest.approx(seen["V"].item(), rel=1e-5)


def test_gradients_of_others_come_through_what_players_share():
    """T(x), shared, is a constant for G and not for T, whoever draws it."""
    runtime.seed(0)
    G, T = nn.Linear(2, 2), Counting()
    t_x = shared(lambda x: T(x))
    players = {
        "G": Player([G], lambda x: V(T(x), T(G(x))) + 0 * t_x(x).mean(), sgd(0.1)),
        "T": Player([T], lambda x: -t_x(x).mean(), sgd(0.1)),
    }
    before = T.net[0].weight.clone()
    fit(players, cloud, 2, progress=False)
    assert not torch.equal(T.net[0].weight, before)


def test_a_penalty_sees_the_network_itself():
    G, T, _ = game(APART["minimax"])
    players = {
        "T": Player([T], lambda x: gradient_penalty(T, x, G(x)) - V(T(x), T(G(x)))),
        "G": Player([G], lambda x: V(T(x), T(G(x)))),
    }
    fit(players, cloud, 3, progress=False)
    assert "forward" not in vars(T)  # and what was put in its place is gone
