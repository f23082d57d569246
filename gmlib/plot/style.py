"""The look of the course: quiet axes, colours that everyone can tell apart."""

from typing import Any

import matplotlib.pyplot as plt

# Okabe and Ito's palette, safe for the common colour-vision deficiencies.
COLOURS: dict[str, str] = {
    "data": "#0072B2",
    "model": "#D55E00",
    "third": "#009E73",
    "fourth": "#CC79A7",
    "fifth": "#E69F00",
    "sixth": "#56B4E9",
    "grey": "#6B6B6B",
}
DPI: int = 162  # twice the pixels of a page, 81 an inch: 8 pt are 9 px
COLUMN: int = 688  # the widest a figure is shown, in pixels of a page
LEAST: float = 9.0  # pixels of a page: no text is smaller
STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": plt.cycler(color=list(COLOURS.values())),
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "image.cmap": "gray",
    "font.size": 11,
}
