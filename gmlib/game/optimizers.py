"""Optimizers as factories, from parameters to an optimizer, in their fast forms."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Factory = Callable[[list[nn.Parameter]], Optimizer]
# torch marks these methods as not to be compiled, and imports its compiler to do so:
# seconds before the first round of every kernel. Marked here, they need no compiler.
for _name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
    _method = getattr(getattr(Optimizer, _name), "__wrapped__", None)
    if _method is not None:
        _method.__dict__.setdefault("__dynamo_disable", _method)


def _uncompiled(kind: type[Optimizer]) -> Any:
    """Return the optimizer with a `step` that does not import the compiler either."""
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {"step": step})


Adam, RMSprop, SGD = map(
    _uncompiled, (torch.optim.Adam, torch.optim.RMSprop, torch.optim.SGD)
)
MACHINE = ("fused", "capturable", "foreach")  # how an optimizer runs, not what it does


def _fused(parameters: list[Tensor]) -> dict[str, bool]:
    return {"fused": parameters[0].device.type in ("cpu", "cuda")}


def _capturable(parameters: list[Tensor]) -> dict[str, bool]:
    return {"capturable": parameters[0].device.type == "cuda"}


def adam(lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> Factory:
    """Adam (Kingma and Ba 2015) as a factory: parameters → optimizer."""

    def make(parameters: Iterable[Tensor]) -> Optimizer:
        given = list(parameters)
        return Adam(given, lr, betas, **_fused(given), **_capturable(given))

    return make


def rmsprop(lr: float) -> Factory:
    """RMSProp (Hinton 2012) as a factory: parameters → optimizer."""

    def make(parameters: Iterable[Tensor]) -> Optimizer:
        given = list(parameters)
        return RMSprop(given, lr, **_capturable(given))

    return make


def sgd(lr: float, momentum: float = 0.0) -> Factory:
    """Gradient descent as a factory: parameters → optimizer."""
    return lambda ps: SGD(ps, lr, momentum=momentum)


def laid_out_as(p: Tensor, t: Tensor) -> Tensor:
    """Return `t` in the memory layout of `p`.

    Fused optimizers read memory in order and ignore strides; the gradient of a
    convolution may come with strides of its own (channels_last).
    """
    return t if t.stride() == p.stride() else torch.empty_like(p).copy_(t)
