"""Data as distributions: everything here has ``.sample((n,))``, on the device.

Images are float32 in [0, 1] of shape (n, 1, 28, 28). Environment variables:

``GMLIB_DATA``     a torchvision root (it holds ``MNIST/raw/*.gz``); only read
``GMLIB_CACHE``    where downloads are kept; else the user's cache folder
``GMLIB_MIRRORS``  addresses of torchvision roots, separated by spaces, asked
                   instead of the public ones; empty: the network is not asked

MNIST has torchvision's archives, names and folders (a test compares the two),
but is read and fetched by the few lines below: torchvision's own loader waits
for a silent network without a limit, needs a folder that it may write to, and
takes seconds to import.
"""

import csv
import gzip
import hashlib
import math
import os
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import torch
from torch import distributions as td
from torch.nn.functional import interpolate, pad

from gmlib import runtime

__all__ = [
    "Empirical",
    "Figure",
    "GaussianMixture",
    "LinearGaussian",
    "Shapes",
    "Stacked",
    "SwissRoll",
    "Unavailable",
    "binarize",
    "digits",
    "fashion_mnist",
    "folder",
    "four_points",
    "grid",
    "images",
    "mnist",
    "note",
    "published",
    "read_rows",
    "results",
    "ring",
    "shapes",
    "stacked",
    "swiss_roll",
    "to_tanh",
    "typed",
    "used",
]

