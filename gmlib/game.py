"""A model is a game: players own modules, and each descends its own loss.

A VAE has one player, a GAN two, an adversarial autoencoder three. The engine
differentiates a player's loss in that player's parameters and in no others, so
that no lecture ever writes `detach`.
"""

import os
import platform
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import cached_property

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from gmlib import checkpoint as store
from gmlib import ranks, runtime
from gmlib.ema import Average
from gmlib.fingerprint import describe, digest
from gmlib.history import History

FAST = ("graph", "bf16", "compile")
FLUSH_ROUNDS = 256  # rounds of history kept on the device before the host reads them
SAVE_SECONDS = 120  # between two checkpoints
MACHINE = ("fused", "capturable", "foreach")  # how an optimizer runs, not what it does


class NotFinite(FloatingPointError):
    """A loss has become NaN or infinite."""


# ------------------------------------------------------------------ optimizers


def _fused(parameters):
    kind = next(iter(parameters)).device.type
    return {"fused": kind in ("cpu", "cuda")}


def _capturable(parameters):
    return {"capturable": next(iter(parameters)).device.type == "cuda"}


def adam(lr, betas=(0.9, 0.999)):
    """Adam (Kingma and Ba 2015) as a factory: parameters → optimizer."""

    def make(parameters):
        extra = _fused(parameters) | _capturable(parameters)
        return torch.optim.Adam(parameters, lr, betas, **extra)

    return make


def rmsprop(lr):
    """RMSProp (Hinton 2012) as a factory: parameters → optimizer."""
    return lambda ps: torch.optim.RMSprop(ps, lr, **_capturable(ps))


def sgd(lr, momentum=0.0):
    """Gradient descent as a factory: parameters → optimizer."""
    return lambda ps: torch.optim.SGD(ps, lr, momentum=momentum)


# --------------------------------------------------------------------- players


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
        Called without arguments after each update, without gradients.
    average : float, optional
        Decay of an exponential moving average; see `averaged`.
    """

    def __init__(
        self, modules, loss, optimizer=None, steps=1, every=1, after=None, average=None
    ):
        if isinstance(modules, nn.Module | nn.Parameter):
            modules = [modules]
        self.modules = [
            nn.ParameterList([m]) if isinstance(m, nn.Parameter) else m for m in modules
        ]
        strangers = [m for m in self.modules if not isinstance(m, nn.Module)]
        if strangers:
            kinds = ", ".join(type(m).__name__ for m in strangers)
            raise TypeError(f"a player owns modules and parameters, not {kinds}")
        every_parameter = (p for m in self.modules for p in m.parameters())
        unique = {id(p): p for p in every_parameter if p.requires_grad}
        self.parameters = list(unique.values())
        if not self.parameters:
            raise ValueError("a player needs at least one trainable parameter")
        for name, call in (("loss", loss), ("after", after)):
            if not callable(call) and not (name == "after" and call is None):
                raise TypeError(f"{name} must be callable, not {type(call).__name__}")
        for name, n in (("steps", steps), ("every", every)):
            if isinstance(n, bool) or not isinstance(n, int) or n < 1:
                raise ValueError(f"{name} must be a positive integer, not {n!r}")
        self.loss, self.steps, self.every, self.after = loss, steps, every, after
        self.optimizer = (optimizer or adam(2e-4, (0.5, 0.999)))(self.parameters)
        self._average = None if average is None else Average(self.modules, average)

    @property
    def averaged(self):
        """The averaged copies of `modules`, in evaluation mode."""
        if self._average is None:
            raise ValueError("this player keeps no average: give it average=0.999")
        return self._average.modules

    @cached_property
    def compiled(self):
        """The loss, compiled once: a training in pieces pays for it once."""
        return torch.compile(self.loss)

    def evaluate(self, loss, batch):
        """Return (scalar loss, logged scalars) of a batch."""
        out = loss(*batch)
        value, logs = out if isinstance(out, tuple) else (out, {})
        if not torch.is_tensor(value) or value.numel() != 1:
            what = (
                tuple(value.shape) if torch.is_tensor(value) else type(value).__name__
            )
            raise ValueError(f"a loss is one number: take the mean (got {what})")
        return value.reshape(()), logs

    def gradients(self, value):
        """Differentiate `value` in this player's parameters only."""
        if not value.requires_grad:
            return [None] * len(self.parameters)
        return torch.autograd.grad(value, self.parameters, allow_unused=True)

    def step(self, gradients):
        """Descend, then the hook, then the average."""
        for p, g in zip(self.parameters, gradients, strict=True):
            p.grad = None if g is None else _laid_out_as(p, g)
        self.optimizer.step()
        with torch.no_grad():
            if self.after is not None:
                self.after()
        if self._average is not None:
            self._average.update()


