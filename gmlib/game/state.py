"""The parts of a game as a checkpoint holds them: named, packed and put back."""

from typing import Any

import torch
from torch import Tensor, nn

from gmlib import checkpoint as store
from gmlib.fingerprint import digest
from gmlib.game.engine import Game
from gmlib.game.optimizers import MACHINE, laid_out_as
from gmlib.game.player import Player


def parts(game: Game) -> dict[str, str]:
    """Return digests of what a game is, but for what its losses and data hold."""
    found: dict[str, Any] = {
        "batch_size": game.batch_size,
        "simultaneous": game.simultaneous,
    }
    for name, p in game.players.items():
        shapes = [[k, list(v.shape)] for m in p.modules for k, v in _state(m)]
        hyper = [
            {k: v for k, v in g.items() if k not in ("params", *MACHINE)}
            for g in p.optimizer.param_groups
        ]
        decay = p.average and p.average.decay
        found |= {
            f"networks of {name}": [[repr(m) for m in p.modules], shapes],
            f"optimizer of {name}": [type(p.optimizer).__name__, hyper],
            f"schedule of {name}": [p.steps, p.every, decay],
        }
    return {part: digest(value) for part, value in found.items()}


def weights(game: Game) -> dict[str, Tensor]:
    """Return the parameters of all players by their names in a checkpoint."""
    return {
        f"modules/{name}/{i}/{k}": v
        for name, p in game.players.items()
        for i, m in enumerate(p.modules)
        for k, v in m.named_parameters()
    }


def pack_stateful(place: str, thing: Any) -> tuple[dict[str, Tensor], Any]:
    """Pack the state of a schedule or its like; TypeError if it cannot be kept."""
    try:
        return store.pack(thing.state_dict(), f"stateful/{place}")
    except TypeError as error:
        raise TypeError(
            f"{place}, a {type(thing).__name__}, cannot be in a checkpoint: {error}"
        ) from error


def unpack_stateful(thing: Any, skeleton: Any, tensors: dict[str, Tensor]) -> None:
    """Put back what `pack_stateful` returned; a Counter was packed as a plain dict."""
    now, state = thing.state_dict(), store.unpack(skeleton, tensors)
    for k, v in state.items():
        if isinstance(v, dict) and isinstance(now.get(k), dict):
            state[k] = type(now[k])(v)
    thing.load_state_dict(state)


def pack_player(name: str, p: Player) -> tuple[dict[str, Tensor], Any]:
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


def unpack_player(
    name: str, p: Player, tensors: dict[str, Tensor], skeleton: Any
) -> None:
    """Put back what `pack_player` returned."""
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


def _state(module: nn.Module) -> list[tuple[str, Tensor]]:
    return list(module.state_dict().items())