# file: (bytes, SHA-256). The same names for both data sets: train and test,
# images and labels.
ARCHIVES = {
    "MNIST": {
        "train-images-idx3-ubyte.gz": (
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        "train-labels-idx1-ubyte.gz": (
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        "t10k-images-idx3-ubyte.gz": (
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte.gz": (
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        "train-labels-idx1-ubyte.gz": (
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        "t10k-images-idx3-ubyte.gz": (
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    },
}
MIRRORS = {
    "MNIST": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "FashionMNIST": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
}
ANSWER_SECONDS = 2.5  # until a mirror counts as silent
STALL_SECONDS = 10  # between two pieces of a running download


class Unavailable(RuntimeError):
    """A data set is neither here nor can it be fetched; the message says why."""


# ------------------------------------------------------------------- checking


def _count(name, n, least=1):
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < least:
        raise ValueError(f"{name} must be an integer >= {least}, not {n!r}")
    return int(n)


def _size(shape):
    """Check the argument of ``sample((n,))`` and return n."""
    if not isinstance(shape, tuple | list | torch.Size) or len(shape) != 1:
        raise ValueError(f"ask for samples as sample((n,)), not sample({shape!r})")
    return _count("n", shape[0])


def _positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, not {value!r}")
    return float(value)


def _finite(name, x):
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise ValueError(f"{name} contains NaN or infinite values")


def _tensor(name, x, shape, finite=True):
    """Return `x` on the device as floats; `shape` holds sizes, None for any."""
    x = torch.as_tensor(x, device=runtime.device())
    x = x if x.is_floating_point() else x.float()
    fits = x.dim() == len(shape) and all(
        s in (None, have) for s, have in zip(shape, x.shape, strict=True)
    )
    if not fits or x.numel() == 0:
        wanted = ", ".join("n" if s is None else str(s) for s in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {tuple(x.shape)}")
    if finite:
        _finite(name, x)
    return x


# ------------------------------------------------- the empirical distribution


class Empirical:
    """The empirical distribution of a data set, sampled i.i.d. on the device.

    Parameters
    ----------
    x : Tensor or array, shape (N, ...)
        The data. Bytes (uint8) stay bytes in memory and are divided by 255
        when they are sampled.
    y : Tensor or array of integers, shape (N,), optional
        The labels.
    name : str
        What a figure or a message calls it.
    transform : callable, optional
        Applied to every sample; see `map`.

    Raises
    ------
    ValueError
        If the data is empty, is not finite, or does not fit the labels.
    """

    def __init__(self, x, y=None, name="data", transform=None):
        x = torch.as_tensor(x, device=runtime.device())
        if x.dim() == 0 or x.numel() == 0:
            raise ValueError(f"{name}: no data, its shape is {tuple(x.shape)}")
        _finite(name, x)
        if y is not None:
            y = torch.as_tensor(y, device=x.device)
            if y.is_floating_point() or y.shape != x.shape[:1]:
                raise ValueError(
                    f"{name}: the labels must be {len(x)} integers, "
                    f"not {y.dtype} of shape {tuple(y.shape)}"
                )
        if transform is not None and not callable(transform):
            raise ValueError(f"{name}: the transform must be callable")
        self.name, self.transform = name, transform
        self._x = x
        self.y = None if y is None else y.long()

    def __len__(self):
        return len(self._x)

    def __repr__(self):
        return f"Empirical({self.name}: {len(self)} of shape {tuple(self.shape)})"

    @property
    def shape(self):
        """The shape of one data point."""
        return self._x.shape[1:]

    def _floats(self, x):
        x = x.float() / 255 if x.dtype == torch.uint8 else x
        return x if self.transform is None else self.transform(x)

    @property
    def x(self):
        """The whole data set, of shape (N, ...); transformed anew at every look."""
        return self._floats(self._x)

    def _draw(self, shape):
        return torch.randint(len(self), (_size(shape),), device=self._x.device)

    def sample(self, shape):
        """Draw n data points with replacement: ``sample((n,))`` → (n, ...)."""
        return self._floats(self._x[self._draw(shape)])

    def sample_pairs(self, shape):
        """Draw n data points with their labels: (n, ...) and (n,)."""
        if self.y is None:
            raise ValueError(f"{self.name} has no labels")
        i = self._draw(shape)
        return self._floats(self._x[i]), self.y[i]

    def map(self, f):
        """Return the pushforward under `f`, which is applied to every sample.

        A random `f` such as `binarize` draws anew at each sampling.
        """
        if not callable(f):
            raise ValueError(f"map needs a function, not {f!r}")
        g = self.transform
        both = f if g is None else lambda x: f(g(x))
        return Empirical(self._x, self.y, self.name, both)

    def only(self, *labels):
        """Return the part of the data with one of the given labels."""
        if self.y is None:
            raise ValueError(f"{self.name} has no labels")
        keep = torch.isin(self.y, torch.tensor(labels, device=self.y.device))
        if not keep.any():
            raise ValueError(f"{self.name} has no data with the labels {labels}")
        return Empirical(self._x[keep], self.y[keep], self.name, self.transform)


def binarize(x):
    """Draw pixels from Bernoulli(x), x in [0, 1]; a new draw at every call."""
    # On a GPU the look at the values would halt a training in every round.
    if x.device.type == "cpu" and not ((x >= 0) & (x <= 1)).all():
        raise ValueError("only numbers in [0, 1] can be binarised: they are chances")
    return torch.bernoulli(x)


def to_tanh(x):
    """Map [0, 1] to [−1, 1], the range of tanh."""
    return 2 * x - 1


# ------------------------------------------------------------- synthetic laws


class GaussianMixture:
    """K equally likely isotropic normals, with their exact density.

    Parameters
    ----------
    centres : Tensor, shape (K, d)
    std : float
        The standard deviation of each.
    """

    def __init__(self, centres, std):
        self.centres = _tensor("centres", centres, (None, None))
        self.std = _positive("std", std)

    def sample(self, shape):
        """Draw n points: ``sample((n,))`` → (n, d)."""
        k, d = self.centres.shape
        mode = torch.randint(k, (_size(shape),), device=self.centres.device)
        noise = torch.randn(len(mode), d, device=self.centres.device)
        return self.centres[mode] + self.std * noise

    def log_prob(self, x):
        """log 1/K Σ_k N(x; c_k, std² I) for x of shape (n, d) → (n,), in nats."""
        k, d = self.centres.shape
        x = _tensor("x", x, (None, d))
        squares = (x[:, None] - self.centres.to(x)).square().sum(-1)
        log_normals = -squares / (2 * self.std**2)
        constant = math.log(k) + d * math.log(self.std * math.sqrt(2 * math.pi))
        return log_normals.logsumexp(1) - constant


def ring(modes=8, radius=2.0, std=0.02):
    """`modes` Gaussians on a circle (Gulrajani et al. 2017: 8, radius 2, std 0.02)."""
    k, r = _count("modes", modes), _positive("radius", radius)
    # The end is left out: 0 and 2π are the same point.
    angle = torch.arange(k, device=runtime.device()) * (2 * math.pi / k)
    return GaussianMixture(r * torch.stack([angle.cos(), angle.sin()], 1), std)


def grid(side=5, spacing=2.0, std=0.05):
    """side² Gaussians on a square grid around 0 (5, 2, 0.05: −4 to 4, PacGAN's)."""
    n, h = _count("side", side), _positive("spacing", spacing)
    line = (torch.arange(n, device=runtime.device()) - (n - 1) / 2) * h
    return GaussianMixture(torch.cartesian_prod(line, line), std)


class SwissRoll:
    """A noisy spiral in the plane, as in Gulrajani et al. 2017."""

    def __init__(self, noise, scale):
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise must be a number >= 0, not {noise!r}")
        self.noise, self.scale = float(noise), _positive("scale", scale)

    def sample(self, shape):
        """Draw n points: ``sample((n,))`` → (n, 2)."""
        n, where = _size(shape), runtime.device()
        t = 1.5 * math.pi * (1 + 2 * torch.rand(n, 1, device=where))
        roll = torch.cat([t * t.cos(), t * t.sin()], 1)
        return (roll + self.noise * torch.randn(n, 2, device=where)) / self.scale


def swiss_roll(noise=0.25, scale=7.5):
    """The swiss roll of Gulrajani et al. 2017: `noise` is added before `scale`."""
    return SwissRoll(noise, scale)


def four_points():
    """The four one-hot vectors of Mescheder et al. 2017: entropy log 4 nats."""
    where = runtime.device()
    points = torch.eye(4, device=where)
    return Empirical(points, torch.arange(4, device=where), "four points")


class Shapes:
    """Pictures of one coloured shape on white, drawn from five known factors.

    The factors of a picture are a row ``(kind, colour, r, x, y)``: which of
    `kinds`, which of `colours`, then size and position in units of half the
    picture's width. A disc of radius r, a square and an upright triangle have the
    same area π r², so that the size says nothing about the kind. Kind and colour
    are uniform on three values each, r on `radii`, x and y on `places`; all are
    independent, and no shape is cut off.

    Parameters
    ----------
    size : int
        Pixels a side.
    """

    kinds = ("disc", "square", "triangle")
    colours = ("blue", "orange", "black")
    rgb = ((0.0, 0.447, 0.698), (0.902, 0.624, 0.0), (0.0, 0.0, 0.0))
    radii, places = (0.36, 0.54), (-0.15, 0.15)

    def __init__(self, size=32):
        self.size = _count("size", size, 4)

    def factors(self, shape):
        """Draw the factors of n pictures: ``factors((n,))`` → (n, 5)."""
        n, where = _size(shape), runtime.device()
        low = torch.tensor([0, 0, self.radii[0], *[self.places[0]] * 2], device=where)
        high = torch.tensor([3, 3, self.radii[1], *[self.places[1]] * 2], device=where)
        f = low + (high - low) * torch.rand(n, 5, device=where)
        return torch.cat([f[:, :2].floor().clamp(max=2), f[:, 2:]], 1)

    def draw(self, factors):
        """Return the pictures of factors (n, 5): (n, 3, size, size) in [0, 1].

        A pixel is covered by how deep it lies under the edge, between none and
        all within one pixel; this is smooth in r, x and y.
        """
        f = _tensor("factors", factors, (None, 5), finite=False)
        line = (torch.arange(self.size, device=f.device) + 0.5) * (2 / self.size) - 1
        r, x, y = (c[:, None, None] for c in f[:, 2:].unbind(1))
        right, up = line[None, None, :] - x, -line[None, :, None] - y
        square = torch.maximum(right.abs(), up.abs()) - r * math.sqrt(math.pi / 4)
        slanted = math.sqrt(3) / 2 * right.abs() + up / 2
        triangle = torch.maximum(slanted, -up) - r * math.sqrt(math.pi / 27**0.5)
        kinds = [(right**2 + up**2).sqrt() - r, square, triangle]
        outside = torch.stack([k.expand(len(f), self.size, self.size) for k in kinds])
        rows = torch.arange(len(f), device=f.device)
        cover = (0.5 - outside[f[:, 0].long(), rows] * self.size / 2).clamp(0, 1)
        ink = torch.tensor(self.rgb, device=f.device).to(f)[f[:, 1].long()]
        return 1 - cover[:, None] * (1 - ink[:, :, None, None])

    def sample_pairs(self, shape):
        """Draw n pictures and their factors: (n, 3, size, size) and (n, 5)."""
        f = self.factors(shape)
        return self.draw(f), f

    def sample(self, shape):
        """Draw n pictures: ``sample((n,))`` → (n, 3, size, size)."""
        return self.sample_pairs(shape)[0]


def shapes(size=32):
    """Coloured discs, squares and triangles with known factors; see `Shapes`."""
    return Shapes(size)


class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(W z + b, diag noise_std²): everything is exact.

    Parameters
    ----------
    W : Tensor, shape (d, k)
    b : Tensor, shape (d,)
    noise_std : float or Tensor, shape (d,)
        The standard deviation of x given z.
    """

    def __init__(self, W, b, noise_std):
        self.W = _tensor("W", W, (None, None))
        d, k = self.W.shape
        self.b = _tensor("b", b, (d,)).to(self.W)
        std = torch.as_tensor(noise_std, dtype=self.W.dtype, device=self.W.device)
        if std.dim() == 0:
            std = std.expand(d)
        self.noise_std = _tensor("noise_std", std, (d,))
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

    def likelihood(self, z):
        """p(x | z) for z of shape (n, k)."""
        # A training may pass here in every round: no look at the values.
        z = _tensor("z", z, (None, self.W.shape[1]), finite=False)
        base = td.Normal(z @ self.W.T + self.b, self.noise_std, validate_args=False)
        return td.Independent(base, 1, validate_args=False)

    def sample_pairs(self, shape):
        """Draw (x, z) from p(z) p(x | z): shapes (n, d) and (n, k)."""
        z = self.prior.sample((_size(shape),))
        return self.likelihood(z).sample(), z

    def sample(self, shape):
        """Draw n points of the evidence: ``sample((n,))`` → (n, d)."""
        return self.sample_pairs(shape)[0]

    def log_evidence(self, x):
        """log p(x) of N(b, W Wᵀ + diag noise_std²): (n, d) → (n,), in nats."""
        return self.evidence.log_prob(_tensor("x", x, (None, len(self.b))))

    def posterior(self, x):
        """p(z | x) for x of shape (n, d), a `MultivariateNormal` (Bishop, 2.116)."""
        x = _tensor("x", x, (None, len(self.b)))
        mean = (x - self.b) @ self._gain.T @ self._covariance
        return td.MultivariateNormal(mean, self._covariance, validate_args=False)


class Stacked:
    """Three digits drawn independently are the channels of one image.

    Parameters
    ----------
    images : Empirical
        One channel, labels in {0, ..., 9}.
    """

    def __init__(self, images):
        if images.y is None or len(images.shape) != 3 or images.shape[0] != 1:
            raise ValueError(f"only labelled images of one channel stack, not {images}")
        if images.y.min() < 0 or images.y.max() > 9:
            raise ValueError(f"{images.name}: the labels must be digits, 0 to 9")
        self.images, self.name = images, f"stacked {images.name}"

    def sample_pairs(self, shape):
        """Draw n images and their modes 100 a + 10 b + c: (n, 3, h, w) and (n,)."""
        n = _size(shape)
        x, y = self.images.sample_pairs((3 * n,))
        place = torch.tensor([100, 10, 1], device=y.device)
        return x.view(n, 3, *x.shape[2:]), (y.view(n, 3) * place).sum(1)

    def sample(self, shape):
        """Draw n images: ``sample((n,))`` → (n, 3, h, w)."""
        return self.sample_pairs(shape)[0]


def stacked(images):
    """Stacked MNIST, 1000 modes (Metz et al. 2017; Srivastava et al. 2017, 4.1).

    `metrics.stacked_modes` counts them. To train against a tanh:
    ``stacked(images().map(to_tanh))``.
    """
    return Stacked(images)


# --------------------------------------------------------------------- images


def _split(split):
    if split not in ("train", "test"):
        raise ValueError(f"split is 'train' or 'test', not {split!r}")
    return split


@cache
def _digits():
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = torch.from_numpy(bunch.images / 16).float()[:, None]
    # As in MNIST: a digit is 20 pixels high and has a frame of 4.
    x = interpolate(x, size=(20, 20), mode="bicubic", align_corners=False)
    x = (pad(x.clamp(0, 1), [4] * 4) * 255).round().to(torch.uint8)
    y = torch.from_numpy(bunch.target)
    # Every fifth image of each class is for testing.
    test = torch.zeros_like(y, dtype=torch.bool)
    for label in range(10):
        test[(y == label).nonzero()[4::5]] = True
    _used["digits"] = hashlib.sha256(x.numpy().tobytes()).hexdigest()
    return {"train": (x[~test], y[~test]), "test": (x[test], y[test])}


def digits(split="train"):
    """The 1797 digits of scikit-learn, upsampled to MNIST's 28 × 28 pixels.

    1442 to train and 355 to test; they need no network.
    """
    return Empirical(*_digits()[_split(split)], "digits")


def mnist(split="train", strict=False):
    """MNIST (LeCun, Cortes, Burges): 60 000 images to train, 10 000 to test.

    Looked for in ``GMLIB_DATA``, in the cache, then on two mirrors; every
    archive is held against its SHA-256. If MNIST cannot be had, one message
    says what was tried and the `digits` stand in, in both splits; look at
    ``.name``.

    Raises
    ------
    Unavailable
        If `strict` and MNIST cannot be had.
    """
    return _images("MNIST", "mnist", split, strict)


def fashion_mnist(split="train", strict=False):
    """Fashion-MNIST (Xiao, Rasul, Vollgraf 2017); see `mnist`."""
    return _images("FashionMNIST", "fashion_mnist", split, strict)


def images(split="train", which="auto"):
    """Return the images of a lecture: MNIST, or `digits` if it cannot be had.

    `which` is ``auto``, or insists on ``mnist``, ``fashion_mnist`` or ``digits``.
    """
    insist = {
        "mnist": lambda: mnist(split, strict=True),
        "fashion_mnist": lambda: fashion_mnist(split, strict=True),
        "digits": lambda: digits(split),
        "auto": lambda: mnist(split),
    }
    if which not in insist:
        raise ValueError(f"images {which!r}: choose from {', '.join(insist)}")
    return insist[which]()


_tried = {}  # (kind, where it was looked for): the data, or why there is none


def _images(kind, name, split, strict):
    _split(split)
    key = (kind, _roots(), _mirrors(kind))
    if key not in _tried:
        try:
            _tried[key] = _load(kind)
        except Unavailable as error:
            _tried[key] = error
            if not strict:
                print(f"{error}\nGoing on with the scikit-learn digits.")
    if not isinstance(_tried[key], Unavailable):
        return Empirical(*_tried[key][split], name)
    if strict:
        raise Unavailable(str(_tried[key]))
    return digits(split)


def _roots():
    """The folders to look in, the last of which is the cache."""
    local = os.environ.get("GMLIB_DATA")
    kept = os.environ.get("GMLIB_CACHE")
    if not kept:
        home = os.path.expanduser("~")
        base = {
            "darwin": os.path.join(home, "Library", "Caches"),
            "win32": os.environ.get("LOCALAPPDATA") or home,
        }.get(sys.platform)
        base = base or os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
        kept = os.path.join(base, "gmlib")
    return tuple(Path(root) for root in (local, kept) if root)


def _mirrors(kind):
    """The addresses of the folders that hold the archives of `kind`."""
    own = os.environ.get("GMLIB_MIRRORS")
    if own is None:
        return MIRRORS[kind]
    return tuple(f"{root.rstrip('/')}/{kind}/raw/" for root in own.split())


def _load(kind):
    """Return ``{"train": (images, labels), "test": ...}`` as bytes, on the CPU.

    Both splits or none: nobody should train on MNIST and test on the digits.
    """
    tried, arrays = [], []
    for file in ARCHIVES[kind]:
        archive = _local(kind, file, tried) or _download(kind, file, tried)
        if archive is None:
            sources = "\n".join(f"  {line}" for line in tried) or "  nothing"
            raise Unavailable(
                f"{kind} cannot be had: {file} is missing. Tried:\n{sources}\n"
                "Let GMLIB_DATA name a folder that holds "
                f"{kind}/raw/{file} and the other three archives, or connect to "
                "the network; then restart the kernel."
            )
        _used[f"{kind}/{file}"] = ARCHIVES[kind][file][1]
        head = 16 if "images" in file else 8
        raw = np.frombuffer(gzip.decompress(archive), np.uint8, offset=head).copy()
        arrays.append(raw.reshape(-1, 1, 28, 28) if head == 16 else raw)
    x, y, x_test, y_test = map(torch.from_numpy, arrays)
    return {"train": (x, y), "test": (x_test, y_test)}


def _fault(kind, file, archive):
    """Say what is wrong with an archive, or return None."""
    size, sha256 = ARCHIVES[kind][file]
    if len(archive) == size and hashlib.sha256(archive).hexdigest() == sha256:
        return None
    if archive.lstrip()[:1] == b"<":
        return "a web page instead of the file"
    if len(archive) != size:
        return f"{len(archive):,} bytes instead of {size:,}"
    return "the wrong SHA-256"


def _local(kind, file, tried):
    """Return the archive from GMLIB_DATA or the cache, or None."""
    for root in _roots():
        path = root / kind / "raw" / file
        try:
            archive = path.read_bytes()
        except OSError as error:
            tried.append(f"{path}: {error.strerror}")
            continue
        fault = _fault(kind, file, archive)
        if fault is None:
            return archive
        tried.append(f"{path}: {fault}")
        if root == _roots()[-1]:  # the cache is ours: what is broken goes
            with suppress(OSError):
                path.unlink()
    return None


def _download(kind, file, tried):
    """Fetch an archive, keep it in the cache if that can be written, or None."""
    for url, answer in _ask([mirror + file for mirror in _mirrors(kind)]):
        try:
            if isinstance(answer, Exception):
                raise answer
            with answer:
                archive = answer.read(ARCHIVES[kind][file][0] + 1)
            fault = _fault(kind, file, archive)
        except Exception as error:  # whatever a network can do
            fault = _why(error)
        if fault is None:
            _keep(_roots()[-1] / kind / "raw" / file, archive)
            return archive
        tried.append(f"{url}: {fault}")
    return None


def _why(error):
    if isinstance(error, HTTPError):
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__


def _ask(urls):
    """Yield (url, response or exception) in the order in which they answer.

    All are asked at once, in threads: a name server that is silent cannot be
    given a time limit in any other way.
    """
    answers = SimpleQueue()

    def ask(url):
        try:
            request = Request(url, headers={"User-Agent": "gmlib"})
            answers.put((url, urlopen(request, timeout=STALL_SECONDS)))
        except Exception as error:
            answers.put((url, error))

    waiting = dict.fromkeys(urls)
    for url in urls:
        Thread(target=ask, args=(url,), daemon=True).start()
    end = time.monotonic() + ANSWER_SECONDS
    with suppress(Empty):
        while waiting:
            url, answer = answers.get(timeout=max(end - time.monotonic(), 0))
            del waiting[url]
            yield url, answer
    for url in waiting:
        yield url, TimeoutError(f"no answer in {ANSWER_SECONDS:g} s")


def _keep(path, archive):
    """Write a checked archive whole or not at all; a read-only cache is no error."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            part = stream.name
            stream.write(archive)
        os.replace(part, path)
    except OSError:
        if part is not None:
            with suppress(OSError):
                os.unlink(part)


# ------------------------------------------------------- what comes with gmlib


def folder():
    """Return the folder of the data cards, published figures and judges."""
    here = Path(__file__).resolve().parent
    inside = here / "_data"  # in the wheel; in a checkout it is beside gmlib
    return inside if inside.is_dir() else here.parent / "data"


_used = {}  # name: SHA-256


def used():
    """Return ``{name: SHA-256}`` of the data that this process has read from files.

    MNIST's archives by their names, the `digits` by their pixels, what comes with
    gmlib by its path in `folder`. `tools/execute.py` stamps a chapter with it.
    """
    return dict(_used)


def note(path):
    """Remember that a file in `folder` was read, for `used`."""
    path = Path(path)
    name = path.relative_to(folder()).as_posix()
    _used[name] = hashlib.sha256(path.read_bytes()).hexdigest()


class Figure(NamedTuple):
    """A published figure; `status` is verified, recomputed or unverified."""

    id: str
    quantity: str
    value: float
    spread: float | None
    unit: str
    setting: str
    source: str
    status: str


def published(topic):
    """Return the published figures of a topic, a list of `Figure`.

    Raises
    ------
    ValueError
        If there is no ``data/published/{topic}.csv``; the message names the
        topics that there are.
    """
    place = folder() / "published"
    topics = sorted(path.stem for path in place.glob("*.csv"))
    if topic not in topics:
        raise ValueError(f"no figures on {topic!r}: choose from {', '.join(topics)}")
    with open(place / f"{topic}.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    note(place / f"{topic}.csv")
    return [
        Figure(
            **row
            | {
                "value": float(row["value"]),
                "spread": float(row["spread"]) if row["spread"] else None,
            }
        )
        for row in rows
    ]


def results(name):
    """Return the rows of a recorded sweep, a list of dictionaries.

    Only those of its newest code and scale; cells that failed are among them
    (``row["status"] == "failed"``), with None for what they did not measure.
    `gmlib.sweep` describes the columns.

    Raises
    ------
    ValueError
        If there is no ``data/results/{name}.csv``; the message names those
        that there are.
    """
    place = folder() / "results"
    names = sorted(path.stem for path in place.glob("*.csv"))
    if name not in names:
        there = ", ".join(names) or "none has been recorded"
        raise ValueError(f"no results of a sweep {name!r}: {there}")
    rows = read_rows(place / f"{name}.csv")
    note(place / f"{name}.csv")
    newest = max(reversed(rows), key=lambda row: row["date"], default={})
    return [
        {column: typed(text) for column, text in row.items()}
        for row in rows
        if all(row[key] == newest[key] for key in ("code", "scale"))
    ]


def read_rows(path):
    """Return the rows of a CSV file as dictionaries of strings; none if it is absent.

    Every row is one line. A last line without its end was torn, for instance by
    a full disk or a copy cut short: it is left out.
    """
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    return list(csv.DictReader(whole.splitlines(keepends=True)))


def typed(text):
    """Return what a cell of a table means: None, a bool, an int, a float, a string."""
    if text in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[text]
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text