# ---------------------------------------------------------------------- engine


def fit(
    players,
    data,
    rounds,
    *,
    batch_size=64,
    look=None,
    looks=0,
    checkpoint=None,
    simultaneous=False,
    fast=False,
    progress=True,
    title=None,
):
    """Play `rounds` rounds of a game and return its `History`.

    In a round the players move in the order of the dictionary, each `steps`
    times on fresh batches.

    Under ``torchrun --nproc-per-node=2`` the same call trains on two processes:
    each draws half of every batch and its own noise; gradients, losses and the
    moments of batch normalisation are averaged; rank 0 alone writes and prints.
    After it the ranks are equal again, down to the random state.

    Parameters
    ----------
    players : dict of str to Player
    data : object with ``sample((n,))``, callable n → batch, or None
        A batch that is a tuple is handed to the losses as several arguments;
        with None the losses take no argument.
    rounds : int
        In all: with a checkpoint, the rounds played before count.
    batch_size : int
        On several ranks, that of all of them together.
    look : callable, optional
        Returns a tensor (or a tuple of tensors) to keep. It is called in
        evaluation mode, without gradients and under one fixed seed, so that
        looking changes nothing and every snapshot uses the same noise.
    looks : int or list of int
        How many snapshots, evenly spaced from round 0 to the last, or after
        which rounds.
    checkpoint : str or Path, optional
        Saved every two minutes, at the end, and on Ctrl-C or SIGTERM. If it
        exists, the training goes on from there; on the CPU the result is
        bit-equal to that of an uninterrupted run.
    simultaneous : bool
        All gradients are taken before anyone moves.
    fast : bool or collection of {"graph", "bf16", "compile"}
        Rounds captured as CUDA graphs, bfloat16 inside networks, compiled
        losses. True means graph and bf16. What the machine cannot do is left
        out, with one line that says so.
    progress : bool
        Show a progress bar (the environment variable ``TQDM_DISABLE=1``
        silences all).
    title : str, optional
        Its label.

    Returns
    -------
    History

    Raises
    ------
    ValueError, TypeError
        Bad input, found before the first round: no players, no rounds, a loss
        that is not one finite number or does not reach its player's
        parameters, a batch that the ranks cannot share.
    NotFinite
        A loss became NaN or infinite; the message names player and round. The
        last checkpoint stays as it was.
    gmlib.checkpoint.CheckpointError
        The checkpoint is damaged or belongs to another game, or to another
        number of ranks.
    """
    ranks.start(runtime.device().type)
    runtime.keep_freed_memory()
    game = _Game(players, data, rounds, batch_size, simultaneous)
    due = _schedule(look, looks, rounds)
    # Not None, which asks the stream: under an old ipykernel (Colab) it is no terminal.
    silent = not progress or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    silent = silent or ranks.rank() > 0
    with ExitStack() as stack:
        stack.callback(game.release)
        ranks.broadcast(game.tensors())
        stack.enter_context(_streams())
        with ranks.together():
            game.rehearse()
        if checkpoint is not None:
            game.resume(checkpoint)
        if game.done == 0 and 0 in due:
            game.look(look)
        stack.enter_context(ranks.synchronised_batch_norm())
        stack.enter_context(game.fast_path(fast))
        interrupts = stack.enter_context(_Interrupts())
        bar = stack.enter_context(
            tqdm(
                total=rounds,
                initial=game.done,
                desc=title,
                disable=silent,
                unit="round",
            )
        )
        saved = started = time.monotonic()
        while game.done < rounds:
            game.play()
            bar.update()
            looking = game.done in due
            now = time.monotonic()
            late = ranks.rank() == 0 and now - saved > SAVE_SECONDS
            caught, late = ranks.agree(interrupts.caught or 0, late)
            last = game.done == rounds or caught
            save = checkpoint is not None and (last or late)
            if last or looking or save or game.pending == FLUSH_ROUNDS:
                game.flush(bar)
            if looking:
                game.look(look)
            if save or last:
                game.history.seconds += now - started
                started = now
            if save:
                game.save(checkpoint)
                saved = now
            if caught:
                interrupts.caught = caught
                raise interrupts.exception(game.done, rounds, checkpoint)
    return game.history


