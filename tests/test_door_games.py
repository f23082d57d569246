"""What users bring to a game, a likelihood or a picture: looked at once, and named.

A comment or docstring says what was seen before: torch's own words, or nothing.
"""

import threading
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from bringing import Frame, X, train
from games import bits, equal
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gmlib import checks, data, nets, plot
from gmlib import objectives as o
from gmlib.game import Player, fit

# ----------------------------------------------------------------- what is iterated


PAIRS = TensorDataset(torch.rand(20, 2), torch.arange(20) % 3)


def test_a_data_loader_is_data_and_begins_again():
    """Before: TypeError, data has neither a method sample nor can it be called."""
    seen = []
    T = nets.mlp([2, 3])

    def loss(x, y):
        seen.append(tuple(x.shape))
        return nn.functional.cross_entropy(T(x), y)

    # 20 = 8 + 8 + 4: the rest is left out
    train(DataLoader(PAIRS, 8, shuffle=True), 7, loss, T, batch_size=8)
    assert seen == 8 * [(8, 2)]


def test_the_order_of_a_loader_comes_from_the_seed_alone():
    def weights(seed):
        torch.manual_seed(0)
        T = nets.mlp([2, 1], shape=())
        torch.manual_seed(seed)
        loader = DataLoader(TensorDataset(torch.rand(64, 2)), 2, shuffle=True)
        return bits_of(T, loader)

    def bits_of(T, loader):
        players = {"T": Player([T], lambda x: T(x).square().mean())}
        fit(players, loader, 5, batch_size=2)
        return bits(players)

    assert equal(weights(1), weights(1))
    assert not equal(weights(1), weights(2))


def test_each_batch_of_an_iterator_is_used_once_and_in_order():
    seen, T = [], nn.Linear(1, 1)

    def loss(x):
        seen.append(x[0].item())
        return T(x).mean()

    given = (torch.full((4, 1), float(i)) for i in range(6))
    train(given, 3, loss, T, batch_size=4)
    train(given, 3, loss, T, batch_size=4)
    assert seen == [0, 0, 1, 2, 3, 3, 4, 5]  # the rehearsals saw 0 and 3


def batches(k, size=64):
    return (torch.rand(size, 2) for _ in range(k))


NO_SOURCE = [
    (lambda: train(batches(3), 9), "a generator, ended after 3 batches of 64: give"),
    (lambda: train([]), "a list, ended after 0 batches"),
    (lambda: train(batches(3, 8)), "has 8 samples where batch_size is 64: say batch"),
    (
        lambda: train(DataLoader(PAIRS, 8), batch_size=8),
        r"arguments \(x\), and .* 2 p",
    ),
    (lambda: train(PAIRS), r"one example at a time: .*DataLoader\(dataset"),
    (lambda: train(torch.rand(9, 2)), r"wrap it, data\.Empirical\(x\)"),
    (lambda: train((X, X)), r"wrap it, data\.Empirical\(x\)"),
    (lambda: train(Frame(X)), r"a Frame only holds it: wrap it"),
    (lambda: train("mnist"), "being a str"),
    (lambda: train({"x": X}), "being a dict"),
    (lambda: train([{"x": X}]), "a batch of the data, a list, is a dict"),
    # AttributeError: 'generator' object has no attribute 'shape'
    (lambda: train(batches), r"returned an iterator, not a batch: .* data=f\(\)"),
    # TypeError: <lambda>() takes 0 positional arguments but 1 was given
    (lambda: train(lambda: X), r"does not take: write def data\(n\)"),
    # TypeError: <lambda>() missing 1 required positional argument: 'y'
    (
        lambda: train(data.ring(), loss=lambda x, y: 0),
        r"\(x, y\), and .* 1 part, f",
    ),
    (lambda: train(None), "there is no data: give fit its data"),
    (
        lambda: train(batches(9), checkpoint="never"),
        "the place in a generator is not kept: train without checkpoint=",
    ),
]


@pytest.mark.parametrize(("call", "words"), NO_SOURCE)
def test_what_gives_no_batches_says_what_would(call, words):
    """Before: TypeError, data has neither a method sample nor can it be called."""
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_ranks_do_not_share_an_iterable(monkeypatch):
    monkeypatch.setattr("gmlib.ranks._world", 2)
    with pytest.raises(ValueError, match="several ranks cannot share the batches of a"):
        train([torch.rand(64, 2)])


