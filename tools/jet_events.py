"""One collision, one jet: what `make_jets.py` asks of Pythia and FastJet.

Both packages are imported where they are used, so that turning and drawing a jet can
be tested without them.
"""

import numpy as np
from sheets import needed

from gmlib.data.set_jets import SIZE, UNIT

LOW, HIGH = 250, 300  # GeV, the trimmed jet's pt
CELL, WIDTH = 0.1, 0.1  # of a calorimeter's cell in η; of a pixel
ROUND = 63  # cells around in φ
NEUTRINOS = (12, 14, 16)
QUIET = ["Print:quiet = on", "Beams:eCM = 14000.", "Random:setSeed = on"]
PROCESS = {
    "W": [
        "NewGaugeBoson:ffbar2Wprime = on", "Wprime:coup2WZ = 1.", "34:m0 = 600.",
        "34:onMode = off", "34:onIfMatch = 24 23", "24:onMode = off",
        "24:onIfAny = 1 2 3 4", "23:onMode = off", "23:onIfAny = 12 14 16",
    ],
    "QCD": [
        "HardQCD:all = on", "PhaseSpace:pTHatMin = 230.", "PhaseSpace:pTHatMax = 400.",
    ],
}  # fmt: skip


def simulation(kind: str, seed: int):
    """Return a Pythia that makes events of a kind, and what it needs kept alive."""
    pythia8 = needed("pythia8mc", "pythia8mc")

    class NearPt(pythia8.UserHooks):
        """Throw events away early whose W will not make a jet of the right pt."""

        def canVetoProcessLevel(self):
            return True

        def doVetoProcessLevel(self, process):
            pt = [p.pT() for p in process if p.idAbs() == 24]
            return not (pt and LOW - 15 < pt[-1] < HIGH + 30)

    pythia, hook = pythia8.Pythia("", False), NearPt()
    for line in [*QUIET, f"Random:seed = {seed}", *PROCESS[kind]]:
        if not pythia.readString(line):
            raise SystemExit(f"Pythia does not understand {line!r}")
    if kind == "W":
        pythia.setUserHooksPtr(hook)
    if not pythia.init():
        raise SystemExit("Pythia could not begin")
    return pythia, hook


def particles_of(event) -> np.ndarray:
    """The momenta (px, py, pz, E) of what a detector sees, (n, 4), |η| < 5."""
    found = np.array([
        (p.px(), p.py(), p.pz(), p.e())
        for p in event
        if p.isFinal() and p.idAbs() not in NEUTRINOS
    ])  # fmt: skip
    pt = np.hypot(found[:, 0], found[:, 1])
    return found[np.abs(found[:, 2]) < np.sinh(5) * pt]


