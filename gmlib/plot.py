"""Figures: quiet axes, colours that everyone can tell apart, things to move."""

import base64
import html
import io
import itertools

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from PIL import Image

# Okabe and Ito's palette, safe for the common colour-vision deficiencies.
COLOURS = {
    "data": "#0072B2",
    "model": "#D55E00",
    "third": "#009E73",
    "fourth": "#CC79A7",
    "fifth": "#E69F00",
    "sixth": "#56B4E9",
    "grey": "#6B6B6B",
}
DPI = 144
STYLE = {
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
_slider_ids = itertools.count(1)


def to_numpy(x):
    """Return a tensor (from any device) or array as a numpy array."""
    if torch.is_tensor(x):
        return x.detach().cpu().numpy()
    return np.asarray(x)


def new(width=7.0, height=3.2, rows=1, columns=1, **kwargs):
    """Return (figure, axes) in the course's style; sizes in inches.

    `kwargs` go to `plt.subplots`.
    """
    plt.rcParams.update(STYLE)
    return plt.subplots(rows, columns, figsize=(width, height), **kwargs)


def _axes(ax):
    return new()[1] if ax is None else ax


def image_grid(x, columns=None, ax=None, low=0.0, high=1.0, title=None):
    """Draw images as one grid.

    Parameters
    ----------
    x : Tensor, shape (n, 1, h, w) or (n, 3, h, w)
    columns : int, optional
        Default: about √n.
    low, high : float
        The values drawn black and white (−1 and 1 for tanh images).
    """
    x = to_numpy(x)
    if x.ndim != 4 or x.shape[1] not in (1, 3) or len(x) == 0:
        raise ValueError(f"images have shape (n, 1 or 3, h, w), not {x.shape}")
    ax = _axes(ax)
    ax.imshow(tile(x, columns, low, high), cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return ax


def tile(x, columns=None, low=0.0, high=1.0):
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


def curves(history, names=None, ax=None, window=50):
    """Draw running means of a history's curves over rounds."""
    ax = _axes(ax)
    for name in names or history.names:
        ax.plot(history.rounds, history.smooth(name, window), label=name)
    ax.set_xlabel("round")
    ax.legend()
    return ax


def scatter(x, ax=None, label=None, colour="model", size=4.0, alpha=0.5, lim=None):
    """Draw points of shape (n, 2); `colour` is a name of `COLOURS` or any colour."""
    x = to_numpy(x)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"points have shape (n, 2), not {x.shape}")
    ax = _axes(ax)
    colour = COLOURS.get(colour, colour)
    ax.scatter(x[:, 0], x[:, 1], s=size, alpha=alpha, color=colour, label=label, lw=0)
    ax.set_aspect("equal")
    if lim is not None:
        ax.set(xlim=(-lim, lim), ylim=(-lim, lim))
    return ax


def plane(lim, n=81, device=None):
    """Return the n × n grid of points over [−lim, lim]² as a tensor (n², 2)."""
    line = torch.linspace(-lim, lim, n, device=device)
    return torch.cartesian_prod(line, line)


def landscape(values, lim, ax=None, levels=15, cmap="PuOr", **kwargs):
    """Draw values (n²,) of a function on `plane(lim, n)` as filled contours.

    Returns the contour set, for a colour bar.
    """
    values = to_numpy(values).reshape(-1)
    n = round(np.sqrt(len(values)))
    if n * n != len(values):
        raise ValueError(f"{len(values)} values are no square grid")
    ax = _axes(ax)
    line = np.linspace(-lim, lim, n)
    filled = ax.contourf(
        line, line, values.reshape(n, n).T, levels, cmap=cmap, **kwargs
    )
    ax.set_aspect("equal")
    ax.grid(False)
    return filled


# ------------------------------------------------------- pictures for a page


def _pixels(frame):
    """Turn a figure or an array in [0, 1] into a PIL image; figures are closed."""
    if isinstance(frame, plt.Figure):
        buffer = io.BytesIO()
        frame.savefig(buffer, format="png", dpi=DPI)
        plt.close(frame)
        return Image.open(buffer).convert("RGB")
    frame = to_numpy(frame)
    if frame.ndim not in (2, 3):
        raise ValueError(f"a frame is a figure or an array (h, w[, 3]): {frame.shape}")
    return Image.fromarray((255 * np.clip(frame, 0, 1)).round().astype(np.uint8))


def data_uri(frame, enlarge=1, quality=None):
    """Return (data URI of a WebP picture, width, height) of a figure or an array.

    Lossless unless `quality` (0–100) is given; `enlarge` repeats pixels.
    """
    image = _pixels(frame)
    if enlarge > 1:
        image = image.resize(
            [enlarge * s for s in image.size], Image.Resampling.NEAREST
        )
    buffer = io.BytesIO()
    how = {"lossless": True} if quality is None else {"quality": quality}
    image.save(buffer, "webp", method=6, **how)
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/webp;base64,{text}", *image.size


def slider(frames, labels, alt, title="", width=None, enlarge=1, quality=None):
    """Display pictures with a slider that works without a kernel.

    Parameters
    ----------
    frames : list of Figure or array in [0, 1], (h, w) or (h, w, 3)
    labels : list of str
        What the slider reads at each frame.
    alt : str
        What the pictures show, for those who cannot see them.
    title : str
        Name of the slider.
    width : int, optional
        Widest display in CSS pixels; by default half the pixels of a figure.
    enlarge : int
        Pixels of an array are repeated so often.
    """
    frames, labels = list(frames), [str(label) for label in labels]
    if not frames or len(frames) != len(labels):
        raise ValueError(
            f"as many labels as frames, at least one: {len(labels)} and {len(frames)}"
        )
    if not alt.strip():
        raise ValueError("say in alt what the pictures show")
    figures = isinstance(frames[0], plt.Figure)
    pictures = [data_uri(f, enlarge, quality) for f in frames]
    w = pictures[0][1]
    width = width or (w // 2 if figures else w)
    key = f"gm-slider-{next(_slider_ids)}"
    images = "".join(
        f'<img src="{uri}" width="{w}" height="{h}" '
        f'alt="{html.escape(f"{alt} ({label})")}" '
        f'style="width:100%;height:auto;display:{"block" if i == 0 else "none"}">'
        for i, ((uri, w, h), label) in enumerate(zip(pictures, labels, strict=True))
    )
    names = html.escape("|".join(labels))
    move = (
        "const b=this.closest('.gm-slider'),n=+this.value,"
        "t=this.dataset.labels.split('|')[n];"
        "b.querySelectorAll('img').forEach((m,i)=>"
        "{m.style.display=i==n?'block':'none'});"
        "b.querySelector('output').textContent=t;"
        "this.setAttribute('aria-valuetext',t)"
    )
    body = (
        f'<figure class="gm-slider" style="margin:1em auto;max-width:{width}px">'
        f"{images}"
        '<figcaption style="display:flex;gap:.75em;align-items:center;flex-wrap:wrap">'
        f'<label for="{key}">{html.escape(title or "Move")}</label>'
        f'<input id="{key}" type="range" min="0" max="{len(frames) - 1}" value="0" '
        f'data-labels="{names}" aria-valuetext="{html.escape(labels[0])}" '
        f'oninput="{html.escape(move)}" style="flex:1 1 10em;min-width:8em">'
        f'<output for="{key}" style="min-width:6em">{html.escape(labels[0])}</output>'
        "</figcaption></figure>"
    )
    text = f"[{title or 'slider'}: {alt}]"
    display({"text/html": body, "text/plain": text}, raw=True)


__all__ = [
    "COLOURS",
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
