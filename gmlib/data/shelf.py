"""What comes with gmlib, and a list of what this process has read."""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
INSIDE = PACKAGE / "_data"  # in the wheel; in a checkout it is beside gmlib
PLACE = INSIDE if INSIDE.is_dir() else PACKAGE.parent / "data"

_used: dict[str, str] = {}  # name: SHA-256


def folder() -> Path:
    """Return the folder of the data cards, published figures and judges."""
    return PLACE


def used() -> dict[str, str]:
    """Return ``{name: SHA-256}`` of the data that this process has read from files.

    Archives by their unpacked content, the `digits` by pixels and labels, what comes
    with gmlib by its path in `folder`. `tools/execute.py` stamps a chapter with it.
    """
    return dict(_used)


def remember(name: str, content: bytes) -> None:
    """Remember under `name` that this content was read, for `used`."""
    _used[name] = hashlib.sha256(content).hexdigest()


def note(path: str | Path) -> None:
    """Remember that a file in `folder` was read, for `used`."""
    path = Path(path)
    remember(path.relative_to(folder()).as_posix(), path.read_bytes())
