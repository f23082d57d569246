"""A second stage: it doubles a small picture, and looks at the caption once more."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gmlib import checks, runtime


class SecondStage(nn.Module):
    """clip(s with each pixel four times + f(s, c)): (n, i, h, w) → (n, i, 2h, 2w).

    f convolves s, adds a bias for each channel that is linear in the code c of the
    caption, has residual blocks, and doubles. (Stage II of Zhang et al. 2017 has four
    times, with a code that is repeated at every pixel: convolved, that is such a bias,
    but for the border; and it does not add s.) The last layer starts at zero, so that
    before training a pixel of s becomes four. There is no noise of its own.

    Parameters
    ----------
    c_dim : int
        Numbers of the code; 0: the stage does not see the caption.
    channels : int
        Of pictures, which have values from −1 to 1.
    width : int
        Channels in between.
    blocks : int
        Residual blocks.

    Raises
    ------
    ValueError
        If a size is not a positive integer, `c_dim` and `blocks` may be 0; when it is
        called, if a code has not `c_dim` numbers.

    Examples
    --------
    >>> s, c = torch.rand(2, 3, 8, 8), torch.randn(2, 5)
    >>> SecondStage(5)(s, c)[:, :, ::2, 1::2].equal(s)
    True
    """

    def __init__(
        self, c_dim: int, channels: int = 3, width: int = 24, blocks: int = 1
    ) -> None:
        super().__init__()
        channels, width = checks.counts(channels=channels, width=width)
        self.c_dim = checks.count("c_dim", c_dim, 0)
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.caption = nn.Linear(c_dim, width) if c_dim else None
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(checks.count("blocks", blocks, 0))
        )
        self.last = nn.ConvTranspose2d(width, channels, 4, 2, 1)
        for p in self.last.parameters():
            nn.init.zeros_(p)
        self.to(runtime.device()).to(memory_format=torch.channels_last)

    def forward(self, s: Tensor, c: Tensor | None = None) -> Tensor:
        h = self.first(s)
        if self.caption is not None:
            if c is None or c.shape != (len(s), self.c_dim):
                came = None if c is None else tuple(c.shape)
                raise ValueError(f"a code of shape {(len(s), self.c_dim)}, not {came}")
            h = h + self.caption(c)[:, :, None, None]
        h = torch.relu(h)
        for block in self.blocks:
            h = torch.relu(h + block(h))
        return (interpolate(s, scale_factor=2) + self.last(h)).clamp(-1, 1)
