"""Seconds and work of a training loop, ``rounds → None``, and the machine's peaks."""

import time

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from gmlib import runtime


def synchronize():
    if runtime.device().type == "cuda":
        torch.cuda.synchronize()


def seconds_of(train, rounds):
    """Return how long `rounds` rounds take."""
    synchronize()
    start = time.perf_counter()
    train(rounds)
    synchronize()
    return time.perf_counter() - start


def seconds_of_a_round(train, rounds):
    """Return the mean time of a round, without what a call does before the first."""
    return (seconds_of(train, rounds + 1) - seconds_of(train, 1)) / rounds


def enough(train, seconds):
    """Return how many rounds take about `seconds`."""
    train(2)  # what is made at the first round is made here
    rounds = 2
    while (taken := seconds_of(train, rounds)) < seconds / 3:
        rounds *= 2
    # A time is a difference of two calls: of few rounds it would be noise.
    return max(8, round(rounds * seconds / taken))


def matrix_peak(size=2048, repeats=12):
    """Return the speed of a large matrix product in FLOP/s: the best of several."""
    a = torch.randn(size, size, device=runtime.device())
    a @ a
    return max(2 * size**3 / seconds_of(lambda _: a @ a, 1) for _ in range(repeats))


def copy_peak(megabytes=256, repeats=12):
    """Return the speed of a large copy in bytes/s, read and written: the best."""
    a = torch.ones(megabytes * 2**18, device=runtime.device())
    b = torch.empty_like(a)
    b.copy_(a)
    moved = 2 * a.numel() * a.element_size()
    return max(moved / seconds_of(lambda _: b.copy_(a), 1) for _ in range(repeats))


class Work(TorchDispatchMode):
    """Count FLOPs of products and convolutions, and bytes that operations touch."""

    def __init__(self):
        super().__init__()
        self.flops = self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        if not func.is_view:
            touched = [
                t for t in tree_leaves((args, kwargs, out)) if torch.is_tensor(t)
            ]
            self.bytes += sum(t.numel() * t.element_size() for t in touched)
        return out


def work_of(train):
    """Return (FLOPs, bytes touched) of one round."""
    with Work() as one:
        train(1)
    with Work() as three:
        train(3)
    # Two rounds more are two rounds: what `fit` does once, before the first, cancels.
    return (three.flops - one.flops) / 2, (three.bytes - one.bytes) / 2
