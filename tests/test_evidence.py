"""The evidence of models whose evidence is known."""

import math
from itertools import pairwise

import pytest
import torch
from torch import distributions as td

from gmlib import data, metrics, runtime
from gmlib.objectives import bernoulli, normal, standard_normal


@pytest.fixture
def world():
    runtime.seed(1)
    W = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.3, 0.2]])
    return data.LinearGaussian(W, torch.tensor([0.1, 0.0, -1.0]), 0.6)


def wide(world, factor=1.5):
    """A q(z|x) that covers the posterior without being it."""

    def q(x):
        p = world.posterior(x)
        return normal(p.mean + 0.1, factor * p.variance.sqrt())

    return q


def test_with_the_posterior_every_weight_is_the_evidence(world):
    """p(x|z) p(z) / p(z|x) = p(x): no variance, whatever k is."""
    x = world.sample((11,))
    exact = world.log_evidence(x)
    for k in (1, 7):
        # chunk 4 < 11: the data points are split as well
        found = metrics.log_evidence(
            x, world.posterior, world.likelihood, world.prior, k=k, chunk=4
        )
        assert torch.allclose(found, exact, atol=1e-5)


def test_importance_sampling_finds_the_evidence(world):
    x = world.sample((20,))
    found = metrics.log_evidence(
        x, wide(world), world.likelihood, world.prior, k=20_000
    )
    assert (found - world.log_evidence(x)).abs().max() < 0.05


def test_the_bound_rises_with_k_from_the_elbo_to_the_evidence(world):
    """Burda et al. 2016, theorem 1, and E log w = log p(x) − KL(q ‖ p(z|x))."""
    x = world.sample((1,)).expand(4000, 3)
    exact = world.log_evidence(x[:1]).item()
    q = wide(world, factor=2.5)

    def bound(k):
        values = metrics.log_evidence(x, q, world.likelihood, world.prior, k=k)
        return values.double().mean().item(), values.std().item() / math.sqrt(len(x))

    bounds = [bound(k) for k in (1, 4, 16, 64)]
    for (low, low_error), (high, high_error) in pairwise(bounds):
        assert high - low > 3 * math.hypot(low_error, high_error)
    assert all(value < exact + 3 * error for value, error in bounds)
    assert exact - bounds[-1][0] < 0.05
    q_x, posterior = q(x[:1]), world.posterior(x[:1])
    as_multivariate = td.MultivariateNormal(q_x.mean, torch.diag_embed(q_x.variance))
    gap = td.kl_divergence(as_multivariate, posterior).item()
    elbo, error = bounds[0]
    assert abs(elbo - (exact - gap)) < 4 * error
    assert gap > 0.3


class Prepared:
    """A q(z|x) that hands out prepared draws, so that chunks can be compared."""

    def __init__(self, z):
        self.z, self.given = z, 0

    def sample(self, shape):
        self.given += shape[0]
        return self.z[self.given - shape[0] : self.given]

    def log_prob(self, z):
        return standard_normal(2, device="cpu").log_prob(z / 2)


@pytest.mark.parametrize("chunk", [5, 13, 1000])
def test_chunks_do_not_change_the_estimate(world, chunk):
    """Every draw meets its own data point, whichever chunk it comes in."""
    x, z = world.sample((5,)), torch.randn(9, 5, 2)
    log_w = torch.stack(
        [
            world.likelihood(part).log_prob(x)
            + world.prior.log_prob(part)
            - Prepared(z).log_prob(part)
            for part in z
        ]
    )
    found = metrics.log_evidence(
        x, lambda _: Prepared(z), world.likelihood, world.prior, k=9, chunk=chunk
    )
    expected = torch.logsumexp(log_w, 0) - math.log(9)
    assert torch.allclose(found, expected, atol=1e-4)


def test_weights_too_small_for_a_float_do_no_harm(world):
    x = torch.full((3, 3), 60.0)
    exact = world.log_evidence(x)
    assert exact.max() < -1000
    found = metrics.log_evidence(
        x, wide(world, 1.2), world.likelihood, world.prior, k=2000
    )
    assert ((found - exact).abs() < 0.1).all()


