"""Drawings of people in five skin tones over one line drawing: one to many."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks
from gmlib.data.aligned import Aligned
from gmlib.data.registry import SPLITS, declare
from gmlib.data.set_drawings import Drawing
from gmlib.data.sheets import smaller
from gmlib.data.vendors import CREDITS, GROUPS, drawn, listed

TONES = ("light", "medium-light", "medium", "medium-dark", "dark")


class Toned(NamedTuple):
    """A `line` drawing, its `colour`, and the `tone` (n,) of its skin, 0 to 4."""

    line: Tensor
    colour: Tensor
    tone: Tensor


class Tones(Aligned[Drawing]):
    """Pairs of line and colour whose law is known: five colours a line, each 1/5.

    Row 5 i + t is drawing i in tone t, and the five rows of a drawing have the same
    line, so that p(colour | line) is uniform on `answers`.
    """

    def sample_pairs(self, shape: Sequence[int]) -> Toned:
        """Draw n rows with the tone of each."""
        i = self.draw(shape)
        return Toned(*self._rows(i), i % len(TONES))

    @property
    def lines(self) -> Tensor:
        """The line drawings, each once: (drawings, 1, size, size)."""
        return checks.floats(self._parts.line[:: len(TONES)])

    @property
    def answers(self) -> Tensor:
        """The colours of each line drawing: (drawings, 5, 3, size, size)."""
        return checks.floats(self._parts.colour).unflatten(0, (-1, len(TONES)))

    def distances(self, drawing: Tensor, colour: Tensor) -> Tensor:
        """Return how far pictures are from each of the five answers: (n, 5).

        Parameters
        ----------
        drawing : Tensor of integers, shape (n,)
            Of which drawing the line was given: a place in `lines`.
        colour : Tensor, shape (n, 3, size, size)
            What a model answered.

        Returns
        -------
        Tensor
            Mean squared differences; the least says which tone was met.
        """
        shape = (None, *self._parts.colour.shape[1:])
        x = checks.tensor("colour", colour, shape, self._parts.colour.device)
        answers = self.answers[drawing]
        return (answers - x[:, None]).square().mean((2, 3, 4))


def tones(split: str = "train", size: int = 64) -> Tones:
    """OpenMoji's 330 drawings that come in five skin tones, over one line drawing.

    297 drawings, 1485 rows, to train, and 33, 165 rows, to test; they come with
    gmlib. See `Tones`, and `drawings` for the rest.

    Raises
    ------
    ValueError
        If the split is neither ``train`` nor ``test``, or the size not 64 over a
        power of two.

    >>> tones("test", 32).answers.shape
    torch.Size([33, 5, 3, 32, 32])
    """
    checks.choice("split", split, SPLITS)
    rows, count = listed("tones"), len(TONES)
    i, n = rows.of(split), len(rows.names)
    line = smaller(drawn("openmoji/tones_line", n, 1)[i], size)
    colour = drawn("openmoji/tones_colour", n * count).unflatten(0, (n, count))[i]
    parts = Drawing(
        line.repeat_interleave(count, 0), smaller(colour.flatten(0, 1), size)
    )
    names = [f"{rows.names[k]}, {tone} skin" for k in i.tolist() for tone in TONES]
    groups = torch.repeat_interleave(rows.groups[i], count)
    return Tones("tones", parts, names, groups, GROUPS, CREDITS["openmoji"])


declare("tones", "pairs", tones)
