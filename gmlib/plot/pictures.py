"""Pictures as arrays, and as text that a page can hold."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from gmlib import checks
from gmlib.plot.style import COLUMN, DPI, LEAST


def to_numpy(x: Tensor | ArrayLike) -> np.ndarray:
    """Return a tensor (from any device), an array, or a list of them as an array.

    Numpy has no bfloat16, which becomes float32.
    """
    if isinstance(x, list | tuple) and any(torch.is_tensor(part) for part in x):
        x = checks.array("a list of tensors", x, "cpu")
    if torch.is_tensor(x):
        x = x.detach().cpu()
        return (x.float() if x.dtype == torch.bfloat16 else x).numpy()
    return np.asarray(x)


def real(name: str, x: Tensor | ArrayLike) -> np.ndarray:
    """Return what is to be drawn as an array of real numbers, else raise TypeError."""
    found = to_numpy(x)
    if found.dtype.kind in "fiub":
        return found
    try:
        if found.dtype.kind == "O":
            return found.astype(float)
    except (TypeError, ValueError):
        pass
    raise TypeError(
        f"{name} must be real numbers, not {found.dtype}: draw a part of complex "
        "numbers, as x.real, and make anything else numbers first"
    )


def shades(
    name: str, x: Tensor | ArrayLike, low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    """Return pictures as shades from 0 (`low`, black) to 1 (`high`, white).

    Bytes (uint8) beyond 1 are shades over 255. What lies outside [low, high] by no
    more than a hundredth of it is clipped; beyond that, and for NaN, ValueError.
    """
    x = real(name, x)
    if not low < high:
        raise ValueError(f"low must be less than high, not {low} and {high}")
    if x.dtype == np.uint8 and (low, high) == (0, 1) and x.max() > 1:
        return x / 255
    x = x.astype(float)
    least, most, slack = x.min(), x.max(), (high - low) / 100
    if not (least >= low - slack and most <= high + slack):  # NaN fails too
        raise ValueError(
            f"{name} must have values from {low:g} (black) to {high:g} (white), not "
            f"from {least:.3g} to {most:.3g}: draw a tanh image t as (t + 1) / 2, "
            f"bytes as uint8, and clip on purpose with x.clip({low:g}, {high:g})"
        )
    return np.clip((x - low) / (high - low), 0, 1)


def tile(
    x: Tensor | ArrayLike,
    columns: int | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> np.ndarray:
    """Return images (n, 1 or 3, h, w) as one array (H, W) or (H, W, 3) in [0, 1].

    `low` is drawn black and `high` white; bytes (uint8) are divided by 255. Raises
    ValueError for other shapes, and for values outside [low, high] by more than a
    hundredth of it, rather than clip them unsaid.
    """
    x = to_numpy(x)
    if x.ndim != 4 or x.shape[1] not in (1, 3) or x.size == 0:
        last = x.ndim == 4 and x.shape[3] in (1, 3)
        turn = ": these look like (n, h, w, c): use x.permute(0, 3, 1, 2)"
        raise ValueError(
            f"images have shape (n, 1 or 3, h, w), not {x.shape}{turn if last else ''}"
        )
    x = shades("an image", x, low, high)
    n, c, h, w = x.shape
    columns = checks.count("columns", columns or int(np.ceil(np.sqrt(n))))
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
        _assert_legible(frame)
        return Image.open(buffer).convert("RGB")
    frame = to_numpy(frame)
    if frame.size == 0 or not (frame.ndim == 2 or frame.shape[2:] in ((3,), (4,))):
        raise ValueError(
            f"a frame is a figure or an array (h, w) or (h, w, 3), not {frame.shape}: "
            "plot.tile makes one of images (n, c, h, w)"
        )
    shade = shades("a frame", frame)
    return Image.fromarray((255 * shade).round().astype(np.uint8))


def _assert_legible(figure: Figure) -> None:
    """Raise ValueError for text of a drawn figure that is too small on the page."""
    pixels = min(DPI / 2, COLUMN / figure.get_figwidth()) / 72  # of a point
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
    high, words = min(
        ((float(t.get_fontsize()) * pixels, t.get_text()) for t in texts),
        default=(LEAST, ""),
    )
    if high < LEAST - 0.05:
        raise ValueError(
            f"the text {words!r} would be {high:.1f} px high on the page,"
            f" less than {LEAST:g}: give it fontsize {LEAST / pixels:.1f} or more, or"
            " make the figure narrower"
        )


def data_uri(
    frame: Figure | Tensor | ArrayLike, enlarge: int = 1, quality: int | None = None
) -> tuple[str, int, int]:
    """Return (data URI of a WebP picture, width, height) of a figure or an array.

    Lossless unless `quality` (0–100) is given; `enlarge` repeats pixels. Raises
    ValueError for what is neither a figure nor an array (h, w) or (h, w, 3), for
    values outside [0, 1], and for text that a reader of the page could not read;
    bytes (uint8) are divided by 255.
    """
    image, enlarge = _pixels(frame), checks.count("enlarge", enlarge)
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
