"""Run a recorded sweep, or go on with it: sweeps/NAME.py into data/results/NAME.csv.

    python tools/sweep.py gan_seeds [--scale cpu] [--workers 2] [--backend ray]

A file in `sweeps` holds a function `cell` and its `grid`. Scale `smoke` tries them and
stores nothing.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

from notebooks import ROOT

from gmlib import runtime
from gmlib.sweep import BACKENDS, sweep


def load(name, root=ROOT):
    """Return the module of a sweep; a worker gets what is in it by value."""
    names = sorted(path.stem for path in (root / "sweeps").glob("*.py"))
    if name not in names:
        raise ValueError(f"no sweep {name!r}: choose from {', '.join(names)}")
    # It is no module that could be imported, so that it need not be where workers are.
    spec = importlib.util.spec_from_file_location(name, root / "sweeps" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(name, scale="auto", root=ROOT, **options):
    """Run a sweep at a scale and return its rows."""
    scale = runtime.set_scale(scale)
    module = load(name, root)
    path = root / "data" / "results" / f"{name}.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = path if scale != "smoke" else Path(folder, path.name)
        return sweep(module.cell, module.grid, path, **options)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name")
    parser.add_argument("--scale", default="auto", choices=["auto", *runtime.SCALES])
    parser.add_argument("--workers", type=int)
    parser.add_argument("--backend", default="loky", choices=list(BACKENDS))
    parser.add_argument("--address", help="of a cluster that is running")
    parser.add_argument("--retry", action="store_true", help="cells that failed")
    asked = parser.parse_args(argv)
    try:
        rows = record(**vars(asked))
    except (ValueError, ModuleNotFoundError) as error:
        parser.error(str(error))
    except KeyboardInterrupt as stop:
        sys.exit(str(stop))
    failed = [row for row in rows if row["status"] == "failed"]
    for row in failed:
        print(row["error"])
    print(f"{asked.name}: {len(rows) - len(failed)} cells done, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
