"""The machine, so that no lecture has to speak of it: device, scale, seed.

Environment variables (each overrides what the code says):

``GMLIB_DEVICE``       ``cpu``, ``cuda`` or ``mps``
``GMLIB_SCALE``        what ``scale="auto"`` means: ``smoke``, ``cpu`` or ``gpu``
``GMLIB_CHECKPOINTS``  a folder in which trainings leave their checkpoints
"""

import ctypes
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SCALES = ("smoke", "cpu", "gpu")
_scale: str | None = None


def device() -> torch.device:
    """Return the `torch.device` that networks and data live on.

    ``GMLIB_DEVICE`` decides; else CUDA, else MPS, else the CPU.

    Raises
    ------
    ValueError
        If ``GMLIB_DEVICE`` names a device that this machine does not have.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    asked = os.environ.get("GMLIB_DEVICE")
    if not asked:
        return torch.device(next(name for name, here in available.items() if here))
    if not available.get(asked.split(":")[0], False):
        here = ", ".join(name for name, ok in available.items() if ok)
        raise ValueError(f"GMLIB_DEVICE={asked}: this machine has only {here}")
    return torch.device(asked)


def seed(n: int) -> None:
    """Seed the global generators of torch, Python and numpy with the integer `n`.

    Losses and data may draw from any of them; torch's are those of the CPU and of
    the accelerator.

    Raises
    ------
    ValueError
        If `n` is negative, no integer, or has more than 64 bits.
    """
    value: Any = n
    if getattr(n, "ndim", None) == 0:  # of numpy or torch
        value = value.item()
    integer = isinstance(value, int) and not isinstance(value, bool)
    if not integer or not 0 <= value < 2**64:
        raise ValueError(f"a seed is an integer >= 0 of 64 bits, not {n!r}")
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002 (what libraries fall back on)


def set_deterministic(on: bool = True) -> None:
    """Let the accelerator compute the same bits in every run, at some cost of speed.

    On the CPU every run does; on CUDA some operations add up in any order unless
    this is called first, before CUDA is used. An operation that has no
    deterministic form then raises.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(on)


def set_scale(name: str = "auto") -> str:
    """Set the scale of the run and return it: ``smoke``, ``cpu`` or ``gpu``.

    ``auto`` takes ``GMLIB_SCALE`` if that is set, else what the machine has.

    Raises
    ------
    ValueError
        If there is no such scale.
    """
    global _scale
    if name == "auto":
        name = os.environ.get("GMLIB_SCALE", "auto")
    if name == "auto":
        name = "cpu" if device().type == "cpu" else "gpu"
    if name not in SCALES:
        raise ValueError(f"scale is one of {', '.join(SCALES)} or auto, not {name!r}")
    _scale = name
    return name


def scale() -> str:
    """Return the scale of the run (resolving ``auto`` at the first call)."""
    return _scale or set_scale()


def by_scale(*, smoke: Any, cpu: Any, gpu: Any) -> Any:
    """Return the value that belongs to the present scale.

    Budgets stand where they are used: ``rounds = by_scale(smoke=20, cpu=4_000,
    gpu=40_000)``.
    """
    return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[scale()]


def checkpoint_path(name: str) -> Path | None:
    """Return where a training called `name` keeps its checkpoint, or None.

    None unless ``GMLIB_CHECKPOINTS`` names a folder (on Colab: one on the
    mounted Drive).
    """
    folder = os.environ.get("GMLIB_CHECKPOINTS")
    return Path(folder).expanduser() / f"{name}.safetensors" if folder else None


def silent(progress: bool = True) -> bool:
    """Tell whether no progress bar is to be seen.

    That is so without `progress`, or if the environment variable ``TQDM_DISABLE`` is
    set. (Nobody asks whether the stream is a terminal: under an old ipykernel, as on
    Colab, it is none.)
    """
    return not progress or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")


@cache
def keep_freed_memory() -> None:
    """Let the C library keep what tensors on the CPU free, for those to come.

    glibc gives large blocks back to the system as they are freed; asking for them
    again costs a page fault for every 4 KiB, which can take a third of a round.
    Other C libraries have no such switch, and nothing happens.
    """
    trim_threshold, mmap_threshold = -1, -3  # malloc.h: M_TRIM_..., M_MMAP_THRESHOLD
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**25)  # the largest that glibc allows


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the modules' own modes come back after."""
    modes = [(m, m.training) for top in modules for m in top.modules()]
    for module in modules:
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def rng_state() -> dict[str, Tensor]:
    """Return the state of all global generators as ``{source: tensor}``.

    The sources are torch's devices, ``python`` (the module `random`) and ``numpy``.
    """
    states = {"cpu": torch.get_rng_state()}
    if device().type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state()
    if device().type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    states["python"] = generator_state(random)
    states["numpy"] = generator_state(np.random)
    return states


def set_rng_state(states: dict[str, Tensor]) -> None:
    """Put back what `rng_state` returned; states of absent devices are ignored."""
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"].cpu())
    set_generator_state(random, states["python"])
    set_generator_state(np.random, states["numpy"])


def is_generator(thing: Any) -> bool:
    """Whether `thing` is a generator of random numbers of torch, numpy or Python."""
    numpy = np.random.Generator | np.random.BitGenerator | np.random.RandomState
    return isinstance(thing, torch.Generator | numpy | random.Random)


def generator_state(g: Any) -> Tensor:
    """Return the state of a generator of torch, numpy or Python as a tensor of bytes.

    Raises
    ------
    TypeError
        If it has none, as `random.SystemRandom`.
    """
    if isinstance(g, torch.Generator):
        return g.get_state()
    if isinstance(g, random.SystemRandom):
        raise TypeError("a SystemRandom has no state: draw from random.Random(seed)")
    if isinstance(g, np.random.Generator | np.random.BitGenerator):
        state = _bits(g).state
    elif hasattr(g, "getstate"):
        state = g.getstate()
    else:
        state = g.get_state(legacy=False)
    plain = lambda a: a.tolist()  # noqa: E731
    text = json.dumps(state, default=plain).encode()
    return torch.frombuffer(bytearray(text), dtype=torch.uint8)


def set_generator_state(g: Any, state: Tensor) -> None:
    """Put back what `generator_state` returned."""
    if isinstance(g, torch.Generator):
        g.set_state(state.cpu())
        return
    value = json.loads(bytes(state.tolist()))
    if isinstance(g, np.random.Generator | np.random.BitGenerator):
        _bits(g).state = value
    elif hasattr(g, "getstate"):
        version, words, normal = value
        g.setstate((version, tuple(words), normal))
    else:
        g.set_state(value)


def _bits(g: Any) -> Any:
    """Return what holds the state of a generator of numpy."""
    return getattr(g, "bit_generator", g)


@contextmanager
def forked_rng(n: int) -> Iterator[set[str]]:
    """Run a block under seed `n`, then put the generators back.

    Yields a set that holds, after the block, the sources of which it has drawn.
    """
    states, drawn = rng_state(), set[str]()
    seed(n)
    start = rng_state()
    try:
        yield drawn
    finally:
        end = rng_state()
        drawn |= {k for k, v in start.items() if not torch.equal(v, end[k])}
        set_rng_state(states)
