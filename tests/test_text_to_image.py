"""The judge that draws shapes, and the second stage of a text-to-image generator."""

import pytest
import torch

from gmlib import data, metrics, nets


def drawn(n=300, size=16):
    law = data.shapes(size)
    return law, law.factors((n,))


@pytest.mark.parametrize("size", [16, 32])
def test_what_the_law_draws_is_read_as_it_was_drawn(size):
    law, f = drawn(size=size)
    found = metrics.read_shapes(law.draw(f))
    assert found.factors[:, :2].equal(f[:, :2])
    assert (found.factors[:, 2:] - f[:, 2:]).abs().max() < 0.02
    assert found.error.max() < 0.06


def test_a_shape_beyond_the_law_s_ranges_is_read_too():
    law, _ = drawn(1)
    f = torch.tensor([[1.0, 2.0, 0.25, 0.3, -0.3]])
    assert (metrics.read_shapes(law.draw(f)).factors - f).abs().max() < 0.02


def test_the_error_sees_what_is_no_shape_of_the_law():
    law, f = drawn()
    x = law.draw(f)
    honest = metrics.read_shapes(x).error.max()
    other = f.clone()
    other[:, 1] = (f[:, 1] + 1) % 3
    mixed = metrics.read_shapes((x + law.draw(other)) / 2)  # two colours in one
    other[:, 1], other[:, 0] = f[:, 1], (f[:, 0] + 1) % 3
    both = metrics.read_shapes((x + law.draw(other)) / 2)  # two kinds in one
    assert mixed.error.min() > 2 * honest
    assert both.error.mean() > 2 * metrics.read_shapes(x).error.mean()
    assert metrics.read_shapes(torch.rand_like(x)).error.min() > 4 * honest


def test_an_empty_picture_has_a_size_of_zero_and_no_nan():
    found = metrics.read_shapes(torch.ones(2, 3, 8, 8))
    assert found.factors[:, 2:].abs().max() < 1e-3
    assert found.factors.isfinite().all()
    assert found.error.max() < 0.1


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 8, 9), (3, 8, 8)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(ValueError, match="pictures of shapes"):
        metrics.read_shapes(torch.rand(shape))


def stirred(stage):
    """Random weights in place of the zeros of the last layer."""
    for p in stage.last.parameters():
        torch.nn.init.normal_(p, 0, 0.1)
    return stage


def test_a_second_stage_begins_by_making_each_pixel_four():
    s, c = 2 * torch.rand(3, 3, 8, 8) - 1, torch.randn(3, 4)
    x = nets.SecondStage(4)(s, c)
    assert x.shape == (3, 3, 16, 16)
    assert x.equal(s.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_a_second_stage_stays_in_the_range_of_pictures():
    x = stirred(nets.SecondStage(4))(2 * torch.rand(3, 3, 8, 8) - 1, torch.randn(3, 4))
    assert x.abs().max() <= 1


def test_the_caption_is_a_bias_of_each_channel_and_a_blind_stage_has_none():
    s, c = torch.rand(2, 3, 16, 16) - 0.5, torch.randn(2, 4)
    stage, blind = stirred(nets.SecondStage(4)), stirred(nets.SecondStage(0))
    assert not torch.allclose(stage(s, c), stage(s, -c))
    # Far from the border no place is unlike another.
    x, y = stage(s, c), stage(s.roll(1, 3), c)
    assert torch.allclose(x.roll(2, 3)[..., 12:-12], y[..., 12:-12], atol=1e-5)
    assert blind(s).equal(blind(s, c))
    with pytest.raises(ValueError, match="a code of shape"):
        stage(s)
    with pytest.raises(ValueError, match="a code of shape"):
        stage(s, c[:, :3])


@pytest.mark.parametrize("sizes", [{"c_dim": -1}, {"c_dim": 4, "width": 0}])
def test_a_second_stage_of_no_size_is_refused(sizes):
    with pytest.raises(ValueError, match="must be"):
        nets.SecondStage(**sizes)
