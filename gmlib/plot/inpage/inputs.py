"""What a reader moves: each input gives numbers to a named value."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from gmlib import checks
from gmlib.plot.pictures import to_numpy

CLASSES = (
    "#1f77b4", "#e06c00", "#2a8f2a", "#d62728", "#8a5fb8",
    "#8c564b", "#c9589f", "#7a7a7a", "#8f9000", "#0f93a3",
)  # fmt: skip
POINTS = 600  # codes on a plane, at most


def packed(x: Any, kind: str = "<f4") -> str:
    """Numbers as a data URI: a page never reads a path into bare base64."""
    raw = np.ascontiguousarray(to_numpy(x)).astype(kind).tobytes()
    return f"data:application/octet-stream;base64,{base64.b64encode(raw).decode()}"


def crowded(points: np.ndarray) -> np.ndarray:
    """The point amid the densest tenth of all, (2,): in a piece, never between two."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return points[
        np.partition(apart, len(points) // 10, 1)[:, len(points) // 10].argmin()
    ]


@dataclass
class Codes:
    """Points of the plane with their classes."""

    points: Tensor
    classes: Tensor
    words: list[str]

    @classmethod
    def of(cls, codes: Any, labels: Any, words: Sequence[str] | None) -> "Codes":
        """Read codes (n, 2) and their classes; keep at most `POINTS`."""
        points = checks.tensor("codes", codes, (None, 2), torch.device("cpu")).float()
        classes = torch.zeros(len(points)).long()
        if labels is not None:
            classes = checks.array("labels", labels, "cpu").long()
            if classes.shape != (len(points),):
                raise ValueError(f"{len(points)} codes need as many labels")
        count = int(classes.max()) + 1
        if words is None:
            words = [str(k) for k in range(count)] if labels is not None else [""]
        if len(words) < count:
            raise ValueError(f"{count} classes need as many words, not {len(words)}")
        step = -(-len(points) // POINTS)
        return cls(points[::step], classes[::step], list(map(str, words)))

    def spec(self, lim: float) -> dict[str, Any]:
        """What the page needs to draw them."""
        points = [[round(float(v), 3) for v in p] for p in self.points]
        return {
            "lim": lim,
            "points": points,
            "classes": self.classes.tolist(),
            "words": self.words,
        }

    def still(self, ax: Axes, lim: float) -> None:
        """Draw them."""
        for k, word in enumerate(self.words):
            part = self.points[self.classes == k].numpy()
            colour = CLASSES[k % len(CLASSES)]
            ax.scatter(part[:, 0], part[:, 1], s=4, color=colour, lw=0)
            if len(part) and word:
                # pyrefly: ignore[bad-argument-count]
                ax.text(*crowded(part), word, ha="center", va="center")
        ax.set(xlim=(-lim, lim), ylim=(-lim, lim), aspect="equal", xticks=[], yticks=[])


def uniform(n: int, d: int, low: float, high: float) -> Tensor:
    """n rows of d numbers from low to high, the same on every call."""
    return torch.rand(n, d, generator=torch.Generator().manual_seed(0)) * (
        high - low
    ) + (low)


@dataclass
class Plane:
    """Two latents, moved by a pointer over a plane with the codes of data, or by keys.

    Parameters
    ----------
    name : str
        Of the value (2,) that it gives.
    codes : Tensor, shape (n, 2)
        At most 600 of them are shown.
    labels, words : Tensor of int, shape (n,), and list of str, optional
        Their classes, and the classes in words.
    lim : float
        The plane is [−lim, lim]².
    start : pair of float
    names : pair of str
        Of the two latents.
    label : str
        What stands above it.
    """

    name: str
    codes: Any
    labels: Any = None
    words: Sequence[str] | None = None
    lim: float = 3.0
    start: tuple[float, float] = (0.0, 0.0)
    names: tuple[str, str] = ("z₁", "z₂")
    label: str = "Codes of the data"
    _codes: Codes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.lim = checks.number("lim", self.lim)
        self._codes = Codes.of(self.codes, self.labels, self.words)

    def first(self) -> Tensor:
        """The value at the start, (1, 2)."""
        return torch.tensor([self.start], dtype=torch.float32)

    def tries(self, n: int) -> Tensor:
        """n other values."""
        return uniform(n, 2, -self.lim, self.lim)

    def spec(self) -> dict[str, Any]:
        """What the page needs of it."""
        own = {"kind": "plane", "start": list(self.start), "names": list(self.names)}
        return own | self._codes.spec(self.lim)

    def still(self, ax: Axes) -> None:
        """Draw it as it starts."""
        self._codes.still(ax, self.lim)
        ax.plot(*self.start, "o", mfc="none", mec="black", ms=9, mew=2)


@dataclass
class Sliders:
    """Numbers, each with a slider of its own.

    Parameters
    ----------
    name : str
        Of the value (d,) that they give.
    names : list of str
        What the d numbers are.
    low, high : float
    step, start : float, optional
        By default a hundredth of the way, and its middle; start may be a list.
    label : str
        What stands above them.
    """

    name: str
    names: Sequence[str]
    low: float = -3.0
    high: float = 3.0
    step: float | None = None
    start: float | Sequence[float] | None = None
    label: str = "Move"

    def __post_init__(self) -> None:
        self.names = list(map(str, self.names))
        if not self.names or not self.low < self.high:
            raise ValueError(
                f"sliders {self.name!r} need names, and low below high, not "
                f"{self.low} and {self.high}"
            )

    def _start(self) -> list[float]:
        start = (self.low + self.high) / 2 if self.start is None else self.start
        many = isinstance(start, Sequence)
        start = [float(v) for v in start] if many else [float(start)] * len(self.names)
        if len(start) != len(self.names):
            raise ValueError(f"{len(self.names)} sliders, {len(start)} starts")
        return start

    def first(self) -> Tensor:
        """The value at the start, (1, d)."""
        return torch.tensor([self._start()])

    def tries(self, n: int) -> Tensor:
        """n other values."""
        return uniform(n, len(self.names), self.low, self.high)

    def spec(self) -> dict[str, Any]:
        """What the page needs of them."""
        step = self.step or (self.high - self.low) / 100
        digits = max(0, min(4, int(np.ceil(-np.log10(step) - 1e-9))))
        limits = {"low": self.low, "high": self.high, "step": step, "digits": digits}
        own = {"kind": "sliders", "names": list(self.names), "start": self._start()}
        return own | limits

    def still(self, ax: Axes) -> None:
        """Draw them as they start."""
        pairs = zip(self.names, self._start(), strict=True)
        write(ax, "\n".join(f"{name} = {v:.2f}" for name, v in [*pairs][:8]))


@dataclass
class Choice:
    """A class, a text, or anything else of which one is chosen from a list.

    Parameters
    ----------
    name : str
        Of the value that it gives.
    words : list of str
        What is to choose from.
    values : Tensor, shape (len(words), ...), optional
        What each gives: a class (long) or an embedding; by default a one-hot vector.
    label : str
        What stands before it.
    """

    name: str
    words: Sequence[str]
    values: Any = None
    label: str = "Choose"

    def __post_init__(self) -> None:
        self.words = list(map(str, self.words))
        values = torch.eye(len(self.words)) if self.values is None else self.values
        self.values = checks.array("values", values, "cpu")
        if not self.words or len(self.values) != len(self.words):
            raise ValueError(f"{len(self.words)} words, {len(self.values)} values")

    def first(self) -> Tensor:
        """The value at the start."""
        return self.values[:1]

    def tries(self, n: int) -> Tensor:
        """n values, one choice after the other."""
        return self.values[torch.arange(n) % len(self.words)]

    def spec(self) -> dict[str, Any]:
        """What the page needs of it."""
        own = {"kind": "choice", "words": list(self.words)}
        return own | {"values": packed(self.values)}

    def still(self, ax: Axes) -> None:
        """Write the first choice."""
        write(ax, self.words[0])


@dataclass
class Noise:
    """A vector z ~ N(0, I), and a button that draws another.

    Parameters
    ----------
    name : str
        Of the value (dim,) that it gives.
    dim : int
    seed : int
        The page draws the same sequence for every reader.
    label : str
        What stands on the button.
    """

    name: str
    dim: int
    seed: int = 0
    label: str = "Draw again"

    def first(self) -> Tensor:
        """The value at the start, (1, dim)."""
        return self.tries(9)[8:]

    def tries(self, n: int) -> Tensor:
        """n other values."""
        at = torch.Generator().manual_seed(self.seed)
        return torch.randn(n, checks.count("dim", self.dim), generator=at)

    def spec(self) -> dict[str, Any]:
        """What the page needs of it."""
        return {"kind": "noise", "seed": self.seed, "start": packed(self.first())}

    def still(self, ax: Axes) -> None:
        """Say what it is."""
        write(ax, f"{self.name} ~ N(0, I)")


@dataclass
class Pad:
    """A pad on which one draws a digit, centred and sized as MNIST's are.

    Parameters
    ----------
    name : str
        Of the value (1, 28, 28), in [0, 1], that it gives.
    examples : Tensor, shape (n, 1, 28, 28)
        Pictures to choose from, for those who do not draw; the first is the start.
    words : list of str
        What they are.
    label : str
        What stands above it.
    """

    name: str
    examples: Any
    words: Sequence[str]
    label: str = "Draw a digit"

    def __post_init__(self) -> None:
        self.examples = checks.images("examples", self.examples, (1, 28, 28)).cpu()
        self.words = list(map(str, self.words))
        if not self.words or len(self.words) != len(self.examples):
            raise ValueError(
                f"{len(self.examples)} examples need as many words, at least one: who "
                "cannot draw chooses one of them"
            )

    def first(self) -> Tensor:
        """The first example."""
        return self.examples[:1].float()

    def tries(self, n: int) -> Tensor:
        """n pictures: the examples, moved a little."""
        some = self.examples[torch.arange(n) % len(self.words)].float()
        return torch.stack([x.roll(k % 3 - 1, -1) for k, x in enumerate(some)])

    def spec(self) -> dict[str, Any]:
        """What the page needs of it."""
        own = {"kind": "pad", "words": list(self.words)}
        return own | {"examples": packed(self.examples)}

    def still(self, ax: Axes) -> None:
        """Draw the first example."""
        ax.imshow(self.examples[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()


def write(ax: Axes, words: str) -> None:
    """Write words where there is nothing to draw."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes)


Input = Plane | Sliders | Choice | Noise | Pad
