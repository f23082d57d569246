"""The files of the icons: which there are, what they show, whose they are."""

import csv
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from gmlib.data import sheets, shelf

CREDITS = {
    "openmoji": "Emojis designed by OpenMoji – the open-source emoji and icon project, "
    "CC BY-SA 4.0",
    "twemoji": "Twemoji, © Twitter and contributors, CC BY 4.0",
    "noto": "Noto Emoji, © Google, Apache 2.0",
    "fluent": "Fluent Emoji, © Microsoft, MIT",
}
GROUPS = (
    "smileys-emotion", "people-body", "animals-nature", "food-drink",
    "travel-places", "activities", "objects", "symbols",
)  # fmt: skip


class Listed(NamedTuple):
    """The rows of a list of icons: code points, names, groups, is it to test."""

    codes: tuple[str, ...]
    names: tuple[str, ...]
    groups: Tensor
    test: Tensor

    def of(self, split: str) -> Tensor:
        """Return the numbers of the rows of a split."""
        return (self.test == (split == "test")).nonzero()[:, 0]


@cache
def listed(table: str) -> Listed:
    """Return what ``icons/openmoji/{table}.csv`` says, on the CPU."""
    path = shelf.folder() / f"icons/openmoji/{table}.csv"
    shelf.note(path)
    with open(path, newline="", encoding="utf8") as stream:
        rows = list(csv.DictReader(stream))
    groups = [GROUPS.index(row["group"]) for row in rows]
    test = [row["split"] == "test" for row in rows]
    return Listed(
        tuple(row["code"] for row in rows),
        tuple(row["name"] for row in rows),
        torch.tensor(groups, device="cpu"),
        torch.tensor(test, device="cpu"),
    )


@cache
def drawn(file: str, n: int, channels: int = 3) -> Tensor:
    """Return the pictures of ``icons/{file}.webp`` as bytes, on the CPU."""
    return sheets.cut(f"icons/{file}.webp", n, channels)
