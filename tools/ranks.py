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
from torch import nn

from gmlib import ranks, runtime
from gmlib.game.engine import Game


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


def traffic(players, data, batch_size=64, world=8):
    """Return what a round of a game hands to all-reduce, for projecting its scaling.

    Parameters
    ----------
    players, data, batch_size : as for `fit`
    world : int
        How many ranks.

    Returns
    -------
    dict
        ``gradients`` and ``moments`` (of batch normalisation) in bytes, and the
        number of ``messages``, as means over the rounds. A ring moves 2 (world − 1)
        / world times these bytes through every rank. The losses, read every 256
        rounds, and the flags on the host are left out.
    """
    game = Game(players, data, batch_size)
    total = dict.fromkeys(("gradients", "moments", "messages"), 0.0)

    def add(player, kind, size, messages):
        often = player.steps / player.every
        total[kind] += often * size
        total["messages"] += often * messages

    def normalised(layer, inputs, _):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and (
            layer.training or layer.running_mean is None
        ):
            (x,) = inputs
            size = world * (2 * x.shape[1] + 1) * max(x.element_size(), 4)
            # Once forward, and once backward if a gradient goes through.
            passes = 1 + x.requires_grad
            add(game.focused, "moments", passes * size, passes)

    hook = nn.modules.module.register_module_forward_hook(normalised)
    try:
        game.rehearse()
    finally:
        hook.remove()
        game.release()
    for player in players.values():
        size = sum(p.numel() * p.element_size() for p in player.parameters)
        kinds = {(p.dtype, p.device) for p in player.parameters}
        add(player, "gradients", size, len(kinds))
    return total


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebook", type=Path)
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
