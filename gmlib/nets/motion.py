"""Networks for films on a torus: they look around the edges, and move or paint a frame.

Where a frame ends on one side it begins on the other, and a convolution that pads with
zeros would see an edge that is not there. None of these networks does: moved by a
multiple of their stride, a film has the same answer, moved as far.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from gmlib import checks, runtime
from gmlib.nets.basic import built_for, mlp, on_device
from gmlib.nets.dcgan import levels


class Wrap(nn.Module):
    """A border of r pixels around (n, c, h, w), taken from the opposite side."""

    def __init__(self, r: int) -> None:
        super().__init__()
        self.r = checks.count("r", r)

    def forward(self, x: Tensor) -> Tensor:
        r = self.r
        x = torch.cat([x[..., -r:], x, x[..., :r]], -1)
        return torch.cat([x[..., -r:, :], x, x[..., :r, :]], -2)

    def extra_repr(self) -> str:
        return f"r={self.r}"


def torus_encoder(
    out: int, channels: int = 2, width: int = 16, size: int = 32
) -> nn.Sequential:
    """Strided convolutions on a torus, (n, channels, size, size) → (n, out).

    One convolution (4 × 4, stride 2, leaky ReLU) a halving, down to 4 to 7 pixels;
    then the mean over all places, and a linear layer. So it answers what is to be
    seen, not where: a film moved by 2ⁿ pixels after n halvings has the same answer.
    """
    out, channels, width = checks.counts(out=out, channels=channels, width=width)
    (base, halvings), c = levels(size), channels
    layers: list[nn.Module] = []
    for level in range(halvings):
        layers += [Wrap(1), nn.Conv2d(c, width * 2**level, 4, 2), nn.LeakyReLU(0.2)]
        c = width * 2**level
    layers += [nn.AvgPool2d(base), nn.Flatten(), nn.Linear(c, out)]
    return on_device(built_for(nn.Sequential(*layers), channels, size, size))


def torus_discriminator(
    channels: int = 3, width: int = 16, size: int = 32
) -> nn.Sequential:
    """A discriminator of films on a torus, (n, channels, size, size) → logits (n,)."""
    layers = [*torus_encoder(1, channels, width, size), nn.Flatten(0)]
    return nn.Sequential(*layers)


class Predictor(nn.Module):
    """What `Mover` and `Painter` share: a code of the past, beside which z may stand.

    Parameters
    ----------
    past : int
        Frames that are given, the channels of (n, past, size, size).
    z_dim : int
        Numbers of a latent; 0 for a predictor without one.
    size : int
        Pixels of a side of a frame.
    """

    code = 32

    def __init__(self, past: int = 2, z_dim: int = 0, size: int = 32) -> None:
        super().__init__()
        self.z_dim = checks.count("z_dim", z_dim, 0)
        self.encoder = torus_encoder(self.code, past, 16, size)

    def seen(self, past: Tensor, z: Tensor | None) -> Tensor:
        """The code of the past, and z: (n, code + z_dim).

        Raises
        ------
        ValueError
            If z is missing, has another shape, or is given where there is none.
        """
        code = self.encoder(past)
        if z is None and self.z_dim == 0:
            return code
        if z is None or z.shape != (len(past), self.z_dim) or self.z_dim == 0:
            got = None if z is None else tuple(z.shape)
            raise ValueError(f"built for z of shape (n, {self.z_dim}), got {got}")
        return torch.cat([code, z], 1)


class Mover(Predictor):
    """Moves the last frame: (past, z) → Σ_s w_s(past, z) · last frame moved by s.

    The weights are a softmax over all moves of at most `reach` pixels each way, and
    hold for the whole frame. Finn et al. 2016 predict ten such kernels and a mask, De
    Brabandere et al. 2016 one kernel, or one for each place.

    Parameters
    ----------
    past, z_dim, size : int
        See `Predictor`.
    reach : int
    """

    def __init__(
        self, past: int = 2, z_dim: int = 0, size: int = 32, reach: int = 5
    ) -> None:
        super().__init__(past, z_dim, size)
        self.wrap = Wrap(reach)
        self.side = 2 * self.wrap.r + 1
        self.logits = mlp([self.code + self.z_dim, 64, self.side**2])
        self.to(runtime.device())

    def log_weights(self, past: Tensor, z: Tensor | None = None) -> Tensor:
        """Log of the weight of each move, (n, side, side): rows down, columns right.

        The middle is no move; place [0, 0] moves up and left by `reach` pixels.
        """
        a = self.logits(self.seen(past, z)).log_softmax(1)
        return a.view(-1, self.side, self.side)

    def moved(self, past: Tensor, w: Tensor) -> Tensor:
        """The last frame, moved with the weights w (n, side, side): (n, 1, s, s)."""
        near = self.wrap(past[:, -1:]).unfold(2, self.side, 1).unfold(3, self.side, 1)
        n, s = len(past), past.shape[-1]
        kernel = w.flip(1, 2).reshape(n, self.side**2, 1)  # from where it comes
        return (near.reshape(n, s * s, self.side**2) @ kernel).view(n, 1, s, s)

    def forward(self, past: Tensor, z: Tensor | None = None) -> Tensor:
        return self.moved(past, self.log_weights(past, z).exp())

    def drawn(self, past: Tensor, z: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One move drawn with these weights: the frame, and the log of its chance.

        The frame is a constant; gradients go through the second, of shape (n,).
        """
        a = self.log_weights(past, z).flatten(1)
        j = torch.multinomial(a.exp(), 1)
        w = torch.zeros_like(a).scatter(1, j, 1.0).view(-1, self.side, self.side)
        return self.moved(past, w), a.gather(1, j)[:, 0]


class Painter(Predictor):
    """Paints the next frame: (past, z) → (n, 1, size, size), any numbers.

    Three convolutions at half the size, whose features are scaled and shifted by
    what has been seen, and by z (Perez et al. 2018). It may paint anything.

    Parameters
    ----------
    past, z_dim, size : int
        See `Predictor`; the size is even.
    width : int
        Channels within.
    """

    def __init__(
        self, past: int = 2, z_dim: int = 0, size: int = 32, width: int = 32
    ) -> None:
        super().__init__(past, z_dim, size)
        width = checks.count("width", width)
        self.wrap = Wrap(1)
        self.layers = nn.ModuleList(
            nn.Conv2d(i, o, 3)
            for i, o in ((4 * past, width), (width, width), (width, 4))
        )
        self.tune = mlp([self.code + self.z_dim, 64, 4 * width], shape=(4, width, 1, 1))
        self.to(runtime.device())

    def forward(self, past: Tensor, z: Tensor | None = None) -> Tensor:
        tuned = self.tune(self.seen(past, z))
        first, second, last = self.layers
        h = first(self.wrap(pixel_unshuffle(past, 2)))
        h = torch.relu(h * (1 + tuned[:, 0]) + tuned[:, 1])
        h = second(self.wrap(h))
        h = torch.relu(h * (1 + tuned[:, 2]) + tuned[:, 3])
        return pixel_shuffle(last(self.wrap(h)), 2)
