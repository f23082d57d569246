"""What a reader sees: each output shows named values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from torch import Tensor

from gmlib import checks
from gmlib.plot.inpage.inputs import Codes, write
from gmlib.plot.pictures import tile
from gmlib.plot.style import COLOURS

LINES = ("-", "--", ":", "-.") * 9
Values = Mapping[str, Tensor]


def _shape(name: str, values: Values) -> tuple[int, ...]:
    """Of one sample of a value."""
    return tuple(values[name].shape[1:])


@dataclass
class Picture:
    """A picture (c, h, w), or several of them (n, c, h, w) as a sheet.

    Parameters
    ----------
    name : str
        Of the value.
    low, high : float
        The values drawn black and white: −1 and 1 for a tanh network.
    columns : int, optional
        Of the sheet; by default all side by side, at most 8.
    label : str, optional
        What stands above it.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    columns: int | None = None
    label: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The values that it shows."""
        return (self.name,)

    def spec(self, values: Values) -> dict[str, Any]:
        """What the page needs of it; raise ValueError for another shape."""
        shape = _shape(self.name, values)
        if len(shape) not in (3, 4) or shape[-3] not in (1, 3):
            raise ValueError(
                f"picture {self.name!r} has shape (1 or 3, h, w) or (n, 1 or 3, h, w), "
                f"not {shape}"
            )
        n = shape[0] if len(shape) == 4 else 1
        columns = checks.count("columns", self.columns or min(n, 8))
        size = {"n": n, "c": shape[-3], "h": shape[-2], "w": shape[-1]}
        shades = {"low": self.low, "high": self.high}
        return {"kind": "picture", "columns": columns, **size, **shades}

    def still(self, ax: Axes, values: Values) -> None:
        """Draw it."""
        x = values[self.name].reshape(-1, *_shape(self.name, values)[-3:])
        columns = self.spec(values)["columns"]
        sheet = tile(x.clamp(self.low, self.high), columns, self.low, self.high)
        ax.imshow(sheet, cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()


@dataclass
class Bars:
    """Probabilities as bars, each with its word.

    Parameters
    ----------
    name : str
        Of the value (K,), from 0 to 1.
    words : list of str
        What the K are.
    label : str, optional
        What stands above them, and before the most probable word when it is read out.
    """

    name: str
    words: Sequence[str]
    label: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The values that they show."""
        return (self.name,)

    def spec(self, values: Values) -> dict[str, Any]:
        """What the page needs of them; raise ValueError for another shape."""
        if _shape(self.name, values) != (len(self.words),):
            raise ValueError(
                f"bars {self.name!r} have {len(self.words)} words for values of shape "
                f"{_shape(self.name, values)}"
            )
        x = values[self.name]
        if not (x.min() >= -1e-4 and x.max() <= 1 + 1e-4):
            raise ValueError(
                f"bars {self.name!r} are probabilities, not from {x.min():.3g} to "
                f"{x.max():.3g}: logits become some by softmax(1) or sigmoid()"
            )
        return {"kind": "bars", "words": list(map(str, self.words))}

    def still(self, ax: Axes, values: Values) -> None:
        """Draw them."""
        places = range(len(self.words))
        ax.barh(places, values[self.name][0].numpy(), color=COLOURS["data"])
        ax.set(xlim=(0, 1), yticks=places, yticklabels=self.words)
        ax.invert_yaxis()
        ax.grid(False)


