"""Networks that grow: each layer is its formula, and growing is no jump."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from gmlib import nets
from gmlib.game import Player, fit

exact = {"dtype": torch.float64}


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("resample", ["double", "halve"])
def test_resampling_with_a_convolution_is_one_larger_kernel(resample, equal):
    torch.manual_seed(0)
    layer = nets.EqualConv2d(3, 5, equal=equal, resample=resample).double()
    nn.init.normal_(layer.bias)
    x, w = torch.randn(2, 3, 8, 8, **exact), layer.c * layer.weight
    doubled = conv2d(interpolate(x, scale_factor=2.0), w, layer.bias, padding=1)
    halved = avg_pool2d(conv2d(x, w, layer.bias, padding=1), 2)
    expected = doubled if resample == "double" else halved
    assert torch.allclose(layer(x), expected, atol=1e-12)


@pytest.mark.parametrize(("i", "gain"), [(16, 1.0), (400, math.sqrt(2))])
def test_adam_moves_an_equal_layer_by_one_share_of_its_spread(i, gain):
    torch.manual_seed(0)
    moved = {}
    for equal in (True, False):
        layer = nets.EqualLinear(i, 50, gain, equal)
        spread = (layer.c * layer.weight).std().item()
        assert spread == pytest.approx(gain / math.sqrt(i), rel=0.05)
        before = layer.c * layer.weight.detach().clone()
        adam = torch.optim.Adam(layer.parameters(), 1e-3, eps=0)
        layer(torch.randn(4, i)).square().sum().backward()
        adam.step()
        moved[equal] = (layer.c * layer.weight - before).abs().mean().item()
    assert moved[True] == pytest.approx(1e-3 * gain / math.sqrt(i), rel=1e-3)
    assert moved[False] == pytest.approx(1e-3, rel=1e-3)


def test_pixel_norm_keeps_the_direction_and_bounds_the_length():
    torch.manual_seed(0)
    a = torch.randn(2, 6, 3, 3, **exact).requires_grad_()
    b = nets.PixelNorm()(a)
    assert torch.allclose(b.norm(dim=1), torch.full((2, 3, 3), 6**0.5, **exact))
    assert torch.allclose(nets.PixelNorm()(7 * a), b, atol=1e-6)
    (slope,) = torch.autograd.grad(b.sin().sum(), a)
    assert (slope * a).sum(1).abs().max() < 1e-6


def test_the_deviation_of_a_minibatch_is_the_formula():
    torch.manual_seed(0)
    x = torch.randn(6, 3, 2, 2)
    out = nets.MinibatchDeviation(3)(x)
    assert torch.equal(out[:, :3], x)
    for i in range(6):
        group = x[[i % 2, i % 2 + 2, i % 2 + 4]]  # N/g = 2 apart
        expected = (group.var(0, correction=0) + 1e-8).sqrt().mean()
        assert torch.allclose(out[i, 3], expected.expand(2, 2))
    order = torch.tensor([2, 3, 4, 5, 0, 1])  # within the groups
    assert torch.allclose(nets.MinibatchDeviation(3)(x[order]), out[order])
    same = nets.MinibatchDeviation(4)(x[:1].repeat(4, 1, 1, 1))
    assert torch.allclose(same[:, 3], torch.full((4, 2, 2), 1e-4))
    with pytest.raises(ValueError, match="do not make groups of 4"):
        nets.MinibatchDeviation(4)(x)


def players(group=4):
    torch.manual_seed(0)
    G = nets.GrowingGenerator(5, (6, 5, 4, 3)).double()
    return G, nets.GrowingDiscriminator((6, 5, 4, 3), group=group).double()


@pytest.mark.parametrize(("small", "large"), [(8, 16), (16, 32)])
def test_what_fades_in_changes_nothing_at_first(small, large):
    G, T = players()
    z, x = torch.randn(4, 5, **exact), torch.randn(4, 3, large, large, **exact)
    G.at(small), T.at(small)
    before, of_data = T(G(z)), T(avg_pool2d(x, 2))
    G.at(large, fade=True), T.at(large, fade=True)
    assert torch.allclose(T(G(z)), before, atol=1e-12)
    assert torch.allclose(T(x), of_data, atol=1e-12)
    smooth = interpolate(
        G.at(small)(z), scale_factor=2.0, mode="bilinear", align_corners=False
    )
    assert not torch.allclose(T(smooth), before, atol=1e-3)
    T.alpha.fill_(0.5)
    assert not torch.allclose(T(x), of_data, atol=1e-3)


def test_a_slope_halves_when_a_size_doubles():
    _, T = players(group=0)
    x = torch.randn(3, 3, 16, 16, **exact).requires_grad_()
    small = avg_pool2d(x, 2).detach().requires_grad_()
    (new,) = torch.autograd.grad(T.at(16, fade=True)(x).sum(), x)
    (old,) = torch.autograd.grad(T.at(8)(small).sum(), small)
    ratio = new.flatten(1).norm(dim=1) / old.flatten(1).norm(dim=1)
    assert torch.allclose(ratio, torch.full((3,), 0.5, **exact))


def test_new_layers_get_no_gradient_at_first():
    G, T = players()
    G.at(16, fade=True), T.at(16, fade=True)
    T(G(torch.randn(4, 5, **exact))).sum().backward()
    new = [*G.up[1].parameters(), *G.paint[1].parameters()]
    new += [*T.down[1].parameters(), *T.read[1].parameters()]
    assert all(p.grad.abs().max() == 0 for p in new)
    assert G.up[0].weight.grad.abs().max() > 0
    assert T.read[0].weight.grad.abs().max() > 0
    assert T.read[2].weight.grad is None


def test_an_average_has_the_size_and_the_fade_of_its_network():
    G, T = players()
    G.at(16, fade=True), T.at(16)

    def rise():
        G.alpha.add_(0.25)

    def loss():
        return T(G(torch.randn(4, 5, **exact))).mean()

    player = Player([G], loss, after=rise, average=0.5)
    fit({"G": player}, None, 2, progress=False)
    (averaged,) = player.averaged
    assert averaged.size == 16
    assert averaged.fading
    # weights 1/3 and 2/3 of what was after one round and after two
    assert averaged.alpha.item() == pytest.approx((0.25 + 2 * 0.5) / 3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nets.EqualConv2d(3, 3, 2), "must be odd"),
        (lambda: nets.EqualConv2d(3, 3, resample="up"), "choose from no, double"),
        (lambda: nets.EqualLinear(3, 0), "o must be"),
        (lambda: nets.EqualLinear(3, 2, gain=0), "gain must be"),
        (lambda: nets.MinibatchDeviation(1), "group must be"),
        (lambda: nets.GrowingGenerator(0), "z_dim must be"),
        (lambda: nets.GrowingGenerator(3, (4,)), "one for each doubling"),
        (lambda: nets.GrowingGenerator(3, (4, 4)).at(16), "choose from 8"),
        (lambda: nets.GrowingGenerator(3, (4, 4)).at(8, True), "nothing to fade"),
        (lambda: nets.GrowingGenerator(3, (4, 4))(torch.zeros(2, 4)), "built for"),
        (
            lambda: nets.GrowingDiscriminator((4, 4))(torch.zeros(2, 8, 8, 3)),
            r"x\.permute",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
