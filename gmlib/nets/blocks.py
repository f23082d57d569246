"""Layers and wrappers that look at a batch as a whole, or disturb it."""

import torch
from torch import Tensor, nn

from gmlib import checks, runtime


class GaussianNoise(nn.Module):
    """x + std ε with a fresh ε ~ N(0, I), in training mode only."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = checks.number("std", std, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        return f"std={self.std}"


class MinibatchDiscrimination(nn.Module):
    """How close each row is to the others of its batch, beside the row itself.

    M_i = W x_i holds `kernels` rows of `dim` numbers, and next to x_i stands

        o_b(x_i) = Σ_j exp(−‖M_ib − M_jb‖₁),    b = 1, ..., kernels

    (Salimans et al. 2016, section 3.2). Their formula sums over all j, their code
    leaves j = i out, which subtracts exp(0) = 1: the default here. Give it batches
    of real or of generated samples, not both at once.

    Parameters
    ----------
    features : int
        Takes (n, features), returns (n, features + kernels).
    kernels, dim : int
    include_self : bool
        Sum over all j, as in the paper's formula.
    """

    def __init__(
        self,
        features: int,
        kernels: int = 16,
        dim: int = 5,
        include_self: bool = False,
    ) -> None:
        super().__init__()
        features, kernels, dim = checks.counts(
            features=features, kernels=kernels, dim=dim
        )
        self.kernels, self.include_self = kernels, include_self
        self.W = nn.Linear(features, kernels * dim, bias=False)
        self.to(runtime.device())

    def forward(self, x: Tensor) -> Tensor:
        M = self.W(x).view(len(x), self.kernels, -1).transpose(0, 1)
        o = torch.exp(-torch.cdist(M, M, p=1)).sum(2).T
        return torch.cat([x, o if self.include_self else o - 1], 1)


class _VirtualBatchNorm(nn.Module):
    """Batch normalisation of x by the moments of the first `r` rows and its own."""

    def __init__(self, layer: nn.BatchNorm1d | nn.BatchNorm2d, r: int) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.eps, self.r = layer.eps, r

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2) if x.dim() > 2 else x[:, :, None]
        mean, square = flat.mean(2), flat.square().mean(2)  # (n, channels)

        def virtual(moment: Tensor) -> Tensor:
            reference, own = moment[: self.r].mean(0), moment[self.r :]
            mixed = (self.r * reference + own) / (self.r + 1)
            return torch.cat([reference.expand(self.r, -1), mixed])

        mean, square = virtual(mean), virtual(square)
        scale = self.weight * ((square - mean.square()).clamp(min=0) + self.eps).rsqrt()
        shape = (*scale.shape, *[1] * (x.dim() - 2))
        return x * scale.view(shape) + (self.bias - mean * scale).view(shape)


class VirtualBatchNorm(nn.Module):
    """A network whose batch normalisation does not look at the batch.

    A *reference batch*, chosen once, travels in front of every batch. An example is
    normalised by the moments of the reference batch and itself, with weights
    r/(r + 1) and 1/(r + 1), so that outputs no longer depend on the other examples;
    in training and in evaluation alike (Salimans et al. 2016, section 3.5). The
    price is a pass through the network for the reference batch as well.

    Parameters
    ----------
    network : nn.Module
        Its layers of batch normalisation are replaced, their gains and biases kept.
    reference : Tensor, shape (r, ...)
        Inputs of the network.

    Raises
    ------
    ValueError
        If there is no batch normalisation in the network.
    """

    def __init__(self, network: nn.Module, reference: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("reference", reference)
        kinds, found = (nn.BatchNorm1d, nn.BatchNorm2d), 0
        for parent in list(network.modules()):
            for name, layer in parent.named_children():
                if isinstance(layer, kinds):
                    setattr(parent, name, _VirtualBatchNorm(layer, len(reference)))
                    found += 1
        if not found:
            raise ValueError("there is no batch normalisation to make virtual")

    def forward(self, x: Tensor) -> Tensor:
        return self.network(torch.cat([self.reference, x]))[len(self.reference) :]
