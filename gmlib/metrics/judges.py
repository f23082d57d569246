"""Judges: what a measure asks a trained network about samples.

A measure of this room takes features or class probabilities, never a network. Who
gives them is a `Judge`, one a modality. A new one is a weights file, or a module of
its own beside this one, and a line in `JUDGES`.
"""

import json
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import safe_open
from torch import Tensor, nn

from gmlib import checks, data, runtime


@runtime_checkable
class Judge(Protocol):
    """What the measures ask for: `features(x)` and `probs(x)` of samples x.

    Any object with these four members is one; there is nothing to inherit.
    """

    name: str
    """The data it was trained on."""
    shape: tuple[int, ...]
    """The shape of one sample it was made for."""

    def features(self, x: Tensor) -> Tensor:
        """What it sees in each sample: (n, *shape) → (n, d)."""
        ...

    def probs(self, x: Tensor) -> Tensor:
        """p(y|x) over its K classes: (n, *shape) → (n, K)."""
        ...


def judge_network(
    shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10
) -> nn.Sequential:
    """A small classifier of images (channels, h, w): 64 features, then the logits."""
    channels, h, w = checks.sizes("shape", shape)
    checks.counts(height=h // 8, width=w // 8)
    classes = checks.count("classes", classes)

    def block(i, o):
        convolution = nn.Conv2d(i, o, 3, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)]

    body = [*block(channels, 24), *block(24, 48), *block(48, 64), nn.Flatten()]
    return nn.Sequential(
        nn.Sequential(*body, nn.Linear(64 * (h // 8) * (w // 8), 64), nn.ReLU()),
        nn.Linear(64, classes),
    )


class ImageJudge:
    """A trained classifier of images in [0, 1], a `Judge`.

    Parameters
    ----------
    network : nn.Sequential
        Two parts: images to features, features to logits.
    name : str
        The data set, which `gmlib.data.images` knows.
    info : dict
        What is known of its training, its test accuracy among it.
    shape : tuple of int
        Of one image, (channels, h, w).
    """

    def __init__(
        self,
        network: nn.Sequential,
        name: str,
        info: dict[str, Any],
        shape: tuple[int, ...],
    ) -> None:
        self.network = network.to(runtime.device()).eval().requires_grad_(False)
        self.name, self.info, self.shape = name, info, tuple(shape)

    def __repr__(self) -> str:
        return f"Judge({self.name}, test accuracy {self.info['accuracy']:.2%})"

    @torch.no_grad()
    def _map(self, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        x = checks.images("what a judge sees", x, self.shape)
        low, high = float(x.min()), float(x.max())
        if not (low >= -0.01 and high <= 1.01):  # NaN fails too
            raise ValueError(
                f"a judge sees images in [0, 1], not in [{low:.2f}, {high:.2f}]; "
                "a tanh output t is (t + 1) / 2 of an image"
            )
        like = next(self.network.parameters())
        return torch.cat([f(part.to(like)) for part in x.split(1000)])

    def features(self, x: Tensor) -> Tensor:
        """The activations before the last layer: (n, *shape) → (n, 64).

        Arrays are welcome too, and bytes are divided by 255. Raises ValueError for
        another shape and for values outside [0, 1].
        """
        return self._map(self.network[0], x)

    @cached_property
    def test_features(self) -> Tensor:
        """The features of all test images of its data: what a sample is held to."""
        return self.features(data.images("test", self.name).x)

    def probs(self, x: Tensor) -> Tensor:
        """p(y|x): (n, *shape) → (n, classes). Raises what `features` raises."""
        return self._map(lambda part: self.network(part).softmax(1), x)

    def accuracy(self, x: Tensor, y: Tensor) -> float:
        """The share of images whose most probable class is y, of shape (n,)."""
        p, y = self.probs(x), checks.array("y", y)
        if y.shape != (len(p),):
            raise ValueError(f"{len(p)} images need as many labels, not {len(y)}")
        return float((p.argmax(1) == y.to(p.device)).double().mean())


def stored(name: str) -> ImageJudge:
    """Read the judge whose weights lie in ``judges/NAME.safetensors`` of the data.

    The file's header says what it was trained on, for which shape; the number of
    classes is that of its logits. Written by ``tools/train_judge.py``.
    """
    path = data.folder() / "judges" / f"{name}.safetensors"
    with safe_open(path, "pt") as file:
        info = json.loads(file.metadata()["info"])
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    data.note(path)
    # The headers of the first two judges, of MNIST and of digits, say no shape.
    channels, h, w = info.get("shape", (1, 28, 28))
    network = judge_network((channels, h, w), len(weights["1.bias"]))
    network.load_state_dict(weights, assign=True)
    return ImageJudge(network, name, info, (channels, h, w))


JUDGES: dict[str, Callable[[str], Judge]] = {
    "digits": stored,
    "fashion_mnist": stored,
    "mnist": stored,
}
"""Who makes the judge of this name."""


@cache
def made(name: str) -> Judge:
    """The judge of this name, made once."""
    return JUDGES[checks.choice("no judge", name, JUDGES)](name)


def judge(name: str = "mnist") -> Judge:
    """Return the trained judge of a data set; the ``.name`` of the data fits.

    ``digits``, ``fashion_mnist`` and ``mnist`` are each an `ImageJudge`, reproduced by
    ``python tools/train_judge.py mnist``; see their data card.

    Raises
    ------
    ValueError
        If there is no judge of this name.
    """
    return made(name)
