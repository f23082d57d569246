"""Training on several processes, or ranks, that torchrun has started.

Every rank runs the same program. Between trainings the ranks are replicas of each
other; within `gmlib.game.fit` each draws its share of every batch, and gradients,
batch-norm moments and losses are averaged over all. In a single process nothing
here touches `torch.distributed`.
"""

import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

VARIABLES = {"WORLD_SIZE", "RANK", "LOCAL_RANK"}  # what torchrun tells each process
_world, _rank = 1, 0
_host: Any = None  # a group for what the host has to know


def start(kind: str = "cpu") -> None:
    """Join the ranks that torchrun has started; without torchrun do nothing.

    `fit` and `begin` call it. A program that builds networks on a GPU before
    either calls it first, so that each rank builds them on its own GPU.

    Parameters
    ----------
    kind : {"cpu", "cuda"}
        The type of `runtime.device()`. Tensors on GPUs travel by NCCL, those on
        the host by Gloo.

    Raises
    ------
    RuntimeError
        If there are more ranks than GPUs here, or the device cannot be shared.
    """
    global _world, _rank, _host
    if _world > 1 or not os.environ.keys() >= VARIABLES:
        return
    if int(os.environ["WORLD_SIZE"]) == 1:
        return
    if kind not in ("cpu", "cuda"):
        raise RuntimeError(f"ranks run on cpu or cuda, not on {kind}: GMLIB_DEVICE=cpu")
    if kind == "cuda":
        local, here = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= here:
            raise RuntimeError(f"local rank {local} has no GPU: there are {here} here")
        torch.cuda.set_device(local)
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo")
    _host = dist.new_group(backend="gloo")
    _rank, _world = dist.get_rank(), dist.get_world_size()


def stop() -> None:
    """Leave the other ranks, at the end of a program; alone, do nothing."""
    global _world, _rank, _host
    if _world > 1:
        dist.destroy_process_group()
        _world, _rank, _host = 1, 0, None


def rank() -> int:
    """Return the number of this process, 0 to `world()` − 1."""
    return _rank


def world() -> int:
    """Return the number of processes."""
    return _world


def share(batch_size: int) -> int:
    """Return this rank's part of a batch; ValueError if it cannot be divided."""
    if batch_size % _world:
        raise ValueError(
            f"batch_size is that of all ranks together: {batch_size} samples "
            f"cannot be divided among {_world}"
        )
    return batch_size // _world


def say(text: str) -> None:
    """Print, on rank 0 alone."""
    if _rank == 0:
        print(text)


# ------------------------------------------------------------------- agreement


def gather(value: Any) -> list[Any]:
    """Return the list of every rank's `value`, any object that pickles."""
    if _world == 1:
        return [value]
    values: list[Any] = [None] * _world
    dist.all_gather_object(values, value, group=_host)
    return values


def agree(*flags: int) -> tuple[int, ...]:
    """Return the greatest value of each flag (bool or int) on any rank."""
    if _world == 1:
        return flags
    votes = torch.tensor(flags, dtype=torch.int64, device="cpu")
    dist.all_reduce(votes, dist.ReduceOp.MAX, group=_host)
    return tuple(votes.tolist())


@contextmanager
def together() -> Iterator[None]:
    """Make an error of one rank in this block, which meets no other rank, all ranks'.

    Without it the others would wait in vain.
    """
    if _world == 1:
        yield
        return
    error = None
    try:
        yield
    except Exception as caught:
        error = caught
    for number, other in enumerate(gather(_portable(error))):
        if error is None and other is not None:
            other.add_note(f"(on rank {number})")
            error = other
    if error is not None:
        raise error


