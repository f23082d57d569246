"""What test_game_resume.py interrupts: a training that waits for its signal.

GO=FILE python tests/on_signals.py CHECKPOINT ROUNDS
"""

import os
import sys
import time
from pathlib import Path

import torch

from gmlib import nets, runtime
from gmlib.game import Player, fit

ROUND = 12  # in which it waits


def train(checkpoint, rounds):
    """Train; in round `ROUND` say so and wait for the file $GO. Return the weights."""
    runtime.seed(0)
    net = nets.mlp([2, 8, 1], batch_norm=True, shape=())
    calls = []

    def data(n):
        calls.append(n)
        # The first call was the rehearsal. No variable: it would be another training.
        if "GO" in os.environ and len(calls) == 1 + ROUND:
            # A player has moved, without the import of a compiler, which takes seconds.
            print("compiler" if "torch._dynamo" in sys.modules else "ready", flush=True)
            while not Path(os.environ["GO"]).exists():
                time.sleep(0.01)
        return torch.randn(n, 2)

    loss = lambda x: net(x).square().mean()  # noqa: E731
    fit({"net": Player([net], loss)}, data, rounds, checkpoint=checkpoint)
    return list(net.state_dict().values())


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        train(sys.argv[1], int(sys.argv[2]))
    except KeyboardInterrupt as stop:
        print(stop)
        sys.exit(7)
