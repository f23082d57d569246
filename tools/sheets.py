"""What the tools that make pictures share: means of blocks, and sheets without loss."""

from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = 40  # of pictures in a sheet, as `gmlib.data.sheets` reads it


def needed(name: str, install: str):
    """Import a package, or end and say how to install it."""
    try:
        return import_module(name)
    except ImportError:
        raise SystemExit(f"{name} is not installed: pip install {install}") from None


def means(pictures: np.ndarray, k: int) -> np.ndarray:
    """Return the rounded means of k × k pixels of bytes (..., height, width, channels).

    In integers, halves up: the same on every machine.
    """
    *n, h, w, c = pictures.shape
    blocks = pictures.astype(np.int64).reshape(*n, h // k, k, w // k, k, c)
    return ((blocks.sum((-4, -2)) * 2 + k * k) // (2 * k * k)).astype(np.uint8)


def sheet(pictures: np.ndarray) -> np.ndarray:
    """Lay bytes (n, size, size, channels) in rows of `COLUMNS`; what is left is 0."""
    n, size, _, channels = pictures.shape
    rows = -(-n // COLUMNS)
    cells = np.zeros((rows * COLUMNS, size, size, channels), np.uint8)
    cells[:n] = pictures
    cells = cells.reshape(rows, COLUMNS, size, size, channels)
    return cells.swapaxes(1, 2).reshape(rows * size, COLUMNS * size, channels)


def save(pixels: np.ndarray, path: Path) -> None:
    """Write bytes (height, width, 1 or 3) as WebP without loss, and say its size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.convert("RGB").save(path, lossless=True, quality=80, method=4)
    print(f"{path.parent.name}/{path.name}: {path.stat().st_size:,} bytes")