class _Game:
    """The state of a training: what `fit` moves, saves and puts back."""

    def __init__(self, players, data, rounds, batch_size, simultaneous):
        if not isinstance(players, dict) or not players:
            raise ValueError('a game needs players: {"name": Player(...), ...}')
        for name, player in players.items():
            if not isinstance(player, Player):
                raise TypeError(f"{name!r} is a {type(player).__name__}, not a Player")
        for name, n in (("rounds", rounds), ("batch_size", batch_size)):
            if isinstance(n, bool) or not isinstance(n, int) or n < 1:
                raise ValueError(f"{name} must be a positive integer, not {n!r}")
        if simultaneous and any(p.steps > 1 for p in players.values()):
            raise ValueError("simultaneous players take one step a round each")
        if not (data is None or callable(data) or hasattr(data, "sample")):
            raise TypeError("data has neither a method sample nor can it be called")
        self.players, self.data = players, data
        self.batch_size, self.simultaneous = batch_size, simultaneous
        self.share = ranks.share(batch_size)
        self.losses = {name: player.loss for name, player in players.items()}
        self.done, self.pending, self.history = 0, 0, History()
        unique = {id(p): p for pl in players.values() for p in pl.parameters}
        self.parameters = list(unique.values())
        self.device = self.parameters[0].device
        self._focused = None
        self._play = self.round

    @property
    def modules(self):
        return list(
            {id(m): m for p in self.players.values() for m in p.modules}.values()
        )

    def tensors(self):
        """All that training changes: weights, buffers, optimizers, averages."""
        found = [t for m in self.modules for t in (*m.parameters(), *m.buffers())]
        for p in self.players.values():
            states = p.optimizer.state.values()
            found += [t for s in states for t in s.values() if torch.is_tensor(t)]
            if p._average is not None:
                found += [*p._average.sums, p._average.updates]
        return found

    def batch(self):
        if self.data is None:
            return ()
        n = self.share
        draw = getattr(self.data, "sample", None)
        batch = self.data(n) if draw is None else draw((n,))
        batch = batch if isinstance(batch, tuple) else (batch,)
        if any(torch.is_tensor(b) and len(b) == 0 for b in batch):
            raise ValueError(f"the data gave an empty batch for {n} samples")
        return batch

    def focus(self, player):
        """Let gradients reach this player's parameters and no one else's.

        No graph is built behind a frozen generator, which saves its backward.
        """
        if self._focused is player:
            return
        for p in self.parameters:
            p.requires_grad_(False)
        for p in player.parameters:
            p.requires_grad_(True)
        self._focused = player

    def release(self):
        """Make all parameters trainable again."""
        for p in self.parameters:
            p.requires_grad_(True)
        self._focused = None

    def rehearse(self):
        """Evaluate every loss once, leave no trace, refuse what cannot work."""
        buffers = [b for m in self.modules for b in m.buffers()]
        before = [b.clone() for b in buffers]
        try:
            with runtime.forked_rng(0):
                self.names = [n for name in self.players for n in self.rehearsed(name)]
        finally:
            with torch.no_grad():
                for buffer, old in zip(buffers, before, strict=True):
                    buffer.copy_(old)
        shape = (FLUSH_ROUNDS, len(self.names))
        self.buffer = torch.zeros(shape, device=self.device)
        self.row = torch.zeros(1, dtype=torch.long, device=self.device)

    def rehearsed(self, name):
        """Evaluate one loss; return the names of the player's curves."""
        player = self.players[name]
        self.focus(player)
        try:
            value, logs = player.evaluate(player.loss, self.batch())
            gradients = player.gradients(value)
        except Exception as error:
            error.add_note(f"(in the loss of player {name!r}, before round 1)")
            raise
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
        return [name, *(f"{name}/{quantity}" for quantity in logs)]

    # ------------------------------------------------------------- one round

    def moving(self, number):
        """The players that move in round `number`, counted from 0."""
        return [n for n, p in self.players.items() if (number + 1) % p.every == 0]

    def round(self, moving):
        """One round, without a host read; its losses go to the buffer."""
        seen, waiting = dict.fromkeys(self.names), []
        for name in moving:
            player = self.players[name]
            self.focus(player)
            for _ in range(player.steps):
                value, logs = player.evaluate(self.losses[name], self.batch())
                # Cloned: what is logged may be a weight, which is about to move.
                logs = {q: torch.as_tensor(v).detach().clone() for q, v in logs.items()}
                gradients = ranks.mean(player.gradients(value))
                if self.simultaneous:
                    waiting.append((player, gradients))
                else:
                    player.step(gradients)
            seen[name] = value.detach().clone()
            seen |= {f"{name}/{quantity}": v for quantity, v in logs.items()}
        for player, gradients in waiting:
            player.step(gradients)
        zero = self.buffer.new_zeros(())
        values = [zero if v is None else v.reshape(()) for v in seen.values()]
        self.buffer.index_copy_(0, self.row, torch.stack(values).float()[None])
        self.row += 1

    def play(self):
        self._play(self.moving(self.done))
        self.done += 1
        self.pending += 1

    def flush(self, bar):
        """Read the buffered losses; stop if one of them is not finite."""
        if not self.pending:
            return
        (block,) = ranks.mean([self.buffer[: self.pending]])
        block = block.cpu().double().numpy()
        first = self.done - self.pending
        for i in range(self.pending):
            moving = self.moving(first + i)
            for j, name in enumerate(self.names):
                if name.split("/")[0] not in moving:
                    block[i, j] = np.nan
                elif name in moving and not np.isfinite(block[i, j]):
                    raise NotFinite(
                        f"{name} became {block[i, j]} in round {first + i + 1}: "
                        "a smaller learning rate, or a bounded loss, may help"
                    )
        self.history.extend(self.names, block)
        self.pending = 0
        self.row.zero_()
        bar.set_postfix(
            {n: f"{v:.3g}" for n, v in zip(self.names, block[-1], strict=True)}
        )

    def look(self, look):
        with runtime.forked_rng(0), runtime.evaluating(*self.modules):
            seen = look()
        keep = [t.detach().to("cpu", copy=True) for t in _tuple(seen)]
        seen = tuple(keep) if isinstance(seen, tuple) else keep[0]
        self.history.snapshots.append((self.done, seen))

    # ------------------------------------------------------------ checkpoints

    def fingerprint(self):
        """What must be the same for a training to go on, part by part."""
        parts = {
            "batch_size": self.batch_size,
            "simultaneous": self.simultaneous,
            "data": getattr(self.data, "name", type(self.data).__name__),
        }
        for name, p in self.players.items():
            shapes = [[k, list(v.shape)] for m in p.modules for k, v in _state(m)]
            hyper = [
                {k: v for k, v in g.items() if k not in ("params", *MACHINE)}
                for g in p.optimizer.param_groups
            ]
            decay = p._average and p._average.decay
            parts |= {
                f"networks of {name}": [[repr(m) for m in p.modules], shapes],
                f"optimizer of {name}": [type(p.optimizer).__name__, hyper],
                f"schedule of {name}": [p.steps, p.every, decay],
                f"loss of {name}": describe(p.loss),
                f"hook of {name}": describe(p.after),
            }
        return {part: digest(value) for part, value in parts.items()}

    def save(self, path):
        tensors = {}
        for rank, state in enumerate(ranks.gather(runtime.rng_state())):
            tensors |= {_stream(rank) + k: v for k, v in state.items()}
        tensors["history"] = torch.from_numpy(self.history.table())
        skeletons = {}
        for name, p in self.players.items():
            for i, m in enumerate(p.modules):
                tensors |= {f"modules/{name}/{i}/{k}": v for k, v in _state(m)}
            state = p.optimizer.state_dict()
            packed, skeletons[name] = store.pack(state, f"optimizers/{name}")
            tensors |= packed
            if p._average is not None:
                tensors |= {
                    f"average/{name}/{i}": t for i, t in enumerate(p._average.sums)
                }
                tensors[f"average/{name}/updates"] = p._average.updates
        packed, snapshots = store.pack(self.history.snapshots, "snapshots")
        meta = {
            "format": 1,
            "ranks": ranks.world(),
            "done": self.done,
            "seconds": self.history.seconds,
            "names": self.names,
            "optimizers": skeletons,
            "snapshots": snapshots,
            "fingerprint": self.fingerprint(),
            "python": platform.python_version_tuple()[:2],
        }
        ranks.first(lambda: store.save(path, tensors | packed, meta))

    def resume(self, path):
        try:
            tensors, meta = ranks.first(lambda: store.load(path))
        except FileNotFoundError:
            return
        then, now = meta.get("ranks", 1), ranks.world()
        if then != now:
            raise store.CheckpointError(
                f"{path} was saved by {then} ranks, and this training has {now}: "
                f"go on with torchrun --nproc-per-node={then}, or move it away"
            )
        mine, theirs = self.fingerprint(), meta["fingerprint"]
        changed = [k for k in mine | theirs if mine.get(k) != theirs.get(k)]
        if list(platform.python_version_tuple()[:2]) != meta["python"]:
            # Bytecode differs between Pythons: the code cannot be compared.
            changed = [k for k in changed if not k.startswith(("loss", "hook"))]
        if changed or meta["names"] != self.names:
            raise store.CheckpointError(
                f"{path} comes from another game: {', '.join(changed) or 'its curves'} "
                "changed. Move it away to start afresh, or undo the change"
            )
        for name, p in self.players.items():
            for i, m in enumerate(p.modules):
                prefix = f"modules/{name}/{i}/"
                m.load_state_dict({k: tensors[prefix + k] for k, _ in _state(m)})
            state = store.unpack(meta["optimizers"][name], tensors)
            for theirs, ours in zip(
                state["param_groups"], p.optimizer.param_groups, strict=True
            ):
                theirs |= {k: ours[k] for k in MACHINE if k in ours}
            p.optimizer.load_state_dict(state)
            for parameter, kept in p.optimizer.state.items():
                for k, v in kept.items():
                    if torch.is_tensor(v) and v.shape == parameter.shape:
                        kept[k] = _laid_out_as(parameter, v)
            if p._average is not None:
                for i, t in enumerate(p._average.sums):
                    t.copy_(tensors[f"average/{name}/{i}"])
                p._average.updates.copy_(tensors[f"average/{name}/updates"])
        own = _stream(ranks.rank())
        runtime.set_rng_state(
            {k.removeprefix(own): v for k, v in tensors.items() if k.startswith(own)}
        )
        self.done = meta["done"]
        self.history.seconds = meta["seconds"]
        self.history.extend(self.names, tensors["history"].numpy())
        self.history.snapshots = store.unpack(meta["snapshots"], tensors)

    # -------------------------------------------------------------- fast path

    @contextmanager
    def fast_path(self, fast):
        """Switch on what `fast` asks for and this machine can do."""
        wanted = set(("graph", "bf16") if fast is True else fast or ())
        if not wanted <= set(FAST):
            raise ValueError(f"fast is a bool or some of {FAST}, not {fast!r}")
        if "graph" in wanted and self.device.type != "cuda":
            ranks.say(
                f"fast path: no CUDA graphs on {self.device.type}, rounds run eagerly"
            )
            wanted.discard("graph")
        if fast is True and self.device.type != "cuda":
            wanted.clear()
        if ranks.world() > 1 and wanted & {"graph", "compile"}:
            ranks.say("fast path: on several ranks rounds run eagerly")
            wanted -= {"graph", "compile"}
        with ExitStack() as stack:
            if "bf16" in wanted:
                stack.enter_context(_bf16(self.modules, self.device.type))
            if "compile" in wanted:
                self.losses = {n: p.compiled for n, p in self.players.items()}
                self._play = self._or_eager(self.round, "compiling the losses")
            if "graph" in wanted:
                captured = _Captured(self)
                self._play = self._or_eager(captured.play, "capturing a CUDA graph")
            yield

    def _or_eager(self, play, doing):
        def attempt(moving):
            try:
                play(moving)
            except NotFinite:
                raise
            except Exception as error:
                reason = str(error).strip().splitlines()[:1]
                print(f"fast path: {doing} failed ({reason}), rounds run eagerly")
                self.losses = {n: p.loss for n, p in self.players.items()}
                self._play = self.round
                self.round(moving)

        return attempt


