"""Masked networks: what no output may see, and that conditionals make a law."""

import itertools

import pytest
import torch
from torch.nn.functional import logsigmoid

from gmlib import nets


def seen(network, shape):
    """|d out_i / d x_j| at a random x, shape (D, D), in reading order."""
    torch.manual_seed(0)
    x = torch.rand(1, *shape)
    slopes = torch.autograd.functional.jacobian(network, x)
    D = x.numel()
    return slopes.reshape(D, D).abs()


@pytest.mark.parametrize("hidden", [[], [7], [9, 5], [40, 40]])
def test_no_output_of_made_sees_itself_or_later(hidden):
    torch.manual_seed(0)
    slopes = seen(nets.made(hidden, (1, 3, 2), "tanh"), (1, 3, 2))
    assert slopes.triu().max() == 0
    assert (slopes.tril(-1).sum(1)[1:] > 0).all()


def test_a_wide_made_sees_all_that_is_before():
    first, last = nets.made_masks([6, 40, 6])
    assert ((last @ first) > 0).equal(torch.ones(6, 6).tril(-1) > 0)


def total(network):
    """The sum over all x of {0, 1}^6 of the product of conditionals."""
    x = torch.tensor([*itertools.product([0.0, 1.0], repeat=6)]).view(64, 1, 2, 3)
    with torch.no_grad():
        log_p = logsigmoid((2 * x - 1) * network(x)).flatten(1).sum(1)
    return log_p.double().exp().sum().item()


@pytest.mark.parametrize(
    "make",
    [lambda: nets.made([20], (1, 2, 3)), lambda: nets.pixel_cnn(1, 8, 2, 3)],
)
def test_the_conditionals_make_a_law(make):
    torch.manual_seed(0)
    network = make()
    for p in network.parameters():
        p.data *= 3
    assert total(network) == pytest.approx(1, abs=1e-5)


def test_a_mask_that_shows_the_pixel_itself_makes_no_law():
    torch.manual_seed(0)
    network = nets.made([], (1, 2, 3))
    layer = network[1].parts[0]
    torch.nn.init.constant_(layer.weight, 3.0)
    assert total(network) == pytest.approx(1, abs=1e-5)
    layer.mask += torch.eye(6)
    assert total(network) > 1.2


def test_no_output_of_the_pixel_cnn_sees_itself_or_later():
    slopes = seen(nets.pixel_cnn(1, 8, 2, 3), (1, 5, 5))
    assert slopes.triu().max() == 0
    assert slopes.tril(-1).max() > 0


def test_the_pixel_cnn_has_its_blind_spot():
    """Each row up reaches one pixel further right, and those beyond stay unseen."""
    slopes = seen(nets.pixel_cnn(1, 8, 2, 3), (1, 7, 7)).view(7, 7, 7, 7)
    assert slopes[4, 2, 3, 4:].max() == 0  # a row up, two to the right and more
    assert slopes[4, 2, 3, 3] > 0
    assert slopes[4, 2, 2, 4] > 0 == slopes[4, 2, 2, 5]


def test_masks_say_what_they_cannot_be():
    with pytest.raises(ValueError, match="begin and end"):
        nets.made_masks([3, 4])
    with pytest.raises(ValueError, match="odd"):
        nets.MaskedConv2d(1, 1, 4, True)
    with pytest.raises(ValueError, match="even"):
        nets.pixel_cnn(width=7)
    with pytest.raises(ValueError, match="outputs, inputs"):
        nets.MaskedLinear(torch.ones(3))
    with pytest.raises(ValueError, match="built for"):
        nets.made([4], (1, 2, 3))(torch.zeros(2, 1, 3, 2))