def test_evidence_of_images_with_a_bernoulli_decoder():
    """A decoder that ignores z has the evidence of its pixels, exactly."""
    x = data.digits().map(data.binarize).sample((6,))
    logits = torch.randn(1, 1, 28, 28)
    found = metrics.log_evidence(
        x,
        lambda x: normal(torch.zeros(len(x), 2), 1.0),
        lambda z: bernoulli(logits.expand(len(z), 1, 28, 28)),
        standard_normal(2),
        k=3,
    )
    assert torch.allclose(
        found, bernoulli(logits.expand(6, 1, 28, 28)).log_prob(x), rtol=1e-5
    )
    assert not found.requires_grad


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.empty(0, 3)}, "non-empty"),
        ({"x": 1.0}, "non-empty tensor"),
        ({"x": torch.full((2, 3), math.nan)}, "NaN"),
        ({"k": 0}, "k must be"),
        ({"k": 2.5}, "k must be"),
        ({"chunk": -1}, "chunk must be"),
        ({"q": lambda x: td.Normal(torch.zeros(len(x), 2), 1.0)}, "Independent"),
        ({"p_z": td.Normal(torch.zeros(2), 1.0)}, "Independent"),
        (
            {"p_x_given_z": lambda z: td.Normal(torch.zeros(len(z), 3), 1.0)},
            "Independent",
        ),
        (
            {"p_x_given_z": lambda z: normal(torch.full((len(z), 3), math.nan), 1.0)},
            "NaN",
        ),
    ],
)
def test_evidence_refuses_what_has_no_answer(world, change, message):
    arguments = {
        "x": world.sample((2,)),
        "q": world.posterior,
        "p_x_given_z": world.likelihood,
        "p_z": world.prior,
        "k": 3,
    }
    with pytest.raises(ValueError, match=message):
        metrics.log_evidence(**arguments | change)


# ----------------------------------------------- annealed importance sampling


def annealed(world, x, **how):
    return metrics.annealed_log_evidence(x, world.likelihood, world.prior, **how)


def test_annealing_finds_the_evidence(world):
    x = world.sample((20,))
    found = annealed(world, x, chains=200, temperatures=100)
    assert (found - world.log_evidence(x)).abs().max() < 0.15


def test_the_mean_weight_is_the_evidence_however_few_the_temperatures(world):
    """Neal 2001: E w = p(x), and so E log w < log p(x), less so if one anneals."""
    x = world.sample((1,))
    exact = world.log_evidence(x).item()
    last = math.inf
    for temperatures in (1, 4, 16, 64):
        log_w = annealed(
            world, x.expand(4000, 3), chains=1, temperatures=temperatures, leapfrogs=2
        ).double()
        w = (log_w - exact).exp()
        assert abs(w.mean() - 1) < 5 * w.std() / math.sqrt(len(w))
        gap = exact - log_w.mean().item()
        assert 0 < gap < 0.8 * last
        last = gap
    assert last < 0.15


def test_one_temperature_samples_the_prior(world):
    """Without annealing the weight is p(x|z), z ~ p(z)."""
    x = world.sample((4,))
    runtime.seed(5)
    world.prior.sample((4 * 7,))  # those of the tuning run
    z = world.prior.sample((4 * 7,))
    log_p = world.likelihood(z).log_prob(x.repeat(7, 1)).view(7, 4)
    runtime.seed(5)
    found = annealed(world, x, chains=7, temperatures=1)
    assert torch.allclose(found, log_p.logsumexp(0) - math.log(7), atol=1e-5)


def test_annealing_refuses_bad_input(world):
    x = world.sample((2,))
    for how in ({"chains": 0}, {"temperatures": 0}, {"leapfrogs": 0}, {"step": 0.0}):
        with pytest.raises(ValueError, match=next(iter(how))):
            annealed(world, x, **how)
    with pytest.raises(ValueError, match="non-empty"):
        annealed(world, x[:0])
    with pytest.raises(ValueError, match="infinite"):
        annealed(world, x * math.inf)
    with pytest.raises(ValueError, match="one event"):
        metrics.annealed_log_evidence(
            x, lambda z: td.Normal(z @ world.W.T, 1.0), world.prior
        )
