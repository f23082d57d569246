"""What the ranks of a game say to each other."""

import math

from torch import nn

from gmlib.game.engine import Game
from gmlib.game.known import forwards


def traffic(players, data, batch_size=64, world=8):
    """Return what a round of a game hands to all-reduce, for projecting its scaling.

    It is counted while the game is played, until every player has moved.

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
    rounds = math.lcm(*(p.every for p in players.values()))
    total = dict.fromkeys(("gradients", "moments", "messages"), 0.0)

    def add(kind, size, messages=1):
        total[kind] += size / rounds
        total["messages"] += messages / rounds

    def normalised(layer, inputs, out):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and (
            layer.training or layer.running_mean is None
        ):
            (x,) = inputs
            size = world * (2 * x.shape[1] + 1) * max(x.element_size(), 4)
            add("moments", size)
            if x.requires_grad:  # and a second message if a gradient comes back
                out.register_hook(lambda _: add("moments", size))

    with forwards(game.networks, game.known.wrap):
        game.rehearse()
        hook = nn.modules.module.register_module_forward_hook(normalised)
        try:
            for _ in range(rounds):
                game.play()
        finally:
            hook.remove()
            game.release()
    for player in players.values():
        size = sum(p.numel() * p.element_size() for p in player.parameters)
        kinds = {(p.dtype, p.device) for p in player.parameters}
        moves = rounds * player.steps / player.every
        add("gradients", moves * size, moves * len(kinds))
    return total