def test_a_list_is_a_batch_of_several_parts():
    """Before: AttributeError, 'list' object has no attribute 'shape'."""
    T = nets.mlp([2, 1], shape=())
    train(lambda n: [X[:n], X[:n]], loss=lambda x, y: (T(x) * y[:, 0]).mean(), T=T)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_batches_move_to_the_networks_and_are_not_captured(capsys):
    T = nets.mlp([2, 1], shape=()).cuda()
    train(lambda n: torch.rand(n, 2, device="cpu"), 6, T=T, fast={"graph"})
    assert "the data comes from the host" in capsys.readouterr().out


# ------------------------------------------------------------- likelihoods, pictures


def vae(x, likelihood=o.bernoulli, std=torch.exp):
    E, G = nets.mlp([2, 4]), nets.mlp([2, 2])

    def loss(x):
        mean, s = E(x).chunk(2, 1)
        q = o.normal(mean, std(s))
        return -likelihood(G(q.rsample())).log_prob(x).mean()

    return fit({"VAE": Player([E, G], loss)}, x, 2)


def test_a_bernoulli_is_asked_for_chances_only():
    """Before: a loss of 1.8 that could fall below 0, without a word."""
    vae(lambda n: torch.rand(n, 2))
    with pytest.raises(ValueError, match=r"x in \[0, 1\], not in .*\(x \+ 1\) / 2"):
        vae(lambda n: 2 * torch.rand(n, 2) - 1)
    p = o.bernoulli(torch.zeros(2, 3))
    for x in (-1.0, 255, float("nan")):
        with pytest.raises(ValueError, match="a Bernoulli gives probabilities to x in"):
            p.log_prob(torch.full((2, 3), x))
    one = torch.ones(2, 3)
    for x in (one.byte(), one.bool(), one.long()):
        assert torch.equal(p.log_prob(x), p.log_prob(one))


def test_a_standard_deviation_is_positive():
    """Before: NaN, or a KL of 0, or nothing at all."""
    vae(data.ring(), lambda m: o.normal(m, 1.0))
    with pytest.raises(ValueError, match=r"std must be positive.*log_std\.exp\(\)"):
        vae(data.ring(), lambda m: o.normal(m, 1.0), std=lambda s: s)
    zero = torch.zeros(2, 3)
    for std in (-1.0, 0.0, float("nan"), -torch.ones(2, 3), torch.zeros(3)):
        with pytest.raises(ValueError, match="std must be"):
            o.normal(zero, std)
    assert o.normal(zero.long(), 0.5).stddev.unique() == 0.5  # before: 0


def test_nobody_looks_at_values_in_a_round(monkeypatch):
    """A look would halt a GPU: all are in the rehearsal."""
    stages, look = [], checks.span

    def span(x):
        stages.append(checks.rehearsing())
        return look(x)

    monkeypatch.setattr(checks, "span", span)
    vae(lambda n: torch.rand(n, 2))
    assert set(stages) == {True}
    with checks.during("rounds"):
        o.normal(torch.zeros(1), -torch.ones(1))
        o.bernoulli(torch.zeros(1)).log_prob(-torch.ones(1))
    assert checks.looks(torch.zeros(1))


def test_trial_values_of_the_engine_are_not_taken_for_the_users():
    """The rehearsal also asks what a loss would be if a network gave ± 1000."""
    E, G = nets.mlp([2, 2]), nets.mlp([2, 2])
    players = {
        "E": Player([E], lambda x: E(x).square().mean()),
        "G": Player([G], lambda x: -o.normal(G(x + 0), E(x).exp()).log_prob(x).mean()),
    }
    fit(players, data.ring(), 3)
    fit(players, [torch.rand(8, 2)], 3, batch_size=8)
    fit(players, iter([torch.rand(8, 2)] * 6), 3, batch_size=8)


def test_likelihoods_keep_the_face_of_torch():
    p, q = o.bernoulli(torch.zeros(2, 3)), o.bernoulli(torch.ones(2, 3))
    assert type(p) is torch.distributions.Independent
    assert o.kl_divergence(p, q).shape == (2,)
    assert p.expand((4, 2)).log_prob(torch.ones(4, 2, 3)).shape == (4, 2)
    each = torch.func.vmap(lambda x: o.bernoulli(x).log_prob(x))(torch.rand(5, 3))
    assert each.shape == (5, 3)
    loss = torch.compile(
        lambda x, s: o.bernoulli(x).log_prob(x) + o.normal(x, s).log_prob(x),
        backend="eager", fullgraph=True,
    )  # fmt: skip
    assert loss(torch.rand(5, 3), torch.ones(5, 3)).shape == (5,)


OUTSIDE = [
    lambda x: plot.image_grid(x),
    lambda x: plot.tile(x),
    lambda x: plot.data_uri(x[0, 0]),
]


