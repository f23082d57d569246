"""From pictures to pictures: U-Nets, patches, and what judges a translation."""

import math

import pytest
import torch
from torch import nn

from gmlib import metrics, nets

# ---- networks ----


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("size", [16, 28])
def test_a_unet_gives_a_picture_of_the_same_size(size, skips):
    G = nets.unet(2, 3, 4, size, skips, dropout=0.5)
    x = G(torch.randn(2, 2, size, size))
    assert x.shape == (2, 3, size, size)
    assert x.abs().max() <= 1
    with pytest.raises(ValueError, match="built for"):
        G(torch.zeros(1, 2, 2 * size, 2 * size))


def test_only_skips_lead_past_the_smallest_map():
    """Cut what goes through the smallest map: without skips nothing is left."""
    line, other = torch.randn(2, 1, 1, 16, 16)
    for skips in (True, False):
        G = nets.unet(1, 3, 4, 16, skips).eval()
        kernels = [m for m in G.modules() if isinstance(m, nn.Conv2d)]
        nn.init.zeros_(kernels[-1].weight)  # the last halving
        with torch.no_grad():
            assert (G(line) - G(other)).abs().max().item() > 0 or not skips
            assert torch.equal(G(line), G(other)) == (not skips)


def test_skips_double_the_inputs_on_the_way_up():
    def into(skips):
        G = nets.unet(1, 3, 4, 32, skips)
        ups = (m for m in G.modules() if isinstance(m, nn.ConvTranspose2d))
        return sorted(m.in_channels for m in ups)

    assert into(False) == [4, 8, 16]
    assert into(True) == [8, 16, 16]  # the smallest map has nothing beside it


def test_dropout_is_a_noise_of_training_only():
    G, y = nets.unet(1, 3, 8, 16, dropout=0.5), torch.randn(1, 1, 16, 16)
    G.eval()
    assert torch.equal(G(y), G(y))
    for m in G.modules():
        m.train(isinstance(m, nn.Dropout))
    assert not torch.equal(G(y), G(y))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"size": 8}, "halves at least twice"),
        ({"size": 9}, "power of two"),
        ({"dropout": 1.0}, "share"),
        ({"width": 0}, "width"),
    ],
)
def test_a_unet_that_cannot_be_is_refused(how, words):
    with pytest.raises(ValueError, match=words):
        nets.unet(1, 3, **how)


def seen_by_one_logit(T, size):
    """How many rows of the input one logit in the middle depends on."""
    x = torch.zeros(1, 2, size, size, dtype=torch.float64, requires_grad=True)
    t = T.double()(x)
    middle = t.shape[1] // 2
    (slope,) = torch.autograd.grad(t[0, middle, middle], x)
    return int((slope[0].abs().sum((0, 2)) > 0).sum())


@pytest.mark.parametrize(("strided", "field"), [(0, 1), (1, 16), (2, 34), (3, 70)])
def test_a_receptive_field_is_where_the_gradient_is(strided, field):
    T = nets.patch_discriminator(2, 2, strided, batch_norm=False)
    assert nets.receptive_field(T) == field
    assert seen_by_one_logit(T, 2 * field + 8) == field


def test_maps_of_logits_have_the_published_sizes():
    """256 pixels: 126, 62, 30 logits a side, in the authors' comments (models.lua)."""
    x = torch.zeros(1, 3, 256, 256)
    sides = [nets.patch_discriminator(3, 1, n)(x).shape[-1] for n in (1, 2, 3)]
    assert sides == [126, 62, 30]


def test_windows_that_are_not_known_are_refused():
    pooled = nn.Sequential(nn.Conv2d(1, 1, 3, dilation=2), nn.AvgPool2d(2))
    assert nets.receptive_field(pooled) == 6
    with pytest.raises(TypeError, match="Linear"):
        nets.receptive_field(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="no square"):
        nets.receptive_field(nn.Sequential(nn.Conv2d(1, 1, (3, 1))))


# ---- judging ----


def test_a_fair_choice_has_an_exact_p_value():
    """Over all ways that 8 coins can fall, p ≤ α has a chance of at most α."""
    chances, p_values = [], []
    for wins in range(9):
        real = torch.tensor([1.0] * wins + [0.0] * (8 - wins))
        fooled, p = metrics.forced_choice(real, 1 - real)
        assert fooled == 1 - wins / 8
        chances.append(math.comb(8, wins) / 2**8)
        p_values.append(p)
    for level in p_values:
        at_most = sum(c for c, p in zip(chances, p_values, strict=True) if p <= level)
        assert at_most == pytest.approx(level)


def test_ties_are_no_evidence():
    t = torch.tensor([1.0, 2.0, 3.0])
    assert metrics.forced_choice(t, t) == (0.5, 1.0)
    assert metrics.forced_choice(t, torch.tensor([0.0, 2.0, 4.0]))[0] == 0.5


def test_a_judge_that_sees_no_condition_is_blind_to_wrong_pairs():
    y = torch.tensor([0.0, 1.0]).repeat(50)
    x, wrong = y, 1 - y
    assert metrics.forced_choice(x, wrong)[0] == 0.5  # T(y, x) = x
    assert metrics.forced_choice(-((x - y) ** 2), -((wrong - y) ** 2))[0] == 0


@pytest.mark.parametrize("bad", [torch.zeros(2, 1), torch.zeros(0), [float("nan")]])
def test_bad_scores_are_refused(bad):
    with pytest.raises(ValueError, match=r"scores|finite"):
        metrics.forced_choice(bad, bad)


def test_chroma_counts_coloured_pixels_alone():
    true = torch.ones(1, 3, 4, 4)
    true[:, 1:, :2] = 0  # the upper half is red, the paper white
    grey = true.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    pale = torch.lerp(grey, true, 0.5)
    assert metrics.chroma(true)[0].tolist() == [[1.0] * 4] * 2 + [[0.0] * 4] * 2
    shares = [metrics.chroma_share(x, true) for x in (true, grey, pale)]
    assert shares == pytest.approx([1, 0, 0.5])
    with pytest.raises(ValueError, match="no pixel"):
        metrics.chroma_share(true, grey)
    with pytest.raises(ValueError, match="one shape"):
        metrics.chroma_share(true[..., 1:], true)


def test_colour_features_are_what_they_say():
    x = torch.zeros(1, 3, 4, 4)
    x[0, 0, :2, :2] = 1  # a red quarter
    f = metrics.colour_features(x)
    assert f.shape == (1, 21)
    assert f[0, :12].tolist() == [1.0] + 11 * [0.0]
    right, below = f[0, 15:18], f[0, 18:]
    assert right.tolist() == below.tolist() == pytest.approx([2 / 12, 0, 0])
    with pytest.raises(ValueError, match="two pixels"):
        metrics.colour_features(torch.zeros(1, 3, 1, 4))
    with pytest.raises(ValueError, match="pictures"):
        metrics.colour_features(torch.zeros(1, 1, 4, 4))
