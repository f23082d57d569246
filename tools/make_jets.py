"""Make the jets in `data/jets`: boosted W bosons and QCD, simulated, as pictures.

    pip install --only-binary :all: '.[jets]'
    python tools/make_jets.py [--scratch FOLDER] [--to FOLDER] [--only W]

Pythia 8.3 makes collisions at 14 TeV, FastJet finds the jets; both are needed here and
nowhere else. The work is done in blocks of 1000 jets, kept in the scratch folder: the
same command goes on where it was stopped. A second process may run beside it with
``--only QCD``. When all blocks are there, the last call joins them, writes the hashes
into the card and measures the speed of networks beside Pythia's, on the same core.
"""

import argparse
import csv
import hashlib
import io
import os
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from jet_events import jet_of, simulation
from notebooks import ROOT

from gmlib import nets
from gmlib.data.set_jets import FILES, FINE, UNIT, Truth, content
from gmlib.metrics import jet_mass, subjettiness

KINDS = ("QCD", "W")  # class 0, class 1
JETS, BLOCKS, TEST = 1000, 20, 4  # of a block; of a class; of them, the last, to test
KEPT = 60  # jets of a test block whose particles are stored


def padded(parts: list[np.ndarray]) -> list[torch.Tensor]:
    """Jets (n_i, 3) as pt, η and φ, each (jets, most); what is not there has pt 0."""
    most = max(map(len, parts))
    full = np.stack([np.pad(p, ((0, most - len(p)), (0, 0))) for p in parts])
    return [torch.from_numpy(full[..., k]) for k in range(3)]


def truth_of(jets: list[dict]) -> np.ndarray:
    """The columns of `Truth` in stored steps, (jets, 8)."""
    own, cells, upright = (
        padded([jet[k] for jet in jets]) for k in ("particles", "cells", "turned")
    )
    ratio = {}
    for name, stage in (("tau21", own), ("tau21_cells", cells)):
        one, two = subjettiness(*stage)
        ratio[name] = (two / one.clamp(min=1e-9)).numpy()
    columns = ratio | {
        "mass_massless": jet_mass(*own).numpy(),
        "mass_cells": jet_mass(*cells).numpy(),
        "mass_turned": jet_mass(*upright).numpy(),
    }
    for name in ("mass", "pt", "pt_cells"):
        columns[name] = np.array([jet[name] for jet in jets])
    steps = [
        columns[name] / (FINE if name.startswith("tau21") else UNIT)
        for name in Truth._fields
    ]
    return np.rint(np.stack(steps, 1)).clip(0, 65535).astype(np.uint16)


def block(kind: str, number: int, n: int) -> dict[str, np.ndarray]:
    """Simulate n jets of a kind; their arrays, and the CPU seconds that they took."""
    began = time.process_time()
    pythia, _hook = simulation(kind, 1 + 2 * number + KINDS.index(kind))
    jets, events = [], 0
    while len(jets) < n:
        events += 1
        if pythia.next() and (jet := jet_of(pythia.event)) is not None:
            jets.append(jet)
    seconds = time.process_time() - began
    pictures = np.stack([jet["picture"] for jet in jets])
    row, place = np.nonzero(pictures)
    own = [jet["particles"] for jet in jets[:KEPT]]
    steps = np.concatenate(own) / [UNIT, FINE, FINE]
    return {
        "counts": np.bincount(row, minlength=n).astype(np.uint16),
        "places": place.astype(np.uint16),
        "values": pictures[row, place],
        "truth": truth_of(jets),
        "particle_counts": np.array([len(p) for p in own], np.uint16),
        "particles": np.rint(steps).astype(np.int32),
        "made": np.array([seconds, events]),
    }


def joined(blocks: dict[str, list[dict]], test: int) -> list[dict[str, np.ndarray]]:
    """Join the blocks of both classes to the arrays of the two files.

    The last `test` blocks of a class are to test, and theirs are the particles.
    """
    every = [(k, b) for k, kind in enumerate(KINDS) for b in blocks[kind]]
    numbers = [b for kind in KINDS for b in range(len(blocks[kind]))]
    last = [b >= len(blocks[KINDS[0]]) - test for b in numbers]
    sizes = [len(b["counts"]) for _, b in every]
    held = [(k, b) for (k, b), is_last in zip(every, last, strict=True) if is_last]

    def joint(name, parts):
        return np.concatenate([b[name] for _, b in parts])

    own = [k for k, b in held for _ in b["particle_counts"]]
    label = {
        "y": np.repeat([k for k, _ in every], sizes).astype(np.uint8),
        "test": np.repeat(last, sizes),
    }
    pictures = {name: joint(name, every) for name in ("counts", "places", "values")}
    truth = {
        "truth": joint("truth", every),
        "particle_counts": joint("particle_counts", held),
        "particles": joint("particles", held),
        "particle_y": np.array(own, np.uint8),
    }
    return [label | pictures, truth]


