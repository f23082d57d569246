"""Pictures as arrays, and as text that a page can hold."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from gmlib.plot.style import DPI


def to_numpy(x: Tensor | ArrayLike) -> np.ndarray:
    """Return a tensor (from any device) or array as a numpy array."""
    if torch.is_tensor(x):
        return x.detach().cpu().numpy()
    return np.asarray(x)


def tile(
    x: Tensor | ArrayLike,
    columns: int | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> np.ndarray:
    """Return images (n, c, h, w) as one array (H, W) or (H, W, 3) in [0, 1]."""
    x = np.clip((to_numpy(x) - low) / (high - low), 0, 1)
    n, c, h, w = x.shape
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    pad = 1
    sheet = np.ones((c, rows * (h + pad) - pad, columns * (w + pad) - pad))
    for i, image in enumerate(x):
        r, k = divmod(i, columns)
        top, left = r * (h + pad), k * (w + pad)
        sheet[:, top : top + h, left : left + w] = image
    return sheet[0] if c == 1 else sheet.transpose(1, 2, 0)


def _pixels(frame: Figure | Tensor | ArrayLike) -> Image.Image:
    """Turn a figure or an array in [0, 1] into a PIL image; figures are closed."""
    if isinstance(frame, Figure):
        buffer = io.BytesIO()
        frame.savefig(buffer, format="png", dpi=DPI)
        plt.close(frame)
        return Image.open(buffer).convert("RGB")
    frame = to_numpy(frame)
    if frame.ndim not in (2, 3):
        raise ValueError(f"a frame is a figure or an array (h, w[, 3]): {frame.shape}")
    return Image.fromarray((255 * np.clip(frame, 0, 1)).round().astype(np.uint8))


def data_uri(
    frame: Figure | Tensor | ArrayLike, enlarge: int = 1, quality: int | None = None
) -> tuple[str, int, int]:
    """Return (data URI of a WebP picture, width, height) of a figure or an array.

    Lossless unless `quality` (0–100) is given; `enlarge` repeats pixels. Raises
    ValueError for what is neither a figure nor an array (h, w) or (h, w, 3).
    """
    image = _pixels(frame)
    if enlarge > 1:
        w, h = image.size
        image = image.resize((enlarge * w, enlarge * h), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    if quality is None:
        image.save(buffer, "webp", method=6, lossless=True)
    else:
        image.save(buffer, "webp", method=6, quality=quality)
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/webp;base64,{text}", *image.size
