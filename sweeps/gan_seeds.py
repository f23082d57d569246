"""The ring of 8: what the ratio of the learning rates does, seed by seed."""

from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets
from gmlib.game import Player, adam, fit
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

rounds = by_scale(smoke=6, cpu=2000, gpu=20_000)
grid = crossed(
    ratio=by_scale(
        smoke=[0.1, 1.0], cpu=[0.1, 0.3, 1.0, 3.0, 10.0], gpu=[0.1, 0.3, 1.0, 3.0, 10.0]
    ),
    seed=range(by_scale(smoke=2, cpu=10, gpu=100)),
)


def V(t_p, t_q):
    """Logits of samples of p and of q, each of shape (n,)."""
    return logsigmoid(t_p).mean() + logsigmoid(-t_q).mean()


def cell(ratio, seed, lr_G=1e-3, width=128):
    """Train the lecture's GAN with lr_T = ratio lr_G; count the modes it covers."""
    p_data, p_z = data.ring(), standard_normal(2)
    G = nets.mlp([2, width, width, 2])
    T = nets.mlp([2, width, width, 1], "leaky", shape=())

    def L_T(x):
        return -V(T(x), T(G(p_z.sample((len(x),)))))

    def L_G(x):
        return -V(T(G(p_z.sample((len(x),)))), T(x))  # non-saturating

    players = {
        "T": Player([T], L_T, adam(ratio * lr_G, (0.5, 0.999))),
        "G": Player([G], L_G, adam(lr_G, (0.5, 0.999))),
    }
    history = fit(
        players, p_data, rounds, batch_size=256, look=lambda: G(p_z.sample((2500,))),
        looks=[rounds],
    )  # fmt: skip
    count = metrics.modes(history.snapshots[-1][1], p_data.centres, p_data.std)
    return {
        "rounds": rounds,
        "modes": count.covered,
        "high_quality": count.high_quality,
    }
