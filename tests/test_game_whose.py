"""Whose a checkpoint is: another training is told from the same one, part by part."""

import numpy as np
import pytest
import torch
from games import bits, cloud, equal, gan
from torch import distributions as td
from torch import nn

from gmlib import checkpoint, data, nets, runtime
from gmlib.checkpoint import CheckpointError
from gmlib.game import Player, adam, fit


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def net_on(p_data, path, rounds=3, seed=0, loss=None, **kwargs):
    """Train one network from a seed, as a cell of a lecture does; return both."""
    runtime.seed(seed)
    net = nets.mlp([2, 4, 1], shape=())
    loss = loss or (lambda x: net(x).square().mean())
    players = {"net": Player([net], loss)}
    return players, fit(players, p_data, rounds, checkpoint=path, **kwargs)


def points(seed=0):
    return torch.rand(20, 2, generator=torch.Generator().manual_seed(seed))


def closure(scale, f=torch.tanh):
    return lambda n: f(torch.randn(n, 2) * scale)


class Law:
    """A law of one's own; `std` is no constant of its class."""

    def __init__(self, std):
        self.std = std

    def sample(self, shape):
        return self.std * torch.randn(*shape, 2)


class Shifted(Law):
    def sample(self, shape):
        return super().sample(shape) + 1


def normal(mean):
    return td.Independent(td.Normal(torch.full((2,), mean), torch.ones(2)), 1)


OTHERS = {
    "pixels": lambda: [data.Empirical(points()), data.Empirical(points(1))],
    "one pixel": lambda: [data.Empirical(points()), data.Empirical(one_off())],
    "labels": lambda: [
        data.Empirical(points(), torch.arange(20) % k) for k in (2, 3)
    ],
    "a transform": lambda: [
        data.Empirical(points()).map(f) for f in (data.to_tanh, torch.sqrt)
    ],
    "a number in a transform": lambda: [
        data.Empirical(points()).map(lambda x, s=s: x * s) for s in (1.0, 2.0)
    ],
    "a part": lambda: [
        data.Empirical(points(), torch.arange(20) % 2).only(y) for y in (0, 1)
    ],
    "modes of a ring": lambda: [data.ring(8), data.ring(4)],
    "its std": lambda: [data.ring(std=0.1), data.ring(std=0.2)],
    "another law": lambda: [data.ring(), data.swiss_roll()],
    "a law of torch": lambda: [normal(0.0), normal(1.0)],
    "a law of one's own": lambda: [Law(1.0), Law(2.0)],
    "a tensor that it holds": lambda: [Law(torch.ones(2)), Law(torch.zeros(2) + 2)],
    "its code": lambda: [Law(1.0), Shifted(1.0)],
    "a number in a closure": lambda: [closure(1.0), closure(2.0)],
    "a tensor in a closure": lambda: [closure(torch.ones(2)), closure(points()[0])],
    "an array in a closure": lambda: [
        closure(1.0, lambda x, a=a: x + torch.from_numpy(a))
        for a in np.eye(2, dtype=np.float32)
    ],
    "a function in a closure": lambda: [closure(1.0), closure(1.0, torch.sigmoid)],
    "a list in a closure": lambda: [closure(1.0, lambda x, a=a: x + a[0]) for a in
                                    ([1.0], [2.0])],
}  # fmt: skip


def one_off():
    x = points()
    x[7, 1] += 1e-6
    return x


@pytest.mark.parametrize("difference", OTHERS)
def test_other_data_are_refused_and_the_same_are_not(path, difference, capsys):
    runtime.seed(0)
    first, second = OTHERS[difference]()
    again, _ = OTHERS[difference]()
    net_on(first, path)
    kept = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"another game: its data .*move it away"):
        net_on(second, path, 6)
    assert path.read_bytes() == kept
    capsys.readouterr()
    net_on(again, path, 6)
    assert capsys.readouterr().out == f"resumed from round 3 of {path}\n"


