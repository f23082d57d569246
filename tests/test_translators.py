"""Translators, discriminators of patches, and the score of those who know the pairs."""

import pytest
import torch

from gmlib import metrics, nets


def test_a_translator_that_keeps_begins_by_doing_nothing():
    x = torch.rand(2, 3, 16, 16)
    assert nets.residual_translator(keep=True)(x).equal(x)
    line = nets.residual_translator(3, 1, keep=True)(x)
    torch.testing.assert_close(line, x.mean(1, keepdim=True))
    colour = nets.residual_translator(1, 3, keep=True)(line)
    torch.testing.assert_close(colour, line.expand(-1, 3, -1, -1))


def test_one_that_does_not_keep_forgets_the_start():
    x = torch.rand(2, 3, 16, 16)
    G = nets.residual_translator(width=8, blocks=1)
    assert (G(x) - x).abs().mean() > 0.1


@pytest.mark.parametrize("keep", [False, True])
def test_a_translator_keeps_size_and_range(keep):
    G = nets.residual_translator(3, 1, width=8, blocks=2, keep=keep)
    for p in G.parameters():
        torch.nn.init.normal_(p)
    y = G(torch.rand(2, 3, 8, 12))
    assert y.shape == (2, 1, 8, 12)
    assert y.min() >= 0
    assert y.max() <= 1
    assert y.std() > 0


def test_a_translator_learns_to_dim_pictures():
    torch.manual_seed(0)
    G = nets.residual_translator(width=8, blocks=1, keep=True)
    steps = torch.optim.Adam(G.parameters(), 1e-2)
    errors = []
    for _ in range(30):
        x = torch.rand(4, 3, 8, 8)
        error = (G(x) - (x - 0.3).clamp(0, 1)).abs().mean()
        steps.zero_grad()
        error.backward()
        steps.step()
        errors.append(error.item())
    assert errors[-1] < 0.5 * errors[0]


def test_a_logit_sees_its_patch_and_nothing_else():
    """18 × 18 pixels, in steps of 4: the reach of two strided layers and one more."""
    torch.manual_seed(0)
    T = nets.local_discriminator(1, 8)
    x = torch.rand(1, 1, 48, 48, requires_grad=True)
    logits = T(x)
    assert logits.shape == (12 * 12,)
    (slope,) = torch.autograd.grad(logits.view(12, 12)[6, 6], x)
    rows = slope[0, 0].abs().sum(1).nonzero()[:, 0]
    assert (rows[-1] - rows[0] + 1).item() == 18
    assert len(rows) == 18


def test_sizes_are_checked():
    for make in (nets.residual_translator, nets.local_discriminator):
        with pytest.raises(ValueError, match="width"):
            make(width=0)


def test_retrieval_finds_partners_and_chance():
    torch.manual_seed(0)
    y = torch.rand(20, 3, 4, 4)
    assert metrics.retrieval(y + 0.01 * torch.randn_like(y), y) == 1
    assert metrics.retrieval(y.roll(1, 0), y) == 0
    assert metrics.retrieval(torch.full_like(y, 0.5), y) == 1 / 20
    assert metrics.retrieval(torch.zeros_like(y), torch.zeros_like(y)) == 1 / 20


def test_retrieval_is_by_absolute_differences():
    x = torch.tensor([[0.0, 0.0], [9.0, 9.0]])
    y = torch.tensor([[3.0, 0.0], [2.0, 2.0]])  # nearer to x by squares: the second
    assert metrics.retrieval(x, y) == 1


def test_retrieval_wants_pairs():
    with pytest.raises(ValueError, match="no pairs"):
        metrics.retrieval(torch.rand(3, 2), torch.rand(4, 2))
    with pytest.raises(ValueError, match="one dimension"):
        metrics.retrieval(torch.rand(3, 2), torch.rand(3, 4))
