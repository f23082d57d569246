"""Architectures of any make: shapes, what is in them, and the draw by number."""

from collections import Counter

import pytest
import torch
from torch import nn

from gmlib import architectures, nets
from gmlib.architectures import FACTORS, critic, dense, draw, generator
from gmlib.objectives import gradient_penalty


@pytest.mark.parametrize("size", [14, 28])
@pytest.mark.parametrize(
    "how",
    [
        *({"activation": name} for name in architectures.ACTIVATIONS),
        *({"norm": name, "depth": 6} for name in architectures.NORMS),
        {"depth": 9, "residual": True, "activation": "gated"},
        {"init": "dcgan"},
    ],
)
def test_every_make_meets_in_the_middle(size, how):
    image = generator(5, 4, size, **how)(torch.randn(3, 5))
    assert image.shape == (3, 1, size, size)
    assert image.abs().max() <= 1
    assert critic(4, size, **how)(image).shape == (3,)
    assert generator(5, 4, size, constant=True)(torch.randn(3, 5)).shape == image.shape


def layers_with_weights(net):
    kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    return [m for m in net.modules() if isinstance(m, kinds)]


@pytest.mark.parametrize("size", [14, 28])
@pytest.mark.parametrize("depth", [5, 7, 11])
def test_depth_counts_the_layers_with_weights(size, depth):
    assert len(layers_with_weights(generator(5, 4, size, depth))) == depth
    assert len(layers_with_weights(critic(4, size, depth))) == depth


def test_by_default_they_are_dcgan():
    """As many numbers as the networks of `nets`, which are written by hand."""
    how = {"init": "dcgan", "norm": "batch"}
    assert nets.count(generator(64, 8, 28, **how)) == nets.count(
        nets.dcgan_generator(64, width=8)
    )
    assert nets.count(critic(8, 28, **how)) == nets.count(
        nets.dcgan_discriminator(width=8)
    )


def test_a_residual_block_adds_to_what_came_in():
    block = architectures.Residual(nn.Linear(3, 3))
    nn.init.zeros_(block[0].weight)
    nn.init.ones_(block[0].bias)
    assert torch.equal(block(torch.zeros(1, 3)), torch.ones(1, 3))
    t = torch.randn(4, 3)
    assert torch.allclose(block(t), t + 1)


def test_the_nonlinearities_are_the_papers():
    t = torch.linspace(-5, 5, 11)
    shifted = (1 + (2 * t + 2).exp()).log() / 2 - 1
    assert torch.allclose(architectures.Shifted()(t), shifted)
    pair = torch.cat([t, t.flip(0)])[None]
    assert torch.allclose(
        architectures.Gated()(pair)[0], t.tanh() * t.flip(0).sigmoid()
    )


def test_layer_normalisation_treats_samples_one_by_one():
    """So that a gradient penalty has a gradient per sample; batch normalisation not."""
    x, y = torch.randn(4, 1, 14, 14), torch.randn(4, 1, 14, 14)
    T = critic(4, 14, 4, norm="layer")
    assert torch.allclose(T(x)[:1], T(x[:1]), atol=1e-5)
    assert gradient_penalty(T, x, y).isfinite()
    with pytest.raises(ValueError, match="batch normalisation"):
        gradient_penalty(critic(4, 14, 4, norm="batch"), x, y)


def test_signals_keep_their_size_through_many_layers():
    """He's initialisation: a deep ReLU network neither explodes nor dies."""
    torch.manual_seed(0)
    stds = [
        critic(16, 14, depth)(torch.randn(64, 1, 14, 14)).std() for depth in (2, 16)
    ]
    assert 0.1 < stds[1] / stds[0] < 10


def test_an_architecture_is_its_number():
    assert draw(3) == draw(3)
    drawn = [draw(number) for number in range(400)]
    assert len({tuple(a.values()) for a in drawn}) > 380
    for name, values in FACTORS.items():
        for who in "GT":
            count = Counter(a[f"{name}_{who}"] for a in drawn)
            assert set(count) == set(values)
            assert min(count.values()) > 0.7 * 400 / len(values)


@pytest.mark.parametrize("norm", architectures.NORMS)
def test_fully_connected_layers_have_what_was_asked_for(norm):
    net = dense([5, 8, 8, 3], "tanh", norm)
    assert net(torch.randn(4, 5)).shape == (4, 3)
    assert len(layers_with_weights(net)) == 3
    assert sum(isinstance(m, nn.Tanh) for m in net) == 2
    assert dense([5, 8, 8, 3], "gated", norm)(torch.randn(4, 5)).shape == (4, 3)
    numbers = 5 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3
    assert nets.count(net) == numbers + 2 * (norm != "none") * (8 + 8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: generator(5, activation="swish"), "choose from relu"),
        (lambda: dense([2, 2], norm="group"), "choose from batch"),
        (lambda: critic(norm="group"), "choose from batch"),
        (lambda: critic(init="zero"), "choose from he"),
        (lambda: generator(5, size=14, depth=1), "at least 2 layers"),
        (lambda: generator(5, 0), "width must be"),
        (lambda: critic(size=27), "times a power of two"),
    ],
)
def test_bad_makes_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
