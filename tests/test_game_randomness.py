"""What a resumed training draws, and its schedules, are those of a whole one."""

import itertools
import random
from functools import partial

import numpy as np
import pytest
import torch
from games import bits, equal, gan
from torch import nn
from torch.optim import lr_scheduler

from gmlib import nets, runtime
from gmlib.game import Player, adam, fit, sgd


def resumed(path, start, rounds=(7, 20), **kwargs):
    """Compare a training in two parts, each from `start`, with a whole one."""
    runtime.seed(3)
    whole, p_data = start()
    expected = fit(whole, p_data, rounds[1], **kwargs)
    for n in rounds:
        runtime.seed(3)
        players, p_data = start()
        history = fit(players, p_data, n, checkpoint=path, **kwargs)
    assert equal(bits(whole), bits(players))
    np.testing.assert_array_equal(history.table(), expected.table())
    return players


class Drawn:
    """A data set that holds its generator."""

    def __init__(self, rng):
        self.rng = rng

    def sample(self, shape):
        return self.rng.normal(size=(*shape, 2)).astype(np.float32)


def of_python(n):
    return torch.tensor([[random.gauss(0, 1), random.random()] for _ in range(n)])


def of_numpy(n):
    return torch.from_numpy(np.random.normal(size=(n, 2))).float()  # noqa: NPY002


def held(g):
    return lambda n: torch.randn(n, 2, generator=g)


def numbers(rng):
    """Draw from a generator of Python, or from the old one of numpy."""
    draw = rng.normal if hasattr(rng, "normal") else rng.gauss
    return lambda n: torch.tensor(
        [[draw(0.0, 1.0) for _ in range(2)] for _ in range(n)]
    )


class Tensors(Drawn):
    def sample(self, shape):
        return torch.from_numpy(super().sample(shape))


class OfClass:
    rng = None

    def sample(self, shape):
        return torch.randn(*shape, 2, generator=self.rng)


def of_class():
    OfClass.rng = torch.Generator().manual_seed(1)
    return OfClass()


def drawn_by_part(n, parts):
    return torch.randn(n, 2, generator=parts["stream"][0])


SOURCES = {
    "python": lambda: of_python,
    "numpy": lambda: of_numpy,
    "a generator in a closure": lambda: held(torch.Generator().manual_seed(1)),
    "one in a partial's dictionary": lambda: partial(
        drawn_by_part, parts={"stream": [torch.Generator().manual_seed(1)]}
    ),
    "one of a class": of_class,
    "one of Python": lambda: numbers(random.Random(1)),
    "one of numpy's old kind": lambda: numbers(np.random.RandomState(1)),
} | {
    f"numpy's {kind.__name__} in an attribute": partial(
        lambda kind: Tensors(np.random.Generator(kind(1))), kind
    )
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox)
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_resumed_run_draws_on_from_every_source(tmp_path, source):
    path = tmp_path / "gan.safetensors"
    resumed(path, lambda: (gan(average=0.9), SOURCES[source]()))


def test_a_loss_and_a_look_may_hold_generators_too(tmp_path):
    looked = []

    def start():
        rng, eyes = np.random.default_rng(0), np.random.default_rng(1)
        net = nets.mlp([2, 4, 1], shape=())
        loss = lambda x: net(x + rng.normal()).square().mean()  # noqa: E731
        looked.append(lambda: torch.tensor(eyes.normal()))
        return {"net": Player([net], loss)}, of_numpy

    def train(n, path=None):
        runtime.seed(0)
        players, p_data = start()
        kept = {} if path is None else {"checkpoint": path}
        looks = [r for r in (3, 7, 12, 20) if r <= n]
        history = fit(players, p_data, n, look=looked[-1], looks=looks, **kept)
        return bits(players) + [t for _, t in history.snapshots]

    path = tmp_path / "net.safetensors"
    train(7, path)
    assert equal(train(20, path), train(20))


def test_the_rehearsal_and_a_look_draw_from_no_global_generator():
    states = []

    def p_data(n):
        states.append((random.getstate(), np.random.get_state()[1].tolist()))  # noqa: NPY002
        return of_python(n) + of_numpy(n)

    runtime.seed(0)
    look = lambda: of_python(1) + of_numpy(1)  # noqa: E731
    h = fit(gan(), p_data, 1, look=look, looks=2)
    runtime.seed(0)
    assert states[-1] == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    assert torch.equal(h.snapshots[0][1], h.snapshots[1][1])


# ----------------------------------------------------------------- what is refused


