"""What test_ranks.py has two ranks do: each writes what it has seen to a file.

torchrun --nproc-per-node=2 tests/on_ranks.py FOLDER
"""

import io
import os
import random
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.optim.lr_scheduler import StepLR

from benchmarks.traffic import traffic
from gmlib import nets, ranks, runtime
from gmlib.game import Player, adam, fit, sgd
from gmlib.objectives import jensen_shannon, standard_normal

OPTIMIZERS = {torch.float32: sgd(0.05, 0.9), torch.float64: adam(1e-3, (0.5, 0.999))}
EQUAL = [(d, s) for d in OPTIMIZERS for s in (False, True)]
LAYERS = {  # name: (layer, shape of the global batch)
    "1d": (lambda: nn.BatchNorm1d(3), (8, 3)),
    "1d with length": (lambda: nn.BatchNorm1d(3, momentum=None), (8, 3, 5)),
    "2d": (lambda: nn.BatchNorm2d(3, momentum=0.3), (4, 3, 2, 2)),
    "one a rank": (lambda: nn.BatchNorm1d(3, affine=False), (2, 3)),
    "no statistics": (lambda: nn.BatchNorm1d(3, track_running_stats=False), (6, 3)),
}


def own(whole):
    """This rank's slice of a global batch."""
    n = len(whole) // ranks.world()
    return whole[n * ranks.rank() : n * (ranks.rank() + 1)]


def slices(dtype):
    """Data and noise of a stream that all ranks share; each is handed its slice."""
    stream = torch.Generator().manual_seed(11)

    def data(n):
        size = (n * ranks.world(), 2)
        x = torch.randn(size, generator=stream, dtype=dtype) * 0.5 + 1
        z = torch.randn(size, generator=stream, dtype=dtype)
        return own(x), own(z)

    return data


def state(players):
    """Copies of all weights, statistics and averages of a game."""
    named = {}
    for name, p in players.items():
        for i, m in enumerate(p.modules):
            named |= {f"{name}/{i}/{k}": v.clone() for k, v in m.state_dict().items()}
        for i, t in enumerate(p.average.sums if p.average else ()):
            named[f"{name}/average/{i}"] = t.clone()
    return named


def equal_game(dtype, simultaneous):
    """Train 20 rounds; one rank and two must come to the same weights."""
    runtime.seed(1)
    G = nets.mlp([2, 16, 16, 2], batch_norm=True).to(dtype)
    T = nets.mlp([2, 16, 16, 1], "leaky", batch_norm=True, shape=()).to(dtype)
    loss_T = lambda x, z: -jensen_shannon(T(x), T(G(z)))  # noqa: E731
    loss_G = lambda x, z: -jensen_shannon(T(G(z)), T(x))  # noqa: E731
    make, steps = OPTIMIZERS[dtype], 1 if simultaneous else 2
    players = {
        "T": Player([T], loss_T, make, steps=steps),
        "G": Player([G], loss_G, make, average=0.9),
    }
    history = fit(players, slices(dtype), 20, batch_size=16, simultaneous=simultaneous)
    return {"state": state(players), "table": torch.tensor(history.table())}


def cloud(n):
    return torch.randn(n, 2) + 1


def noisy_game():
    """A GAN with its own noise, from the global seed."""
    p_z = standard_normal(2)
    G = nets.mlp([2, 16, 2], batch_norm=True)
    T = nets.mlp([2, 16, 16, 1], batch_norm=True, shape=())
    loss_T = lambda x: -jensen_shannon(T(x), T(G(p_z.sample((len(x),)))))  # noqa: E731
    loss_G = lambda x: -jensen_shannon(T(G(p_z.sample((len(x),)))), T(x))  # noqa: E731
    return {
        "T": Player([T], loss_T, steps=2),
        "G": Player([G], loss_G, average=0.9),
    }


def noise():
    """Two trainings; what each drew, the weights and the generator after them."""
    runtime.seed(2)
    players, drawn = noisy_game(), []

    def data(n):
        drawn.append(torch.randn(n, 2) + 1)
        return drawn[-1]

    for _ in range(2):
        fit(players, data, 3, batch_size=16 * ranks.world())
    return {
        "drawn": torch.stack(drawn),
        "state": state(players),
        "generator": torch.get_rng_state(),
    }


