"""The normal at the summit of a posterior, and bounds of log p(x) from both sides."""

import math

import pytest
import torch
from torch import distributions as td

from gmlib import data, metrics, nets, runtime
from gmlib.objectives import bernoulli, normal, standard_normal


@pytest.fixture
def world():
    runtime.seed(1)
    W = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.3, 0.2]])
    return data.LinearGaussian(W, torch.tensor([0.1, 0.0, -1.0]), 0.6)


def test_the_summit_of_a_normal_posterior_is_the_posterior(world):
    x = world.sample((9,))
    starts = world.prior.sample((3, 9))
    found = metrics.summit(x, world.likelihood, world.prior, starts, 400, wider=1.0)
    exact = world.posterior(x)
    assert torch.allclose(found.mean, exact.mean, atol=1e-3)
    assert torch.allclose(
        found.covariance_matrix, exact.covariance_matrix.expand(9, 2, 2), atol=1e-4
    )
    wide = metrics.summit(x, world.likelihood, world.prior, starts, 400, wider=2.0)
    assert torch.allclose(
        wide.covariance_matrix, 4 * found.covariance_matrix, atol=1e-3
    )
    assert not found.mean.requires_grad


def test_of_two_summits_the_best_start_decides():
    """x = z² + noise: starts on the left climb to the left, the better one is taken."""
    x = torch.tensor([[4.0], [4.0]])
    starts = torch.tensor([[[-1.9], [0.1]], [[-9.0], [2.2]]])
    found = metrics.summit(x, lambda z: normal(z**2, 0.5), standard_normal(1), starts)
    assert found.mean.sign().flatten().tolist() == [-1, 1]
    assert found.mean.abs().sub(2).abs().max() < 0.05


def test_flat_directions_are_no_wider_than_the_prior():
    def ignores(z):
        return normal(torch.zeros(len(z), 1), 1.0)

    wide = td.MultivariateNormal(torch.zeros(2), 100 * torch.eye(2))
    found = metrics.summit(
        torch.zeros(4, 1), ignores, wide, torch.zeros(1, 4, 2), wider=1.0
    )
    assert torch.allclose(found.covariance_matrix, torch.eye(2).expand(4, 2, 2))


@pytest.mark.parametrize("k", [1, 5])
def test_a_draw_of_the_posterior_makes_an_upper_bound(world, k):
    """For k = 1 it is log p(x) + KL(p(z|x) ‖ q), for any k no less than log p(x)."""
    x = world.sample((1,)).expand(20_000, 3)
    exact, posterior = world.log_evidence(x[:1]).item(), world.posterior(x[:1])
    q = normal(posterior.mean + 0.3, 1.5 * posterior.variance.sqrt())

    def bound(known_z):
        values = metrics.log_evidence(
            x,
            lambda x: normal(q.mean.expand(len(x), 2), q.stddev),
            world.likelihood,
            world.prior,
            k=k,
            known_z=known_z,
        ).double()
        return values.mean().item(), values.std().item() / math.sqrt(len(values))

    (above, error), (below, other) = (
        bound(posterior.sample((len(x),))[:, 0]),
        bound(None),
    )
    assert below + 4 * other < exact < above - 4 * error
    if k == 1:
        as_one = td.MultivariateNormal(q.mean, torch.diag_embed(q.variance))
        gap = td.kl_divergence(posterior, as_one).item()
        assert abs(above - exact - gap) < 4 * error


def test_the_sandwich_closes_on_data_of_a_network():
    """A decoder with bends: the bounds agree at the summit, not at the prior."""
    runtime.seed(0)
    decoder = nets.mlp([2, 32, 40], "elu")
    p, p_z = lambda z: bernoulli(4 * decoder(z)), standard_normal(2)
    z = p_z.sample((200,))
    x = p(z).sample()

    def gap(q):
        below, above = (
            metrics.log_evidence(x, q, p, p_z, k=50, known_z=known).mean().item()
            for known in (None, z)
        )
        return above - below

    starts = p_z.sample((20, 200))
    at_summit = gap(lambda x: metrics.summit(x, p, p_z, starts))
    assert abs(at_summit) < 0.1 < gap(lambda x: normal(torch.zeros(len(x), 2), 1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts": torch.zeros(4, 2)}, "starts must have shape"),
        ({"starts": torch.zeros(3, 5, 2)}, "starts must have shape"),
        ({"steps": 0}, "steps must be"),
        ({"wider": 0.0}, "wider must be"),
        ({"x": torch.full((4, 3), math.nan)}, "NaN"),
        ({"p_z": td.Normal(torch.zeros(2), 1.0)}, "Independent"),
    ],
)
def test_what_has_no_summit_is_refused(world, change, message):
    given = {
        "x": torch.zeros(4, 3),
        "p_x_given_z": world.likelihood,
        "p_z": world.prior,
        "starts": torch.zeros(2, 4, 2),
    }
    with pytest.raises(ValueError, match=message):
        metrics.summit(**(given | change))


def test_every_data_point_needs_its_known_z(world):
    with pytest.raises(ValueError, match="3 rows for 4"):
        metrics.log_evidence(
            torch.zeros(4, 3),
            world.posterior,
            world.likelihood,
            world.prior,
            k=2,
            known_z=torch.zeros(3, 2),
        )
