"""The state of a game: saved, put back, and the fingerprint that says whose it is."""

import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gmlib import checkpoint as store
from gmlib import ranks, runtime
from gmlib.fingerprint import describe, digest
from gmlib.game.engine import Game
from gmlib.game.optimizers import MACHINE, laid_out_as
from gmlib.game.player import Player


def fingerprint(game: Game) -> dict[str, str]:
    """Return what must be the same for a training to go on, part by part."""
    parts: dict[str, Any] = {
        "batch_size": game.batch_size,
        "simultaneous": game.simultaneous,
        "data": getattr(game.data, "name", type(game.data).__name__),
    }
    for name, p in game.players.items():
        shapes = [[k, list(v.shape)] for m in p.modules for k, v in _state(m)]
        hyper = [
            {k: v for k, v in g.items() if k not in ("params", *MACHINE)}
            for g in p.optimizer.param_groups
        ]
        decay = p.average and p.average.decay
        parts |= {
            f"networks of {name}": [[repr(m) for m in p.modules], shapes],
            f"optimizer of {name}": [type(p.optimizer).__name__, hyper],
            f"schedule of {name}": [p.steps, p.every, decay],
            f"loss of {name}": describe(p.loss),
            f"hook of {name}": describe(p.after),
        }
    return {part: digest(value) for part, value in parts.items()}


def save(game: Game, path: str | Path) -> None:
    """Write the game to `path`; every rank calls, the first one writes.

    Raises
    ------
    gmlib.checkpoint.CheckpointError
        If it cannot be written, on every rank.
    """
    tensors: dict[str, Tensor] = {}
    for rank, state in enumerate(ranks.gather(runtime.rng_state())):
        tensors |= {_stream(rank) + k: v for k, v in state.items()}
    tensors["history"] = torch.from_numpy(game.history.table())
    skeletons = {}
    for name, p in game.players.items():
        packed, skeletons[name] = _pack_player(name, p)
        tensors |= packed
    packed, snapshots = store.pack(game.history.snapshots, "snapshots")
    meta = {
        "format": 1,
        "ranks": ranks.world(),
        "done": game.done,
        "seconds": game.history.seconds,
        "names": game.names,
        "optimizers": skeletons,
        "snapshots": snapshots,
        "fingerprint": fingerprint(game),
        "python": platform.python_version_tuple()[:2],
    }
    ranks.first(lambda: store.save(path, tensors | packed, meta))


def resume(game: Game, path: str | Path) -> None:
    """Put the game into the state that `save` wrote; do nothing if there is no file.

    Raises
    ------
    gmlib.checkpoint.CheckpointError
        If the file is damaged, or comes from another game or number of ranks.
    """
    try:
        tensors, meta = ranks.first(lambda: store.load(path))
    except FileNotFoundError:
        return
    _refuse_others(game, path, meta)
    for name, p in game.players.items():
        _unpack_player(name, p, tensors, meta["optimizers"][name])
    own = _stream(ranks.rank())
    runtime.set_rng_state(
        {k.removeprefix(own): v for k, v in tensors.items() if k.startswith(own)}
    )
    game.done = meta["done"]
    game.history.seconds = meta["seconds"]
    game.history.extend(game.names, tensors["history"].numpy())
    game.history.snapshots = store.unpack(meta["snapshots"], tensors)


def _refuse_others(game: Game, path: str | Path, meta: dict[str, Any]) -> None:
    """Raise CheckpointError if the checkpoint is that of another training."""
    then, now = meta.get("ranks", 1), ranks.world()
    if then != now:
        raise store.CheckpointError(
            f"{path} was saved by {then} ranks, and this training has {now}: "
            f"go on with torchrun --nproc-per-node={then}, or move it away"
        )
    mine, theirs = fingerprint(game), meta["fingerprint"]
    changed = [k for k in mine | theirs if mine.get(k) != theirs.get(k)]
    if list(platform.python_version_tuple()[:2]) != meta["python"]:
        # Bytecode differs between Pythons: the code cannot be compared.
        changed = [k for k in changed if not k.startswith(("loss", "hook"))]
    if changed or meta["names"] != game.names:
        raise store.CheckpointError(
            f"{path} comes from another game: {', '.join(changed) or 'its curves'} "
            "changed. Move it away to start afresh, or undo the change"
        )


def _pack_player(name: str, p: Player) -> tuple[dict[str, Tensor], Any]:
    """Return a player's tensors, and the skeleton of its optimizer's state."""
    tensors: dict[str, Tensor] = {}
    for i, m in enumerate(p.modules):
        tensors |= {f"modules/{name}/{i}/{k}": v for k, v in _state(m)}
    packed, skeleton = store.pack(p.optimizer.state_dict(), f"optimizers/{name}")
    tensors |= packed
    if p.average is not None:
        tensors |= {f"average/{name}/{i}": t for i, t in enumerate(p.average.sums)}
        tensors[f"average/{name}/updates"] = p.average.updates
    return tensors, skeleton


def _unpack_player(
    name: str, p: Player, tensors: dict[str, Tensor], skeleton: Any
) -> None:
    """Put back what `_pack_player` returned."""
    for i, m in enumerate(p.modules):
        prefix = f"modules/{name}/{i}/"
        m.load_state_dict({k: tensors[prefix + k] for k, _ in _state(m)})
    state = store.unpack(skeleton, tensors)
    groups = zip(state["param_groups"], p.optimizer.param_groups, strict=True)
    for theirs, ours in groups:
        theirs |= {k: ours[k] for k in MACHINE if k in ours}
    p.optimizer.load_state_dict(state)
    for parameter, kept in p.optimizer.state.items():
        for k, v in kept.items():
            if torch.is_tensor(v) and v.shape == parameter.shape:
                kept[k] = laid_out_as(parameter, v)
    if p.average is not None:
        for i, t in enumerate(p.average.sums):
            t.copy_(tensors[f"average/{name}/{i}"])
        p.average.updates.copy_(tensors[f"average/{name}/updates"])


def _stream(rank: int) -> str:
    """What the generator state of a rank is called in a checkpoint."""
    return f"rng{rank or ''}/"


def _state(module: nn.Module) -> list[tuple[str, Tensor]]:
    return list(module.state_dict().items())
