"""Figures: quiet axes, colours that everyone can tell apart, things to move."""

from gmlib.plot.figures import curves, image_grid, landscape, new, plane, scatter
from gmlib.plot.movable import slider
from gmlib.plot.pictures import data_uri, tile, to_numpy
from gmlib.plot.style import COLOURS, DPI, STYLE

__all__ = [
    "COLOURS",
    "DPI",
    "STYLE",
    "curves",
    "data_uri",
    "image_grid",
    "landscape",
    "new",
    "plane",
    "scatter",
    "slider",
    "tile",
    "to_numpy",
]
