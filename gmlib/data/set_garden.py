"""A small folder of coloured pictures: daisies, mushrooms and tulips."""

from gmlib import checks
from gmlib.data import shelf
from gmlib.data.empirical import Empirical
from gmlib.data.own_folder import own
from gmlib.data.registry import SPLITS, declare


def garden(split: str = "train") -> Empirical:
    """600 drawings of flowers and mushrooms, 32 × 32 pixels in colour, three classes.

    480 to train and 120 to test; they come with gmlib, as files in a folder:
    ``own(folder() / "garden")`` reads all of them. ``tools/draw_garden.py`` drew them.

    Raises
    ------
    ValueError
        If the split is neither ``train`` nor ``test``.

    >>> garden("test").classes
    ('daisy', 'mushroom', 'tulip')
    """
    checks.choice("split", split, SPLITS)
    return own(shelf.folder() / "garden", split=split)


declare("garden", "pictures", garden)
