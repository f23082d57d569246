"""Convolutions in channels_last, whoever wrote the network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gmlib import ranks
from gmlib.game.engine import Game
from gmlib.game.optimizers import laid_out_as

KINDS = (nn.Conv2d, nn.ConvTranspose2d)


@contextmanager
def channels_last(game: Game, rehearse: Callable[[], None]) -> Iterator[None]:
    """Rehearse the game, and play it, with convolutions that keep channels last.

    The processor computes them faster so. Weights and the state of optimizers have
    their own layout again at the end. Numbers, shapes and gradients are the same,
    but `Tensor.view` refuses such pictures: whoever takes a view is handed contiguous
    ones.
    """
    moved = _convolutions(game) if game.device.type in ("cpu", "cuda") else []
    hooks: list[torch.utils.hooks.RemovableHandle] = []
    try:
        _lay_out(game, moved, torch.channels_last)
        try:
            _mending(game, rehearse, hooks)
        except RuntimeError as error:
            if not moved or not _of_a_view(error):
                raise
            ranks.say(
                "a view forbids channels_last here: convolutions stay as they are"
            )
            _lay_out(game, moved, torch.contiguous_format)
            moved = []
            rehearse()
        yield
    finally:
        for hook in hooks:
            hook.remove()
        _lay_out(game, moved, torch.contiguous_format)


def _convolutions(game: Game) -> list[nn.Parameter]:
    """Return the weights of convolutions that are not yet in channels_last."""
    # A weight that is computed anew in each forward (spectral norm) is no parameter.
    own = (m._parameters.get("weight") for m in _every(game) if isinstance(m, KINDS))
    weights = {id(w): w for w in own if w is not None}
    there = torch.channels_last
    return [w for w in weights.values() if not w.is_contiguous(memory_format=there)]


def _every(game: Game) -> Iterator[nn.Module]:
    return (m for network in game.modules for m in network.modules())


def _lay_out(game: Game, weights: list[nn.Parameter], how: torch.memory_format) -> None:
    """Give weights, and what optimizers and averages keep of them, this layout."""
    own = {id(w) for w in weights}
    for w in weights:
        w.data = w.data.contiguous(memory_format=how)
    for player in game.players.values():
        for p, state in player.optimizer.state.items():
            if id(p) in own:
                for k, v in state.items():
                    if torch.is_tensor(v) and v.shape == p.shape:
                        state[k] = laid_out_as(p, v)
        if player.average is not None:
            player.average.lay_out()


def _mending(game: Game, rehearse: Callable[[], None], hooks: list) -> None:
    """Rehearse; whoever hands pictures to a module that views them makes them fit."""
    mended: set[nn.Module | None] = set()
    while True:
        try:
            return rehearse()
        except RuntimeError as error:
            module = _who_views(error)
            if not _of_a_view(error) or module in mended:
                raise
            mended.add(module)
            if module is not None:
                hooks.append(module.register_forward_pre_hook(_contiguous_inputs))
            givers = game.networks if module is None else module.children()
            hooks += [m.register_forward_hook(_contiguous_output) for m in givers]


def _contiguous_inputs(module: nn.Module, args: tuple) -> tuple:
    return tuple(a.contiguous() if torch.is_tensor(a) else a for a in args)


def _contiguous_output(module: nn.Module, args: tuple, out: Any) -> Any:
    return out.contiguous() if torch.is_tensor(out) else out


def _of_a_view(error: RuntimeError) -> bool:
    return "view size is not compatible" in str(error)


def _who_views(error: RuntimeError) -> nn.Module | None:
    """Return the module in whose own code an error arose; None if in a loss."""
    frame, found = error.__traceback__, None
    while frame is not None:
        holder = frame.tb_frame.f_locals.get("self")
        found = holder if isinstance(holder, nn.Module) else found
        frame = frame.tb_next
    return found
