"""Whose a checkpoint is: it is written, and gone on from by the same training only."""

import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gmlib import checkpoint as store
from gmlib import checks, ranks, runtime
from gmlib.fingerprint import digest
from gmlib.game.engine import Game, NotFinite
from gmlib.game.held import Held, changes_of, tensor_digest
from gmlib.game.state import (
    pack_player,
    pack_stateful,
    parts,
    unpack_player,
    unpack_stateful,
    weights,
)

FORMAT = 2
WEIGHTS, RANDOM = START = ("initial weights", "random state")
LOOK = "look"
# Where trainings of this process have left their networks: (path, digest of the
# weights) -> {part: (its digest then, its digest when the training began)}.
_left: dict[tuple[str, str], dict[str, tuple[str | None, str]]] = {}


class Keeper:
    """Who saves a game and puts it back; made before the game is rehearsed.

    Parameters
    ----------
    game : Game
    path : str or Path
    look : callable, optional
        The state of its generators is saved too; another look is no other training.

    Raises
    ------
    TypeError
        If a loss, a hook or the data holds what no checkpoint can keep.
    """

    def __init__(
        self, game: Game, path: str | Path, look: Callable[[], Any] | None = None
    ) -> None:
        self.game, self.path, self._look = game, checks.path("checkpoint", path), look
        self._known: dict[Any, Any] = {}
        self._running: set[str] = set()  # places whose values the training changes
        self._python = list(platform.python_version_tuple()[:2])
        self._begun = False
        with ranks.together():
            self._held = self._hold()
            for place, thing in self._held.stateful.items():
                pack_stateful(place, thing)  # or it is refused
            self._versions = {k: changes_of(t) for k, t in self._held.tensors.items()}
            self._streams = self._random()
            self._weights = tensor_digest(list(weights(game).values()))
            self._is = parts(game) | {WEIGHTS: tensor_digest(game.tensors())}
        self._code: dict[str, str] = {}

    def begin(self, rounds: int) -> None:
        """Go on from the checkpoint, if there is one; the game has been rehearsed.

        Raises
        ------
        gmlib.checkpoint.CheckpointError
            If the file is damaged, comes from another training or number of ranks,
            has more rounds than are wanted, or could not be replaced by a new one.
        """
        # Others than the game may draw from these two.
        idle = {"python", "numpy"} - self.game.drawn
        streams = {
            k: bytes(v.tolist()) for k, v in self._streams.items() if k not in idle
        }
        self._is |= {RANDOM: digest(streams)} | _of_game(self._held.values)
        self._is, self._code = _of_all(self._is), _of_all(_of_game(self._held.code))
        try:
            tensors, meta = ranks.first(lambda: store.load(self.path))
        except FileNotFoundError:
            pass
        else:
            self._refuse_others(tensors, meta, rounds)
            self._put_back(tensors, meta)
        if self.game.done < rounds:
            ranks.first(lambda: store.prepare(self.path))
        self._begun = True

    def save(self) -> None:
        """Write the game; every rank calls, the first one writes.

        Raises
        ------
        gmlib.checkpoint.CheckpointError
            If it cannot be written, on every rank.
        NotFinite
            If a weight is NaN or infinite; what was saved before stays.
        """
        game, now = self.game, self._hold()
        for name, p in game.players.items():
            # A sum is finite if its terms are, and is found in one pass.
            sums = torch.stack(
                [t.detach().sum(dtype=torch.float32) for t in p.parameters]
            )
            if not torch.isfinite(sums).all():
                raise NotFinite(
                    f"a weight of {name} became NaN or infinite by round {game.done}: "
                    "a smaller learning rate, or a bounded loss, may help"
                )
        then = self._held.values
        self._running |= {k for k, v in now.values.items() if v != then.get(k)}
        changed = {
            f"tensor/{k}": t
            for k, t in now.tensors.items()
            if k in self._running or changes_of(t) != self._versions.get(k)
        }
        tensors: dict[str, Tensor] = {}
        for rank, state in enumerate(ranks.gather(self._random() | changed)):
            tensors |= {_stream(rank) + k: v for k, v in state.items()}
        tensors["history"] = torch.from_numpy(game.history.table())
        optimizers, stateful = {}, {}
        for name, p in game.players.items():
            packed, optimizers[name] = pack_player(name, p)
            tensors |= packed
        for place, thing in now.stateful.items():
            packed, stateful[place] = pack_stateful(place, thing)
            tensors |= packed
        packed, snapshots = store.pack(game.history.snapshots, "snapshots")
        meta = {
            "format": FORMAT,
            "ranks": ranks.world(),
            "done": game.done,
            "seconds": game.history.seconds,
            "names": game.names,
            "optimizers": optimizers,
            "stateful": stateful,
            "snapshots": snapshots,
            "whose": self._is,
            "code": self._code,
            "running": sorted(self._running),
            "python": self._python,
        }
        ranks.first(lambda: store.save(self.path, tensors | packed, meta))

    def leave(self) -> None:
        """Remember in this process where the training has left its networks."""
        if not self._begun:
            return
        now: dict[str, str] = {}
        if ranks.world() == 1:  # others cannot be asked: one may have failed
            now = _of_all(parts(self.game) | _of_game(self._hold().values))
        end = tensor_digest(list(weights(self.game).values()))
        _left[self._where(end)] = {k: (now.get(k), v) for k, v in self._is.items()}

    def _where(self, weights: str) -> tuple[str, str]:
        return str(self.path.absolute()), weights

    def _hold(self) -> Held:
        """Look at what the game holds now."""
        players = self.game.players.items()
        roots: dict[str, Any] = {"data": self.game.data}
        for name, p in players:
            roots |= {f"loss of {name}": p.loss, f"hook of {name}": p.after}
        own = [*self.game.tensors(), *(p.optimizer for _, p in players)]
        return Held(roots | {LOOK: self._look}, own, self._known)

    def _random(self) -> dict[str, Tensor]:
        """Return the state of all generators that the game can draw from."""
        held = self._held.generators.items()
        own = {f"generator/{k}": runtime.generator_state(g) for k, g in held}
        return runtime.rng_state() | own

    # --------------------------------------------------------------- whose it is

    def _refuse_others(
        self, tensors: dict[str, Tensor], meta: dict[str, Any], rounds: int
    ) -> None:
        """Raise CheckpointError if the checkpoint is that of another training."""
        path, away = self.path, "move it away to start afresh"
        if meta.get("format") != FORMAT:
            raise store.CheckpointError(
                f"{path} was saved by another version of gmlib, which told trainings "
                f"apart in another way: {away}"
            )
        then, now = meta["ranks"], ranks.world()
        if then != now:
            raise store.CheckpointError(
                f"{path} was saved by {then} ranks, and this training has {now}: "
                f"go on with torchrun --nproc-per-node={then}, or move it away"
            )
        self._is = self._as_it_began(tensors, meta)
        changed = self._changed(meta)
        if changed or meta["names"] != self.game.names:
            undo = "undo the change"
            if set(changed) <= {f"its {part}" for part in START}:
                undo = "call runtime.seed as then before the networks are made"
            raise store.CheckpointError(
                f"{path} comes from another game: "
                f"{' and '.join(changed) or 'its curves'} changed; {undo}, or {away}"
            )
        if meta["done"] > rounds:
            raise store.CheckpointError(
                f"{path} has played {meta['done']} rounds, more than rounds={rounds}: "
                f"ask for at least {meta['done']}, or {away}"
            )

    def _as_it_began(
        self, tensors: dict[str, Tensor], meta: dict[str, Any]
    ) -> dict[str, str]:
        """Return what says whose training this is.

        That is what it is now; but where the networks are as the training at this
        path has left or saved them, what has moved since is as when it began.
        """
        found, names = dict(self._is), weights(self.game)
        if names.keys() <= tensors.keys():
            saved = tensor_digest([tensors[k] for k in names])
            if saved == self._weights:
                found |= {k: meta["whose"][k] for k in START}
        for k, (left, began) in _left.get(self._where(self._weights), {}).items():
            if k in START or found.get(k) == left:
                found[k] = began
        return found

    def _changed(self, meta: dict[str, Any]) -> list[str]:
        """Say which parts are not those of the checkpoint."""
        pairs = [(self._is, meta["whose"])]
        if meta["python"] == self._python:  # bytecode differs between Pythons
            pairs.append((self._code, meta["code"]))
        places = {k for a, b in pairs for k in a | b if a.get(k) != b.get(k)}
        inside: dict[str, list[str]] = {}
        for place in sorted(places - {*meta["running"]}, key=lambda k: (k in START, k)):
            whole, _, part = place.partition(".")
            inside.setdefault(whole, []).extend([part] if part else [])
        return [
            f"its {whole}" + (f" ({', '.join(found[:3])})" if found else "")
            for whole, found in inside.items()
        ]

    # ---------------------------------------------------------------- what it was

    def _put_back(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Put the game into the state that was saved, and say so."""
        game, held, own = self.game, self._held, _stream(ranks.rank())
        for name, p in game.players.items():
            unpack_player(name, p, tensors, meta["optimizers"][name])
        for place, thing in held.stateful.items():
            unpack_stateful(thing, meta["stateful"][place], tensors)
        mine = {k.removeprefix(own): v for k, v in tensors.items() if k.startswith(own)}
        kept = {k for k in held.tensors if f"tensor/{k}" in mine}
        with torch.no_grad():
            for place in kept:
                held.tensors[place].copy_(mine[f"tensor/{place}"])
        for place, generator in held.generators.items():
            if f"generator/{place}" in mine:  # a look may be another one
                runtime.set_generator_state(generator, mine[f"generator/{place}"])
        runtime.set_rng_state(mine)
        game.done = meta["done"]
        game.history.seconds = meta["seconds"]
        game.history.extend(game.names, tensors["history"].numpy())
        game.history.snapshots[:] = store.unpack(meta["snapshots"], tensors)
        self._running = {*meta["running"]}
        lost = [
            place
            for place in sorted(self._running)
            if not _within(place, (*kept, *held.stateful, LOOK))
        ]
        told = f"; what is not in it stays as it is: {', '.join(lost)}" if lost else ""
        ranks.say(f"resumed from round {game.done} of {self.path}{told}")


def _of_game(found: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in found.items() if not _within(k, (LOOK,))}


def _of_all(mine: dict[str, str]) -> dict[str, str]:
    """Return digests of what all ranks have."""
    every = ranks.gather(mine)
    return {k: digest([m.get(k) for m in every]) for k in {k for m in every for k in m}}


def _within(place: str, places: Iterable[str]) -> bool:
    return any(place == p or place.startswith((f"{p}.", f"{p}[")) for p in places)


def _stream(rank: int) -> str:
    """What the random state of a rank is called in a checkpoint."""
    return f"rng{rank or ''}/"