class _Captured:
    """Rounds as CUDA graphs, one for each set of players that moves together."""

    WARM_UP = 3  # real rounds on a side stream, in which lazy state comes into being

    def __init__(self, game):
        self.game, self.graphs, self.warm = game, {}, {}

    def play(self, moving):
        key = tuple(moving)
        if key not in self.graphs:
            if self.warm.setdefault(key, 0) < self.WARM_UP:
                self.warm[key] += 1
                side = torch.cuda.Stream()
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    self.game.round(moving)
                torch.cuda.current_stream().wait_stream(side)
                return
            # The graph must set requires_grad itself in no replay, only here.
            self.game._focused = None
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.game.round(moving)
            self.graphs[key] = graph
        self.graphs[key].replay()


@contextmanager
def _bf16(modules, kind):
    """Run the networks in bfloat16 and the mathematics around them in float32."""

    def wrapped(forward):
        def call(*args):
            with torch.autocast(kind, torch.bfloat16, cache_enabled=False):
                out = forward(*args)
            return out.float() if torch.is_tensor(out) else out

        return call

    networks = [m for m in modules if not isinstance(m, nn.ParameterList)]
    for m in networks:
        m.forward = wrapped(m.forward)
    try:
        yield
    finally:
        for m in networks:
            del m.forward