def batch_norm(make, shape):
    """A layer's outputs, statistics, first and second derivatives on this slice."""
    stream = torch.Generator().manual_seed(5)
    draw = partial(torch.randn, generator=stream, dtype=torch.float64)
    layer = make().double()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(draw(p.shape))
    seen = []
    with ranks.synchronised_batch_norm():
        for _ in range(2):
            # Another mean on each rank, so that local moments would be far off.
            whole = draw(shape) + torch.arange(shape[0]).view(-1, *[1] * len(shape[1:]))
            x, w = own(whole).requires_grad_(), own(draw(shape))
            y = layer(x)
            leaves = [x, *layer.parameters()]
            loss = (w * y.tanh()).sum()
            grads = torch.autograd.grad(loss, leaves, create_graph=True)
            (second,) = torch.autograd.grad((grads[0] ** 2).sum(), [x])
            seen.append([y.detach(), second, *[g.detach() for g in grads]])
        layer.eval()
        seen.append([layer(x).detach()])
    return {"seen": seen, "buffers": dict(layer.named_buffers())}


# ------------------------------------------------------------ only on two ranks


def caught(call):
    """The kind and the words of the exception of a call."""
    try:
        call()
    except BaseException as error:
        return type(error).__name__, str(error), getattr(error, "__notes__", [])
    return None


def start_together():
    """Games that start from different weights on each rank, after one round."""
    runtime.seed(ranks.rank())
    players = noisy_game()
    fit(players, cloud, 1, batch_size=4)
    widths = [2, 4 + ranks.rank(), 1]
    net = nets.mlp(widths, shape=())
    other = {"net": Player([net], lambda x: net(x).square().mean())}
    runtime.seed(0)
    return {
        "state": state(players),
        "error": caught(lambda: fit(other, cloud, 1, batch_size=4)),
    }


def resume(folder):
    """A training that one rank's SIGTERM stops, what follows, and one without it.

    The data draw from every kind of generator.
    """
    folder = folder / f"rank{ranks.rank()}"  # no two ranks share a disk
    moves = []

    def stop_one():
        moves.append(1)  # T moves twice a round
        if "KILL" in os.environ and len(moves) == 22 and ranks.rank() == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def train(name, rounds=24):
        runtime.seed(7)
        players = noisy_game()
        G = players["G"].modules[0]
        players["G"].after = StepLR(players["G"].optimizer, 5, 0.5).step
        players["T"].after = stop_one
        stream = torch.Generator().manual_seed(5 + ranks.rank())
        rng = np.random.default_rng(6)

        def data(n):
            x = torch.rand(n, 2, generator=stream) + random.random()
            y = rng.normal(size=(n, 2)) + np.random.normal()  # noqa: NPY002
            return cloud(n) + x + torch.from_numpy(y).float()

        look = lambda: G(torch.randn(4, 2))  # noqa: E731
        path = folder / f"{name}.safetensors"
        history = fit(
            players, data, rounds, batch_size=8, checkpoint=path, look=look, looks=4
        )
        table = torch.tensor(history.table())
        snapshots = [s for _, s in history.snapshots]
        return [*state(players).values(), table, *snapshots, torch.get_rng_state()]

    printed, again = io.StringIO(), io.StringIO()
    os.environ["KILL"] = ""
    with redirect_stdout(printed):
        stopped = caught(lambda: train("run"))
    del os.environ["KILL"]
    count = len(moves)
    with redirect_stdout(again):
        resumed = train("run")
    return {
        "stopped": stopped,
        "printed": printed.getvalue(),
        "again": again.getvalue(),
        "moves": count,
        "resumed": resumed,
        "straight": train("straight"),
        "alone": caught(lambda: train("alone")),
        "files": sorted(p.name for p in folder.glob("*")),
    }


