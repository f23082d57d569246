"""Optimizers as factories, from parameters to an optimizer, in their fast forms."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Factory = Callable[[list[nn.Parameter]], Optimizer]
MACHINE = ("fused", "capturable", "foreach")  # how an optimizer runs, not what it does


def _fused(parameters: list[Tensor]) -> dict[str, bool]:
    return {"fused": parameters[0].device.type in ("cpu", "cuda")}


def _capturable(parameters: list[Tensor]) -> dict[str, bool]:
    return {"capturable": parameters[0].device.type == "cuda"}


def adam(lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> Factory:
    """Adam (Kingma and Ba 2015) as a factory: parameters → optimizer."""

    def make(parameters: Iterable[Tensor]) -> Optimizer:
        given = list(parameters)
        return torch.optim.Adam(given, lr, betas, **_fused(given), **_capturable(given))

    return make


def rmsprop(lr: float) -> Factory:
    """RMSProp (Hinton 2012) as a factory: parameters → optimizer."""

    def make(parameters: Iterable[Tensor]) -> Optimizer:
        given = list(parameters)
        return torch.optim.RMSprop(given, lr, **_capturable(given))

    return make


def sgd(lr: float, momentum: float = 0.0) -> Factory:
    """Gradient descent as a factory: parameters → optimizer."""
    return lambda ps: torch.optim.SGD(ps, lr, momentum=momentum)


def laid_out_as(p: Tensor, t: Tensor) -> Tensor:
    """Return `t` in the memory layout of `p`.

    Fused optimizers read memory in order and ignore strides; the gradient of a
    convolution may come with strides of its own (channels_last).
    """
    return t if t.stride() == p.stride() else torch.empty_like(p).copy_(t)
