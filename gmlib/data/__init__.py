"""Data as distributions: everything here has ``.sample((n,))``, on the device.

Images are float32 in [0, 1] of shape (n, 1, 28, 28). Environment variables:

``GMLIB_DATA``     a torchvision root (it holds ``MNIST/raw/*``, packed or not)
                   or a folder such as Debian's ``/usr/share/datasets``; only read
``GMLIB_CACHE``    where downloads are kept; else the user's cache folder
``GMLIB_MIRRORS``  addresses of torchvision roots, separated by spaces, asked
                   instead of the public ones; empty: the network is not asked

Your own data: `own` reads a folder of pictures, `from_torchvision` a data set of
torchvision's, `table` columns of numbers.

A new data set of the course is one file here, ``set_NAME.py``, which declares itself
(see `registry`), one card, ``data/NAME.md`` (see `cards`), and one import below.
``tests/test_data_contract.py`` holds the two together.
"""

from gmlib.data.aligned import Aligned
from gmlib.data.barred import Phrase
from gmlib.data.cards import Card
from gmlib.data.content import Content
from gmlib.data.empirical import Empirical, Labelled, binarize, to_tanh
from gmlib.data.fetch import Unavailable
from gmlib.data.laws import (
    GaussianMixture,
    Joint,
    LinearGaussian,
    SwissRoll,
    four_points,
    grid,
    ring,
    swiss_roll,
)
from gmlib.data.on_request import larger
from gmlib.data.own_folder import own
from gmlib.data.own_items import from_torchvision
from gmlib.data.own_table import Table, table
from gmlib.data.pictures import images
from gmlib.data.registry import Law, card, load
from gmlib.data.set_captions import Captioned, captions, words
from gmlib.data.set_chorales import Chorales, chorales
from gmlib.data.set_chorales import counted as chorale_counts
from gmlib.data.set_digits import digits
from gmlib.data.set_drawings import Drawing, drawings
from gmlib.data.set_earth import Place, earth
from gmlib.data.set_fashion_mnist import fashion_mnist
from gmlib.data.set_garden import garden
from gmlib.data.set_icons import Icon, icons
from gmlib.data.set_jets import Jets, Particles, Truth, jet_particles, jets
from gmlib.data.set_melodies import Melodies, melodies
from gmlib.data.set_mnist import mnist
from gmlib.data.set_moving_digits import (
    Film,
    FilmWithMoves,
    MovingDigits,
    moving_digits,
)
from gmlib.data.set_photographs import photograph, photographs
from gmlib.data.set_shapes import Drawn, Shapes, shapes
from gmlib.data.set_stacked import Stacked, WithMode, stacked
from gmlib.data.set_tones import Toned, Tones, tones
from gmlib.data.shelf import folder, note, used
from gmlib.data.steps import (
    Bars,
    StepLaw,
    Tune,
    count_steps,
    in_chord,
    smoothed,
    sounding,
    tokens,
)
from gmlib.data.tables import Figure, published, read_rows, results, typed

__all__ = [
    "Aligned",
    "Bars",
    "Captioned",
    "Card",
    "Chorales",
    "Content",
    "Drawing",
    "Drawn",
    "Empirical",
    "Figure",
    "Film",
    "FilmWithMoves",
    "GaussianMixture",
    "Icon",
    "Jets",
    "Joint",
    "Labelled",
    "Law",
    "LinearGaussian",
    "Melodies",
    "MovingDigits",
    "Particles",
    "Phrase",
    "Place",
    "Shapes",
    "Stacked",
    "StepLaw",
    "SwissRoll",
    "Table",
    "Toned",
    "Tones",
    "Truth",
    "Tune",
    "Unavailable",
    "WithMode",
    "binarize",
    "captions",
    "card",
    "chorale_counts",
    "chorales",
    "count_steps",
    "digits",
    "drawings",
    "earth",
    "fashion_mnist",
    "folder",
    "four_points",
    "from_torchvision",
    "garden",
    "grid",
    "icons",
    "images",
    "in_chord",
    "jet_particles",
    "jets",
    "larger",
    "load",
    "melodies",
    "mnist",
    "moving_digits",
    "note",
    "own",
    "photograph",
    "photographs",
    "published",
    "read_rows",
    "results",
    "ring",
    "shapes",
    "smoothed",
    "sounding",
    "stacked",
    "swiss_roll",
    "table",
    "to_tanh",
    "tokens",
    "tones",
    "typed",
    "used",
    "words",
]