def test_another_seed_is_another_training(path):
    """Once, the second call returned the first one's result at once."""
    net_on(data.ring(), path)
    with pytest.raises(CheckpointError) as refused:
        net_on(data.ring(), path, seed=1)
    assert "its initial weights and its random state changed" in str(refused.value)
    assert "call runtime.seed as then before the networks are made" in str(
        refused.value
    )
    with pytest.raises(CheckpointError, match=r"its data .* and its initial weights"):
        net_on(data.ring(4), path, seed=1)


def test_the_same_weights_with_another_noise_are_another_training(path):
    for seed in (0, 1):
        runtime.seed(0)
        players = gan()
        runtime.seed(seed)
        if seed == 0:
            fit(players, cloud, 3, checkpoint=path)
        else:
            with pytest.raises(CheckpointError, match="game: its random state changed"):
                fit(players, cloud, 3, checkpoint=path)


def test_what_a_loss_holds_matters(path):
    def with_weight(weight):
        def loss(x):
            return weight * x.mean() * w

        runtime.seed(0)
        w = nn.Parameter(torch.ones(()))
        return {"w": Player([w], loss)}

    features = nets.mlp([2, 2])
    pairs = [(1.0, 2.0), (torch.ones(()), torch.zeros(()))]
    for i, (first, second) in enumerate(pairs):
        here = path.with_name(f"{i}.safetensors")
        fit(with_weight(first), cloud, 3, checkpoint=here)
        with pytest.raises(CheckpointError, match=r"its loss of w \(weight\) changed"):
            fit(with_weight(second), cloud, 6, checkpoint=here)

    def judged():
        runtime.seed(0)
        net = nets.mlp([2, 2])
        loss = lambda x: (features(net(x))).square().mean()  # noqa: E731
        return {"net": Player([net], loss)}

    fit(judged(), cloud, 3, checkpoint=path)
    with torch.no_grad():
        next(features.parameters()).add_(1)
    with pytest.raises(CheckpointError, match=r"loss of net \(features\..*weight\)"):
        fit(judged(), cloud, 6, checkpoint=path)


SOURCE = """
def noise(n):
    {comment}
    {doc}
    return torch.randn(n, 2{layout})

class Data:
    {doc}
    def sample(self, shape):
        {doc}
        return noise(shape[0]) {comment}
"""


def test_comments_docstrings_annotations_and_titles_are_no_other_game(path, capsys):
    texts = [("# old", '"""Old."""', ""), ("# new", '"""New,\n    longer."""', ",\n  ")]
    for i, (comment, doc, layout) in enumerate(texts):
        doc = doc.replace("\n", "\n    ")
        source = SOURCE.format(comment=comment, doc=doc, layout=layout)
        names = written(source, f"cell{i}")
        title, shown = ("first", "second")[i], bool(i)
        net_on(names["Data"](), path, 3 + i, title=title, progress=shown)
    assert "resumed from round 3" in capsys.readouterr().out
    other = written(SOURCE.format(comment="#", doc="", layout=") + (1"), "cell2")
    with pytest.raises(CheckpointError, match="its data"):
        net_on(other["Data"](), path, 6)


def written(source, name):
    """Run a source that Python can read again, as that of a cell."""
    import linecache

    linecache.cache[name] = len(source), None, source.splitlines(True), name
    names = {"torch": torch, "__name__": "cells"}
    exec(compile(source, name, "exec"), names)
    return names


# ------------------------------------------------------------ in the same process


def test_the_same_players_go_on_in_the_same_kernel(path, capsys):
    runtime.seed(0)
    whole = gan()
    expected = fit(whole, cloud, 20)
    runtime.seed(0)
    players = gan()
    fit(players, cloud, 12, checkpoint=path)
    torch.randn(5)  # the student draws a figure
    history = fit(players, cloud, 20, checkpoint=path)
    assert "resumed from round 12 of" in capsys.readouterr().out
    assert equal(bits(players), bits(whole))
    np.testing.assert_array_equal(history.table(), expected.table())
    fit(players, cloud, 20, checkpoint=path)
    assert "resumed from round 20 of" in capsys.readouterr().out


