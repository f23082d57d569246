"""Line art and colour of the same drawing: pairs that lie on each other."""

from typing import NamedTuple

from torch import Tensor

from gmlib import checks
from gmlib.data.aligned import Aligned
from gmlib.data.registry import SPLITS, declare
from gmlib.data.sheets import smaller
from gmlib.data.vendors import CREDITS, GROUPS, drawn, listed


class Drawing(NamedTuple):
    """A `line` drawing (n, 1, size, size) and the same in `colour` (n, 3, ...)."""

    line: Tensor
    colour: Tensor


def drawings(split: str = "train", size: int = 64) -> Aligned[Drawing]:
    """OpenMoji's line art and its coloured drawings, 1571 pairs in register.

    1394 to train and 177 to test; they come with gmlib. ``.names`` says what each
    shows, ``.y`` and ``.classes`` its group. They are CC BY-SA 4.0: a figure that
    shows them carries ``.credit``.

    Parameters
    ----------
    split : {"train", "test"}
        Drawings of one thing, as of a man and a woman with one profession, are in
        one part.
    size : {64, 32, 16, 8, 4, 2, 1}
        Pixels a side; a smaller picture has the means of blocks.

    Raises
    ------
    ValueError
        If split or size is another.

    >>> drawings("test", 32)
    Aligned(drawings: 177 of line (1, 32, 32), colour (3, 32, 32))
    """
    checks.choice("split", split, SPLITS)
    rows = listed("icons")
    i, n = rows.of(split), len(rows.names)
    line = smaller(drawn("openmoji/line", n, 1)[i], size)
    colour = smaller(drawn("openmoji/colour", n)[i], size)
    names = [rows.names[k] for k in i.tolist()]
    return Aligned(
        "drawings",
        Drawing(line, colour),
        names,
        rows.groups[i],
        GROUPS,
        CREDITS["openmoji"],
    )


declare("drawings", "pairs", drawings)
