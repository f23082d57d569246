"""A GAN in the plane that trains in the reader's page."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gmlib import checks
from gmlib.plot.figures import new, scatter
from gmlib.plot.inpage.figure import place
from gmlib.plot.inpage.inputs import packed

ACTIVATIONS: dict[type[nn.Module], tuple[str, str]] = {
    nn.ReLU: ("relu", ""),
    nn.LeakyReLU: ("leaky", "negative_slope"),
    nn.Tanh: ("tanh", ""),
    nn.ELU: ("elu", "alpha"),
    nn.Softplus: ("softplus", ""),
    nn.Sigmoid: ("sigmoid", ""),
}
LOSSES = ("non-saturating", "minimax", "Wasserstein")
CPU = torch.device("cpu")
POINTS, BATCH, ROUNDS = 400, 16, 3  # of a data set; of the record of torch's steps


def layers(name: str, network: nn.Module) -> list[list[Any]]:
    """Return [inputs, outputs, activation, parameter] of each layer of an MLP.

    Raises ValueError for a layer that the page cannot train, with its name.
    """
    found: list[list[Any]] = []
    for layer in network.modules():
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            found.append([layer.in_features, layer.out_features, "none", 0])
        elif type(layer) in ACTIVATIONS and found and found[-1][2] == "none":
            kind, parameter = ACTIVATIONS[type(layer)]
            found[-1][2:] = kind, getattr(layer, parameter) if parameter else 0
        elif not isinstance(layer, nn.Sequential | nn.Flatten | nn.Unflatten):
            raise ValueError(
                f"{name} has a {type(layer).__name__} that the page cannot train: it "
                "knows linear layers with a bias, each before at most one of "
                f"{', '.join(kind.__name__ for kind in ACTIVATIONS)}"
            )
    return found


def flat(network: nn.Module, gradients: bool = False) -> Tensor:
    """All weights of a network, or their gradients, in float64."""
    parts = [p.grad if gradients else p for p in network.parameters()]
    return torch.cat([p.detach().double().reshape(-1) for p in parts if p is not None])


def losses(loss: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of D and of G from the logits of data and of samples."""
    if loss == "Wasserstein":
        return fake.mean() - real.mean(), -fake.mean()
    of_g = F.softplus(-fake).mean() if loss == LOSSES[0] else -F.softplus(fake).mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean(), of_g


def _optimiser(network: nn.Module, adam: bool, rate: float) -> torch.optim.Optimizer:
    if adam:
        return torch.optim.Adam(network.parameters(), rate, betas=(0.5, 0.999))
    return torch.optim.SGD(network.parameters(), rate)


def record(
    G: nn.Module, D: nn.Module, x: Tensor, z: Tensor, clip: float
) -> dict[str, Any]:
    """What torch does on a fixed batch: gradients, and weights after some rounds."""
    found: dict[str, Any] = {"x": packed(x, "<f8"), "z": packed(z, "<f8")}
    found |= {"gradients": {}, "after": {}, "rounds": ROUNDS, "rate": 0.01}
    for loss in LOSSES:
        of_d, of_g = losses(loss, D(x), D(G(z)))
        gradients = {}
        for name, network, value in (("D", D, of_d), ("G", G, of_g)):
            network.zero_grad()
            value.backward(retain_graph=True, inputs=list(network.parameters()))
            gradients[name] = packed(flat(network, gradients=True), "<f8")
        found["gradients"][loss] = gradients
    for loss, adam in ((LOSSES[0], True), (LOSSES[2], False)):
        g, d = copy.deepcopy((G, D))
        steps = [_optimiser(n, adam, found["rate"]) for n in (d, g)]
        for _ in range(ROUNDS):
            for i, step in enumerate(steps):
                step.zero_grad()
                losses(loss, d(x), d(g(z)))[i].backward()
                step.step()
                if i == 0 and loss == "Wasserstein":
                    for p in d.parameters():
                        p.data.clamp_(-clip, clip)
        weights = {"D": packed(flat(d), "<f8"), "G": packed(flat(g), "<f8")}
        found["after"][loss] = weights | {"adam": adam}
    return found