def test_a_training_that_failed_goes_on_with_its_players(path, monkeypatch):
    monkeypatch.setattr("gmlib.game.training.SAVE_SECONDS", -1)
    broken, calls = torch.tensor(True), []

    def p_data(n):
        calls.append(n)
        if broken and len(calls) == 13:
            raise OSError("the network drive is away")
        return torch.randn(n, 2)

    runtime.seed(0)
    players = gan()
    with pytest.raises(OSError, match="drive"):
        fit(players, p_data, 10, checkpoint=path)
    broken.fill_(False)
    with pytest.raises(CheckpointError, match=r"its data \(broken\)"):
        fit(players, p_data, 10, checkpoint=path)  # it may be another data set
    broken.fill_(True)
    history = fit(players, p_data, 10, checkpoint=path)
    runtime.seed(0)
    whole = gan()
    expected = fit(whole, cloud_of_normals, 10)
    assert equal(bits(players), bits(whole))
    np.testing.assert_array_equal(history.table(), expected.table())


def cloud_of_normals(n):
    return torch.randn(n, 2)


def test_networks_that_went_elsewhere_are_refused(path):
    runtime.seed(0)
    players = gan()
    fit(players, cloud, 3, checkpoint=path)
    fit(players, cloud, 2)  # without the checkpoint
    with pytest.raises(CheckpointError, match="its initial weights"):
        fit(players, cloud, 6, checkpoint=path)


def test_a_cell_that_makes_new_networks_without_a_seed_is_refused(path):
    fit(gan(), cloud, 3, checkpoint=path)
    with pytest.raises(CheckpointError, match="its initial weights and its random"):
        fit(gan(), cloud, 6, checkpoint=path)


def test_another_optimizer_on_trained_networks_is_refused(path):
    runtime.seed(0)
    net = nets.mlp([2, 4, 1], shape=())
    loss = lambda x: net(x).square().mean()  # noqa: E731
    fit({"net": Player([net], loss)}, cloud, 3, checkpoint=path)
    with pytest.raises(CheckpointError, match="its optimizer of net changed"):
        fit({"net": Player([net], loss, adam(1.0))}, cloud, 6, checkpoint=path)


def test_who_loads_the_saved_weights_goes_on_from_them(path):
    """The way on where a machine draws other initial weights from the same seed."""
    runtime.seed(0)
    fit(gan(), cloud, 3, checkpoint=path)
    runtime.seed(1)
    players, (saved, _) = gan(), checkpoint.load(path)
    for name, player in players.items():
        for i, m in enumerate(player.modules):
            keys = m.state_dict()
            m.load_state_dict({k: saved[f"modules/{name}/{i}/{k}"] for k in keys})
    assert len(fit(players, cloud, 6, checkpoint=path).rounds) == 6


def test_fewer_rounds_than_were_played_are_refused(path):
    net_on(cloud, path, 6)
    with pytest.raises(CheckpointError, match=r"has played 6 rounds.*ask for at least"):
        net_on(cloud, path, 3)


def test_a_checkpoint_of_an_older_version_is_refused(path):
    net_on(cloud, path)
    tensors, meta = checkpoint.load(path)
    meta |= {"format": 1, "fingerprint": {}}
    del meta["whose"], meta["running"], meta["code"]
    checkpoint.save(path, tensors, meta)
    with pytest.raises(
        CheckpointError, match=r"another version of gmlib.*move it away"
    ):
        net_on(cloud, path, 6)


def test_data_are_hashed_once(path, monkeypatch):
    from gmlib.game import held

    hashed, real = [], held.tensor_digest
    monkeypatch.setattr(held, "tensor_digest", lambda ts: hashed.extend(ts) or real(ts))
    monkeypatch.setattr("gmlib.game.training.SAVE_SECONDS", -1)
    p_data = data.Empirical(points())
    net_on(p_data, path, 10)
    assert sum(t is p_data._x for t in hashed) == 1
