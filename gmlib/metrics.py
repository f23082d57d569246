"""What a model is worth: evidence, sample quality, modes, two-sample tests.

The distances are computed in float64 on the CPU, where a small eigenvalue stays
a small eigenvalue; the judge and the evidence run on the device.
"""

import json
import math
from functools import cache, cached_property
from typing import NamedTuple

import torch
from safetensors import safe_open
from torch import nn

from gmlib import data, runtime

__all__ = [
    "Judge",
    "ModeCount",
    "StackedCount",
    "annealed_log_evidence",
    "density_coverage",
    "frechet_distance",
    "inception_score",
    "judge",
    "judge_network",
    "log_evidence",
    "modes",
    "stacked_modes",
    "two_sample_test",
]


def _count(name, n, least=1):
    if isinstance(n, bool) or not isinstance(n, int) or n < least:
        raise ValueError(f"{name} must be an integer >= {least}, not {n!r}")
    return n


def _points(name, x, least=1):
    """Return samples as a float64 matrix on the CPU; flattens all but the first."""
    x = torch.as_tensor(x, device="cpu").detach()  # before float64: MPS has none
    if x.dim() == 0 or len(x) < least or x.numel() == 0:
        shape = tuple(x.shape)
        raise ValueError(f"{name}: at least {least} samples are needed, not {shape}")
    x = x.flatten(1) if x.dim() > 1 else x[:, None]
    x = x.double()
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} contains NaN or infinite values")
    return x


def _pair(a, b, names=("x", "y"), least=1):
    a, b = _points(names[0], a, least), _points(names[1], b, least)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have one dimension, "
            f"not {a.shape[1]} and {b.shape[1]}"
        )
    return a, b


# ------------------------------------------------------------------- evidence


@torch.no_grad()
def log_evidence(x, q, p_x_given_z, p_z, k=5000, chunk=None):
    """log 1/k Σ_i p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q(z|x) (nats).

    Its mean is a lower bound of log p(x) that rises with k and reaches it as
    k → ∞ (Burda et al. 2016, theorem 1); k = 1 gives a draw of the ELBO. Put
    networks into evaluation mode before: ``with evaluating(encoder, decoder)``.

    Parameters
    ----------
    x : Tensor, shape (n, ...)
    q, p_x_given_z : callable
        x → distribution of z, and z → distribution of x, whose `log_prob` has
        one value a row (`normal` and `bernoulli` of `gmlib.objectives`).
    p_z : Distribution
    k : int
        Samples a data point.
    chunk : int, optional
        Rows that go through `p_x_given_z` at a time, which bounds the memory;
        the default is the fastest: 1024 on a CPU (its cache), else 32768.

    Returns
    -------
    Tensor, shape (n,)

    Raises
    ------
    ValueError
        If x is empty or not finite, if a `log_prob` has another shape than one
        value a row, or if a weight is NaN.
    """
    if not torch.is_tensor(x) or x.dim() == 0 or x.numel() == 0:
        raise ValueError("x must be a non-empty tensor of data points")
    if not torch.isfinite(x).all():
        raise ValueError("x contains NaN or infinite values")
    if chunk is None:
        chunk = 1024 if x.device.type == "cpu" else 32768
    _count("k", k), _count("chunk", chunk)
    return torch.cat(
        [_log_evidence(part, q, p_x_given_z, p_z, k, chunk) for part in x.split(chunk)]
    )