def live_gan(
    G: nn.Module,
    D: nn.Module,
    data: Mapping[str, Any],
    *,
    alt: str,
    title: str = "A GAN that trains in this page",
    rates: tuple[float, float] = (0.01, 0.005),
    k: int = 1,
    batch: int = 64,
    lim: float = 3.0,
    near: float = 0.3,
    clip: float = 0.1,
    loss: str = "non-saturating",
) -> None:
    """Display a GAN on points of the plane that a reader trains, step by step.

    The page has buttons for a step of D, a step of G and a round, a list of data sets,
    of losses (non-saturating, minimax, Wasserstein with clipped weights) and of
    optimisers (Adam with betas 0.5 and 0.999, SGD), and sliders for the learning rates
    and for k. It draws data, samples, the places that D takes for data, and where the
    gradient of G's loss sends each sample. It computes in float64; torch's gradients
    on a fixed batch travel with it, for tests.

    Parameters
    ----------
    G, D : nn.Module
        Perceptrons, from noise (n, d) to points (n, 2) and from points to logits.
    data : dict of Tensor, shape (n, 2)
        Sets of points by name; at most 400 of each are used, evenly spaced.
    alt : str
        What the figure shows at the start, for those who cannot see it.
    title : str
    rates : pair of float
        Learning rates of D and G.
    k : int
        Steps of D a round.
    batch : int
        Points of a step.
    lim : float
        The plane is [−lim, lim]².
    near : float
        The distance within which a sample is said to be near data.
    clip : float
        Weights of D are clipped to [−clip, clip] with the Wasserstein loss.
    loss : str
        The first.

    Raises
    ------
    ValueError
        If a network has a layer that the page cannot train (it is named), or another
        shape; if data are no points of the plane.

    Examples
    --------
    ::

        plot.live_gan(
            nets.mlp([2, 24, 24, 2], "tanh"),
            nets.mlp([2, 24, 24, 1], "leaky", shape=()),
            {"ring": data.ring().sample((400,)), "grid": data.grid().sample((400,))},
            alt="Eight points on a ring; the samples lie in the middle.",
        )
    """
    checks.choice("loss", loss, LOSSES)
    k, batch = checks.counts(k=k, batch=batch)
    shape = {"G": layers("G", G), "D": layers("D", D)}
    if shape["G"][-1][1] != 2 or shape["D"][0][0] != 2 or shape["D"][-1][1] != 1:
        raise ValueError("G returns points (n, 2), D takes them and returns logits")
    sets = {}
    for name, points in data.items():
        points = checks.tensor(name, points, (None, 2), CPU).float()
        sets[name] = points[:: -(-len(points) // POINTS)]
    if not sets:
        raise ValueError("a GAN needs data")
    g, d = (copy.deepcopy(n).cpu().double().eval() for n in (G, D))
    at = torch.Generator().manual_seed(0)
    z = torch.randn(max(BATCH, 200), shape["G"][0][0], generator=at).double()
    first = next(iter(sets.values()))
    x = first[torch.randint(len(first), (BATCH,), generator=at)].double()
    spec = {
        "G": {"layers": shape["G"], "weights": packed(flat(g), "<f8")},
        "D": {"layers": shape["D"], "weights": packed(flat(d), "<f8")},
        "data": [{"name": name, "points": packed(p)} for name, p in sets.items()],
        "losses": sorted(LOSSES, key=lambda name: name != loss),
        "rates": [checks.number("a learning rate", rate) for rate in rates],
        "k": k,
        "batch": batch,
        "z": shape["G"][0][0],
        **{"lim": lim, "near": near, "clip": clip},
        "replay": record(g, d, x, z[:BATCH], clip),
    }
    with torch.no_grad():
        still = _still(first, g(z), lim)
    scripts: Sequence[str] = ("parts.js", "training.js", "gan.js")
    place("gan", title, alt, spec, still, scripts)


def _still(data: Tensor, samples: Tensor, lim: float) -> Any:
    """Draw the data and the first samples."""
    fig, ax = new(4.0, 4.0)
    scatter(data, ax, "data", "data", lim=lim)
    scatter(samples, ax, "samples", "model", lim=lim)
    ax.legend(markerscale=3)
    return fig
