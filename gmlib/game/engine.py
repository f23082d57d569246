"""The engine: one round of a game, what it records, and its rehearsal."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from gmlib import checks, ranks, runtime
from gmlib.game import door
from gmlib.game.draws import Draws
from gmlib.game.known import Known
from gmlib.game.player import Player
from gmlib.history import History

FLUSH_ROUNDS = 256  # rounds of history kept on the device before the host reads them


class NotFinite(FloatingPointError):
    """A loss has become NaN or infinite."""


class Sampler(Protocol):
    """What can be sampled: a data set, a law of `torch.distributions`, ..."""

    def sample(self, shape: Any, /) -> Any:
        """Return a batch of n samples for ``shape = (n,)``."""


Data = Sampler | Callable[[int], Any] | Iterable[Any] | None


class Game:
    """A game as it is played: its players, their losses, and how far they are.

    Parameters
    ----------
    players, data, batch_size, simultaneous
        As `gmlib.game.fit` takes them.

    Attributes
    ----------
    done : int
        The rounds that have been played.
    pending : int
        Those of them whose losses are still on the device.
    names : list of str
        The curves, once `rehearse` has found them.
    turn : callable
        Plays one round of the players that move: `round`, or a faster form of it.
    focused : Player or None
        Whom gradients reach now.
    draws : Draws
        What has been drawn in this round: batches, and what losses share.
    known : Known
        What networks have given for the present batch.
    acting : str or None
        Whose loss is evaluated, or who moves, now.
    drawn : set of str
        The global generators of which the rehearsal has drawn.
    """

    buffer: Tensor  # (FLUSH_ROUNDS, len(names)), the losses that are pending
    row: Tensor  # (1,), where the next go; on the device, so that graphs can count

    def __init__(
        self,
        players: dict[str, Player],
        data: Data,
        batch_size: int = 64,
        simultaneous: bool = False,
    ) -> None:
        if not isinstance(players, dict) or not players:
            raise ValueError('a game needs players: {"name": Player(...), ...}')
        for name, player in players.items():
            if not isinstance(player, Player):
                raise TypeError(f"{name!r} is a {type(player).__name__}, not a Player")
        self.batch_size = checks.count("batch_size", batch_size)
        if simultaneous and any(p.steps > 1 for p in players.values()):
            raise ValueError("simultaneous players take one step a round each")
        self.players, self.data, self.simultaneous = players, data, simultaneous
        self.share = ranks.share(self.batch_size)
        self.losses = {name: player.loss for name, player in players.items()}
        self.done, self.pending, self.history = 0, 0, History()
        self.names: list[str] = []
        unique = {id(p): p for pl in players.values() for p in pl.parameters}
        self.parameters = list(unique.values())
        self.device = self.parameters[0].device
        self.source = door.source(data, self.parameters)
        self.focused: Player | None = None
        self.draws, self.known = Draws(self.parameters), Known()
        self.acting: str | None = None
        self.drawn: set[str] = set()
        self.turn: Callable[[Sequence[str]], None] = self.round

    @property
    def modules(self) -> list[nn.Module]:
        """The modules of all players, each once."""
        return list(
            {id(m): m for p in self.players.values() for m in p.modules}.values()
        )

    @property
    def networks(self) -> list[nn.Module]:
        """Those of them that can be called."""
        return [m for m in self.modules if not isinstance(m, nn.ParameterList)]

    def tensors(self) -> list[Tensor]:
        """All that training changes: weights, buffers, optimizers, averages."""
        found = [t for m in self.modules for t in (*m.parameters(), *m.buffers())]
        for p in self.players.values():
            states = p.optimizer.state.values()
            found += [t for s in states for t in s.values() if torch.is_tensor(t)]
            if p.average is not None:
                found += [*p.average.sums, p.average.updates]
        return found

    # ------------------------------------------------------------- one round

    def play(self) -> None:
        """Play the next round."""
        self.turn(self.moving(self.done))
        self.done += 1
        self.pending += 1

    def moving(self, number: int) -> list[str]:
        """The players that move in round `number`, counted from 0."""
        return [n for n, p in self.players.items() if (number + 1) % p.every == 0]

    def round(self, moving: Sequence[str]) -> None:
        """One round, without a host read; its losses go to the buffer."""
        seen: dict[str, Tensor | None] = dict.fromkeys(self.names)
        waiting = []
        for name in moving:
            player, self.acting = self.players[name], name
            self.focus(player)
            for _ in range(player.steps):
                value, logs = self.evaluate(name)
                # Cloned: what is logged may be a weight, which is about to move.
                seen[name] = value.detach().clone()
                for quantity, v in logs.items():
                    logged = torch.as_tensor(v).detach().clone()
                    seen[f"{name}/{quantity}"] = logged
                gradients = player.gradients(value, keep_graph=self.simultaneous)
                gradients = ranks.mean(gradients)
                if self.simultaneous:
                    waiting.append((player, gradients))
                else:
                    player.step(gradients)
                    self.draws.moved(player.own)
        for player, gradients in waiting:
            player.step(gradients)
        self.forget()
        self.acting = None
        zero = self.buffer.new_zeros(())
        values = [zero if v is None else v.reshape(()) for v in seen.values()]
        self.buffer.index_copy_(0, self.row, torch.stack(values).float()[None])
        self.row += 1

    def evaluate(
        self, name: str, batch: tuple[Any, ...] | None = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the loss of a player and what it logs, on samples it may use."""
        player = self.players[name]
        with self.draws.step(player, player.own):
            batch = self.draws.take(self.batch) if batch is None else batch
            if checks.rehearsing():
                door.admit(name, player.loss, batch)
            with self.known.step(name, batch):
                return player.evaluate(self.losses[name], batch)

    def forget(self) -> None:
        """Forget the samples of a round."""
        self.draws.forget()
        self.known.forget()

    def batch(self) -> tuple[Any, ...]:
        """Draw this rank's share of a batch: the arguments of a loss."""
        return self.source(self.share)

    def focus(self, player: Player) -> None:
        """Let gradients reach this player's parameters and no one else's.

        No graph is built behind a frozen generator, which saves its backward.
        """
        if self.focused is player:
            return
        before = self.parameters if self.focused is None else self.focused.parameters
        for p in before:
            p.requires_grad_(False)
        for p in player.parameters:
            p.requires_grad_(True)
        self.focused = player

    def release(self) -> None:
        """Make all parameters trainable again."""
        for p in self.parameters:
            p.requires_grad_(True)
        self.focused = None
        self.forget()

    # ------------------------------------------------------- before the first

    def rehearse(self) -> None:
        """Evaluate every loss once, leave no trace, refuse what cannot work."""
        buffers = [b for m in self.modules for b in m.buffers()]
        before = [b.clone() for b in buffers]
        try:
            with runtime.forked_rng(0) as self.drawn, checks.during("rehearsal"):
                self.names = [n for name in self.players for n in self._curves(name)]
        finally:
            self.source.rewind()
            with torch.no_grad():
                for buffer, old in zip(buffers, before, strict=True):
                    buffer.copy_(old)
        shape = (FLUSH_ROUNDS, len(self.names))
        self.buffer = torch.zeros(shape, dtype=torch.float32, device=self.device)
        self.row = torch.zeros(1, dtype=torch.long, device=self.device)

    def _curves(self, name: str) -> list[str]:
        """Evaluate one loss; return the names of the player's curves."""
        player, self.acting = self.players[name], name
        self.focus(player)
        try:
            value, logs = self.evaluate(name)
            gradients = player.gradients(value)
            self.known.study(
                name, player.own, partial(self._again, name, self.known.batch)
            )
        except Exception as error:
            of = door.described(self.source.seen)
            of = of and f", of a batch {of}"
            error.add_note(f"(in the loss of player {name!r}, before round 1{of})")
            raise
        finally:
            self.forget()
        if all(g is None for g in gradients):
            raise ValueError(
                f"the loss of player {name!r} does not reach its parameters: "
                "it would never learn"
            )
        if not torch.isfinite(value):
            raise NotFinite(
                f"the loss of player {name!r} is {value.item()} before round 1: "
                "are there NaNs in the data or the networks?"
            )
        self.acting = None
        return [name, *(f"{name}/{quantity}" for quantity in logs)]

    def _again(
        self, name: str, batch: tuple[Any, ...]
    ) -> tuple[Tensor, dict[str, Any], Sequence[Any]]:
        """Evaluate a loss on this batch and on the samples of every other call."""
        self.forget()
        # Networks are made to return what they never would: no look at that.
        with runtime.forked_rng(1), checks.during("rounds"):
            value, logs = self.evaluate(name, batch)
        return value, logs, self.players[name].gradients(value)

    # -------------------------------------------------------- what is recorded

    @property
    def full(self) -> bool:
        """Whether the buffer has no row left."""
        return self.pending == FLUSH_ROUNDS

    def flush(self, together: bool = True) -> dict[str, float]:
        """Move the buffered losses to the history; return those of the last round.

        Without `together` they are this rank's own, and no other is asked.

        Raises
        ------
        NotFinite
            If one of them is NaN or infinite; they are in the history all the same.
        """
        block = self.buffer[: self.pending]
        if together:
            (block,) = ranks.mean([block])
        block = block.cpu().double().numpy()
        first, bad = self.done - self.pending, None
        for i in range(self.pending):
            moving = self.moving(first + i)
            for j, name in enumerate(self.names):
                if name.split("/")[0] not in moving:
                    block[i, j] = np.nan
                elif name in moving and not np.isfinite(block[i, j]):
                    bad = bad or (name, block[i, j], first + i + 1)
        self.history.extend(self.names, block)
        self.pending = 0
        self.row.zero_()
        if bad:
            name, value, number = bad
            raise NotFinite(
                f"{name} became {value} in round {number}: "
                "a smaller learning rate, or a bounded loss, may help"
            )
        return dict(zip(self.names, block[-1], strict=True))

    def look(self, look: Callable[[], Any]) -> None:
        """Keep what `look` returns, on the host; see `gmlib.game.fit`."""
        with runtime.forked_rng(0), runtime.evaluating(*self.modules):
            seen = look()
        several = isinstance(seen, tuple)
        keep = [t.detach().to("cpu", copy=True) for t in (seen if several else (seen,))]
        self.history.snapshots.append((self.done, tuple(keep) if several else keep[0]))
