"""The fast path: rounds as CUDA graphs, networks in bfloat16, compiled losses."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from gmlib import ranks
from gmlib.game.engine import Game, NotFinite
from gmlib.game.known import forwards

FAST = ("graph", "bf16", "compile")
Turn = Callable[[Sequence[str]], None]


@contextmanager
def fast_path(game: Game, fast: bool | Collection[str]) -> Iterator[None]:
    """Switch on what `fast` asks for and this machine can do."""
    kind = game.device.type
    wanted = _possible(kind, fast)
    if "graph" in wanted and game.source.hosted:
        ranks.say("fast path: the data comes from the host, rounds run eagerly")
        wanted.discard("graph")
    with ExitStack() as stack:
        if "compile" in wanted:  # a compiler cannot see through what leaves terms out
            whole = forwards(game.networks, lambda m, f: getattr(f, "whole", f))
            stack.enter_context(whole)
        if "bf16" in wanted:
            stack.enter_context(_bf16(game.networks, kind))
        if "compile" in wanted:
            game.losses = {n: p.compiled for n, p in game.players.items()}
            game.turn = _or_eager(game, game.round, "compiling the losses")
        if "graph" in wanted:
            game.turn = _or_eager(game, _captured(game), "capturing a CUDA graph")
        yield


def _possible(kind: str, fast: bool | Collection[str]) -> set[str]:
    """Return what is asked for and possible on `kind`; say what is left out."""
    wanted = set(("graph", "bf16") if fast is True else fast or ())
    if not wanted <= set(FAST):
        raise ValueError(f"fast is a bool or some of {FAST}, not {fast!r}")
    if "graph" in wanted and kind != "cuda":
        ranks.say(f"fast path: no CUDA graphs on {kind}, rounds run eagerly")
        wanted.discard("graph")
    if fast is True and kind != "cuda":
        wanted.clear()
    if "bf16" in wanted and kind == "cpu" and not processor_has_bf16():
        ranks.say("fast path: this processor computes bfloat16 slowly: float32 it is")
        wanted.discard("bf16")
    if ranks.world() > 1 and wanted & {"graph", "compile"}:
        ranks.say("fast path: on several ranks rounds run eagerly")
        wanted -= {"graph", "compile"}
    return wanted


def processor_has_bf16() -> bool:
    """Whether the processor has instructions for it: without, it takes ten times."""
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch cannot say
        return True
    known = torch.cpu.get_capabilities()
    return any(known.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _or_eager(game: Game, play: Turn, doing: str) -> Turn:
    """Return `play`; where it fails, that round and all others run eagerly."""

    def attempt(moving: Sequence[str]) -> None:
        try:
            play(moving)
        except NotFinite:
            raise
        except Exception as error:
            reason = str(error).strip().splitlines()[:1]
            print(f"fast path: {doing} failed ({reason}), rounds run eagerly")
            game.losses = {n: p.loss for n, p in game.players.items()}
            game.turn = game.round
            game.round(moving)

    return attempt


WARM_UP = 3  # real rounds on a side stream, in which lazy state comes into being


def _captured(game: Game) -> Turn:
    """Rounds as CUDA graphs, one for each set of players that moves together."""
    graphs: dict[tuple[str, ...], torch.cuda.CUDAGraph] = {}
    warm: dict[tuple[str, ...], int] = {}

    def play(moving: Sequence[str]) -> None:
        key = tuple(moving)
        if key not in graphs:
            if warm.setdefault(key, 0) < WARM_UP:
                warm[key] += 1
                side = torch.cuda.Stream()
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    game.round(moving)
                torch.cuda.current_stream().wait_stream(side)
                return
            # The graph must set requires_grad itself in no replay, only here.
            game.focused = None
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                game.round(moving)
            graphs[key] = graph
        graphs[key].replay()

    return play


def _bf16(networks: Sequence[nn.Module], kind: str) -> AbstractContextManager[None]:
    """Run the networks in bfloat16 and the mathematics around them in float32."""

    def wrapped(network: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            with torch.autocast(kind, torch.bfloat16, cache_enabled=False):
                out = forward(*args)
            return out.float() if torch.is_tensor(out) else out

        return call

    return forwards(networks, wrapped)
