"""Small networks of the field, built on `runtime.device()`.

Every discriminator returns logits of shape (n,).
"""

import math
from itertools import pairwise

import torch
from torch import nn

from gmlib import runtime

ACTIVATIONS = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "leaky": lambda: nn.LeakyReLU(0.2),
}


def _activation(name):
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r}: choose from {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def _positive(**sizes):
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be a positive integer, not {size!r}")


def mlp(sizes, activation="relu", batch_norm=False, shape=None):
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
        Takes (n, ...), flattens it, returns (n, *shape).
    """
    if len(sizes) < 2:
        raise ValueError("an MLP needs at least an input and an output size")
    _positive(**{f"sizes[{i}]": s for i, s in enumerate(sizes)})
    layers = [nn.Flatten()]
    for i, o in pairwise(sizes[:-1]):
        layers.append(nn.Linear(i, o))
        if batch_norm:
            layers.append(nn.BatchNorm1d(o))
        layers.append(_activation(activation))
    layers.append(nn.Linear(sizes[-2], sizes[-1]))
    if shape == ():
        if sizes[-1] != 1:
            raise ValueError("shape () needs an output of width one")
        layers.append(nn.Flatten(0))
    elif shape is not None:
        layers.append(nn.Unflatten(1, tuple(shape)))
    return nn.Sequential(*layers).to(runtime.device())


def _on_device(module):
    """Move a convolutional network; channels_last is what convolutions run best in."""
    return module.to(runtime.device(), memory_format=torch.channels_last)


def _levels(size):
    """Return (base, n) with size = base · 2ⁿ and a base of 4, 5, 6 or 7."""
    n = 0
    while size % 2 == 0 and size > 7:
        size, n = size // 2, n + 1
    if not 4 <= size <= 7 or n < 1:
        raise ValueError("an image size is 4, 5, 6 or 7 times a power of two")
    return size, n


def dcgan_init(module):
    """DCGAN's initialisation: weights N(0, 0.02²), batch-norm gains N(1, 0.02²)."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(m.weight, 0.0, 0.02)
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1.0, 0.02)
    return module


def _up(z_dim, channels, width, size, batch_norm):
    """Layers (n, z_dim) → (n, channels, size, size): one doubling at a time."""
    _positive(z_dim=z_dim, channels=channels, width=width, size=size)
    base, n = _levels(size)
    c = width * 2 ** (n - 1)
    layers = [nn.Linear(z_dim, c * base * base), nn.Unflatten(1, (c, base, base))]
    for level in range(n):
        out = channels if level == n - 1 else c // 2
        layers += [nn.BatchNorm2d(c)] if batch_norm else []
        layers += [nn.ReLU(), nn.ConvTranspose2d(c, out, 4, 2, 1)]
        c = out
    return layers


def _down(out, channels, width, size, batch_norm, activation):
    """Layers (n, channels, size, size) → (n, out): one halving at a time."""
    _positive(out=out, channels=channels, width=width, size=size)
    base, n = _levels(size)
    layers, c = [], channels
    for level in range(n):
        layers.append(nn.Conv2d(c, width * 2**level, 4, 2, 1))
        c = width * 2**level
        layers += [nn.BatchNorm2d(c)] if batch_norm and level else []
        layers.append(_activation(activation))
    return [*layers, nn.Flatten(), nn.Linear(c * base * base, out)]


def dcgan_generator(z_dim, channels=1, width=32, size=28, batch_norm=True):
    """DCGAN's generator, (n, z_dim) → (n, channels, size, size) in (−1, 1).

    A projection to 4 to 7 pixels square, then one transposed convolution
    (4 × 4, stride 2) a doubling; ReLU, batch normalisation except at the
    output, tanh (Radford et al. 2016, section 3). `width` is the number of
    channels before the last layer and doubles towards the input.
    """
    layers = _up(z_dim, channels, width, size, batch_norm)
    return _on_device(dcgan_init(nn.Sequential(*layers, nn.Tanh())))


def dcgan_discriminator(channels=1, width=32, size=28, batch_norm=True):
    """DCGAN's discriminator, (n, channels, size, size) → logits (n,).

    One strided convolution (4 × 4, stride 2) a halving, leaky ReLU of slope
    0.2, batch normalisation except at the input (Radford et al. 2016, section
    3). No sigmoid: objectives take logits. ``batch_norm=False`` for critics
    with a gradient penalty.
    """
    layers = _down(1, channels, width, size, batch_norm, "leaky")
    return _on_device(dcgan_init(nn.Sequential(*layers, nn.Flatten(0))))


def conv_encoder(out, channels=1, width=32, size=28):
    """Strided convolutions, (n, channels, size, size) → (n, out); for encoders."""
    layers = _down(out, channels, width, size, False, "relu")
    return _on_device(nn.Sequential(*layers))


def conv_decoder(z_dim, channels=1, width=32, size=28):
    """Transposed convolutions, (n, z_dim) → (n, channels, size, size), linear output.

    The output is the logits of a Bernoulli or the mean of a normal.
    """
    layers = _up(z_dim, channels, width, size, False)
    return _on_device(nn.Sequential(*layers))


class GaussianNoise(nn.Module):
    """x + std ε with a fresh ε ~ N(0, I), in training mode only."""

    def __init__(self, std):
        super().__init__()
        if not 0 <= std < math.inf:
            raise ValueError(f"a standard deviation is a number >= 0, not {std!r}")
        self.std = std

    def forward(self, x):
        return x + self.std * torch.randn_like(x) if self.training else x

    def extra_repr(self):
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

    def __init__(self, features, kernels=16, dim=5, include_self=False):
        super().__init__()
        _positive(features=features, kernels=kernels, dim=dim)
        self.kernels, self.include_self = kernels, include_self
        self.W = nn.Linear(features, kernels * dim, bias=False)
        self.to(runtime.device())

    def forward(self, x):
        M = self.W(x).view(len(x), self.kernels, -1).transpose(0, 1)
        o = torch.exp(-torch.cdist(M, M, p=1)).sum(2).T
        return torch.cat([x, o if self.include_self else o - 1], 1)


class _VirtualBatchNorm(nn.Module):
    """Batch normalisation of x by the moments of the first `r` rows and its own."""

    def __init__(self, layer, r):
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.eps, self.r = layer.eps, r

    def forward(self, x):
        flat = x.flatten(2) if x.dim() > 2 else x[:, :, None]
        mean, square = flat.mean(2), flat.square().mean(2)  # (n, channels)

        def virtual(moment):
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

    def __init__(self, network, reference):
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

    def forward(self, x):
        return self.network(torch.cat([self.reference, x]))[len(self.reference) :]


def count(*modules):
    """Return the number of trainable parameters of `modules`."""
    return sum(p.numel() for m in modules for p in m.parameters() if p.requires_grad)
