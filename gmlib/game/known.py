"""Terms of a loss that cannot move its player are not computed a second time.

In −V(T(G(z)), T(x)) the term of T(x) has no gradient in G, and T has seen this x in
its own step. G then takes the value from there.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gmlib import ranks
from gmlib.game.draws import leaves

Where = tuple[nn.Module, tuple[int, ...]]  # a network, and which parts of the batch
LINEAR = (
    "Add",
    "Sub",
    "Neg",
    "Mul",
    "Div",
    "Mean",
    "Sum",
    "View",
    "Reshape",
    "Squeeze",
)


@contextmanager
def forwards(
    networks: Sequence[nn.Module],
    wrap: Callable[[nn.Module, Callable[..., Any]], Callable[..., Any]],
) -> Iterator[None]:
    """Let the networks run ``wrap(network, forward)`` within this block."""
    plain = [m for m in networks if not isinstance(m, torch.jit.ScriptModule)]
    before = [vars(m).get("forward") for m in plain]
    for m in plain:
        m.forward = wrap(m, m.forward)
    try:
        yield
    finally:
        for m, own in zip(plain, before, strict=True):
            if own is None:
                del m.forward
            else:
                m.forward = own


class Known:
    """What networks have given for the present batch, for losses that need no more.

    Attributes
    ----------
    needless : dict of str to set of (module, indices)
        For each player, the calls of networks on parts of the batch that cannot
        move it; found by `study`.
    batch : tuple
        That of the present step.
    """

    def __init__(self) -> None:
        self.needless: dict[str, set[Where]] = {}
        self._name = ""
        self.batch: tuple[Any, ...] = ()
        self._values: dict[Where, tuple[tuple[Any, ...], Tensor]] = {}
        self._trial: Callable[[Where, Tensor], Tensor] | None = None
        self._off = True
        self._seen = False  # whether this step has had a constant from the batch

    @contextmanager
    def step(self, name: str, batch: tuple[Any, ...]) -> Iterator[None]:
        """Player `name` evaluates its loss on this batch."""
        self._name, self.batch = name, batch
        self._off = self._seen = False
        try:
            yield
        finally:
            self._off = True

    def forget(self) -> None:
        """Forget all values: the round is over."""
        self._values.clear()
        self.batch = ()

    def wrap(self, network: nn.Module, forward: Callable[..., Any]) -> Any:
        """Return `forward` for `network`, run only where it has to be.

        Its attribute ``whole`` is `forward`.
        """

        def call(*args: Any, **kwargs: Any) -> Any:
            where = None if self._off or kwargs else self._where(network, args)
            if where is None:
                return forward(*args, **kwargs)
            if where in self.needless.get(self._name, ()) and not _learns(network):
                given, value = self._values.get(where, ((), None))
                if len(given) == len(args) and all(map(operator.is_, given, args)):
                    return value
            out = forward(*args)
            if not torch.is_tensor(out):
                return out
            if not out.requires_grad:
                self._seen = True
                if self._trial is not None:
                    return self._trial(where, out)
            if any(where in calls for calls in self.needless.values()):
                self._values[where] = args, out.detach()
            return out

        call.whole = forward  # pyrefly: ignore[missing-attribute]
        return call

    def _where(self, network: nn.Module, args: tuple[Any, ...]) -> Where | None:
        """Say which parts of the batch the arguments are; None if others."""
        places = tuple(i for a in args for i, b in enumerate(self.batch) if a is b)
        return (network, places) if args and len(places) == len(args) else None

    # --------------------------------------------------------- before round 1

    def agree(self, names: Iterable[str]) -> None:
        """Keep what all ranks have found: they have to run the same networks."""
        for name in names:
            if any(ranks.agree(name not in self.needless)):
                self.needless.pop(name, None)

    def study(
        self,
        name: str,
        own: frozenset[int],
        run: Callable[[], tuple[Tensor, dict[str, Any], Sequence[Tensor | None]]],
    ) -> None:
        """Find out which calls of networks cannot move the player `name`.

        For that, the graph of the loss has to keep what such a call returns and the
        player's parameters apart, up to sums, and gradients and logged numbers have
        to stay if it returns something else. Asked after a step of the player.

        Parameters
        ----------
        own : set of int
            The player's parameters, by id.
        run : callable
            Evaluates the loss, each time on the same samples: (loss, what it logs,
            gradients).
        """
        if not self._seen:
            return
        seen: dict[Where, Tensor] = {}

        def note(where, out):
            return seen.setdefault(where, out)

        def other(sign):
            def replace(where, out):
                shift = torch.linspace(-1e3, 1e3, out.numel(), device=out.device)
                return note(where, out + sign * shift.view(out.shape)).requires_grad_()

            return replace

        results, apart = [], True
        for replace in (note, other(1), other(-1)):
            seen.clear()
            self._trial = replace
            try:
                value, logs, gradients = run()
            finally:
                self._trial = None
            apart &= _apart(value, {id(t) for t in seen.values()}, own)
            results.append([*logs.values(), *gradients])
        if apart and all(map(_close, results[0] * 2, results[1] + results[2])):
            self.needless[name] = set(seen)


def _learns(network: nn.Module) -> bool:
    """Whether someone needs gradients of it now, as of what players share."""
    return any(p.requires_grad for p in network.parameters())


def _apart(value: Tensor, constants: set[int], own: frozenset[int]) -> bool:
    """Whether constants and parameters meet in sums and multiples only."""
    waiting = [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        ends = leaves([], [node])
        if ends.isdisjoint(constants) or ends.isdisjoint(own):
            continue
        following = [n for n, _ in node.next_functions]
        scaled = node.name().startswith(("Mul", "Div")) and None not in following
        if not node.name().startswith(LINEAR) or scaled:
            return False
        waiting += following
    return True


def _close(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    a, b = torch.as_tensor(a).detach(), torch.as_tensor(b).detach()
    # On a GPU sums come in any order; what depends on the shift differs grossly.
    return bool((a - b).abs().max() <= 1e-3 * a.abs().max())
