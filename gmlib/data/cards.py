"""Data cards: what a data set is, where it is from and what may be done with it.

A card is a Markdown file in `folder`. Beside its prose it holds one table that a
test reads, with a column for each data set that the card is about:

    | field | `digits` |
    |---|---|
    | kind | images |
    | ...

and, if the data are stored somewhere, one of the contents:

    | content | bytes | SHA-256 |
    |---|---|---|
    | `digits` | 1 408 848 | `abb7...` |

`FIELDS` are the rows that must be there. If a sample has several parts, a row says
so by name: ``line: 1 × 32 × 32; colour: 3 × 32 × 32``.
"""

from pathlib import Path
from typing import NamedTuple

from gmlib.data.content import Content

FIELDS = {
    "kind": "what can take its place: images, law ...",
    "source": "who made it, and where it is described",
    "licence": "what may be done with it",
    "in code": "how a lecture asks for it",
    "shape": "of one sample: 1 × 28 × 28",
    "dtype": "of a sample: float32",
    "range": "of the numbers: `0 to 1`, or `reals`",
    "pairs": "the names of what `sample_pairs` gives: x, y (— if there are none)",
    "train": "how many points there are to train (or `drawn anew`)",
    "test": "how many there are to test",
}
NONE = "—"
DRAWN = "drawn anew"


class Card(NamedTuple):
    """A card as a test reads it: the rows of `FIELDS`, and the contents by name."""

    name: str
    fields: dict[str, str]
    contents: dict[str, Content]

    def parts(self, field: str) -> dict[str, str]:
        """Return a field by the parts of a sample; the only part is called ""."""
        parts = [part.strip() for part in self.fields[field].split(";")]
        pairs = [part.partition(":") for part in parts]
        return {k.strip() if c else "": (v if c else k).strip() for k, c, v in pairs}


def read_card(path: str | Path, name: str) -> Card:
    """Return what the card at `path` says of the data set `name`.

    Raises
    ------
    ValueError
        If the card is not there, has no column for the data set, or lacks a field.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{name} has no card {path.name}")
    fields, contents = {}, {}
    for head, rows in tables(path.read_text("utf8")):
        if head[0] == "field" and name in head:
            fields = {row[0]: row[head.index(name)] for row in rows}
        if head == ["content", "bytes", "SHA-256"]:
            contents = {file: Content(_int(size), sha) for file, size, sha in rows}
    if not fields:
        raise ValueError(f"{path.name} has no table | field | `{name}` |")
    lacking = [field for field in FIELDS if not fields.get(field)]
    if lacking:
        raise ValueError(f"{path.name} lacks, of {name}: {', '.join(lacking)}")
    return Card(name, fields, contents)


def tables(text: str) -> list[tuple[list[str], list[list[str]]]]:
    """Return the tables of a Markdown text, each as its head and its rows.

    >>> tables("| a | `b` |\\n|---|---|\\n| 1 | 2 |\\n")
    [(['a', 'b'], [['1', '2']])]
    """
    found, table = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            cells = line.strip().strip("|").split("|")
            table.append([cell.strip().strip("`") for cell in cells])
        elif table:
            found.append((table[0], table[2:]))  # between them is the rule
            table = []
    return found


def _int(text: str) -> int:
    return int("".join(text.split()))
