"""Restored pictures: their scores, the network that makes them, errors by clusters."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d, interpolate

from gmlib import metrics, nets

exact = {"dtype": torch.float64}


def pictures(n=6, size=32, seed=0):
    own = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, size, size, generator=own, **exact)


# ------------------------------------------------------------------------- psnr


def test_psnr_is_that_of_a_known_error_and_a_border_is_left_out():
    x = 0.2 + 0.5 * pictures()
    assert metrics.psnr(x, x + 0.1) == pytest.approx(20)
    spoilt = x.clone()
    spoilt[:, :, :2], spoilt[..., -2:] = 0, 1
    assert (metrics.psnr(x, spoilt) < 30).all()
    assert metrics.psnr(x, spoilt, border=2).isinf().all()


def test_the_mean_of_psnr_is_at_least_that_of_the_mean_error():
    x, steps = 0.5 * pictures(3), torch.tensor([0.01, 0.1, 0.3])[:, None, None, None]
    each = metrics.psnr(x, x + steps)
    of_all = -10 * math.log10(steps.square().mean())
    assert each.mean() > of_all + 3


@pytest.mark.parametrize(
    ("spread", "gain"),
    [((1, 1, 1), 4.82), ((0, 0, 1), 15.41)],
    ids=["independent channels", "blue alone"],
)
def test_luma_flatters_by_known_decibels(spread, gain):
    own = torch.Generator().manual_seed(1)
    noise = torch.randn(4, 3, 256, 256, generator=own, **exact)
    noise = 0.02 * noise * torch.tensor(spread)[:, None, None]
    a = torch.full_like(noise, 0.5)
    b = (a + noise).clamp(0, 1)
    seen = metrics.psnr(metrics.luma(a), metrics.luma(b)) - metrics.psnr(a, b)
    assert seen.mean().item() == pytest.approx(gain, abs=0.05)


def test_luma_is_that_of_pillow_up_to_its_range():
    x = pictures(1)
    full = Image.fromarray((255 * x[0]).round().byte().permute(1, 2, 0).numpy())
    theirs = np.asarray(full.convert("L")) / 255
    ours = (metrics.luma(x)[0, 0] - 16 / 255) * 255 / 219
    assert abs(ours.numpy() - theirs).max() < 0.01


# ------------------------------------------------------------------ block distance


def test_blocks_keep_squared_distances_and_find_a_wave():
    a, b = pictures(seed=1), pictures(seed=2)
    c, d = metrics.block_coefficients(a), metrics.block_coefficients(b)
    assert c.shape == (6 * 16, 64)
    square = (a.mean(1) - b.mean(1)).square().sum()
    assert torch.isclose((c - d).square().sum(), square)
    wave = (math.pi * 5 * (2 * torch.arange(8, **exact) + 1) / 16).cos()
    of_wave = metrics.block_coefficients(wave.expand(1, 1, 8, 8))[0].abs()
    assert of_wave.argmax() == 5
    assert of_wave.sum() == pytest.approx(of_wave.max().item())


def test_block_distance_is_no_larger_than_the_error_and_zero_for_one_law():
    a = pictures()
    noise = 0.1 * torch.randn(a.shape, generator=torch.Generator().manual_seed(3))
    for b in (a + noise, a * 0.5, avg_pool2d(a, 5, 1, 2)):
        error = (a - b).square().mean().sqrt().item()
        assert 0 < metrics.block_distance(a, b) <= error
    assert metrics.block_distance(a, a.flip(0)) == 0
    assert metrics.block_distance(a, a + 0.25) == pytest.approx(0.25)


# --------------------------------------------------------------------- clusters


def test_a_cluster_of_copies_counts_once():
    one = torch.tensor([1.0, 2.0, 6.0], **exact)
    clusters = torch.arange(3).repeat_interleave(50)
    mean, error = metrics.clustered_mean(one.repeat_interleave(50), clusters)
    assert mean == pytest.approx(3)
    assert error == pytest.approx(one.std().item() / math.sqrt(3))
    alone = metrics.clustered_mean(one, [7, 8, 9])
    assert alone == pytest.approx((mean, error))


def test_the_error_by_clusters_is_the_error_that_is_made():
    own = torch.Generator().manual_seed(0)
    shape = 4000, 6, 10
    common = torch.randn(*shape[:2], 1, generator=own, **exact)
    values = common + torch.randn(shape, generator=own, **exact)
    clusters = torch.arange(6).repeat_interleave(10)
    errors = [metrics.clustered_mean(v.flatten(), clusters)[1] for v in values[:400]]
    made = values.mean((1, 2)).var().item()
    assert np.mean(np.square(errors)) == pytest.approx(made, rel=0.15)
    naive = values.flatten(1).var(1).mean().item() / 60
    assert naive < 0.3 * made


# --------------------------------------------------------------------- the network


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_an_untrained_network_enlarges_as_bilinear_does(factor):
    network = nets.super_resolver(factor, width=4, blocks=1)
    x = torch.rand(2, 3, 5, 7)
    want = interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    assert torch.equal(network(x), want)
    assert nets.count(network) > 0
    network(x).square().sum().backward()
    assert max(p.grad.abs().max() for p in network.parameters()) > 0


def test_a_way_around_is_added():
    layer = torch.nn.Linear(3, 3)
    x = torch.rand(2, 3)
    assert torch.equal(nets.Beside(layer)(x), layer(x) + x)
    assert torch.equal(nets.Beside(layer, torch.sin)(x), layer(x) + x.sin())


# ----------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: metrics.psnr(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9)), "one"),
        (lambda: metrics.psnr(torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8) + 1),
         "clip on purpose"),
        (lambda: metrics.psnr(*[torch.zeros(1, 3, 8, 8)] * 2, border=4), "leaves"),
        (lambda: metrics.luma(torch.zeros(1, 1, 8, 8)), "Y is made of"),
        (lambda: metrics.block_coefficients(torch.zeros(2, 3, 4, 8)), "at least 8"),
        (lambda: metrics.block_distance(torch.zeros(2, 3, 8, 8),
                                        torch.zeros(1, 3, 8, 8)), "equally many"),
        (lambda: metrics.clustered_mean([1.0, 2.0], [0, 0]), "two clusters"),
        (lambda: metrics.clustered_mean([1.0, 2.0], [0]), "one cluster a value"),
        (lambda: nets.super_resolver(3), "factor"),
        (lambda: nets.super_resolver()(torch.zeros(1, 1, 8, 8)), "built for"),
    ],
)  # fmt: skip
def test_what_has_no_answer_is_refused(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()