def faults(folder):
    """Errors of one rank alone: every rank has to see one."""
    bad = ranks.rank() == 1

    def game():
        net = nets.mlp([2, 4, 1], shape=())
        return {"net": Player([net], lambda x: net(x).square().mean())}

    def nan_after(calls):
        left = [calls]

        def data(n):
            left[0] -= 1
            return torch.full((n, 2), torch.nan if bad and left[0] < 0 else 1.0)

        return data

    def broken(n):
        if bad:
            raise KeyError("no such file")
        return cloud(n)

    class Odd(Exception):  # a local class: it does not pickle
        pass

    def odd(n):
        if bad:
            raise Odd("strange")
        return cloud(n)

    path = folder / "file" / "net.safetensors"
    if not bad:
        path.parent.touch()
    found = {
        "later": caught(lambda: fit(game(), nan_after(6), 1000, batch_size=4)),
        "at once": caught(lambda: fit(game(), nan_after(0), 10, batch_size=4)),
        "data": caught(lambda: fit(game(), broken, 10, batch_size=4)),
        "odd": caught(lambda: fit(game(), odd, 10, batch_size=4)),
        "disk": caught(lambda: fit(game(), cloud, 2, batch_size=4, checkpoint=path)),
        "batch": caught(lambda: fit(game(), cloud, 10, batch_size=5)),
    }
    return found | {"generator": torch.get_rng_state()}


def quiet():
    """What each rank prints and draws while it trains."""
    out, bar = io.StringIO(), io.StringIO()
    os.environ["TQDM_DISABLE"] = "0"
    with redirect_stdout(out), redirect_stderr(bar):
        fit(noisy_game(), cloud, 2, batch_size=4, fast={"graph", "compile"})
    return {"out": out.getvalue(), "bar": bar.getvalue()}


def measured():
    """The bytes and messages that a round really sends, and what `traffic` says."""
    players, sent = noisy_game(), []
    players["T"].every = 2
    real = dist.all_reduce

    def counted(tensor, op=dist.ReduceOp.SUM, group=None, **kwargs):
        if op == dist.ReduceOp.SUM:
            sent.append(tensor.numel() * tensor.element_size())
        return real(tensor, op, group, **kwargs)

    dist.all_reduce = counted
    try:
        fit(players, cloud, 2, batch_size=4)
    finally:
        dist.all_reduce = real
    flushed = sent.pop()  # the losses of the two rounds
    expected = traffic(players, cloud, 4, world=2)
    return {"sent": sent, "flushed": flushed, "expected": expected}


def tensors():
    """`mean`, `agree`, `gather`, `first` on what differs between ranks."""
    r = ranks.rank()
    image = torch.full((2, 3, 4, 4), float(r)).to(memory_format=torch.channels_last)
    wide = torch.ones(()).expand(3)
    mixed = [torch.tensor([1.0 + r]), None, torch.tensor(2.0 * r).double(), image, wide]
    return {
        "mean": ranks.mean(mixed),
        "channels last": ranks.mean([image])[0].stride() == image.stride(),
        "agree": ranks.agree(r, 3 - r, r == 0),
        "gather": ranks.gather(f"rank {r}"),
        "first": ranks.first(lambda: r + 10),
        "error": caught(lambda: ranks.first(lambda: 1 // r)),
        "dtype": bf16(),
    }


def bf16():
    """The dtype that a normalised bfloat16 batch has."""
    with ranks.synchronised_batch_norm():
        return nn.BatchNorm1d(3)(torch.randn(4, 3, dtype=torch.bfloat16)).dtype


def main(folder):
    folder = Path(folder)
    torch.set_num_threads(1)
    ranks.start()
    ranks.start()
    assert ranks.world() == 2
    results = {
        "equal": {str(case): equal_game(*case) for case in EQUAL},
        "noise": noise(),
        "batch norm": {name: batch_norm(*case) for name, case in LAYERS.items()},
        "forward": "synchronised" in nn.BatchNorm1d.forward.__qualname__,
        "start": start_together(),
        "resume": resume(folder),
        "faults": faults(folder),
        "quiet": quiet(),
        "traffic": measured(),
        "tensors": tensors(),
    }
    torch.save(results, folder / f"{ranks.rank()}.pt")
    ranks.stop()
    assert ranks.world() == 1


if __name__ == "__main__":
    main(sys.argv[1])