@pytest.mark.parametrize("draws", OUTSIDE)
@pytest.mark.parametrize("value", [-1.0, 1.5, 255, float("nan")])
def test_pictures_are_not_clipped_unsaid(draws, value):
    """Before: drawn black or white."""
    with pytest.raises(ValueError, match=r"from 0 \(black\) to 1 \(white\), not"):
        draws(np.array([0.5, value]).reshape(1, 1, 1, 2))
    draws(np.array([0.5, 1.005]).reshape(1, 1, 1, 2))
    plt.close("all")


def test_bytes_are_drawn_over_255():
    """Before: white, all of them."""
    x = np.array([0, 51, 255], "u1").reshape(1, 1, 1, 3)
    assert plot.tile(x).tolist() == [[0, 0.2, 1]]
    assert plot.tile(2 * x.astype(float) / 255 - 1, low=-1).tolist() == [[0, 0.2, 1]]
    assert plot.data_uri(x[0, 0]) == plot.data_uri(x[0, 0] / 255)
    for low, high in ((1, 0), (1, 1)):
        with pytest.raises(ValueError, match="low must be less than high"):
            plot.tile(x, low=low, high=high)


# -------------------------------------------------------------- networks in a game


def test_networks_left_in_evaluation_mode_are_named():
    """Before: dropout and batch normalisation were off, without a word."""
    T = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).eval()
    with pytest.warns(UserWarning, match=r"of 'T' trains in evaluation mode") as seen:
        train(data.ring(), T=T)
    assert seen[0].filename.endswith("bringing.py")
    assert not T.training
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        T.train()[1].eval()  # a part, on purpose
        train(data.ring(), T=T)
        train(data.ring(), T=nets.mlp([2, 4, 1]).eval())  # no layer minds


def penalised(norm):
    T = nn.Sequential(nn.Linear(2, 8), norm, nn.Flatten(), nn.LazyLinear(1))
    T(torch.rand(2, 2))
    closure = lambda v: T(v).squeeze(1)  # noqa: E731
    loss = lambda x: o.gradient_penalty(closure, x, torch.randn_like(x))  # noqa: E731
    return train(data.ring(), loss=loss, T=T)


def test_batch_norm_in_a_closure_is_found_in_the_rehearsal():
    """Before: a penalty on what is no gradient of a sample, without a word."""
    with pytest.raises(ValueError, match="critic with batch normalisation has no") as e:
        penalised(nn.BatchNorm1d(8))
    assert "before round 1" in e.value.__notes__[0]
    with pytest.raises(ValueError, match="T couples the samples of a batch"):
        penalised(nets.MinibatchDiscrimination(8))
    penalised(nn.LayerNorm(8))
    x, T = torch.randn(2, 4, 2), nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="batch normalisation"):
        o.gradient_penalty(lambda v: T(v).sum(1), *x)
    assert not torch.nn.modules.module._global_forward_pre_hooks


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("old", [nn.utils.spectral_norm, nn.utils.weight_norm])
def test_modules_that_keep_a_result_are_averaged(old):
    """Before: RuntimeError, Only Tensors created explicitly by the user ..."""
    T = nn.Sequential(old(nn.Linear(2, 1)))
    T(torch.rand(3, 2))
    player = Player([T], lambda x: T(x).square().mean(), average=0.0)
    fit({"T": player}, data.ring(), 3)
    (mean,), x = player.averaged, torch.rand(4, 2)
    assert mean is not T
    torch.testing.assert_close(mean(x), T.eval()(x))  # β = 0: the live weights


def test_modules_that_cannot_be_copied_are_named():
    """Before: TypeError, cannot pickle '_thread.lock' object."""
    T = nn.Linear(2, 1)
    T.lock = threading.Lock()
    with pytest.raises(TypeError, match=r"Linear cannot be copied .*train without"):
        Player([T], len, average=0.9)
    for decay in ("0.9", [], 1):
        with pytest.raises(ValueError, match=r"lies in \[0, 1\), not"):
            Player([nn.Linear(2, 1)], len, average=decay)


def test_a_game_in_one_thread_says_nothing_of_another():
    """Two trainings at once: the one in its rounds must not blind the other."""
    entered, leave = threading.Event(), threading.Event()

    def rounds():
        with checks.during("rounds"):
            entered.set()
            leave.wait()

    other = threading.Thread(target=rounds)
    other.start()
    entered.wait()
    try:
        assert checks.looks(torch.ones(1))
        with checks.during("rehearsal"):
            leave.set()
            other.join()  # it leaves first, and takes nothing along
            assert checks.rehearsing()
    finally:
        leave.set()
        other.join()
    assert checks.looks(torch.ones(1))
