"""Figures: quiet axes, colours that everyone can tell apart, things to move.

`live` puts trained networks into the page: its inputs are `Plane`, `Sliders`, `Choice`,
`Noise` and `Pad`, its outputs `Picture`, `Bars`, `Number`, `Curve` and `Posterior`.
`live_gan` trains a GAN there.
"""

from gmlib.plot.figures import curves, image_grid, landscape, new, plane, scatter
from gmlib.plot.inpage.figure import live
from gmlib.plot.inpage.inputs import Choice, Noise, Pad, Plane, Sliders
from gmlib.plot.inpage.outputs import Bars, Curve, Number, Picture, Posterior
from gmlib.plot.inpage.training import live_gan
from gmlib.plot.movable import slider
from gmlib.plot.pictures import data_uri, tile, to_numpy
from gmlib.plot.sounds import Note, encoded, piano_roll, sound, synthesised
from gmlib.plot.style import COLOURS, DPI, STYLE

__all__ = [
    "COLOURS",
    "DPI",
    "STYLE",
    "Bars",
    "Choice",
    "Curve",
    "Noise",
    "Note",
    "Number",
    "Pad",
    "Picture",
    "Plane",
    "Posterior",
    "Sliders",
    "curves",
    "data_uri",
    "encoded",
    "image_grid",
    "landscape",
    "live",
    "live_gan",
    "new",
    "piano_roll",
    "plane",
    "scatter",
    "slider",
    "sound",
    "synthesised",
    "tile",
    "to_numpy",
]
