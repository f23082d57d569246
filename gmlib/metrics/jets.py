"""What a particle physicist measures on a jet: its mass, momentum and prongs.

A jet is a set of massless particles, each with a transverse momentum p (GeV), a
pseudorapidity η and an azimuth φ. A picture of a jet is one, too: its lit pixels are
the particles, at the pixels' centres.
"""

from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gmlib import checks

WIDTH = 0.1  # of a pixel, in η and in φ
STEP = 0.01  # GeV: what `detected` rounds to, as the stored pictures are
AXES = 10  # so many of the hardest particles may be an axis of N-subjettiness


class Observables(NamedTuple):
    """Of each picture (n,): `mass` and `pt` in GeV, `tau21`, lit `pixels`, and the
    share of the total momentum that the `hardest` pixel has."""

    mass: Tensor
    pt: Tensor
    tau21: Tensor
    pixels: Tensor
    hardest: Tensor


def pixel_places(size: int = 25) -> tuple[Tensor, Tensor]:
    """The centres η and φ of the pixels of a picture, each (size²,), in reading order.

    A column has one η, which grows to the right; a row has one φ, which grows upwards.

    >>> [line.float().tolist() for line in pixel_places(2)]  # η, φ
    [[-0.05..., 0.05..., -0.05..., 0.05...], [0.05..., 0.05..., -0.05..., -0.05...]]
    """
    size = checks.count("size", size)
    line = (torch.arange(size, device="cpu").double() - (size - 1) / 2) * WIDTH
    return line.repeat(size), (-line).repeat_interleave(size)


def jet_momentum(pt: Any, eta: Any, phi: Any) -> Tensor:
    """Return (E, p_x, p_y, p_z) of massless particles together: (..., m) → (..., 4).

    In float64, in the unit of pt.
    """
    pt, eta, phi = _particles(pt, eta, phi)
    parts = [eta.cosh(), phi.cos(), phi.sin(), eta.sinh()]
    return torch.stack([(pt * part).sum(-1) for part in parts], -1)


def jet_mass(pt: Any, eta: Any, phi: Any) -> Tensor:
    """Return the mass of jets of massless particles: (..., m) → (...), unit of pt.

    m² = E² − |p|² = 2 Σ_{i<j} p_i p_j (cosh(η_i − η_j) − cos(φ_i − φ_j)), of which the
    left side is computed, in float64; particles that are not there have pt = 0.

    >>> jet_mass([3.0, 5.0], [0.0, 0.0], [0.0, torch.pi])  # back to back: 2 √15
    tensor(7.7460, dtype=torch.float64)
    """
    p = jet_momentum(pt, eta, phi).square()
    return (p[..., 0] - p[..., 1:].sum(-1)).clamp(min=0).sqrt()


def subjettiness(pt: Any, eta: Any, phi: Any) -> tuple[Tensor, Tensor]:
    """Return τ₁ and τ₂, Thaler and Van Tilburg 2011, eq. 2.1: (n, m) → (n,) each.

    τ_N = Σ_i p_i min_k ΔR(i, axis k) / Σ_i p_i, the least over all sets of N axes that
    are among the `AXES` hardest particles. (They take the axes of a jet algorithm, and
    divide by the jet's radius, here 1.) If τ₂/τ₁ is small, the jet has two prongs. An
    empty jet has zeros.
    """
    pt, eta, phi = _particles(pt, eta, phi)
    k = min(AXES, pt.shape[1])
    pairs = torch.tensor([*combinations(range(k), 2)] or [(0, 0)], device=pt.device)
    found = []
    for p, x in zip(pt.split(64), torch.stack([eta, phi], -1).split(64), strict=True):
        best = p.topk(k, 1).indices[..., None].expand(-1, -1, 2)
        far = torch.cdist(x.gather(1, best), x)  # (n, axes, particles)
        near = torch.minimum(far[:, pairs[:, 0]], far[:, pairs[:, 1]])
        one, two = ((d @ p[..., None]).amin((1, 2)) for d in (far, near))
        found.append(torch.stack([one, two]) / p.sum(1).clamp(min=1e-12))
    one, two = torch.cat(found, 1)
    return one, two


def detected(x: Tensor) -> Tensor:
    """Round pictures in GeV to 0.01 GeV, as the stored ones are; less is dark.

    Real and generated pictures then have the same values, so that nothing tells them
    apart by digits that no detector gave.

    >>> detected(torch.tensor([0.004, 0.016, 2.0]))
    tensor([0.0000, 0.0200, 2.0000])
    """
    return (x / STEP).round() * STEP


def jet_observables(x: Any) -> Observables:
    """Measure pictures in GeV, (n, 1, size, size): mass, pt, τ₂₁, pixels, hardest.

    Raises
    ------
    ValueError
        If the pictures have another shape, or a pixel is negative or not finite.
    """
    x = checks.array("pictures", x, "cpu").double()
    if x.dim() != 4 or x.shape[1] != 1 or x.shape[2] != x.shape[3]:
        raise ValueError(f"pictures are (n, 1, size, size), not {tuple(x.shape)}")
    if not (x >= 0).all() or not x.isfinite().all():
        raise ValueError("a pixel holds a momentum in GeV: finite, and not negative")
    pt = x.flatten(1)
    eta, phi = (line.expand_as(pt) for line in _places(x.shape[2]))
    momentum = jet_momentum(pt, eta, phi)
    one, two = subjettiness(pt, eta, phi)
    total = pt.sum(1).clamp(min=1e-12)
    return Observables(
        jet_mass(pt, eta, phi),
        momentum[:, 1:3].norm(dim=1),
        torch.where(one > 1e-9, two / one.clamp(min=1e-9), torch.zeros_like(one)),
        (pt > 0).sum(1).double(),
        pt.amax(1) / total,
    )


_places = cache(pixel_places)


def _particles(*given: Any) -> tuple[Tensor, ...]:
    """Return pt, eta and phi as float64 of one shape."""
    names = ("pt", "eta", "phi")
    found = [checks.array(n, v) for n, v in zip(names, given, strict=True)]
    found = [v.detach().double() for v in found]
    if len({v.shape for v in found}) != 1 or found[0].dim() == 0:
        shapes = ", ".join(str(tuple(v.shape)) for v in found)
        raise ValueError(f"pt, eta and phi need one shape (..., m), not {shapes}")
    return tuple(found)
