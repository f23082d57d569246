"""Exponential moving averages of networks, without a host read."""

import copy
import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class Average:
    """Average of modules over training, m ← β m + (1 − β) w, read as m / (1 − βⁿ).

    The division is Adam's bias correction: after n updates the weights of all
    w add up to one, so that the initial weights are not remembered. Buffers of
    floats are averaged as well: the moments that batch normalisation has kept
    of the live network would not fit averaged weights.

    Parameters
    ----------
    modules : sequence of nn.Module
    decay : float in [0, 1)
        β; the average looks back over about 1 / (1 − β) updates.

    Attributes
    ----------
    sums : list of Tensor
        m, before the division, of each parameter and each buffer of floats.
    updates : Tensor, shape ()
        n, on the device.

    Raises
    ------
    ValueError
        If the decay lies outside [0, 1), or the modules have no parameters.
    TypeError
        If a module cannot be copied.

    Notes
    -----
    Averaging the generator: Yazıcı et al., The Unusual Effectiveness of
    Averaging in GAN Training, ICLR 2019. Bias correction: Kingma and Ba, Adam,
    ICLR 2015, Section 3.
    """

    def __init__(self, modules: Iterable[nn.Module], decay: float) -> None:
        try:
            self.decay = float(decay)
        except (TypeError, ValueError):
            self.decay = math.nan
        if isinstance(decay, str) or not 0 <= self.decay < 1:
            raise ValueError(f"the decay of an average lies in [0, 1), not {decay!r}")
        self._sources = list(modules)
        self._copies = [_copied(m).eval().requires_grad_(False) for m in self._sources]
        if not any(True for m in self._sources for _ in m.parameters()):
            raise ValueError("there is nothing to average: no module has parameters")
        self._live = _averaged(self._sources)
        self.sums = [torch.zeros_like(p, requires_grad=False) for p in self._live]
        # On the device, so that a captured round needs nothing from the host.
        self.updates = torch.zeros((), device=self._live[0].device)

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average."""
        torch._foreach_lerp_(self.sums, self._live, 1 - self.decay)
        self.updates += 1

    def lay_out(self) -> None:
        """Keep the sums in the memory layout that the weights have now."""
        pairs = zip(self.sums, self._live, strict=True)
        self.sums = [torch.empty_like(w).copy_(s) for s, w in pairs]

    @property
    @torch.no_grad()
    def modules(self) -> list[nn.Module]:
        """The averaged copies, in evaluation mode.

        Before the first update they hold the live weights. Buffers of integers
        are those of the live modules.
        """
        n = self.updates.item()
        source = self.sums if n else self._live
        scale = 1 - self.decay**n if n else 1.0
        for ours, theirs in zip(self._copies, self._sources, strict=True):
            for a, b in zip(ours.buffers(), theirs.buffers(), strict=True):
                a.copy_(b)
        for target, value in zip(_averaged(self._copies), source, strict=True):
            target.copy_(value / scale)
        return self._copies


def _copied(module: nn.Module) -> nn.Module:
    """Return a deep copy, also where a module keeps what it has computed.

    As `torch.nn.utils.spectral_norm` and `weight_norm` of old do: their weight is a
    result with a history, which torch does not copy, and is computed anew at each call.
    """
    kept = [t for m in module.modules() for t in vars(m).values()]
    results = [t for t in kept if torch.is_tensor(t) and not t.is_leaf]
    try:
        return copy.deepcopy(module, {id(t): t.detach().clone() for t in results})
    except Exception as error:
        raise TypeError(
            f"an average is kept in a copy, and {type(module).__name__} cannot be "
            f"copied ({error}): keep in its modules only what copy.deepcopy copies, "
            "or train without average="
        ) from error


def _averaged(modules: Sequence[nn.Module]) -> list[Tensor]:
    """Return what is averaged of each module: parameters, and buffers of floats."""
    return [
        t
        for m in modules
        for t in (*m.parameters(), *m.buffers())
        if t.is_floating_point()
    ]