def from_an_iterator():
    batches = itertools.cycle([torch.ones(64, 2), torch.zeros(64, 2)])
    return lambda n: next(batches)


def from_the_system():
    rng = random.SystemRandom()
    return lambda n: torch.full((n, 2), rng.random())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (from_an_iterator, r"data\.batches is an iterator \(cycle\).*random indices"),
        (from_the_system, "SystemRandom has no state"),
    ],
)
def test_a_source_that_cannot_be_saved_is_refused_with_a_checkpoint(
    tmp_path, make, words
):
    fit(gan(), make(), 2)
    with pytest.raises(TypeError, match=words):
        fit(gan(), make(), 2, checkpoint=tmp_path / "gan.safetensors")


# ---------------------------------------------------------------------- schedules


SCHEDULES = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 9, 9], 0.5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 13),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda n: 1 / (1 + n)),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 25),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.ExponentialLR(o, 0.9)], [5]
    ),
}


def scheduled(schedule, optimizer=None, by_name=False):
    net = nets.mlp([2, 4, 1], shape=())
    loss = lambda x: net(x).square().mean()  # noqa: E731
    player = Player([net], loss, optimizer or adam(1e-2))
    made = SCHEDULES[schedule](player.optimizer)
    player.after = (lambda: made.step()) if by_name else made.step
    return {"net": player}


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_a_schedule_goes_on_bit_equally(tmp_path, schedule, by_name):
    start = lambda: (scheduled(schedule, by_name=by_name), of_numpy)  # noqa: E731
    players = resumed(tmp_path / "net.safetensors", start)
    optimizer = players["net"].optimizer
    assert optimizer.param_groups[0]["lr"] != optimizer.param_groups[0]["initial_lr"]


def test_a_schedule_goes_on_with_the_same_players(tmp_path):
    path = tmp_path / "net.safetensors"
    runtime.seed(0)
    whole = scheduled("StepLR")
    fit(whole, of_numpy, 20)
    runtime.seed(0)
    players = scheduled("StepLR")
    for rounds in (7, 20):
        fit(players, of_numpy, rounds, checkpoint=path)
    assert equal(bits(players), bits(whole))


def test_another_schedule_is_another_training(tmp_path):
    path = tmp_path / "net.safetensors"
    for gamma, refused in ((0.5, False), (0.1, True)):
        runtime.seed(0)
        players = scheduled("StepLR")
        players["net"].after.__self__.gamma = gamma
        if not refused:
            fit(players, of_numpy, 3, checkpoint=path)
            continue
        with pytest.raises(RuntimeError, match=r"its hook of net \(gamma\) changed"):
            fit(players, of_numpy, 6, checkpoint=path)


class Warmup:
    """A schedule of one's own, without `state_dict`."""

    def __init__(self, optimizer):
        self.optimizer, self.n = optimizer, 0

    def step(self):
        self.n += 1
        self.optimizer.param_groups[0]["lr"] = 1e-3 * min(1, self.n / 10)


class Kept(Warmup):
    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


def warmed(kind):
    players = scheduled("StepLR")
    players["net"].after = kind(players["net"].optimizer).step
    return players


def test_a_schedule_of_ones_own_needs_a_state(tmp_path):
    path = tmp_path / "net.safetensors"
    fit(warmed(Warmup), of_numpy, 2)
    with pytest.raises(TypeError, match=r"Warmup.*give it the methods state_dict and"):
        fit(warmed(Warmup), of_numpy, 2, checkpoint=path)
    resumed(path, lambda: (warmed(Kept), of_numpy))


def test_a_state_that_no_file_holds_is_refused_before_round_1(tmp_path):
    class Odd(Kept):
        def state_dict(self):
            return {"n": {1, 2}}

    with pytest.raises(TypeError, match=r"an? Odd, cannot be in a checkpoint"):
        fit(warmed(Odd), of_numpy, 2, checkpoint=tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------- what else changes


def test_tensors_that_a_hook_changes_go_on_and_a_counter_is_named(tmp_path, capsys):
    def start():
        w, beta, seen = nn.Parameter(torch.ones(2)), torch.zeros(()), []

        def anneal():
            beta.add_(0.1)
            seen.append(1)

        loss = lambda: (w - 3).square().sum() + beta * w.square().sum()  # noqa: E731
        return {"w": Player([w], loss, sgd(0.01), after=anneal)}, None

    resumed(tmp_path / "w.safetensors", start)
    told = capsys.readouterr().out
    assert "resumed from round 7 of" in told
    assert told.endswith("; what is not in it stays as it is: hook of w.seen\n")
