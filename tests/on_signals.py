"""What test_game_resume.py interrupts: a training that waits for its signal.

python tests/on_signals.py CHECKPOINT ROUNDS GO
"""

import sys
import time
from pathlib import Path

import torch

from gmlib import nets, runtime
from gmlib.game import Player, fit

ROUND = 12  # in which it waits


def train(checkpoint, rounds, go=None):
    """Train; in round `ROUND` say so and wait for the file `go`. Return the weights."""
    runtime.seed(0)
    net = nets.mlp([2, 8, 1], batch_norm=True, shape=())
    calls = []

    def data(n):
        calls.append(n)
        if go is not None and len(calls) == 1 + ROUND:  # the first was the rehearsal
            print("ready", flush=True)
            while not go.exists():
                time.sleep(0.01)
        return torch.randn(n, 2)

    loss = lambda x: net(x).square().mean()  # noqa: E731
    fit({"net": Player([net], loss)}, data, rounds, checkpoint=checkpoint)
    return list(net.state_dict().values())


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        train(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    except KeyboardInterrupt as stop:
        print(stop)
        sys.exit(7)
