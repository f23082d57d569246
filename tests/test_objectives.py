"""Value functions, penalties and densities against what theory says of them."""

import math

import pytest
import torch
from torch import nn

from gmlib import objectives as o
from gmlib.divergences import js, kl_normal

GRID = torch.linspace(-12, 12, 4001, dtype=torch.float64)
DX = (GRID[1] - GRID[0]).item()


def density(mean, std):
    return torch.exp(-0.5 * ((GRID - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def expected_value(V, T, p, q, n=200_000):
    """V by sampling p and q from the grid, with T known on it."""
    i = torch.multinomial(p, n, replacement=True)
    j = torch.multinomial(q, n, replacement=True)
    return V(T[i], T[j]).item()


def test_the_optimum_of_the_gan_value_is_two_jsd_minus_log_four():
    p, q = density(0, 1), density(1.5, 0.7)
    best = torch.log(p / q)
    value = expected_value(o.jensen_shannon, best, p, q)
    assert value == pytest.approx(2 * js(p, q, DX) - math.log(4), abs=0.01)
    for other in (0.5 * best, best + 0.5, torch.zeros_like(best)):
        assert expected_value(o.jensen_shannon, other, p, q) < value - 0.005


def test_the_optimum_of_least_squares_is_the_share_of_p():
    p, q = density(0, 1), density(1.5, 0.7)
    best = p / (p + q)
    value = expected_value(o.least_squares, best, p, q)
    # With T* the loss is ½∫ pq/(p+q).
    assert value == pytest.approx(-0.5 * (p * q / (p + q)).sum().item() * DX, abs=0.005)
    assert expected_value(o.least_squares, best + 0.2, p, q) < value - 0.01


def test_wasserstein_of_a_shift_is_the_shift():
    x = torch.randn(50_000)
    assert o.wasserstein(x + 2, x).item() == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize("t", [-40.0, 40.0])
def test_values_stay_finite_for_confident_discriminators(t):
    value = o.jensen_shannon(torch.full((4,), t), torch.full((4,), t))
    assert value.item() == pytest.approx(-40, rel=1e-3)


@pytest.mark.parametrize(
    "V", [o.jensen_shannon, o.least_squares, o.wasserstein, o.hinge]
)
def test_values_refuse_empty_batches(V):
    with pytest.raises(ValueError, match="non-empty"):
        V(torch.zeros(0), torch.zeros(3))
    with pytest.raises(ValueError, match="t_q"):
        V(torch.zeros(3), [1.0])


def test_hinge_by_hand():
    value = o.hinge(torch.tensor([0.5, 2.0]), torch.tensor([-2.0, 0.0]))
    assert value.item() == pytest.approx(-0.25 - 0.5)


def test_gradient_penalty_of_a_linear_critic_is_exact():
    w = torch.tensor([[3.0, 4.0]])
    x, y = torch.randn(7, 2), torch.randn(7, 2)
    assert o.gradient_penalty(lambda v: (v @ w.T).squeeze(1), x, y).item() == (
        pytest.approx((5 - 1) ** 2)
    )


def test_gradient_penalty_uses_one_epsilon_per_sample_and_all_dimensions():
    seen = []

    def T(v):
        seen.append(v.detach())
        return (v**2).flatten(1).sum(1) / 2  # gradient v

    x, y = torch.zeros(5, 2, 3, 3), torch.ones(5, 2, 3, 3)
    penalty = o.gradient_penalty(T, x, y)
    flat = seen[0].flatten(1)
    assert (flat == flat[:, :1]).all()  # one weight within a sample
    assert len(flat[:, 0].unique()) == 5  # another for each
    assert penalty.item() == pytest.approx(((flat.norm(dim=1) - 1) ** 2).mean().item())


def test_gradient_penalty_reaches_the_critic_and_not_the_samples():
    T = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    x = torch.randn(4, 2, requires_grad=True)
    o.gradient_penalty(T, x, torch.randn(4, 2)).backward()
    assert T[0].weight.grad.abs().sum() > 0
    assert x.grad is None


def test_gradient_penalty_refuses_batch_norm_and_bad_shapes():
    T = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(ValueError, match="batch normalisation"):
        o.gradient_penalty(T, torch.randn(4, 2), torch.randn(4, 2))
    with pytest.raises(ValueError, match="one non-empty shape"):
        o.gradient_penalty(T, torch.randn(4, 2), torch.randn(5, 2))


def test_clipping_bounds_every_weight():
    net = nn.Linear(3, 3)
    o.clip_weights(net, 0.01)
    assert max(p.abs().max().item() for p in net.parameters()) <= 0.01
    with pytest.raises(ValueError, match="finite number > 0"):
        o.clip_weights(net, -1)


def test_log_mean_exp_neither_overflows_nor_shifts():
    log_w = torch.tensor([[1000.0, 1000.0], [0.0, math.log(3)]])
    expected = torch.tensor([1000.0, math.log(2)])
    torch.testing.assert_close(o.log_mean_exp(log_w, dim=1), expected)
    with pytest.raises(ValueError, match="empty"):
        o.log_mean_exp(torch.zeros(0))


def test_the_normal_is_independent_over_all_but_the_batch():
    q = o.normal(torch.zeros(6, 2, 3), torch.ones(6, 2, 3))
    assert q.rsample().shape == (6, 2, 3)
    log_prob = q.log_prob(torch.zeros(6, 2, 3))
    torch.testing.assert_close(log_prob, torch.full((6,), -3 * math.log(2 * math.pi)))


def test_closed_form_kl_is_torchs_and_carries_its_half():
    mu, sigma = torch.randn(5, 3), torch.rand(5, 3) + 0.1
    ours = kl_normal(mu, sigma)
    torch.testing.assert_close(
        o.kl_divergence(o.normal(mu, sigma), o.standard_normal(3)), ours
    )
    assert kl_normal(torch.tensor([2.0]), torch.tensor([1.0])).item() == 2.0  # ½ μ²


def test_bernoulli_log_prob_sums_over_pixels():
    p = o.bernoulli(torch.zeros(4, 1, 28, 28))
    torch.testing.assert_close(
        p.log_prob(torch.ones(4, 1, 28, 28)), torch.full((4,), -784 * math.log(2))
    )


def test_the_standard_normal_refuses_no_shape():
    assert o.standard_normal(3, 4).sample((5,)).shape == (5, 3, 4)
    for shape in ((), (0,), (3, -1)):
        with pytest.raises(ValueError, match="positive sizes"):
            o.standard_normal(*shape)
