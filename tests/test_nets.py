"""Networks: shapes, normalisation in its place, and clear refusals."""

import pytest
import torch
from torch import nn

from gmlib import nets


@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_convolutional_nets_meet_in_the_middle(size, channels):
    z, x = torch.randn(2, 8), torch.randn(2, channels, size, size)
    how = {"channels": channels, "width": 4, "size": size}
    image = nets.dcgan_generator(8, **how)(z)
    assert image.shape == x.shape
    assert image.abs().max() <= 1
    assert nets.dcgan_discriminator(**how)(x).shape == (2,)
    assert nets.conv_encoder(6, **how)(x).shape == (2, 6)
    assert nets.conv_decoder(8, **how)(z).shape == x.shape


def test_dcgan_normalises_neither_the_output_nor_the_input():
    G, D = nets.dcgan_generator(8, width=4), nets.dcgan_discriminator(width=4)
    kinds = [type(m) for m in G]
    assert kinds[-2:] == [nn.ConvTranspose2d, nn.Tanh]
    assert kinds.count(nn.BatchNorm2d) == 2
    assert [type(m) for m in D][:2] == [nn.Conv2d, nn.LeakyReLU]
    plain = nets.dcgan_discriminator(width=4, batch_norm=False)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.modules())


def test_dcgan_initialises_with_small_normals():
    G = nets.dcgan_generator(64, width=32)
    assert G[0].weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_an_mlp_is_linear_at_the_end_and_shaped():
    net = nets.mlp([784, 16, 784], "leaky", batch_norm=True, shape=(1, 28, 28))
    assert net(torch.randn(3, 1, 28, 28)).shape == (3, 1, 28, 28)
    assert [type(m) for m in net] == [
        nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.LeakyReLU, nn.Linear, nn.Unflatten
    ]  # fmt: skip
    assert nets.mlp([2, 4, 4, 1], shape=())(torch.randn(5, 2)).shape == (5,)
    assert nets.mlp([2, 3])(torch.randn(5, 2)).shape == (5, 3)


def test_parameters_are_counted_by_hand():
    assert nets.count(nets.mlp([2, 3, 1])) == 2 * 3 + 3 + 3 + 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nets.mlp([3]), "at least an input"),
        (lambda: nets.mlp([3, 0]), r"sizes\[1\] must be a positive"),
        (lambda: nets.mlp([3, 2, 1], "swish"), "choose from relu"),
        (lambda: nets.mlp([3, 2], shape=()), "width one"),
        (lambda: nets.dcgan_generator(0), "z_dim must be"),
        (lambda: nets.dcgan_generator(8, size=27), "times a power of two"),
        (lambda: nets.dcgan_discriminator(size=4), "times a power of two"),
        (lambda: nets.conv_encoder(-2), "out must be"),
        (lambda: nets.conv_decoder(8, width=1.5), "width must be"),
    ],
)
def test_bad_sizes_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
