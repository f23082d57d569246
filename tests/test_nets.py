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


def test_noise_is_added_in_training_only():
    layer, x = nets.GaussianNoise(0.5), torch.zeros(100_000)
    assert layer(x).std().item() == pytest.approx(0.5, rel=0.02)
    assert torch.equal(layer.eval()(x), x)


# ------------------------------------------------------------ whole batches at once


@pytest.mark.parametrize("include_self", [False, True])
def test_minibatch_discrimination_is_the_formula(include_self):
    """o_b(x_i) = Σ_j exp(−‖M_ib − M_jb‖₁), with or without j = i."""
    layer = nets.MinibatchDiscrimination(4, kernels=3, dim=2, include_self=include_self)
    x = torch.randn(5, 4)
    out = layer(x)
    assert torch.equal(out[:, :4], x)
    M = (x @ layer.W.weight.T).view(5, 3, 2)
    for i in range(5):
        for b in range(3):
            others = [j for j in range(5) if include_self or j != i]
            total = sum(torch.exp(-(M[i, b] - M[j, b]).abs().sum()) for j in others)
            assert out[i, 4 + b].item() == pytest.approx(total.item(), rel=1e-4)


def test_minibatch_discrimination_tells_a_collapsed_batch():
    layer = nets.MinibatchDiscrimination(4, kernels=3)
    same, spread = torch.randn(1, 4).repeat(6, 1), torch.randn(6, 4)
    assert torch.allclose(layer(same)[:, 4:], torch.full((6, 3), 5.0))
    assert (layer(spread)[:, 4:] < 5).all()
    order = torch.randperm(6)
    assert torch.allclose(layer(spread[order]), layer(spread)[order], atol=1e-5)


def dcgan_and_noise(r):
    return nets.dcgan_generator(8, width=4), torch.randn(r, 8)


def test_virtual_batch_norm_is_batch_norm_of_the_reference_and_one():
    """An example is normalised by the r + 1 rows of the reference and itself."""
    torch.manual_seed(0)
    for shape, layer in [
        ((6, 3), nn.BatchNorm1d(3)),
        ((6, 3, 5, 4), nn.BatchNorm2d(3)),
    ]:
        nn.init.normal_(layer.weight), nn.init.normal_(layer.bias)
        reference, x = torch.randn(shape) + 1, 2 * torch.randn(shape)
        single = [layer(torch.cat([reference, x[i : i + 1]]))[-1] for i in range(6)]
        virtual = nets.VirtualBatchNorm(nn.Sequential(layer), reference)
        assert torch.allclose(virtual(x), torch.stack(single), atol=1e-5)


def test_virtual_batch_norm_does_not_look_at_the_batch():
    torch.manual_seed(0)
    network, reference = dcgan_and_noise(12)
    z = torch.randn(7, 8)
    alone = network(z[:1].repeat(2, 1))[:1]
    assert not torch.allclose(alone, network(z)[:1], atol=1e-3)
    G = nets.VirtualBatchNorm(network, reference)
    assert G(z).shape == (7, 1, 28, 28)
    assert torch.allclose(G(z[:1]), G(z)[:1], atol=1e-5)
    assert torch.allclose(G.eval()(z), G.train()(z), atol=1e-6)
    assert "reference" in G.state_dict()


def test_virtual_batch_norm_keeps_gains_and_learns_them():
    network, reference = dcgan_and_noise(4)
    before = nets.count(network)
    G = nets.VirtualBatchNorm(network, reference)
    assert nets.count(G) == before
    G(torch.randn(3, 8)).sum().backward()
    assert all(p.grad is not None for p in G.parameters())


def test_virtual_batch_norm_of_equal_rows_stays_finite():
    layer = nn.Sequential(nn.BatchNorm1d(2))
    rows = torch.full((64, 2), 1000.1)
    assert nets.VirtualBatchNorm(layer, rows)(rows[:3]).isfinite().all()


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
        (lambda: nets.GaussianNoise(-1), "std must be a finite number >= 0"),
        (lambda: nets.MinibatchDiscrimination(4, kernels=0), "kernels must be"),
        (lambda: nets.VirtualBatchNorm(nn.Linear(1, 1), torch.ones(2, 1)), "no batch"),
    ],
)
def test_bad_sizes_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
