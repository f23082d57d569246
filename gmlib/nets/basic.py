"""Multilayer perceptrons, and what every network here shares."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from gmlib import checks, runtime

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "leaky": lambda: nn.LeakyReLU(0.2),
}


class _Expects:
    """A forward pre-hook that refuses samples of another shape than `shape`.

    It looks at shapes and types alone, which the host knows: no GPU is waited for,
    and a compiled or captured network runs without it.
    """

    def __init__(self, shape: tuple[int, ...], flat: bool) -> None:
        self.shape, self.flat = shape, flat

    def __call__(self, layer: nn.Module, given: tuple[Any, ...]) -> None:
        x = given[0]
        if not torch.is_tensor(x):
            raise TypeError(
                f"built for tensors, got {type(x).__name__}: use torch.as_tensor(x)"
            )
        if not x.dtype.is_floating_point and not isinstance(layer, nn.Embedding):
            raise TypeError(
                f"built for floats, got {x.dtype}: use x.float(), and for pictures of "
                "bytes x.float() / 255"
            )
        came = x.shape[1:]
        if came == self.shape:
            return
        if not self.flat or math.prod(came) != self.shape[0] or not came:
            advice = checks.advice(x.shape, self.shape)
            raise ValueError(f"built for {self.shape}, got {tuple(came)}{advice}")


def built_for(network: nn.Sequential, *shape: int, flat: bool = False) -> nn.Sequential:
    """Let a network refuse what it was not built for: shapes (ValueError), and what
    is no tensor of floats (TypeError), where its first layer is no embedding.

    The check hangs on the first layer, as a forward pre-hook. So a part such as
    ``T[:-2]`` keeps it, as does a longer network that begins with this one, and
    nothing else changes: not the classes of the layers, not the keys of the state.

    Parameters
    ----------
    network : nn.Sequential
    shape : int
        The shape of one sample.
    flat : bool
        `shape` is one number, and any shape with so many numbers will do.
    """
    network[0].register_forward_pre_hook(_Expects(checks.sizes("shape", shape), flat))
    return network


def on_device(network: nn.Sequential) -> nn.Sequential:
    """Move a convolutional network to the device, in the layout it is fastest in."""
    return network.to(runtime.device()).to(memory_format=torch.channels_last)


def mlp(
    sizes: Sequence[int],
    activation: str = "relu",
    batch_norm: bool = False,
    shape: Sequence[int] | None = None,
) -> nn.Sequential:
    """A multilayer perceptron, linear at the end.

    Parameters
    ----------
    sizes : list of int
        Widths, input and output included: ``[784, 200, 200, 1]``.
    activation : str
        ``relu``, ``elu``, ``tanh``, ``softplus`` or ``leaky`` (slope 0.2).
    batch_norm : bool
        Batch normalisation before each activation.
    shape : tuple of int, optional
        Shape of one output, for instance ``(1, 28, 28)``; ``()`` turns an
        output of width one into shape (n,), as discriminators return it.

    Returns
    -------
    nn.Sequential
        Takes (n, ...), flattens it, returns (n, *shape). A sample must have
        sizes[0] numbers, else a ValueError says what the network was built for.

    Raises
    ------
    ValueError
        If there are less than two sizes, one is not a positive integer, the
        activation is unknown, or `shape` has not sizes[-1] numbers.
    """
    if len(sizes) < 2:
        raise ValueError("an MLP needs at least an input and an output size")
    sizes = checks.counts(**{f"sizes[{i}]": s for i, s in enumerate(sizes)})
    shape = shape if shape is None else checks.sizes("shape", shape)
    checks.choice("activation", activation, ACTIVATIONS)
    layers: list[nn.Module] = [nn.Flatten()]
    for i, o in pairwise(sizes[:-1]):
        layers.append(nn.Linear(i, o))
        if batch_norm:
            layers.append(nn.BatchNorm1d(o))
        layers.append(ACTIVATIONS[activation]())
    layers.append(nn.Linear(sizes[-2], sizes[-1]))
    if shape == ():
        if sizes[-1] != 1:
            raise ValueError("shape () needs an output of width one")
        layers.append(nn.Flatten(0))
    elif shape is not None:
        if math.prod(shape) != sizes[-1]:
            raise ValueError(f"shape {shape} needs an output of {math.prod(shape)}")
        layers.append(nn.Unflatten(1, shape))
    network = built_for(nn.Sequential(*layers), sizes[0], flat=True)
    return network.to(runtime.device())


def count(*modules: nn.Module) -> int:
    """Return the number of trainable parameters of `modules`."""
    return sum(p.numel() for m in modules for p in m.parameters() if p.requires_grad)
