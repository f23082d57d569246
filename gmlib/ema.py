"""Exponential moving averages of networks, without a host read."""

import copy
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

    Notes
    -----
    Averaging the generator: Yazıcı et al., The Unusual Effectiveness of
    Averaging in GAN Training, ICLR 2019. Bias correction: Kingma and Ba, Adam,
    ICLR 2015, Section 3.
    """

    def __init__(self, modules: Iterable[nn.Module], decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"the decay of an average lies in [0, 1), not {decay}")
        self.decay = decay
        self._sources = list(modules)
        self._copies = [
            copy.deepcopy(m).eval().requires_grad_(False) for m in self._sources
        ]
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


def _averaged(modules: Sequence[nn.Module]) -> list[Tensor]:
    """Return what is averaged of each module: parameters, and buffers of floats."""
    return [
        t
        for m in modules
        for t in (*m.parameters(), *m.buffers())
        if t.is_floating_point()
    ]
