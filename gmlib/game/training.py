"""A whole training: the rounds, the looks, the checkpoints."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from gmlib import checks, ranks, runtime
from gmlib.fingerprint import digest
from gmlib.game import door
from gmlib.game.engine import Data, Game
from gmlib.game.fast import fast_path
from gmlib.game.keeper import Keeper
from gmlib.game.known import forwards
from gmlib.game.layout import channels_last
from gmlib.game.player import Player
from gmlib.game.signals import Interrupts
from gmlib.history import History

SAVE_SECONDS = 120  # between two checkpoints


def fit(
    players: dict[str, Player],
    data: Data,
    rounds: int,
    *,
    batch_size: int = 64,
    look: Callable[[], Any] | None = None,
    looks: int | Collection[int] = 0,
    checkpoint: str | Path | None = None,
    simultaneous: bool = False,
    fast: bool | Collection[str] = False,
    progress: bool = True,
    title: str | None = None,
) -> History:
    """Play `rounds` rounds of a game and return its `History`.

    In a round the players move in the order of the dictionary, each `steps` times.
    No player uses a batch twice, and two players use the same one where they can: a
    critic that takes five steps draws five batches, and the generator takes the
    fifth. For samples of networks see `shared`.

    A term that cannot move a player, as T(x) in the loss of G, is not computed anew
    if another player has computed it on that batch: curves then show its value as
    of that step. Convolutions run in channels_last and are put back at the end.

    Under ``torchrun --nproc-per-node=2`` the same call trains on two processes:
    each draws half of every batch and its own noise; gradients, losses and the
    moments of batch normalisation are averaged; rank 0 alone writes and prints.
    After it the ranks are equal again, down to the random state.

    Parameters
    ----------
    players : dict of str to Player
    data : object with ``sample((n,))``, callable n → batch, iterable, or None
        A batch that is a tuple or a list is handed to the losses as several arguments;
        with None the losses take no argument. Arrays become tensors, all tensors move
        to where the networks are, and floats take their precision; integers stay.

        A `torch.utils.data.DataLoader`, a list of batches or another iterable begins
        again when it ends; an iterator or generator that ends is an error. Its first
        batch must have `batch_size` samples; later ones of another size, as the rest
        at the end of a pass, are left out. Its batches come from the host, so that
        rounds are not captured as CUDA graphs; it can be neither shared by ranks nor
        saved in a checkpoint.
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
        exists, the training goes on from there and says so; on the CPU the result
        is bit-equal to that of an uninterrupted run. It must be the same training:
        the same players, code and data, which start from the same weights and
        random state (call `runtime.seed` before the networks are made), or networks
        that are as that training has left them. Comments, docstrings and titles
        may change. It is refused where `data` is iterated: the place in an iterable
        cannot be kept.

        Saved are networks, optimizers, averages and the history; the state of the
        generators of torch, Python and numpy, and of those that losses, hooks, data
        and `look` hold; schedules of learning rates that a hook holds, and whatever
        has a `state_dict`; tensors that losses, hooks or data change in place. Of
        other things that change as they run (a counter, a list) it is said, when
        the training goes on, that they stay as they are.
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
        parameters, or takes no such batch; a batch that the ranks cannot share; a
        checkpoint of iterated data. An iterator that ends is one too, in its round.
    UserWarning
        A network that is to train is in evaluation mode, so that dropout is off and
        batch normalisation keeps its moments; it stays so. Parts in evaluation mode
        within a network in training mode are meant to be.
    NotFinite
        A loss became NaN or infinite; the message names player and round. The
        last checkpoint stays as it was.
    gmlib.checkpoint.CheckpointError
        The checkpoint is damaged or belongs to another training, or to another
        number of ranks, or has more rounds than `rounds`, or cannot be written.
    TypeError
        With a checkpoint: a loss, a hook or the data holds what none can keep, such
        as an iterator.

    Notes
    -----
    Whatever ends a training, Ctrl-C included, the networks keep their weights, the
    last checkpoint stays, and the exception has the `History` so far as its
    attribute ``history``; so has each player. In a notebook:
    ``players["G"].history``.
    """
    ranks.start(runtime.device().type)
    runtime.keep_freed_memory()
    game = Game(players, data, batch_size, simultaneous)
    if checkpoint is not None and game.source.iterated:
        raise ValueError(
            "a training goes on from a checkpoint bit for bit, and the place in a "
            f"{type(data).__name__} is not kept: train without checkpoint=, or give "
            "data.Empirical(x) or a function n -> batch"
        )
    door.warn_of_modes({name: p.modules for name, p in players.items()})
    rounds = checks.count("rounds", rounds)
    due = _schedule(look, looks, rounds)
    silent = runtime.silent(progress) or ranks.rank() > 0
    for player in players.values():
        player.history = game.history
    with _nothing_lost(game), ExitStack() as stack:
        stack.callback(game.release)
        ranks.broadcast(game.tensors())
        if len(players) > 1:
            stack.enter_context(forwards(game.networks, game.known.wrap))
        stack.enter_context(_streams())
        keeper = None if checkpoint is None else Keeper(game, checkpoint, look)
        with ranks.together():
            stack.enter_context(channels_last(game, game.rehearse))
        game.known.agree(players)
        if keeper is not None:
            keeper.begin(rounds)
            stack.callback(keeper.leave)
        _look(game, look, due, None)
        stack.enter_context(ranks.synchronised_batch_norm())
        stack.enter_context(checks.during("rounds"))
        stack.enter_context(fast_path(game, fast))
        interrupts = stack.enter_context(Interrupts())
        bar = tqdm(
            total=rounds, initial=game.done, desc=title, disable=silent, unit="round"
        )
        stack.enter_context(bar)
        _play(game, rounds, look, due, keeper, interrupts, bar)
    return game.history


def _play(
    game: Game,
    rounds: int,
    look: Callable[[], Any] | None,
    due: set[int],
    keeper: Keeper | None,
    interrupts: Interrupts,
    bar: tqdm,
) -> None:
    """Play the rounds that are left; look, save and stop between two of them."""
    saved = time.monotonic()
    began = saved - game.history.seconds
    try:
        while game.done < rounds:
            game.play()
            bar.update()
            now = time.monotonic()
            late = ranks.rank() == 0 and now - saved > SAVE_SECONDS
            caught, late = ranks.agree(interrupts.caught or 0, late)
            last = game.done == rounds or caught
            saving = keeper is not None and (last or late)
            if last or game.done in due or saving or game.full:
                bar.set_postfix({n: f"{v:.3g}" for n, v in game.flush().items()})
            _look(game, look, due, keeper)
            if keeper is not None and saving:
                game.history.seconds = now - began
                keeper.save()
                saved = now
            if caught:
                interrupts.caught = caught
                path = None if keeper is None else keeper.path
                raise interrupts.exception(game.done, rounds, path)
    finally:
        game.history.seconds = time.monotonic() - began


def _look(
    game: Game, look: Callable[[], Any] | None, due: set[int], keeper: Keeper | None
) -> None:
    """Look, if it is time and has not been done; where that fails, save the round."""
    seen = any(number == game.done for number, _ in game.history.snapshots[-1:])
    if look is None or game.done not in due or seen:
        return
    try:
        with ranks.together():
            game.look(look)
    except Exception as error:
        error.add_note(f"(in look, after round {game.done})")
        if keeper is not None and game.done:
            keeper.save()
        raise


@contextmanager
def _nothing_lost(game: Game) -> Iterator[None]:
    """Give an exception the history so far, and say in whose round it came."""
    try:
        yield
    except BaseException as error:
        if game.acting is not None and game.names:
            error.add_note(f"(player {game.acting!r}, in round {game.done + 1})")
        with suppress(Exception):  # a GPU may have died
            game.flush(together=False)
        with suppress(Exception):  # an exception may take no attributes
            error.history = game.history  # pyrefly: ignore
        raise


def _schedule(
    look: Callable[[], Any] | None, looks: int | Collection[int], rounds: int
) -> set[int]:
    """Return the set of rounds after which to look."""
    looks = checks.plain(looks)
    if look is None:
        if looks if isinstance(looks, int) else len(looks):
            raise ValueError("looks without look: what is there to look at?")
        return set()
    if isinstance(looks, Iterable):
        due = {checks.count("looks", r, 0) for r in looks}
    elif looks == 0:
        raise ValueError("look is given, so looks must be positive, not 0")
    else:
        n = checks.count("looks", looks)
        due = {round(r) for r in np.linspace(0, rounds, n)} if n > 1 else {rounds}
    outside = sorted(r for r in due if not 0 <= r <= rounds)
    if outside:
        raise ValueError(f"looks at rounds {outside}: there are rounds 0 to {rounds}")
    return due


@contextmanager
def _streams() -> Iterator[None]:
    """Give every rank a random stream of its own; rank 0 keeps that of one process.

    In the end all ranks have rank 0's state; after an error, when no rank can be
    asked, the one from before.
    """
    if ranks.world() == 1:
        yield
        return
    after = ranks.first(runtime.rng_state)
    if ranks.rank() > 0:
        # What the others hold may not have been seeded.
        torchs = sorted({"cpu", "cuda"} & after.keys())
        words = [bytes(after[k].tolist()) for k in torchs]
        runtime.seed(int(digest([*words, ranks.rank()]), 16))
    try:
        yield
        after = ranks.first(runtime.rng_state)
    finally:
        runtime.set_rng_state(after)