def save(path: Path, arrays: dict[str, np.ndarray], level: int = 9) -> None:
    """Write arrays as .npz, the same bytes each time, and only if all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with zipfile.ZipFile(part, "w") as z:
        for name, array in sorted(arrays.items()):
            stream = io.BytesIO()
            np.lib.format.write_array(stream, np.ascontiguousarray(array))
            place = zipfile.ZipInfo(f"{name}.npy")  # with a fixed date
            z.writestr(place, stream.getvalue(), zipfile.ZIP_DEFLATED, level)
    part.replace(path)


def network_speeds(jets: int = 100, times: int = 20) -> list[tuple[str, float]]:
    """CPU milliseconds a jet of two generators, LAGAN's and a dense one."""
    torch.set_num_threads(1)
    networks = {
        "LAGAN's generator": nets.lagan_generator(64).eval().cpu(),
        "a dense generator": nets.mlp([66, 128, 256, 626], "leaky").cpu(),
    }
    found = []
    for name, network in networks.items():
        z = torch.randn(jets, 66 if "dense" in name else 64)
        with torch.no_grad():
            network(z)
            began = time.process_time()
            for _ in range(times):
                network(z)
        found.append((name, 1000 * (time.process_time() - began) / jets / times))
    return found


def written(card: str, arrays: list[dict[str, np.ndarray]]) -> str:
    """The card with the numbers of points, and sizes and hashes of the contents."""
    test = int(arrays[0]["test"].sum())
    for field, n in (("train", len(arrays[0]["test"]) - test), ("test", test)):
        number = f"{n:,}".replace(",", " ") if n > 9999 else str(n)
        card = re.sub(rf"(?m)^\| {field} \|.*$", f"| {field} | {number} |", card)
    for file, of_file in zip(FILES, arrays, strict=True):
        raw = content(of_file)
        size, sha = f"{len(raw):,}".replace(",", " "), hashlib.sha256(raw).hexdigest()
        line = f"| `{file}` | {size} | `{sha}` |"
        card = re.sub(rf"(?m)^\| `{file}` \|.*$", line, card)
    return card


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--to", type=Path, default=ROOT / "data/jets")
    parser.add_argument("--scratch", type=Path, default=ROOT / ".cache/jets")
    parser.add_argument("--only", choices=KINDS, help="make the blocks of one class")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="of each class")
    parser.add_argument("--jets", type=int, default=JETS, help="of a block")
    given = parser.parse_args(argv)
    names = {
        kind: [
            given.scratch / f"{kind}_{given.jets}_{b:02}.npz"
            for b in range(given.blocks)
        ]
        for kind in KINDS
    }
    for kind in [given.only] if given.only else KINDS:
        for number, path in enumerate(names[kind]):
            if not path.is_file():
                save(path, block(kind, number, given.jets), level=1)
                print(path.name, flush=True)
    missing = [p.name for kind in KINDS for p in names[kind] if not p.is_file()]
    if missing:
        print(f"{len(missing)} blocks are still to be made: call again for the rest")
        return
    finish(names, given.to, max(1, given.blocks * TEST // BLOCKS))


def finish(names: dict[str, list[Path]], to: Path, test: int) -> None:
    """Write the two files, the card's numbers, and the table of speeds."""
    blocks = {k: [dict(np.load(p)) for p in paths] for k, paths in names.items()}
    arrays = joined(blocks, test)
    for file, of_file in zip(FILES, arrays, strict=True):
        path = to / Path(file).name
        save(path, of_file)
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    made = {kind: np.sum([b["made"] for b in of], 0) for kind, of in blocks.items()}
    rows = [
        (f"Pythia, {k} jet", 1000 * made[k][0] / sum(len(b["counts"]) for b in of))
        for k, of in blocks.items()
    ]
    with open(to / "speed.csv", "w", newline="", encoding="utf8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["what", "cpu_ms_a_jet"])
        writer.writerows((w, f"{ms:.4g}") for w, ms in [*rows, *network_speeds()])
    card = to.parent / "jets.md"
    if card.is_file():
        card.write_text(written(card.read_text("utf8"), arrays), "utf8")


if __name__ == "__main__":
    main()