# -------------------------------------------------------------------- helpers


@contextmanager
def _streams():
    """Give every rank a random stream of its own; rank 0 keeps that of one process.

    In the end all ranks have rank 0's state; after an error, when no rank can be
    asked, the one from before.
    """
    if ranks.world() == 1:
        yield
        return
    after = ranks.first(runtime.rng_state)
    if ranks.rank() > 0:
        words = [bytes(after[k].tolist()) for k in sorted(after)]
        runtime.seed(int(digest([*words, ranks.rank()]), 16))
    try:
        yield
        after = ranks.first(runtime.rng_state)
    finally:
        runtime.set_rng_state(after)


def _stream(rank):
    """What the generator state of a rank is called in a checkpoint."""
    return f"rng{rank or ''}/"


class _Interrupts:
    """Answer Ctrl-C and SIGTERM between two rounds; a second one acts at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self):
        self.caught, self._before = None, {}
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                self._before[number] = signal.signal(number, self._answer)
        return self

    def _answer(self, number, frame):
        if self.caught is not None:
            raise KeyboardInterrupt
        self.caught = number

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def exception(self, done, rounds, path):
        """The exception that ends an interrupted training."""
        kept = (
            f"saved to {path}: run this again to go on from there"
            if path
            else "the networks keep their present weights"
        )
        message = f"stopped after round {done} of {rounds}; {kept}"
        if self.caught == signal.SIGTERM:
            ranks.say(message)
            return SystemExit(128 + signal.SIGTERM)
        return KeyboardInterrupt(message)


def _schedule(look, looks, rounds):
    """Return the set of rounds after which to look."""
    if look is None:
        if looks:
            raise ValueError("looks without look: what is there to look at?")
        return set()
    if not isinstance(looks, int):
        due = {int(r) for r in looks}
    elif looks < 1:
        raise ValueError(f"look is given, so looks must be positive, not {looks}")
    else:
        due = (
            {round(r) for r in np.linspace(0, rounds, looks)} if looks > 1 else {rounds}
        )
    outside = sorted(r for r in due if not 0 <= r <= rounds)
    if outside:
        raise ValueError(f"looks at rounds {outside}: there are rounds 0 to {rounds}")
    return due


def _laid_out_as(p, t):
    """Return `t` in the memory layout of `p`.

    Fused optimizers read memory in order and ignore strides; the gradient of a
    convolution may come with strides of its own (channels_last).
    """
    return t if t.stride() == p.stride() else torch.empty_like(p).copy_(t)


def _tuple(value):
    return value if isinstance(value, tuple) else (value,)


def _state(module):
    return list(module.state_dict().items())