def _portable(error: Exception | None) -> Exception | None:
    """Return the error, or, where another process could not unpickle it, its words."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def first(make: Callable[[], Any]) -> Any:
    """Call `make` on rank 0 alone; all ranks return its result or raise its error."""
    if _world == 1:
        return make()
    with together():
        box: list[Any] = [make() if _rank == 0 else None]
    dist.broadcast_object_list(box, 0, group=_host)
    return box[0]


# --------------------------------------------------------------------- tensors


def _alike(tensors: Sequence[Tensor | None]) -> Iterable[list[int]]:
    """Group the places of the tensors by dtype and device; None has no place."""
    groups: dict[tuple[torch.dtype, torch.device], list[int]] = {}
    for i, t in enumerate(tensors):
        if t is not None:
            groups.setdefault((t.dtype, t.device), []).append(i)
    return groups.values()


@torch.no_grad()
def broadcast(tensors: Sequence[Tensor]) -> None:
    """Overwrite the tensors with those of rank 0.

    Raises
    ------
    RuntimeError
        If they differ in number, shape or dtype: the ranks run different programs.
    """
    if _world == 1:
        return
    mine = [(tuple(t.shape), str(t.dtype)) for t in tensors]
    if any(theirs != mine for theirs in gather(mine)):
        raise RuntimeError("the networks or optimizer states differ between the ranks")
    for places in _alike(tensors):
        group = [tensors[i] for i in places]
        flat = torch.cat([t.reshape(-1) for t in group])
        dist.broadcast(flat.view(torch.uint8), 0)  # bytes: Gloo knows few dtypes
        for t, piece in zip(group, flat.split([t.numel() for t in group]), strict=True):
            t.copy_(piece.view(t.shape))


@torch.no_grad()
def mean(tensors: Sequence[Any]) -> Sequence[Any]:
    """Average a list of tensors over the ranks, in one message a dtype and device.

    What is None stays None; the same places have to be None on every rank, as they
    are where all ranks evaluate the same losses.
    """
    if _world == 1:
        return tensors
    means: list[Any] = list(tensors)
    for places in _alike(tensors):
        group = [means[i] for i in places]
        flat = torch.cat([t.reshape(-1) for t in group]).div_(_world)
        dist.all_reduce(flat)
        pieces = flat.split([t.numel() for t in group])
        for i, t, piece in zip(places, group, pieces, strict=True):
            piece = piece.view(t.shape)
            # Fused optimizers want a gradient in the memory format of its parameter.
            means[i] = piece if t.is_contiguous() else torch.empty_like(t).copy_(piece)
    return means


# --------------------------------------------------------- batch normalisation


@contextmanager
def synchronised_batch_norm() -> Iterator[None]:
    """Let `nn.BatchNorm1d` and its kin take the moments of the batch of all ranks.

    The moments are those of the concatenated batch, gradients flow through them to
    every rank, and the running statistics follow them as torch's do. (Torch's own
    `nn.SyncBatchNorm` runs on GPUs only and cannot be differentiated twice.)
    """
    if _world == 1:
        yield
        return
    kind: Any = nn.modules.batchnorm._BatchNorm
    alone = kind.forward

    def forward(layer: Any, x: Tensor) -> Tensor:
        by_batch = layer.training or layer.running_mean is None
        return _normalise(layer, x) if by_batch else alone(layer, x)

    kind.forward = forward
    try:
        yield
    finally:
        kind.forward = alone


def moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance of a channel over all ranks, and the count.

    Every rank sends its own moments, and the law of total variance combines them:
    that is one message, and no difference of large squares.

    Parameters
    ----------
    x : Tensor, shape (n, c, ...)

    Returns
    -------
    mean, variance : Tensor, shape (c,)
        Differentiable; the variance divides by the count.
    count : Tensor, shape ()
    """
    # Imported here: it costs time, and a single process does not need it.
    from torch.distributed.nn.functional import all_reduce

    dims = [d for d in range(x.dim()) if d != 1]
    variance, average = torch.var_mean(x, dims, correction=0)
    count = average.new_full((1,), x.numel() / x.shape[1])
    row = torch.cat([average, variance, count])[None]
    # A row a rank, the others zero: the sum over ranks collects them.
    table = all_reduce(nn.functional.pad(row, (0, 0, _rank, _world - 1 - _rank)))
    averages, variances, counts = table.split([x.shape[1], x.shape[1], 1], 1)
    weights = counts / counts.sum()
    average = (weights * averages).sum(0)
    variance = (weights * (variances + (averages - average) ** 2)).sum(0)
    return average, variance, counts.sum().detach()


def _normalise(layer: Any, x: Tensor) -> Tensor:
    """Normalise x as `layer` does by its batch, with the moments of all ranks."""
    layer._check_input_dim(x)
    h = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    average, variance, count = moments(h)
    if layer.training and layer.track_running_stats:
        with torch.no_grad():
            layer.num_batches_tracked += 1
            momentum = layer.momentum
            if momentum is None:
                momentum = 1 / float(layer.num_batches_tracked)
            unbiased = variance * count / (count - 1)
            for running, new in (
                (layer.running_mean, average),
                (layer.running_var, unbiased),
            ):
                running.lerp_(new.to(running.dtype), momentum)
    shape = [1, -1] + [1] * (x.dim() - 2)
    scale = torch.rsqrt(variance + layer.eps)
    if layer.weight is not None:
        scale = scale * layer.weight
    out = (h - average.view(shape)) * scale.view(shape)
    if layer.bias is not None:
        out = out + layer.bias.view(shape)
    return out.to(x.dtype)
