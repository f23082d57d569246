"""Something to move that works without a kernel."""

import html
import itertools
from collections.abc import Iterable

from IPython.display import display
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from gmlib.plot.pictures import data_uri

_slider_ids = itertools.count(1)


def slider(
    frames: Iterable[Figure | Tensor | ArrayLike],
    labels: Iterable[object],
    alt: str,
    title: str = "",
    width: int | None = None,
    enlarge: int = 1,
    quality: int | None = None,
) -> None:
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
    quality : int, optional
        Of the compression, 0 to 100; by default nothing is lost.

    Raises
    ------
    ValueError
        If there is no frame, not a label a frame, no text alternative, or an array
        has values outside [0, 1].
    """
    frames, labels = list(frames), [str(label) for label in labels]
    if not frames or len(frames) != len(labels):
        raise ValueError(
            f"as many labels as frames, at least one: {len(labels)} and {len(frames)}"
        )
    if not alt.strip():
        raise ValueError("say in alt what the pictures show")
    figures = isinstance(frames[0], Figure)
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
