"""Pictures with captions of two words: sixteen things in eight colours."""

from typing import NamedTuple

import torch
from torch import Tensor

from gmlib import checks
from gmlib.data.aligned import Aligned
from gmlib.data.registry import SPLITS, declare
from gmlib.data.set_icons import Icon
from gmlib.data.sheets import smaller
from gmlib.data.vendors import CREDITS, drawn, listed

COLOURS = {
    "red": (0.86, 0.10, 0.12), "orange": (1.00, 0.55, 0.00),
    "yellow": (0.98, 0.84, 0.10), "green": (0.13, 0.62, 0.24),
    "blue": (0.12, 0.35, 0.88), "purple": (0.50, 0.18, 0.70),
    "pink": (1.00, 0.50, 0.75), "brown": (0.50, 0.30, 0.12),
}  # fmt: skip
THINGS = {
    "heart": "2764", "star": "2B50", "apple": "1F34E", "fish": "1F41F",
    "car": "1F697", "house": "1F3E0", "tree": "1F332", "key": "1F511",
    "bell": "1F514", "umbrella": "2602", "cat": "1F431", "mushroom": "1F344",
    "balloon": "1F388", "butterfly": "1F98B", "crown": "1F451", "airplane": "2708",
}  # fmt: skip
WORDS = (*COLOURS, *THINGS)  # a caption is two places in this list
WHITE = 0.97  # what is lighter than this is paper


class Captioned(NamedTuple):
    """Pictures `x` of shape (n, 3, size, size), and their `caption` (n, 2) in words.

    A caption is the numbers of a colour and of a thing in `WORDS`.
    """

    x: Tensor
    caption: Tensor


def words(caption: Tensor) -> list[str]:
    """Return captions (n, 2) as text.

    Raises
    ------
    ValueError
        If they are not of this shape, or a number is that of no word.

    >>> words(torch.tensor([[0, 8], [4, 11]]))
    ['red heart', 'blue fish']
    """
    rows = checks.tensor("caption", caption, (None, 2), None).tolist()
    if not all(0 <= word < len(WORDS) for row in rows for word in row):
        raise ValueError(f"a caption must be numbers from 0 to {len(WORDS) - 1}")
    return [" ".join(WORDS[int(word)] for word in row) for row in rows]


def held_out(colour: int, thing: int) -> bool:
    """Say whether a colour and a thing are together only in the part to test.

    24 of the 128 are: each colour with three things, each thing in one colour or two.
    """
    apart = (colour - thing) % len(COLOURS)
    return apart == 0 or (apart == 3 and thing < len(COLOURS))


def tinted(x: Tensor) -> Tensor:
    """Return pictures (n, 3, s, s) in [0, 1] in each colour: (n, 8, 3, s, s).

    The luminance of a picture, bent so that the median of its ink is a half, runs
    from black through the colour to white.
    """
    weights = torch.tensor([0.299, 0.587, 0.114], device=x.device).view(3, 1, 1)
    light = (x * weights).sum(1, keepdim=True).clamp(0, 1)
    ink = [one[one < WHITE].median().clamp(0.1, 0.9) for one in light]
    bend = torch.stack(ink).log() / torch.tensor(0.5, device=x.device).log()
    light = light ** (1 / bend).view(-1, 1, 1, 1)
    light = light[:, None]
    tint = torch.tensor(list(COLOURS.values()), device=x.device).view(-1, 3, 1, 1)
    dark, bright = 2 * light * tint, 1 - 2 * (1 - light) * (1 - tint)
    return torch.where(light < 0.5, dark, bright)


def captions(split: str = "train", size: int = 32) -> Aligned[Captioned]:
    """Icons of 16 things by four vendors in eight colours: 512 captioned pictures.

    To test are 24 of the 128 captions, 96 pictures, whose colour and thing occur in
    the others, but never together; to train the other 416. ``.names`` are the captions
    as text, see `words`; ``.y`` and ``.classes`` the things. A figure carries
    ``.credit``.

    Parameters
    ----------
    split : {"train", "test"}
    size : {32, 16, 8, 4, 2, 1}
        Pixels a side.

    Raises
    ------
    ValueError
        If split or size is another.

    >>> captions("test").names[0]
    'red heart'
    """
    checks.choice("split", split, SPLITS)
    rows = listed("icons")
    places = [rows.codes.index(code) for code in THINGS.values()]
    x = smaller(_four(places, len(rows.names)), size)  # (4, 16) rows, one a thing
    tints = (tinted(x.float() / 255) * 255).round().to(torch.uint8)
    tints = tints.unflatten(0, (len(Icon._fields), len(THINGS)))
    pairs = [(c, t) for t in range(len(THINGS)) for c in range(len(COLOURS))]
    mine = [(c, t) for c, t in pairs if held_out(c, t) == (split == "test")]
    parts = torch.cat([tints[:, t, c] for c, t in mine])
    both = torch.tensor([(c, len(COLOURS) + t) for c, t in mine], device="cpu")
    caption = both.repeat_interleave(len(Icon._fields), 0)
    return Aligned(
        "captions",
        Captioned(parts, caption),
        words(caption),
        caption[:, 1] - len(COLOURS),
        tuple(THINGS),
        "; ".join(CREDITS.values()),
    )


def _four(places: list[int], n: int) -> Tensor:
    """Return the icons with these numbers by all vendors, one vendor after another."""
    whole = smaller(drawn("openmoji/colour", n)[places], 32)
    others = [drawn(f"{vendor}/colour", n)[places] for vendor in Icon._fields[1:]]
    return torch.cat([whole, *others])


declare("captions", "pairs", captions)
