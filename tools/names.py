"""Find the names of a lecture that mean two kinds of things.

    python tools/names.py [NAME ...]

A lecture is one program: a name that is a function in one section and a tensor in
another misleads whoever reads them in turn or runs a cell again. The lecture runs at
scale smoke; after each cell the kinds of its global names are compared.
"""

import argparse
import json
import sys

import nbformat
from execute import run
from notebooks import ROOT, chosen, read

WATCH = """
def _gmlib_watch():
    import numbers, types
    from torch import Tensor, nn
    kinds = {
        "function": (types.FunctionType, types.BuiltinFunctionType),
        "number": numbers.Number,
        "sequence": (list, tuple, range),
        "network": nn.Module,
        "tensor": Tensor,
    }
    seen, twice = {}, []
    def after(result):
        for name, value in list(get_ipython().user_ns.items()):
            if name.startswith("_") or value is None:
                continue
            of = [kind for kind, types in kinds.items() if isinstance(value, types)]
            kind = of[0] if of else type(value).__name__
            first = seen.setdefault(name, kind)
            if first != kind and (name, first, kind) not in twice:
                twice.append((name, first, kind))
    get_ipython().events.register("post_run_cell", after)
    return twice
_gmlib_twice = _gmlib_watch()
"""
REPORT = "import json; print(json.dumps(_gmlib_twice))"


def watched(nb):
    """Add the cells that watch a notebook, the first and the last, in place."""
    nb.cells.insert(0, nbformat.v4.new_code_cell(WATCH))
    nb.cells.append(nbformat.v4.new_code_cell(REPORT))
    return nb


def in_words(twice):
    """Return one line for each name of two kinds."""
    return [f"{name}: first a {first}, then a {then}" for name, first, then in twice]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="chapters (default: all)")
    found = 0
    for path in chosen(parser, parser.parse_args(argv).names).values():
        nb = watched(read(path))
        run(nb, "smoke")
        twice = json.loads("".join(output.text for output in nb.cells[-1].outputs))
        found += len(twice)
        for line in in_words(twice):
            print(f"{path.relative_to(ROOT)}: {line}")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
