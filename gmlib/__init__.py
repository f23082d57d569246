"""gmlib: the shared module of an executable course on deep generative models.

Rooms, from the ground up: `runtime`, `checks`, `history`, `ema`, `fingerprint`,
`ranks`; `objectives`, `divergences`, `nets`, `data`, `checkpoint`; `game`,
`metrics`, `plot`, `sweep`, `architectures`; `lecture`. A room is a module, or a
package whose face (its `__init__`) holds all that a lecture needs. Import what you
use from its room, as in ``from gmlib.game import Player, fit``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("gmlib")
except PackageNotFoundError:  # a checkout on the path that was never installed
    __version__ = "0+checkout"
