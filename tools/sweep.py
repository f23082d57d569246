"""Run a recorded sweep, or go on with it: sweeps/NAME.py into data/results/NAME.csv.

    python tools/sweep.py gan_seeds [--scale cpu] [--workers 2] [--backend ray]
    python tools/sweep.py --check

A file in `sweeps` holds a function `cell` and its `grid`. Scale `smoke` tries them and
stores nothing. A table whose sweep means something else today is none of this book:
--check names such tables and fails.
"""

import argparse
import csv
import sys
import tempfile
import types
from collections import Counter
from pathlib import Path

from notebooks import ROOT

from gmlib import runtime
from gmlib.fingerprint import code_mark
from gmlib.sweep import BACKENDS, sweep


def load(name, root=ROOT):
    """Return the module of a sweep; a worker gets what is in it by value."""
    names = sorted(path.stem for path in (root / "sweeps").glob("*.py"))
    if name not in names:
        raise ValueError(f"no sweep {name!r}: choose from {', '.join(names)}")
    # It is no module that could be imported, so that it need not be where workers are;
    # and an import would take a file that was edited within a second for the old one.
    path = root / "sweeps" / f"{name}.py"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    return module


def record(name, scale="auto", root=ROOT, **options):
    """Run a sweep at a scale and return its rows."""
    scale = runtime.set_scale(scale)
    module = load(name, root)
    path = root / "data" / "results" / f"{name}.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = path if scale != "smoke" else Path(folder, path.name)
        return sweep(module.cell, module.grid, path, **options)


def outdated(root=ROOT):
    """Say of each table whose rows are not of its sweep as it stands why: {name: why}.

    What a sweep means depends on the scale, where its budgets do: a row is compared
    with the sweep at the row's own scale.
    """
    before, found = runtime.scale(), {}
    for path in sorted((root / "data" / "results").glob("*.csv")):
        with open(path, newline="", encoding="utf8") as file:
            rows = Counter((row["scale"], row["code"]) for row in csv.DictReader(file))
        if not (root / "sweeps" / f"{path.stem}.py").exists():
            found[path.stem] = f"there is no sweeps/{path.stem}.py"
            continue
        try:
            now = {}
            for scale in {scale for scale, _ in rows}:
                runtime.set_scale(scale)
                now[scale] = code_mark(load(path.stem, root).cell)
        finally:
            runtime.set_scale(before)
        other = sum(n for (scale, code), n in rows.items() if code != now[scale])
        if other:
            found[path.stem] = (
                f"{other} of {rows.total()} rows are of other code than"
                f" sweeps/{path.stem}.py"
            )
    return found


def check():
    """Print the tables that are outdated; return whether there is one."""
    found = outdated()
    for name, why in found.items():
        print(
            f"data/results/{name}.csv: {why} (make sweep NAME={name}, then remove them)"
        )
    return 1 if found else 0


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="?")
    parser.add_argument("--check", action="store_true", help="run nothing")
    parser.add_argument("--scale", default="auto", choices=["auto", *runtime.SCALES])
    parser.add_argument("--workers", type=int)
    parser.add_argument("--backend", default="loky", choices=list(BACKENDS))
    parser.add_argument("--address", help="of a cluster that is running")
    parser.add_argument("--retry", action="store_true", help="cells that failed")
    asked = parser.parse_args(argv)
    if asked.check:
        return check()
    if asked.name is None:
        parser.error("which sweep?")
    options = {k: v for k, v in vars(asked).items() if k != "check"}
    try:
        rows = record(**options)
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
