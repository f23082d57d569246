"""Icons of four vendors: the same things, drawn by four hands."""

from typing import NamedTuple

from torch import Tensor

from gmlib import checks
from gmlib.data.aligned import Aligned
from gmlib.data.registry import SPLITS, declare
from gmlib.data.sheets import smaller
from gmlib.data.vendors import CREDITS, GROUPS, drawn, listed


class Icon(NamedTuple):
    """One thing as four vendors draw it, each of shape (n, 3, size, size)."""

    openmoji: Tensor
    twemoji: Tensor
    noto: Tensor
    fluent: Tensor


def icons(split: str = "train", size: int = 32) -> Aligned[Icon]:
    """Icons of OpenMoji, Twemoji, Noto and Fluent, aligned by code point.

    1394 to train and 177 to test, of each vendor; they come with gmlib. ``.names``
    says what each shows, ``.y`` and ``.classes`` its group. ``.part("noto")`` is one
    vendor, ``.part("openmoji", "noto")`` a law of both. A figure carries ``.credit``;
    OpenMoji's are CC BY-SA 4.0.

    Parameters
    ----------
    split : {"train", "test"}
        The same rows as of `drawings`.
    size : {32, 16, 8, 4, 2, 1}
        Pixels a side; a smaller picture has the means of blocks.

    Raises
    ------
    ValueError
        If split or size is another.

    >>> len(icons("test", 16).part("twemoji", "noto"))
    354
    """
    checks.choice("split", split, SPLITS)
    rows = listed("icons")
    i, n = rows.of(split), len(rows.names)
    whole = smaller(drawn("openmoji/colour", n)[i], 32)
    others = [drawn(f"{vendor}/colour", n)[i] for vendor in Icon._fields[1:]]
    parts = Icon(*(smaller(x, size) for x in [whole, *others]))
    names = [rows.names[k] for k in i.tolist()]
    credit = "; ".join(CREDITS.values())
    return Aligned("icons", parts, names, rows.groups[i], GROUPS, credit)


declare("icons", "pairs", icons)