def _log_evidence(x, q, p_x_given_z, p_z, k, chunk):
    n = len(x)
    q_x = q(x)
    at_once = min(k, max(1, chunk // n))
    repeated = x.repeat(at_once, *[1] * (x.dim() - 1))
    total = None
    for done in range(0, k, at_once):
        draws = min(at_once, k - done)
        z = q_x.sample((draws,))
        p_x = p_x_given_z(z.flatten(0, 1))
        log_p_x = p_x.log_prob(repeated[: draws * n])
        log_p_z, log_q = p_z.log_prob(z), q_x.log_prob(z)
        for name, value, shape in (
            ("p(x|z)", log_p_x, (draws * n,)),
            ("p(z)", log_p_z, (draws, n)),
            ("q(z|x)", log_q, (draws, n)),
        ):
            if value.shape != shape:
                raise ValueError(
                    f"log {name} has shape {tuple(value.shape)} instead of {shape}: "
                    "make all dimensions but the first one event "
                    "(torch.distributions.Independent)"
                )
        log_w = log_p_x.view(draws, n) + log_p_z - log_q
        if log_w.isnan().any():
            raise ValueError("an importance weight is NaN: look at q(x) and p(x|z)")
        part = log_w.logsumexp(0)
        total = part if total is None else torch.logaddexp(total, part)
    return total - math.log(k)


def annealed_log_evidence(
    x, p_x_given_z, p_z, chains=8, temperatures=200, leapfrogs=5, step=0.2
):
    """log of the mean of `chains` weights of annealed importance sampling (nats).

    Needs no q(z|x): it walks from p(z) to p(z|x) through p(z) p(x|z)^β, by
    Hamiltonian Monte Carlo, and collects w = Π_t p(x|z_t)^(β_{t+1} − β_t) on its
    way. E w = p(x) (Neal 2001, section 2), so that the result is in the mean a
    lower bound of log p(x), the tighter the more temperatures and chains. β rises
    along a sigmoid (Wu et al. 2017, section 4). The step lengths, one a data
    point and temperature, are tuned in a first run of the chains to accept two
    moves in three, and are then fixed: weights of tuning chains are biased.

    Parameters
    ----------
    x : Tensor, shape (n, ...)
    p_x_given_z : callable
        z → distribution of x; its `log_prob` is differentiated in z.
    p_z : Distribution
        Its samples have shape (n, d).
    chains, temperatures, leapfrogs : int
        In all about 2 · n · chains · temperatures · leapfrogs gradients.
    step : float
        The first step length.

    Returns
    -------
    Tensor, shape (n,)

    Raises
    ------
    ValueError
        If x is empty or not finite, a number is not positive, or a log-likelihood
        has another shape than one value a row.
    """
    if not torch.is_tensor(x) or x.dim() == 0 or x.numel() == 0:
        raise ValueError("x must be a non-empty tensor of data points")
    if not torch.isfinite(x).all():
        raise ValueError("x contains NaN or infinite values")
    _count("chains", chains), _count("temperatures", temperatures)
    _count("leapfrogs", leapfrogs)
    if not 0 < step < math.inf:
        raise ValueError(f"step must be positive and finite, not {step!r}")
    repeated = x.repeat(chains, *[1] * (x.dim() - 1))
    ramp = torch.sigmoid(torch.linspace(-4, 4, temperatures + 1, dtype=torch.float64))
    betas = ((ramp - ramp[0]) / (ramp[-1] - ramp[0])).tolist()

    def state(z):
        """z, then log-prior and log-likelihood with their gradients."""
        z = z.detach().requires_grad_()
        with torch.enable_grad():
            prior, like = p_z.log_prob(z), p_x_given_z(z).log_prob(repeated)
            for name, value in (("p(z)", prior), ("p(x|z)", like)):
                if value.shape != (len(z),):
                    raise ValueError(
                        f"log {name} has shape {tuple(value.shape)} instead of "
                        f"{(len(z),)}: make all dimensions but the first one event"
                    )
            slopes = [torch.autograd.grad(v.sum(), z)[0] for v in (prior, like)]
        return z.detach(), prior.detach(), like.detach(), *slopes

    def transition(at, beta, length):
        """One Hamiltonian move at inverse temperature beta, and who accepted it."""
        momentum = torch.randn_like(at[0])
        energy = at[1] + beta * at[2] - momentum.square().sum(1) / 2
        new, length = at, length.repeat(chains)[:, None]
        momentum = momentum + length / 2 * (new[3] + beta * new[4])
        for i in range(leapfrogs):
            new = state(new[0] + length * momentum)
            half = 2 if i == leapfrogs - 1 else 1
            momentum = momentum + length / half * (new[3] + beta * new[4])
        gain = new[1] + beta * new[2] - momentum.square().sum(1) / 2 - energy
        yes = torch.rand_like(gain).log() < gain  # NaN is refused
        pick = [
            torch.where(yes if a.dim() == 1 else yes[:, None], b, a)
            for a, b in zip(at, new, strict=True)
        ]
        return pick, yes.view(chains, -1).float().mean(0)

    def run(lengths, tune):
        at, used = state(p_z.sample((len(repeated),))), []
        log_w = torch.zeros_like(at[1])
        length = torch.full((len(x),), float(step), device=x.device)
        for t in range(temperatures):
            log_w = log_w + (betas[t + 1] - betas[t]) * at[2]
            if t + 1 == temperatures:  # the last move would change no weight
                break
            length = length if tune else lengths[t]
            used.append(length)
            at, accepted = transition(at, betas[t + 1], length)
            length = length * torch.where(accepted > 0.66, 1.05, 0.95)
        return log_w.view(chains, len(x)), used

    _, lengths = run(None, tune=True)
    log_w, _ = run(lengths, tune=False)
    return log_w.logsumexp(0) - math.log(chains)


# ------------------------------------------------------------- sample quality


def inception_score(probs, splits=1):
    """exp(E_x Σ_y p(y|x) log[p(y|x) / p(y)]), Salimans et al. 2016.

    Between 1 and the number of classes K.

    Parameters
    ----------
    probs : Tensor, shape (n, K)
        A judge's p(y|x), one row a sample.
    splits : int
        The mean over so many parts of the samples; the literature takes 10.

    Raises
    ------
    ValueError
        If a row is no distribution, or a part would be empty.
    """
    p = _points("probs", probs, _count("splits", splits))
    if (p < 0).any() or ((p.sum(1) - 1).abs() > 1e-3).any():
        raise ValueError("every row of probs must be a distribution that sums to one")
    scores = []
    for part in p.tensor_split(splits):
        marginal = part.mean(0)
        # xlogy: 0 log 0 = 0
        kl = torch.special.xlogy(part, part) - torch.special.xlogy(part, marginal)
        scores.append(kl.sum(1).mean().exp())
    return float(torch.stack(scores).mean())


def _gaussian(x):
    """The mean and the covariance matrix of samples of shape (n, d)."""
    return x.mean(0), torch.cov(x.T).reshape(x.shape[1], x.shape[1])


def frechet_distance(x, y):
    """‖μ_x − μ_y‖² + tr(Σ_x + Σ_y − 2 (Σ_x^½ Σ_y Σ_x^½)^½), Heusel et al. 2017.

    The squared 2-Wasserstein distance of two normals fitted to features. It is
    biased upwards, the more the fewer the samples: quote n with it.

    Parameters
    ----------
    x, y : Tensor, shapes (n, d) and (m, d)
        Features, for instance ``judge("mnist").features(images)``.

    Raises
    ------
    ValueError
        If there are not more samples than dimensions: a covariance matrix
        would be singular and the distance mostly bias.
    """
    x, y = _pair(x, y, least=2)
    d = x.shape[1]
    if min(len(x), len(y)) <= d:
        raise ValueError(
            f"{d}-dimensional features need more than {d} samples on each side, "
            f"not {len(x)} and {len(y)}"
        )
    (mean_x, cov_x), (mean_y, cov_y) = _gaussian(x), _gaussian(y)
    values, vectors = torch.linalg.eigh(cov_x)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_y @ root).clamp(min=0).sqrt().sum()
    distance = (mean_x - mean_y).square().sum() + cov_x.trace() + cov_y.trace()
    return max(float(distance - 2 * cross), 0.0)


def density_coverage(real, fake, k=5):
    """Density and coverage of `fake` samples, Naeem et al. 2020, eqs. 3 and 4.

    Around each real point a ball reaches to its k-th real neighbour. Density:
    in how many balls a fake point lies, over k; 1 on average for a perfect
    model, 0 far from the data, sometimes above 1. Coverage: the share of balls
    with a fake point; near 1 − 2⁻ᵏ for a perfect model and as many points.

    Parameters
    ----------
    real, fake : Tensor, shapes (n, d) and (m, d)
    k : int
        Less than n.

    Returns
    -------
    density, coverage : float
    """
    _count("k", k)
    real, fake = _pair(real, fake, ("real", "fake"))
    if len(real) <= k:
        raise ValueError(f"k = {k} neighbours need more than {len(real)} real samples")
    inside, covered = 0, 0
    for part in real.split(1024):
        # The nearest real point is the point itself.
        radius = torch.cdist(part, real).kthvalue(k + 1, dim=1, keepdim=True).values
        within = torch.cdist(part, fake) < radius
        inside += int(within.sum())
        covered += int(within.any(1).sum())
    return inside / (k * len(fake)), covered / len(real)


class ModeCount(NamedTuple):
    """Modes with a high-quality sample, and the share of such samples in [0, 1]."""

    covered: int
    high_quality: float


def modes(x, centres, std, radius=3.0):
    """Count the modes that samples cover (Srivastava et al. 2017, section 4.1).

    A sample is of high quality within `radius` standard deviations of the
    nearest centre; a mode is covered if it has one. A perfect model in the
    plane has a share of 1 − exp(−radius²/2) = 98.9 %, not 100 %.

    Parameters
    ----------
    x : Tensor, shape (n, d)
    centres : Tensor, shape (K, d)
    std, radius : float
    """
    x, centres = _pair(x, centres, ("x", "centres"))
    if not (0 < std < math.inf and 0 < radius < math.inf):
        raise ValueError(f"std and radius must be positive, not {std} and {radius}")
    distance, nearest = torch.cdist(x, centres).min(1)
    good = distance <= radius * std
    return ModeCount(len(nearest[good].unique()), float(good.double().mean()))


def two_sample_test(x, y):
    """Are x and y from one law? The classifier test of Lopez-Paz and Oquab 2017.

    A nearest-neighbour classifier (√n neighbours, as in the paper) learns one
    half of the samples. The accuracy on the other half is ½ if the laws are
    equal. Its p-value is exact: under that hypothesis the held-out labels are a
    random arrangement, so the number of right answers is hypergeometric (near
    the paper's N(½, 1/(4 n)) in a large sample of n).

    Parameters
    ----------
    x, y : Tensor, shapes (n, ...) and (m, ...)
        At least 8 of each; of the larger, min(n, m) drawn at random are used.

    Returns
    -------
    accuracy, p_value : float
    """
    from scipy import stats  # a second, which lectures that test nothing can spare

    x, y = _pair(x, y, least=8)
    half = min(len(x), len(y)) // 2
    x, y = (s[torch.randperm(len(s), device="cpu")[: 2 * half]] for s in (x, y))
    train = torch.cat([x[:half], y[:half]])
    test = torch.cat([x[half:], y[half:]])
    k = math.isqrt(2 * half) // 2 * 2 + 1  # odd: no ties
    near = [
        torch.cdist(part, train).topk(k, largest=False)[1] for part in test.split(512)
    ]
    neighbours = torch.cat(near)
    says_y = (neighbours >= half).sum(1) > k // 2
    right = int((~says_y[:half]).sum() + says_y[half:].sum())
    hits, calls = int(says_y[half:].sum()), int(says_y.sum())
    # P(at least as many hits | calls): Fisher's exact test, one-sided.
    p_value = stats.hypergeom.sf(hits - 1, 2 * half, half, calls)
    return right / (2 * half), min(float(p_value), 1.0)


# ------------------------------------------------------------------ the judge


def judge_network():
    """A small classifier of 28 × 28 images: 64 features, then 10 logits."""

    def block(i, o):
        convolution = nn.Conv2d(i, o, 3, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)]

    body = [*block(1, 24), *block(24, 48), *block(48, 64), nn.Flatten()]
    return nn.Sequential(
        nn.Sequential(*body, nn.Linear(64 * 3 * 3, 64), nn.ReLU()),
        nn.Linear(64, 10),
    )


