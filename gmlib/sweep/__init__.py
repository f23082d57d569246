"""Sweeps: one function, many cells of parameters, one table that survives.

The table is a CSV file with a row a cell: its parameters, its results, and

``status``, ``error``   ``ok``, or ``failed`` and why, in one line
``seconds``, ``peak_mb``  wall time; memory peak of the worker's process so far,
empty where Python has no module `resource` (Windows)
``date``                UTC
``scale``, ``device``, ``threads``, ``gmlib``, ``torch``  where it was made
``code``, ``cell``      fingerprints of the function and of the parameters

Every row is written at once: the whole file anew beside the old one, which it
then replaces. So a reader or a kill at any moment finds a whole table, and
columns may join later. A lock on the file keeps two sweeps from losing rows,
where there is `fcntl` (Linux, macOS); elsewhere run one sweep at a time.
"""

from gmlib.sweep.cells import crossed
from gmlib.sweep.pools import BACKENDS
from gmlib.sweep.running import sweep
from gmlib.sweep.table import FACTS

__all__ = ["BACKENDS", "FACTS", "crossed", "sweep"]
