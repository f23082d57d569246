"""Laws with a known density, or a known shape: nothing is stored, all is drawn.

``sample((n,))`` draws on the device. Densities are in nats.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributions as td

from gmlib import checks, runtime
from gmlib.data.empirical import Empirical
from gmlib.data.registry import declare


class GaussianMixture:
    """K equally likely isotropic normals, with their exact density.

    Parameters
    ----------
    centres : Tensor, shape (K, d)
    std : float
        The standard deviation of each.

    Raises
    ------
    ValueError
        If the centres are no finite matrix or the standard deviation is not
        positive.

    One standard normal on the line has the density 1/√(2π) at 0:

    >>> law = GaussianMixture([[0.0]], std=1.0)
    >>> round(law.log_prob(torch.zeros(1, 1)).exp().item(), 4)
    0.3989
    """

    def __init__(self, centres: Any, std: float) -> None:
        device = runtime.device()
        self.centres = checks.tensor("centres", centres, (None, None), device)
        self.std = checks.number("std", std)

    def sample(self, shape: Sequence[int]) -> Tensor:
        """Draw n points: ``sample((n,))`` → (n, d)."""
        k, d = self.centres.shape
        n, where = checks.sample_size(shape), self.centres.device
        mode = torch.randint(k, (n,), device=where)
        noise = torch.randn(n, d, device=where)
        return self.centres[mode] + self.std * noise

    def log_prob(self, x: Tensor) -> Tensor:
        """log 1/K Σ_k N(x; c_k, std² I) for x of shape (n, d) → (n,), in nats."""
        k, d = self.centres.shape
        x = checks.tensor("x", x, (None, d), runtime.device())
        squares = (x[:, None] - self.centres.to(x)).square().sum(-1)
        log_normals = -squares / (2 * self.std**2)
        constant = math.log(k) + d * math.log(self.std * math.sqrt(2 * math.pi))
        return log_normals.logsumexp(1) - constant


def ring(modes: int = 8, radius: float = 2.0, std: float = 0.02) -> GaussianMixture:
    """`modes` Gaussians on a circle (Gulrajani et al. 2017: 8, radius 2, std 0.02).

    >>> ring(4, radius=1.0).centres.round().abs().tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    k, r = checks.count("modes", modes), checks.number("radius", radius)
    # The end is left out: 0 and 2π are the same point.
    angle = torch.arange(k, device=runtime.device()) * (2 * math.pi / k)
    return GaussianMixture(r * torch.stack([angle.cos(), angle.sin()], 1), std)


def grid(side: int = 5, spacing: float = 2.0, std: float = 0.05) -> GaussianMixture:
    """side² Gaussians on a square grid around 0 (5, 2, 0.05: −4 to 4, PacGAN's).

    >>> grid(2).centres.tolist()
    [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    """
    n, h = checks.count("side", side), checks.number("spacing", spacing)
    line = (torch.arange(n, device=runtime.device()) - (n - 1) / 2) * h
    return GaussianMixture(torch.cartesian_prod(line, line), std)


class SwissRoll:
    """A noisy spiral in the plane, as in Gulrajani et al. 2017.

    (t cos t, t sin t) with t uniform from 1.5π to 4.5π, plus normal noise, divided
    by `scale`.
    """

    def __init__(self, noise: float, scale: float) -> None:
        self.noise = checks.number("noise", noise, zero=True)
        self.scale = checks.number("scale", scale)

    def sample(self, shape: Sequence[int]) -> Tensor:
        """Draw n points: ``sample((n,))`` → (n, 2)."""
        n, where = checks.sample_size(shape), runtime.device()
        t = 1.5 * math.pi * (1 + 2 * torch.rand(n, 1, device=where))
        roll = torch.cat([t * t.cos(), t * t.sin()], 1)
        return (roll + self.noise * torch.randn(n, 2, device=where)) / self.scale


def swiss_roll(noise: float = 0.25, scale: float = 7.5) -> SwissRoll:
    """The swiss roll of Gulrajani et al. 2017: `noise` is added before `scale`.

    Without noise every point lies between the ends of the spiral:

    >>> radius = swiss_roll(noise=0.0, scale=math.pi).sample((100,)).norm(dim=1)
    >>> bool((radius > 1.499).all() and (radius < 4.501).all())
    True
    """
    return SwissRoll(noise, scale)


