"""Who plays: the modules, the loss and the optimizer of one player."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from gmlib import checks
from gmlib.ema import Average
from gmlib.game.optimizers import Factory, adam, laid_out_as
from gmlib.history import History

Owned = nn.Module | nn.Parameter
Loss = Callable[..., Any]  # of a batch: a scalar, or (scalar, {"name": scalar})


class Player:
    """One player of a game.

    Parameters
    ----------
    modules : list of nn.Module or nn.Parameter
        What the player may change. Parameters that do not require gradients
        at this moment stay frozen.
    loss : callable
        Takes a fresh batch (or nothing, if the game has no data), returns a
        scalar, or ``(scalar, {"name": scalar})`` to record more curves.
    optimizer : callable
        Parameters → `torch.optim.Optimizer`; see `adam`, `rmsprop`, `sgd`.
        The default is the field's ``adam(2e-4, betas=(0.5, 0.999))``.
    steps : int
        Updates in a round in which the player moves, each on a fresh batch.
    every : int
        The player moves in every `every`-th round.
    after : callable, optional
        Called without arguments after each update, without gradients. A schedule
        of learning rates needs the optimizer, so it comes second:
        ``player.after = StepLR(player.optimizer, 100).step``.
    average : float, optional
        Decay of an exponential moving average; see `averaged`.

    Attributes
    ----------
    history : History or None
        That of the training in which the player has moved last, also if an error
        or Ctrl-C has ended it.

    Raises
    ------
    TypeError, ValueError
        Bad input: no module or nothing trainable, a loss that cannot be called,
        ratios that are no positive integers, a decay outside [0, 1).
    """

    def __init__(
        self,
        modules: Owned | Iterable[Owned],
        loss: Loss,
        optimizer: Factory | None = None,
        steps: int = 1,
        every: int = 1,
        after: Callable[[], Any] | None = None,
        average: float | None = None,
    ) -> None:
        self.modules: list[nn.Module] = _modules(modules)
        every_parameter = (p for m in self.modules for p in m.parameters())
        unique = {id(p): p for p in every_parameter if p.requires_grad}
        self.parameters: list[nn.Parameter] = list(unique.values())
        if not self.parameters:
            raise ValueError("a player needs at least one trainable parameter")
        self.own = frozenset(unique)  # by id
        self.loss = checks.function("loss", loss)
        self.after = after if after is None else checks.function("after", after)
        self.steps = checks.count("steps", steps)
        self.every = checks.count("every", every)
        self.optimizer = (optimizer or adam(2e-4, (0.5, 0.999)))(self.parameters)
        self.average = None if average is None else Average(self.modules, average)
        self.history: History | None = None

    @property
    def averaged(self) -> list[nn.Module]:
        """The averaged copies of `modules`, in evaluation mode."""
        if self.average is None:
            raise ValueError("this player keeps no average: give it average=0.999")
        return self.average.modules

    @cached_property
    def compiled(self) -> Loss:
        """The loss, compiled once: a training in pieces pays for it once."""
        return torch.compile(self.loss)

    def evaluate(
        self, loss: Loss, batch: tuple[Any, ...]
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return (scalar loss, logged scalars) of a batch."""
        out = loss(*batch)
        value, logs = out if isinstance(out, tuple) else (out, {})
        if not torch.is_tensor(value) or value.numel() != 1:
            what = (
                tuple(value.shape) if torch.is_tensor(value) else type(value).__name__
            )
            raise ValueError(f"a loss is one number: take the mean (got {what})")
        return value.reshape(()), logs

    def gradients(
        self, value: Tensor, keep_graph: bool = False
    ) -> Sequence[Tensor | None]:
        """Differentiate `value` in this player's parameters only."""
        for p in self.parameters:
            p.grad = None  # the old gradients make room for the new
        if not value.requires_grad:
            return [None] * len(self.parameters)
        return torch.autograd.grad(
            value, self.parameters, retain_graph=keep_graph, allow_unused=True
        )

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """Descend, then the hook, then the average."""
        for p, g in zip(self.parameters, gradients, strict=True):
            p.grad = None if g is None else laid_out_as(p, g)
        self.optimizer.step()
        with torch.no_grad():
            if self.after is not None:
                self.after()
        if self.average is not None:
            self.average.update()


def _modules(owned: Owned | Iterable[Owned]) -> list[nn.Module]:
    """Return what a player owns as modules; TypeError if there is anything else."""
    owned = [owned] if isinstance(owned, nn.Module | nn.Parameter) else owned
    found = [nn.ParameterList([m]) if isinstance(m, nn.Parameter) else m for m in owned]
    strangers = [m for m in found if not isinstance(m, nn.Module)]
    if strangers:
        kinds = ", ".join(type(m).__name__ for m in strangers)
        raise TypeError(f"a player owns modules and parameters, not {kinds}")
    return found
