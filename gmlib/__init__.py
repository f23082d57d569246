"""gmlib: the shared module of an executable course on deep generative models.

Rooms, from the ground up: `runtime`, `history`, `ema`, `fingerprint`;
`objectives`, `divergences`, `nets`, `data`, `checkpoint`; `game`, `metrics`,
`plot`, `sweep`, `architectures`; `lecture`. Import what you use from its room, as in
``from gmlib.game import Player, fit``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("gmlib")
except PackageNotFoundError:  # a checkout on the path that was never installed
    __version__ = "0+checkout"