def four_points() -> Empirical:
    """The four one-hot vectors of Mescheder et al. 2017: entropy log 4 nats.

    >>> four_points().sample((3,)).sum(1).tolist()
    [1.0, 1.0, 1.0]
    """
    where = runtime.device()
    points = torch.eye(4, device=where)
    return Empirical(points, torch.arange(4, device=where), "four points")


class Joint(NamedTuple):
    """Observed points `x` of shape (n, d) and the latent `z` (n, k) of each."""

    x: Tensor
    z: Tensor


class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(W z + b, diag noise_std²): everything is exact.

    Parameters
    ----------
    W : Tensor, shape (d, k)
    b : Tensor, shape (d,)
    noise_std : float or Tensor, shape (d,)
        The standard deviation of x given z.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the noise is not positive.

    With W = 2 and noise of variance 1 the evidence is N(0, 5) and the posterior
    N(2x/5, 1/5):

    >>> world = LinearGaussian([[2.0]], [0.0], 1.0)
    >>> round(world.evidence.covariance_matrix.item(), 4)
    5.0
    >>> at = world.posterior(torch.tensor([[1.0]]))
    >>> round(at.mean.item(), 4), round(at.covariance_matrix.item(), 4)
    (0.4, 0.2)
    """

    def __init__(self, W: Any, b: Any, noise_std: Any) -> None:
        self.W = checks.tensor("W", W, (None, None), runtime.device())
        d, k = self.W.shape
        self.b = checks.tensor("b", b, (d,), runtime.device()).to(self.W)
        std = torch.as_tensor(noise_std, dtype=self.W.dtype, device=self.W.device)
        if std.dim() == 0:
            std = std.expand(d)
        self.noise_std = checks.tensor("noise_std", std, (d,), std.device)
        if not (self.noise_std > 0).all():
            raise ValueError("noise_std must be positive")
        eye = torch.eye(k, device=self.W.device, dtype=self.W.dtype)
        self.prior = td.MultivariateNormal(eye[0] * 0, eye, validate_args=False)
        covariance = self.W @ self.W.T + torch.diag(self.noise_std**2)
        self.evidence = td.MultivariateNormal(self.b, covariance, validate_args=False)
        # p(z | x) has precision I + Wᵀ diag(noise_std)⁻² W, whatever x is.
        self._gain = self.W.T / self.noise_std**2
        precision = eye + self._gain @ self.W
        self._covariance = torch.cholesky_inverse(torch.linalg.cholesky(precision))

    def likelihood(self, z: Tensor) -> td.Independent:
        """p(x | z) for z of shape (n, k), a law of points of shape (n, d)."""
        # A training may pass here in every round: no look at the values.
        shape = None, self.W.shape[1]
        z = checks.tensor("z", z, shape, runtime.device(), look=False)
        base = td.Normal(z @ self.W.T + self.b, self.noise_std, validate_args=False)
        return td.Independent(base, 1, validate_args=False)

    def sample_pairs(self, shape: Sequence[int]) -> Joint:
        """Draw from p(z) p(x | z): x of shape (n, d) and z of shape (n, k)."""
        z = self.prior.sample(torch.Size((checks.sample_size(shape),)))
        return Joint(self.likelihood(z).sample(), z)

    def sample(self, shape: Sequence[int]) -> Tensor:
        """Draw n points of the evidence: ``sample((n,))`` → (n, d)."""
        return self.sample_pairs(shape).x

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) of N(b, W Wᵀ + diag noise_std²): (n, d) → (n,), in nats."""
        return self.evidence.log_prob(self._points(x))

    def posterior(self, x: Tensor) -> td.MultivariateNormal:
        """p(z | x) for x of shape (n, d), a `MultivariateNormal` (Bishop, 2.116)."""
        mean = (self._points(x) - self.b) @ self._gain.T @ self._covariance
        return td.MultivariateNormal(mean, self._covariance, validate_args=False)

    def _points(self, x: Tensor) -> Tensor:
        return checks.tensor("x", x, (None, len(self.b)), runtime.device())


declare("ring", "law", lambda split: ring(), card="synthetic")
declare("grid", "law", lambda split: grid(), card="synthetic")
declare("swiss_roll", "law", lambda split: swiss_roll(), card="synthetic")
declare("four_points", "law", lambda split: four_points(), card="synthetic")
declare(
    "linear_gaussian",
    "law",
    lambda split: LinearGaussian([[2.0], [1.0]], [0.0, 0.0], 0.5),
    card="synthetic",
)