@dataclass
class Number:
    """A number with its unit.

    Parameters
    ----------
    name : str
        Of the value, one number.
    unit : str
    digits : int
        After the point.
    label : str, optional
        What it is.
    """

    name: str
    unit: str = ""
    digits: int = 2
    label: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The value that it shows."""
        return (self.name,)

    def spec(self, values: Values) -> dict[str, Any]:
        """What the page needs of it; raise ValueError for more than a number."""
        if values[self.name].numel() != 1:
            shape = _shape(self.name, values)
            raise ValueError(f"number {self.name!r} is one number, not {shape}")
        return {"kind": "number", "unit": self.unit, "digits": self.digits}

    def still(self, ax: Axes, values: Values) -> None:
        """Write it."""
        write(ax, f"{float(values[self.name]):.{self.digits}f} {self.unit}".strip())


@dataclass
class Curve:
    """One or several curves over the same line.

    Parameters
    ----------
    name : str
        Of the value (n,), or (k, n) for k curves.
    x : pair of float
        Where the line begins and ends; the n numbers are at equal steps.
    y : pair of float
        The lowest and the highest that is drawn.
    words : list of str
        What the k curves are.
    xlabel : str
        What the line is.
    label : str, optional
        What stands above them.
    """

    name: str
    x: tuple[float, float]
    y: tuple[float, float]
    words: Sequence[str]
    xlabel: str = ""
    label: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The values that they show."""
        return (self.name,)

    def spec(self, values: Values) -> dict[str, Any]:
        """What the page needs of them; raise ValueError for another shape."""
        shape = _shape(self.name, values)
        k = shape[0] if len(shape) == 2 else 1
        if len(shape) not in (1, 2) or shape[-1] < 2 or len(self.words) != k:
            raise ValueError(
                f"curve {self.name!r} has {len(self.words)} words for values of shape "
                f"{shape}, not (n,) or (words, n)"
            )
        if not (self.x[0] < self.x[1] and self.y[0] < self.y[1]):
            raise ValueError(f"curve {self.name!r} needs x and y that rise")
        return {
            "kind": "curve",
            "words": list(map(str, self.words)),
            "ends": [f"{v:g}".replace("-", "−") for v in self.x],
            "limits": [f"{v:g}" for v in self.y],
            "low": self.y[0],
            "high": self.y[1],
            "xlabel": self.xlabel,
        }

    def still(self, ax: Axes, values: Values) -> None:
        """Draw them."""
        y = values[self.name].reshape(len(self.words), -1).numpy()
        x = torch.linspace(*self.x, y.shape[1]).numpy()
        for line, word, style in zip(y, self.words, LINES, strict=False):
            ax.plot(x, line, style, label=word)
        ax.set(xlim=self.x, ylim=self.y, xlabel=self.xlabel)
        ax.legend(fontsize=8)


@dataclass
class Posterior:
    """A normal law over two latents, drawn as an ellipse on the codes of data.

    Parameters
    ----------
    mean, sd : str
        The names of the values (2,): its mean, and its standard deviations.
    codes, labels, words, lim
        As for `Plane`.
    label : str
        What stands above it.
    """

    mean: str
    sd: str
    codes: Any
    labels: Any = None
    words: Sequence[str] | None = None
    lim: float = 3.0
    label: str = "Code"
    _codes: Codes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.lim = checks.number("lim", self.lim)
        self._codes = Codes.of(self.codes, self.labels, self.words)

    @property
    def name(self) -> str:
        """The first of the values."""
        return self.mean

    @property
    def names(self) -> tuple[str, ...]:
        """The values that it shows."""
        return (self.mean, self.sd)

    def spec(self, values: Values) -> dict[str, Any]:
        """What the page needs of it; raise ValueError for another shape."""
        for name in self.names:
            if _shape(name, values) != (2,):
                shape = _shape(name, values)
                raise ValueError(f"{name!r} is two numbers, not of shape {shape}")
        return {"kind": "posterior"} | self._codes.spec(self.lim)

    def still(self, ax: Axes, values: Values) -> None:
        """Draw it."""
        self._codes.still(ax, self.lim)
        (x, y), (a, b) = values[self.mean][0].tolist(), values[self.sd][0].tolist()
        ax.add_patch(Ellipse((x, y), 2 * a, 2 * b, fill=False, lw=2))


Output = Picture | Bars | Number | Curve | Posterior
