"""A pixel of PixelCNN is drawn from a window of the picture, not from all of it."""

import sweep as tool
import torch

from gmlib import nets, runtime


def test_a_pixel_is_drawn_from_all_that_its_logit_depends_on():
    runtime.seed(11)
    window, T = tool.load("scores").window, nets.pixel_cnn(width=16, blocks=3)
    T, x = T.double(), torch.rand(3, 1, 28, 28).double()
    with torch.no_grad():
        whole = T(x)[:, 0]
        for row, column in ((0, 0), (0, 27), (5, 2), (14, 13), (27, 24), (27, 27)):
            cut = window(T, x, row, column)
            assert torch.allclose(cut, whole[:, row, column], rtol=0, atol=1e-12)
        less = window(T, x, 14, 13, reach=5)
        assert not torch.allclose(less, whole[:, 14, 13], rtol=0, atol=1e-12)
