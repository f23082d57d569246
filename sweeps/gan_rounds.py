"""Ring and grid: does a slow discriminator lose modes only early, or for good?"""

from torch.nn.functional import logsigmoid

from gmlib import data, metrics, nets
from gmlib.game import Player, adam, fit, shared
from gmlib.objectives import standard_normal
from gmlib.runtime import by_scale
from gmlib.sweep import crossed

looks = by_scale(
    smoke=[3, 6], cpu=[500, 1000, 2000, 5000, 10_000, 20_000],
    gpu=[500, 1000, 2000, 5000, 10_000, 20_000],
)  # fmt: skip
grid = crossed(
    law=["ring", "grid"],
    ratio=[0.1, 1.0],
    seed=range(by_scale(smoke=2, cpu=5, gpu=10)),
)


def V(t_p, t_q):
    """Logits of samples of p and of q, each of shape (n,)."""
    return logsigmoid(t_p).mean() + logsigmoid(-t_q).mean()


def cell(law, ratio, seed, lr_G=1e-3, width=128):
    """Train the lecture's GAN with lr_T = ratio lr_G; count its modes on the way."""
    p_data, p_z = {"ring": data.ring, "grid": data.grid}[law](), standard_normal(2)
    G = nets.mlp([2, width, width, 2])
    T = nets.mlp([2, width, width, 1], "leaky", shape=())
    G_z = shared(lambda x: G(p_z.sample((len(x),))))

    def L_T(x):
        return -V(T(x), T(G_z(x)))

    def L_G(x):
        return -V(T(G_z(x)), T(x))  # non-saturating

    players = {
        "T": Player([T], L_T, adam(ratio * lr_G, (0.5, 0.999))),
        "G": Player([G], L_G, adam(lr_G, (0.5, 0.999))),
    }
    history = fit(
        players, p_data, looks[-1], batch_size=256, look=lambda: G(p_z.sample((2500,))),
        looks=looks,
    )  # fmt: skip
    seen = {}
    for played, samples in history.snapshots:
        count = metrics.modes(samples, p_data.centres, p_data.std)
        seen[f"modes_{played}"] = count.covered
        seen[f"good_{played}"] = count.high_quality
    return seen
