"""Networks and scores of films on a torus: they know no edge, and moves are moves."""

import pytest
import torch
from torch.nn.functional import pad

from gmlib import data, metrics, nets


@pytest.fixture
def past():
    torch.manual_seed(0)
    return data.moving_digits("test").sample((4,)).past


def moved(x, down, right):
    return x.roll((down, right), (-2, -1))


@pytest.mark.parametrize("r", [1, 3])
def test_a_border_comes_from_the_opposite_side(r):
    x = torch.rand(2, 3, 5, 6)
    assert torch.equal(nets.Wrap(r)(x), pad(x, (r, r, r, r), "circular"))


def test_an_encoder_says_what_is_seen_not_where(past):
    torch.manual_seed(1)
    E = nets.torus_encoder(5, 2)
    assert torch.allclose(E(moved(past, 8, -16)), E(past), atol=1e-5)
    assert not torch.allclose(E(past.flip(1)), E(past), atol=1e-3)
    T = nets.torus_discriminator(2)
    assert T(past).shape == (4,)
    assert torch.allclose(T(moved(past, -8, 8)), T(past), atol=1e-5)
    with pytest.raises(ValueError, match="built for"):
        T(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("kind", [nets.Mover, nets.Painter])
def test_a_predictor_sees_no_edge(kind, past):
    torch.manual_seed(2)
    F, z = kind(z_dim=2), torch.randn(4, 2)
    far = F(moved(past, 8, -8), z)
    assert torch.allclose(far, moved(F(past, z), 8, -8), atol=1e-5)
    assert not torch.allclose(F(past, -z), F(past, z), atol=1e-4)


@pytest.mark.parametrize("kind", [nets.Mover, nets.Painter])
def test_a_latent_is_given_where_there_is_one(kind, past):
    with pytest.raises(ValueError, match=r"\(n, 2\), got None"):
        kind(z_dim=2)(past)
    with pytest.raises(ValueError, match=r"\(n, 0\), got \(4, 2\)"):
        kind()(past, torch.randn(4, 2))


@pytest.mark.parametrize(("down", "right"), [(0, 0), (4, 0), (-2, 5), (-5, -5)])
def test_one_weight_is_one_move(down, right, past):
    F = nets.Mover(reach=5)
    w = torch.zeros(4, 11, 11)
    w[:, 5 + down, 5 + right] = 1
    assert torch.equal(F.moved(past, w), moved(past[:, 1:], down, right))


def test_a_mover_averages_moves_and_gains_no_energy(past):
    torch.manual_seed(3)
    F = nets.Mover(reach=1)
    with torch.no_grad():
        F.logits[-1].bias.copy_(torch.linspace(0, 3, 9))
        w, x = F.log_weights(past).exp(), F(past)
    by_hand = sum(
        w[:, 1 + a, 1 + b, None, None, None] * moved(past[:, 1:], a, b)
        for a in (-1, 0, 1)
        for b in (-1, 0, 1)
    )
    assert torch.allclose(w.sum((1, 2)), torch.ones(4))
    assert torch.allclose(x, by_hand, atol=1e-6)
    energy = metrics.gradient_energy
    assert (energy(x[:, 0]) < energy(past[:, 1])).all()
    assert torch.allclose(x.sum((1, 2, 3)), past[:, 1].sum((1, 2)), rtol=1e-5)


def test_a_drawn_move_is_a_move_with_its_chance(past):
    torch.manual_seed(4)
    F = nets.Mover(reach=1)
    many = past[:1].expand(3000, -1, -1, -1)
    x, log_p = F.drawn(many)
    assert not x.requires_grad
    assert log_p.requires_grad
    places = [moved(past[0, 1], a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    which, apart = metrics.nearest_future(x, torch.stack(places)[None])
    assert apart.max() == 0
    w = F.log_weights(past[:1]).flatten()
    assert torch.allclose(w[which[:, 0]], log_p, atol=1e-5)
    share = which.flatten().bincount(minlength=9) / 3000
    assert (share - w.exp()).abs().max() < 5 * (0.25 / 3000) ** 0.5


def test_the_nearest_future_is_found_and_a_mean_is_far_from_all(past):
    law = data.moving_digits("test")
    futures = law.futures(past)
    draws = torch.stack([futures[:, 2], futures[:, 0], law.mean(past)[:, 0]])
    which, apart = metrics.nearest_future(draws, futures)
    assert which[0].tolist() == [2] * 4
    assert which[1].tolist() == [0] * 4
    assert apart[:2].max() == 0
    assert (apart[2] > 0.2 * past[:, 1].square().sum((1, 2))).all()
    with pytest.raises(ValueError, match="do not fit"):
        metrics.nearest_future(draws[:, :3], futures)
    with pytest.raises(ValueError, match="frames"):
        metrics.nearest_future(torch.zeros(3, 2), futures)


def test_the_best_of_more_draws_is_never_worse():
    torch.manual_seed(5)
    draws, truth = torch.rand(6, 7, 1, 3, 3), torch.rand(7, 1, 3, 3)
    each = (draws - truth).square().mean((2, 3, 4))
    assert torch.allclose(metrics.best_of(draws, truth), each.min(0).values)
    assert (metrics.best_of(draws, truth) <= metrics.best_of(draws[:2], truth)).all()
    with pytest.raises(ValueError, match="do not fit"):
        metrics.best_of(draws, truth[:5])


def test_gradient_energy_falls_with_blur_and_rises_with_noise(past):
    x = past[:, 1]
    blurred = (x + moved(x, 0, 1) + moved(x, 1, 0)) / 3
    energy = metrics.gradient_energy
    assert (energy(blurred) < 0.8 * energy(x)).all()
    assert (energy(x + 0.3 * torch.randn_like(x)) > 1.5 * energy(x)).all()
    assert torch.allclose(energy(moved(x, 5, 9)), energy(x), rtol=1e-4)
