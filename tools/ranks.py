"""Run a chapter on several processes; what it shows is printed, nothing is stored.

    torchrun --nproc-per-node=2 tools/ranks.py chapters/gan.ipynb [--scale cpu]

Each process executes all code cells, in order; `fit` shares the work among them. Rank
0 prints what the cells show, as plain text; the others are silent.
"""

import argparse
import ast
import linecache
import os
import sys
import traceback
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

import IPython.display
from notebooks import code_cells, read, tags

from gmlib import checks, ranks, runtime


def shown(*objects, raw=False, **_):
    """Print what a notebook would display: stands for `IPython.display.display`."""
    for thing in objects:
        if raw:
            thing = thing["text/plain"]
        elif isinstance(thing, IPython.display.DisplayObject):
            thing = thing.data
        print(thing, flush=True)


def execute(path, changes):
    """Execute the code cells of a notebook here, with `changes` to its parameters."""
    space = {"__name__": "__main__", "display": shown}
    for number, cell in enumerate(code_cells(read(path)), 1):
        name = f"{Path(path).name}, code cell {number}"
        lines = cell.source.splitlines(keepends=True)
        linecache.cache[name] = (len(cell.source), None, lines, name)  # for tracebacks
        tree = ast.parse(cell.source, name)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Interactive([tree.body.pop()])  # prints its value
        try:
            exec(compile(tree, name, "exec"), space)
            if last:
                exec(compile(last, name, "single"), space)
        except Exception as error:
            error.add_note(f"(in {name}, on rank {ranks.rank()})")
            raise
        if "parameters" in tags(cell):
            space |= changes


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebook", type=lambda p: checks.path("notebook", p))
    parser.add_argument("--scale", choices=[*runtime.SCALES, "auto"])
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args(argv)
    changes = {k: v for k in ("scale", "seed") if (v := getattr(asked, k)) is not None}
    # Before a cell imports gmlib.lecture, which takes `display` from there.
    IPython.display.display = shown
    sys.excepthook = traceback.print_exception  # which shows the lines of a cell
    os.environ.setdefault("MPLBACKEND", "agg")
    ranks.start(runtime.device().type)
    ranks.say(f"{asked.notebook.name}: {ranks.world()} ranks")
    with ExitStack() as stack:
        if ranks.rank() > 0:
            nowhere = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(redirect_stdout(nowhere))
        execute(asked.notebook, changes)
    ranks.stop()


if __name__ == "__main__":
    main()
