"""What a lecture shows besides its claims: figures, tables, means with their spread."""

import html
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from gmlib import plot
from gmlib.lecture.page import plain, put, readable


def show(
    figure: Any,
    *,
    alt: str,
    caption: str | None = None,
    width: int | None = None,
    enlarge: int = 1,
    quality: int | None = None,
) -> None:
    """Display a figure, or an array in [0, 1], with its text alternative; close it.

    Parameters
    ----------
    figure : matplotlib Figure or array (h, w[, 3])
    alt : str
        What the figure shows, for those who cannot see it.
    caption : str, optional
    width : int, optional
        Widest display in CSS pixels.
    enlarge : int
        Pixels of an array are repeated so often.
    quality : int, optional
        0–100 for lossy compression (photograph-like figures); default lossless.

    Raises
    ------
    ValueError
        If `alt` says nothing.
    """
    if not alt.strip():
        raise ValueError("say in alt what the figure shows")
    is_array = not hasattr(figure, "savefig")
    uri, w, h = plot.data_uri(figure, enlarge, quality)
    width = width or (w if is_array else w // 2)
    under = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    # On a phone a wide figure scrolls in its box: shrunk, no one could read its axes.
    least = 0 if is_array or width <= 480 else 480
    body = (
        f'<figure class="gm-figure" style="margin:1em auto;max-width:{width}px">'
        '<div class="gm-scroll" style="overflow-x:auto">'
        f'<img src="{uri}" width="{w}" height="{h}" alt="{html.escape(alt)}" '
        f'style="width:100%;min-width:{least}px;height:auto"></div>{under}</figure>'
    )
    put(body, f"[figure: {alt}]")


def mean_std(values: Iterable[float]) -> str:
    """Return "mean ± standard deviation" of a few numbers, as a table shows it.

    Both have the decimals of the deviation's first digit, or of its second if the
    first is a 1. A single number has no deviation and is shown alone.
    """
    values = [float(v) for v in values]
    mean = statistics.fmean(values)
    if len(values) < 2:
        return readable(mean)
    std = statistics.stdev(values)
    if std == 0 or not math.isfinite(std):
        return f"{readable(mean)}\u00a0±\u00a0{readable(std)}"
    first = math.floor(math.log10(std))
    digits = max(0, (std < 2 * 10**first) - first)
    return f"{mean:.{digits}f}\u00a0±\u00a0{std:.{digits}f}".replace("-", "−")


def table(rows: Iterable[Sequence[Any]], header: Sequence[str], caption: str) -> None:
    """Display a table.

    Parameters
    ----------
    rows : list of lists
        Cells; floats are shown to four digits. The first cell names the row.
    header : list of str
    caption : str
        What the table holds, in a sentence.

    Raises
    ------
    ValueError
        If there are no rows, or one has not as many cells as the header.
    """
    cells = [[readable(plain(c)) for c in row] for row in rows]
    bad = [row for row in cells if len(row) != len(header)]
    if bad or not cells:
        raise ValueError(f"every row needs {len(header)} cells, unlike {bad or 'none'}")
    head = "".join(
        f'<th scope="col">{html.escape(h)}</th>' if h else "<td></td>" for h in header
    )
    body = "".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(c)}</td>" for c in row[1:])
        + "</tr>"
        for row in cells
    )
    page = (
        '<div class="gm-table" style="overflow-x:auto"><table>'
        f"<caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    widths = [max(len(r[i]) for r in [header, *cells]) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
        for r in [header, *cells]
    ]
    put(page, "\n".join([caption, *lines]))
