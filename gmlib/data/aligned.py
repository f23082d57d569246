"""Several tensors whose rows belong together: pairs, conditions, captions."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from gmlib import checks, runtime
from gmlib.data.empirical import Empirical

P = TypeVar("P", bound=tuple)  # a NamedTuple of tensors


class Aligned(Generic[P]):
    """The empirical distribution of rows of several parts, sampled i.i.d. together.

    Parameters
    ----------
    name : str
        What a figure or a message calls it.
    parts : NamedTuple of Tensors, each of shape (N, ...)
        Bytes (uint8) stay bytes in memory and are divided by 255 when they are
        sampled; other numbers stay what they are.
    names : sequence of str, optional
        What each row shows.
    y : Tensor of integers, shape (N,), optional
        The class of each row, a place in `classes`.
    classes : sequence of str, optional
        The names of the classes.
    credit : str, optional
        Whose pictures these are and under which licence: the words that a figure
        which shows them carries.

    Raises
    ------
    ValueError
        If the parts, the names and the labels have different lengths, or none.
    """

    def __init__(
        self,
        name: str,
        parts: P,
        names: Sequence[str] = (),
        y: Tensor | None = None,
        classes: Sequence[str] = (),
        credit: str = "",
    ) -> None:
        rows = {len(part) for part in [*parts, names or parts[0]]}
        rows |= set() if y is None else {len(y)}
        if len(rows) != 1 or not rows.pop():
            raise ValueError(f"{name}: the parts must have one length, and rows")
        self.name, self.names, self.credit = name, tuple(names), credit
        self.classes = tuple(classes)
        where = runtime.device()
        self.y = None if y is None else y.to(where)
        self._parts = type(parts)(*(part.to(where) for part in parts))

    def __len__(self) -> int:
        return len(self._parts[0])

    def __repr__(self) -> str:
        shapes = zip(self.fields, self._parts, strict=True)
        each = ", ".join(f"{field} {tuple(part.shape[1:])}" for field, part in shapes)
        return f"Aligned({self.name}: {len(self)} of {each})"

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the parts."""
        return type(self._parts)._fields

    @property
    def parts(self) -> P:
        """All rows, in their order: each part of shape (N, ...)."""
        return self._rows(torch.arange(len(self), device=self._parts[0].device))

    def rows(self, i: Any) -> P:
        """Return the rows with the numbers `i` (n,): each part of shape (n, ...)."""
        return self._rows(checks.array("the numbers of rows", i, self._parts[0].device))

    def _rows(self, i: Tensor) -> P:
        taken = (part.index_select(0, i) for part in self._parts)
        floats = (checks.floats(t) if t.dtype == torch.uint8 else t for t in taken)
        return type(self._parts)(*floats)

    def draw(self, shape: Sequence[int]) -> Tensor:
        """Draw the numbers of n rows: ``draw((n,))`` → (n,), with replacement."""
        n = checks.sample_size(shape)
        return torch.randint(len(self), (n,), device=self._parts[0].device)

    def sample(self, shape: Sequence[int]) -> P:
        """Draw n rows with replacement: each part of shape (n, ...)."""
        return self._rows(self.draw(shape))

    def part(self, *fields: str) -> Empirical:
        """Return one part alone, or several of one shape as one law, with the labels.

        Raises
        ------
        ValueError
            If there is no such part, or none is named.
        """
        if not fields:
            raise ValueError(f"name a part of {self.name}: {', '.join(self.fields)}")
        for field in fields:
            checks.choice(f"part of {self.name}", field, self.fields)
        x = torch.cat([getattr(self._parts, field) for field in fields])
        y = None if self.y is None else self.y.repeat(len(fields))
        law = Empirical(x, y, f"{self.name}: {', '.join(fields)}", classes=self.classes)
        return law
