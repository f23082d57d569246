"""What the ranks of a game say to each other."""

from torch import nn

from gmlib.game.engine import Game


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