class Judge:
    """A trained classifier whose opinion and features measure samples.

    Images are in [0, 1] and of shape (n, 1, 28, 28); see `judge`. `info` holds
    what is known of its training, its test accuracy among it.
    """

    def __init__(self, network, name, info):
        self.network = network.to(runtime.device()).eval().requires_grad_(False)
        self.name, self.info = name, info

    def __repr__(self):
        return f"Judge({self.name}, test accuracy {self.info['accuracy']:.2%})"

    @torch.no_grad()
    def _map(self, f, x):
        if not torch.is_tensor(x) or x.shape[1:] != (1, 28, 28) or len(x) == 0:
            shape = tuple(getattr(x, "shape", ()))
            raise ValueError(f"a judge sees shape (n, 1, 28, 28), not {shape}")
        low, high = float(x.min()), float(x.max())
        if not (low >= -0.01 and high <= 1.01):  # NaN fails too
            raise ValueError(
                f"a judge sees images in [0, 1], not in [{low:.2f}, {high:.2f}]; "
                "a tanh output t is (t + 1) / 2 of an image"
            )
        where = runtime.device()
        return torch.cat([f(part.to(where, torch.float)) for part in x.split(1000)])

    def features(self, x):
        """The 64 activations before the last layer: (n, 1, 28, 28) → (n, 64)."""
        return self._map(self.network[0], x)

    @cached_property
    def test_features(self):
        """The features of all test images of its data: what a sample is held to."""
        return self.features(data.images("test", self.name).x)

    def probs(self, x):
        """p(y|x): (n, 1, 28, 28) → (n, 10)."""
        return self._map(lambda part: self.network(part).softmax(1), x)

    def accuracy(self, x, y):
        """The share of images whose most probable class is y, of shape (n,)."""
        p = self.probs(x)
        if y.shape != (len(p),):
            raise ValueError(f"{len(p)} images need as many labels, not {len(y)}")
        return float((p.argmax(1) == y.to(p.device)).double().mean())