def places(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pt, η and φ in [0, 2π) of momenta (n, 4)."""
    pt = np.hypot(p[:, 0], p[:, 1])
    return pt, np.arcsinh(p[:, 2] / pt), np.arctan2(p[:, 1], p[:, 0]) % (2 * np.pi)


def cells_of(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cells that particles light, as massless momenta, and each one's cell."""
    _, eta, phi = places(p)
    row = np.floor((eta + 5) / CELL).astype(int)
    column = np.minimum((phi / (2 * np.pi) * ROUND).astype(int), ROUND - 1)
    lit, cell = np.unique(row * ROUND + column, return_inverse=True)
    energy = np.bincount(cell, p[:, 3])
    eta = (lit // ROUND + 0.5) * CELL - 5
    phi = (lit % ROUND + 0.5) * 2 * np.pi / ROUND
    pt = energy / np.cosh(eta)
    momenta = [pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy]
    return np.stack(momenta, 1), cell


def trimmed(cells: np.ndarray):
    """The hardest jet, trimmed (Krohn et al. 2010): its cells, and the places (η, φ) of
    its subjets, the hardest first; None if its pt is not what we want."""
    fj = needed("fastjet", "fastjet")
    given = []
    for k, p in enumerate(cells.tolist()):
        given.append(fj.PseudoJet(*p))
        given[-1].set_user_index(k)
    wide = fj.ClusterSequence(given, fj.JetDefinition(fj.antikt_algorithm, 1.0))
    jets = fj.sorted_by_pt(wide.inclusive_jets(LOW))
    if not jets:
        return None
    jet = jets[0]
    fine = fj.JetDefinition(fj.kt_algorithm, 0.3)
    parts = fj.ClusterSequence(list(jet.constituents()), fine)
    subjets = fj.sorted_by_pt(parts.inclusive_jets(0.05 * jet.pt()))
    if not subjets:
        return None
    kept = [c.user_index() for s in subjets for c in s.constituents()]
    total = cells[kept].sum(0)
    if not LOW < np.hypot(total[0], total[1]) < HIGH:
        return None
    return np.array(kept), [(s.eta(), s.phi()) for s in subjets]


def around(phi):
    """The same angle in [−π, π)."""
    return (phi + np.pi) % (2 * np.pi) - np.pi


def moved(p: np.ndarray, axis: tuple[float, float]) -> np.ndarray:
    """pt, η and φ of momenta as seen from an axis: (n, 3)."""
    pt, eta, phi = places(p)
    return np.stack([pt, eta - axis[0], around(phi - axis[1])], 1)


def turned(seen: np.ndarray, second: np.ndarray | None) -> np.ndarray:
    """Turn a jet (n, 3) so that `second` (η, φ) is straight below. With no second
    subjet: the principal axis."""
    pt, x = seen[:, 0], seen[:, 1:]
    if second is None:
        _, directions = np.linalg.eigh((pt[:, None] * x).T @ x)
        second = directions[:, 1] * (np.sign(pt @ (x @ directions[:, 1])) or 1)
    angle = -np.pi / 2 - np.arctan2(second[1], second[0])
    c, s = np.cos(angle), np.sin(angle)
    return np.column_stack([pt, x @ np.array([[c, s], [-s, c]])])


def picture(seen: np.ndarray) -> np.ndarray:
    """The pixels of a jet, (SIZE²,) of whole steps of `UNIT`, in reading order.

    It is mirrored so that the columns right of the middle one hold more than those left
    of it. The middle column has the core of the jet: its chance place within the pixel
    is not to decide.
    """
    column = np.floor(seen[:, 1] / WIDTH + SIZE / 2).astype(int)
    row = np.floor(SIZE / 2 - seen[:, 2] / WIDTH).astype(int)
    inside = (column >= 0) & (column < SIZE) & (row >= 0) & (row < SIZE)
    at = (row * SIZE + column)[inside]
    total = np.bincount(at, seen[inside, 0], SIZE * SIZE)
    pixels = np.rint(total / UNIT).astype(np.uint16).reshape(SIZE, SIZE)
    left, right = pixels[:, : SIZE // 2].sum(), pixels[:, SIZE // 2 + 1 :].sum()
    return (pixels[:, ::-1] if left > right else pixels).ravel()


def jet_of(event) -> dict | None:
    """What is kept of an event: the jet in its stages; None if there is none."""
    p = particles_of(event)
    cells, cell = cells_of(p)
    found = trimmed(cells)
    if found is None:
        return None
    kept, subjets = found
    own = p[np.isin(cell, kept)]
    seen = moved(cells[kept], subjets[0])
    second = None
    if len(subjets) > 1:
        eta, phi = np.subtract(subjets[1], subjets[0])
        second = np.array([eta, around(phi)])
    total, of_cells = own.sum(0), cells[kept].sum(0)
    upright = turned(seen, second)
    return {
        "mass": np.sqrt(max(total[3] ** 2 - (total[:3] ** 2).sum(), 0)),
        "pt": np.hypot(*total[:2]),
        "pt_cells": np.hypot(*of_cells[:2]),
        "particles": moved(own, subjets[0]),
        "cells": seen,
        "turned": upright,
        "picture": picture(upright),
    }
