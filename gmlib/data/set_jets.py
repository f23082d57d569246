"""Jets of particles as pictures: W bosons and QCD, with what the particles say."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gmlib import checks, runtime
from gmlib.data import shelf
from gmlib.data.empirical import Empirical
from gmlib.data.fetch import Unavailable
from gmlib.data.registry import SPLITS, declare

FILES = ("jets/pictures.npz", "jets/truth.npz")
CLASSES = ("QCD", "W")
SIZE = 25
UNIT = 0.01  # GeV, of a stored momentum or mass
FINE = 1e-4  # of a stored τ₂₁, η or φ


class Truth(NamedTuple):
    """Of each jet (N,), on the way to its picture. Masses and momenta in GeV.

    `mass`, `pt`, `tau21`: of the particles. `mass_massless`: of the particles taken as
    massless. `mass_cells`, `pt_cells`, `tau21_cells`: of the cells of a calorimeter.
    `mass_turned`: of the cells after the jet has been turned.
    """

    mass: Tensor
    pt: Tensor
    tau21: Tensor
    mass_massless: Tensor
    mass_cells: Tensor
    pt_cells: Tensor
    tau21_cells: Tensor
    mass_turned: Tensor


class Particles(NamedTuple):
    """Particles of jets, (jets, most): `pt` in GeV (0: no particle), `eta` and `phi`
    from the axis of the hardest subjet, not turned; and `y` (jets,), 0: QCD, 1: W."""

    pt: Tensor
    eta: Tensor
    phi: Tensor
    y: Tensor


class Jets(Empirical):
    """Pictures of jets in GeV, their class, and the `truth` about each, row by row."""

    truth: Truth


@cache
def _stored() -> dict[str, np.ndarray]:
    """Return the arrays of both files, noted for `used` by their content."""
    arrays = {}
    for file in FILES:
        path = shelf.folder() / file
        if not path.is_file():
            raise Unavailable(
                f"data/{file} is not here: python tools/make_jets.py makes it, with "
                "the packages of the extra 'jets'"
            )
        with np.load(path) as opened:
            found = {name: opened[name] for name in sorted(opened.files)}
        arrays |= found
        shelf.remember(file, content(found))
    return arrays


def content(arrays: dict[str, np.ndarray]) -> bytes:
    """The bytes of arrays in the order of their names: what a card's hash is of."""
    parts = [
        np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")).tobytes()
        for _, a in sorted(arrays.items())
    ]
    return b"".join(parts)


def _pictures(arrays: dict[str, np.ndarray], mine: np.ndarray) -> Tensor:
    """The pictures of the jets in `mine` (N,), of truth values: (n, 1, 25, 25)."""
    jet = np.repeat(np.arange(len(mine)), arrays["counts"])
    keep = mine[jet]
    row = (np.cumsum(mine) - 1)[jet[keep]]
    x = np.zeros((int(mine.sum()), SIZE * SIZE), np.float32)
    x[row, arrays["places"][keep]] = arrays["values"][keep] * np.float32(UNIT)
    return torch.from_numpy(x).view(-1, 1, SIZE, SIZE)


def jets(split: str = "train") -> Jets:
    """Jets of a W boson or of QCD at 14 TeV, 25 × 25 pixels of transverse momentum.

    They come with gmlib: 16 000 a class to train and 4000 to test, simulated by
    Pythia 8.3 as de Oliveira et al. 2017 did: anti-kt of radius 1, trimmed, pt from
    250 to 300 GeV, moved so that the hardest subjet is in the middle, turned so that
    the second is below it, mirrored so that the columns right of the middle one hold
    more than those left of it. A pixel is 0.1 wide in η and in φ and holds GeV, in
    steps of 0.01.

    Returns
    -------
    Jets
        x of shape (n, 1, 25, 25), y (n,), 0: QCD, 1: W, and `truth`.

    Raises
    ------
    Unavailable
        If the files have not been made.
    ValueError
        If the split is neither ``train`` nor ``test``.
    """
    checks.choice("split", split, SPLITS)
    arrays = _stored()
    mine = arrays["test"] == (split == "test")
    y = torch.from_numpy(arrays["y"][mine].astype(np.int64))
    law = Jets(_pictures(arrays, mine), y, "jets", classes=CLASSES)
    device = runtime.device()
    units = [FINE if name.startswith("tau21") else UNIT for name in Truth._fields]
    columns = arrays["truth"][mine].T.astype(np.float32)
    law.truth = Truth(*(
        (torch.from_numpy(c.copy()) * unit).to(device)
        for c, unit in zip(columns, units, strict=True)
    ))  # fmt: skip
    return law


def jet_particles() -> Particles:
    """The particles of some jets of the test part, on the CPU in float64; see
    `Particles`.

    Raises
    ------
    Unavailable
        If the files have not been made.
    """
    arrays = _stored()
    counts = arrays["particle_counts"].astype(int)
    jet = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(jet)) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = np.zeros((3, len(counts), counts.max()))
    parts[:, jet, place] = arrays["particles"].T * np.array([[UNIT], [FINE], [FINE]])
    y = torch.from_numpy(arrays["particle_y"].astype(np.int64))
    pt, eta, phi = torch.from_numpy(parts).unbind(0)
    return Particles(pt, eta, phi, y)


declare("jets", "jets", jets)
