"""Make data/music/melodies.npz: what follows what in Bach's chorales, as counts.

    pip install '.[music]'
    python tools/make_music.py [--to FILE]

The chorales are read from the installed package music21. Nothing of them is stored but
how often a token follows a pitch over a chord, and a chord a chord.
"""

import argparse
from pathlib import Path

import numpy as np
from notebooks import ROOT

from gmlib.data import chorale_counts


def sparse(table) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of a table's counts in it, and the counts."""
    flat = np.asarray(table, dtype=np.int64).ravel()
    at = np.flatnonzero(flat)
    return at.astype(np.uint16), flat[at].astype(np.uint16)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--to", type=Path, default=ROOT / "data/music/melodies.npz")
    to = parser.parse_args(argv).to
    stored = {}
    for name, table in zip(("steps", "chords"), chorale_counts(), strict=True):
        stored[f"{name}_at"], stored[f"{name}_count"] = sparse(table)
    to.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(to, **stored)
    print(f"{to.name}: {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
