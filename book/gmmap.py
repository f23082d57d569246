"""The map of lectures: boxes in rows, each below what it needs, and lines between them.

Boxes are links of the page, so that their words wrap, are read aloud and are reached
from the keyboard like all others; only the lines are SVG, stretched to the width of the
page. Widths and places across are in per cent of it. All lines that leave a lecture
share one trunk, which passes each further row in a gap of its own.
"""

from dataclasses import dataclass
from html import escape
from itertools import pairwise

ROW, BOX = 124, 84  # px from row to row, and of them a box is high


@dataclass(frozen=True)
class Shape:
    """How many boxes stand side by side, and how wide boxes and trunks are."""

    name: str
    across: int
    box: float
    trunk: float = 2.5


SHAPES = Shape("wide", 4, 21.5), Shape("narrow", 2, 42.5)


def levels(needs, across):
    """Return {name: row}: the first below all that it needs where there is still room.

    `needs` names each lecture after those that it needs.
    """
    rows, filled = {}, {}
    for name, wanted in needs.items():
        row = max((rows[need] + 1 for need in wanted), default=0)
        while filled.get(row, 0) >= across:
            row += 1
        rows[name] = row
        filled[row] = filled.get(row, 0) + 1
    return rows


def wires(needs, rows):
    """Return the pieces of all lines, each from one row to the next.

    An end is a name, or (name, row) where that lecture's trunk passes a row.
    """
    pieces = []
    for name, wanted in needs.items():
        for need in wanted:
            stops = [(need, row) for row in range(rows[need] + 1, rows[name])]
            ends = [need, *stops, name]
            pieces += pairwise(ends)
    return list(dict.fromkeys(pieces))


def ordered(rows, pieces, sweeps=6):
    """Return the rows as lists, each ordered by where its neighbours stand."""
    ends = dict.fromkeys([*rows, *(end for piece in pieces for end in piece)])
    table = [[] for _ in range(max(rows.values(), default=-1) + 1)]
    for end in ends:
        table[end[1] if isinstance(end, tuple) else rows[end]].append(end)
    up = {end: [a for a, b in pieces if b == end] for end in ends}
    down = {end: [b for a, b in pieces if a == end] for end in ends}
    for sweep in range(sweeps):
        there, side = (table, up) if sweep % 2 == 0 else (table[::-1], down)
        place = {}
        for row in there:
            middle = {
                end: sum(place[n] for n in side[end]) / len(side[end])
                if side[end]
                else (i + 0.5) / len(row)
                for i, end in enumerate(row)
            }
            row.sort(key=middle.get)
            place |= {end: (i + 0.5) / len(row) for i, end in enumerate(row)}
    return table


def widths(row, shape):
    """Return {end: its width} in a row; many trunks share what the boxes leave."""
    trunks = [end for end in row if isinstance(end, tuple)]
    left = 100 - shape.box * (len(row) - len(trunks))
    trunk = min(shape.trunk, left / max(len(trunks), 1))
    return {end: trunk if isinstance(end, tuple) else shape.box for end in row}


def settled(row, wish, shape):
    """Return the middles of a row's ends: near their wishes, apart, on the page."""
    width = widths(row, shape)
    free = 100 - sum(width.values())
    gap = min(3, free / max(len(row) - 1, 1))
    found, edge = [], 0
    for end in row:
        middle = max(wish[end], edge + width[end] / 2)
        found.append(middle)
        edge = middle + width[end] / 2 + gap
    edge = 100
    for i, end in reversed(list(enumerate(row))):
        found[i] = min(found[i], edge - width[end] / 2)
        edge = found[i] - width[end] / 2 - gap
    return dict(zip(row, found, strict=True))


def places(table, pieces, shape, passes=40):
    """Return {end: its middle}, every end near the mean of its neighbours."""
    found = {}
    for row in table:
        width = widths(row, shape)
        edge = 50 - sum(width[end] + 3 for end in row) / 2
        for end in row:
            found[end] = edge + (width[end] + 3) / 2
            edge += width[end] + 3
        found |= settled(row, found, shape)
    near = {end: [] for end in found}
    for a, b in pieces:
        near[a].append(b)
        near[b].append(a)
    for _ in range(passes):
        for row in table:
            wish = {
                end: sum(found[n] for n in near[end]) / len(near[end])
                if near[end]
                else found[end]
                for end in row
            }
            found |= settled(row, wish, shape)
    return found


def lines(table, pieces, found):
    """Return the SVG paths of the lines."""
    row_of = {end: i for i, row in enumerate(table) for end in row}
    drawn = []
    for a, b in pieces:
        x, y = found[a], row_of[a] * ROW + BOX
        to, end = found[b], row_of[b] * ROW
        middle = (y + end) / 2
        path = f"M{x:.2f},{y} C{x:.2f},{middle:g} {to:.2f},{middle:g} {to:.2f},{end}"
        if isinstance(b, tuple):
            path += f" V{end + BOX}"
        drawn.append(f'<path d="{path}"/>')
    return "".join(drawn)


def box(name, lecture, needs, href, style):
    """Return a lecture's box, a link; what it needs is said in words."""
    first = lecture.title.split(":")[0]
    minutes = f'<span class="gm-min">{lecture.reading} min</span>'
    needed = ", ".join(needs.values())
    words = f"Needs: {needed}." if needs else "Needs no other lecture."
    return (
        f'<li style="{style}"><a href="{href}" data-lecture="{name}"'
        f' data-needs="{" ".join(needs)}">{escape(first)}'
        f"{minutes if lecture.reading else ''}</a>"
        f'<span class="gm-unseen">{escape(words)}</span></li>'
    )


def drawing(lectures, reduced, closures, href, shape):
    """Return one drawing of the map as HTML.

    `reduced` are the needs that are drawn, `closures` all of them; `href` is a function
    of a lecture's name.
    """
    rows = levels(reduced, shape.across)
    pieces = wires(reduced, rows)
    table = ordered(rows, pieces)
    found = places(table, pieces, shape)
    height = (len(table) - 1) * ROW + BOX
    boxes = []
    for name, lecture in lectures.items():
        left = found[name] - shape.box / 2
        style = f"left:{left:.2f}%;top:{rows[name] * ROW}px;"
        style += f"width:{shape.box}%;height:{BOX}px"
        needs = {n: lectures[n].title for n in lectures if n in closures[name]}
        boxes.append(box(name, lecture, needs, href(name), style))
    return (
        f'<div class="gm-map gm-{shape.name}" style="height:{height}px">'
        f'<svg viewBox="0 0 100 {height}" preserveAspectRatio="none"'
        f' aria-hidden="true" focusable="false">{lines(table, pieces, found)}</svg>'
        f"<ol>{''.join(boxes)}</ol></div>"
    )