@cache
def _judge(name):
    place = data.folder() / "judges"
    names = sorted(path.stem for path in place.glob("*.safetensors"))
    if name not in names:
        raise ValueError(f"no judge {name!r}: choose from {', '.join(names)}")
    with safe_open(place / f"{name}.safetensors", "pt") as stored:
        info = json.loads(stored.metadata()["info"])
        weights = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    data.note(place / f"{name}.safetensors")
    network = judge_network()
    network.load_state_dict(weights, assign=True)
    return Judge(network, name, info)


def judge(name="mnist"):
    """Return the trained judge ``mnist`` or ``digits``; ``.name`` of the data fits.

    Reproduced by ``python tools/train_judge.py mnist``; see its data card.
    """
    return _judge(name)


# -------------------------------------------------------------- stacked digits


class StackedCount(NamedTuple):
    """Modes that were met, of 1000, and KL(histogram ‖ uniform) in nats."""

    covered: int
    reverse_kl: float


def stacked_modes(x, judge):
    """Count the modes of stacked digits: a judge reads each channel as a digit.

    With h the histogram of the 1000 numbers so read, the reverse KL is
    Σ h log h + log 1000 (Metz et al. 2017; Srivastava et al. 2017, 4.1): log 1000 =
    6.91 for one mode, about 999 / 2n for a perfect model and n ≫ 1000 samples.

    Parameters
    ----------
    x : Tensor, shape (n, 3, 28, 28)
        Images in [0, 1], as `data.stacked` draws them.
    judge : Judge
    """
    if not torch.is_tensor(x) or x.dim() != 4 or x.shape[1] != 3:
        shape = tuple(getattr(x, "shape", ()))
        raise ValueError(f"stacked digits have shape (n, 3, 28, 28), not {shape}")
    digit = judge.probs(x.flatten(0, 1)[:, None]).argmax(1).cpu().view(-1, 3)
    mode = (digit * torch.tensor([100, 10, 1], device="cpu")).sum(1)
    share = mode.bincount(minlength=1000).double() / len(x)
    reverse_kl = torch.special.xlogy(share, share).sum() + math.log(1000)
    return StackedCount(len(mode.unique()), max(float(reverse_kl), 0.0))
