"""The course as a whole: what each lecture needs, how long it takes, in which order.

All is read from the lectures themselves, once. What a lecture needs is what its opening
says that one needs: the paragraph that begins with **You need** or **Needed** links to
lectures, or to theorems and equations of lectures. Its minutes are those of the stored
run and those that the opening promises for a first reading.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import nbformat
from myst import paragraphs
from notebooks import ROOT, lectures

NEEDED = re.compile(r"\*\*(?:you need|needed)\b", re.I)
LINK = re.compile(r"\{(doc|prf:ref|eq|ref|numref)\}`(?:[^`<]*<)?([^`<>]+)>?`")
QUESTION = re.compile(r"\*\*The question\.\*\*\s*(.*)", re.S)
READING = re.compile(r"first reading[^.\d]*?(?:(\d+) minutes|\b(an hour)\b)", re.I)
LABEL = re.compile(r"^:(?:label|name): +(\S+)|^\(([^()\s]+)\)=", re.M)
IMAGE = re.compile(r'<img[^>]*?src="data:image/[\w+]+;base64,([^"]+)"[^>]*>')
ALT = re.compile(r'<img[^>]*?\balt="([^"]+)"')
PICTURES = re.compile(r"\bplot\.(?:tile|image_grid)\(")
HOUR = 60  # minutes of a first reading whose opening promises none


class Inconsistent(ValueError):
    """The lectures contradict each other or their order."""


@dataclass(frozen=True)
class Lecture:
    """One lecture, as the front page sees it."""

    name: str
    title: str
    question: str
    needs: tuple[str, ...]
    reading: int | None  # minutes that the opening promises
    running: float | None  # minutes of the stored run
    scale: str | None  # and its scale
    picture: tuple[str, str] | None  # (base64, text alternative)

    @property
    def minutes(self):
        """How long to plan for a first reading."""
        return self.reading or HOUR


@lru_cache(maxsize=64)
def _read(path, changed):
    """Read a notebook; it is read again when it has changed."""
    return nbformat.read(path, as_version=4)


def notebook(path):
    """Return a notebook that nobody is going to change."""
    return _read(path, path.stat().st_mtime_ns)


def prose(nb):
    """Return the text of a notebook without its code."""
    return "\n\n".join(c.source for c in nb.cells if c.cell_type == "markdown")


def opening_paragraphs(nb):
    """Return the paragraphs of a notebook's first cell."""
    return ["\n".join(run) for run in paragraphs(nb.cells[0].source.split("\n"))]


def links_of_need(nb):
    """Return the links of the paragraph on what is needed, None if there is none."""
    for text in opening_paragraphs(nb):
        if found := NEEDED.search(text):
            return LINK.findall(text[found.start() :])
    return None


def question(nb):
    """Return the last question of the paragraph that asks; "" if nothing is asked."""
    for text in opening_paragraphs(nb):
        if found := QUESTION.search(text):
            sentences = re.split(r"(?<=[.?!])\s+", found[1].strip())
            asked = [s for s in sentences if s.endswith("?")]
            return " ".join((asked or [""])[-1].split())
    return ""


def reading(nb):
    """Return the minutes that the opening promises for a first reading, or None."""
    found = READING.search(" ".join(nb.cells[0].source.split()))
    return None if not found else int(found[1]) if found[1] else HOUR


def figures(nb):
    """Yield (source, HTML) of the outputs that show a figure, in their order."""
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if 'class="gm-' in html and IMAGE.search(html):
                yield cell.source, html


def picture(nb):
    """Return (base64, text alternative) of the figure that stands for a lecture.

    The first that shows pictures and no axes, else the first of all. Where it moves, as
    it looks in the end: what a training has come to. None where nothing is stored.
    """
    found = list(figures(nb))
    chosen = [html for source, html in found if PICTURES.search(source)]
    chosen = chosen or [html for _, html in found]
    if not chosen or not (alt := ALT.search(chosen[0])):
        return None
    return IMAGE.findall(chosen[0])[-1], alt[1]


def live(nb):
    """Return the HTML of the first figure of a lecture that is alive, or None."""
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if re.search(r'class="[^"]*\bgm-live\b', html):
                return html
    return None


def _needs(links, homes, name, order):
    """Turn links into names of lectures, each once, in the order of the course."""
    needs = set()
    for role, target in links:
        home = Path(target).name if role == "doc" else homes.get(target)
        if home in order and home != name:
            needs.add(home)
    late = [n for n in needs if order.index(n) > order.index(name)]
    if late:
        raise Inconsistent(f"{name} needs {late[0]}, which _toc.yml puts behind it")
    return tuple(sorted(needs, key=order.index))


def course(root=ROOT):
    """Return {name: Lecture} in the order of _toc.yml, which is checked against needs.

    Where an opening does not say what is needed, the lecture before is.
    """
    notebooks = {path.stem: notebook(path) for path in lectures(root)}
    order = list(notebooks)
    homes = {
        label: name
        for name, nb in notebooks.items()
        for pair in LABEL.findall(prose(nb))
        for label in filter(None, pair)
    }
    found = {}
    for i, (name, nb) in enumerate(notebooks.items()):
        links = links_of_need(nb)
        before = tuple(order[max(i - 1, 0) : i])
        stamp = nb.metadata.get("gmlib", {})
        found[name] = Lecture(
            name,
            nb.cells[0].source.splitlines()[0].lstrip("# "),
            question(nb),
            before if links is None else _needs(links, homes, name, order),
            reading(nb),
            stamp["seconds"] / 60 if stamp else None,
            stamp.get("scale"),
            picture(nb),
        )
    return found


# ---- the graph ----


def closure(name, lectures):
    """Return all that a lecture needs, directly or not."""
    found, waiting = set(), list(lectures[name].needs)
    while waiting:
        if (need := waiting.pop()) not in found:
            found.add(need)
            waiting += lectures[need].needs
    return found


def direct(lectures):
    """Return {name: needs} without those that follow from the others."""
    return {
        name: tuple(
            need
            for need in lecture.needs
            if not any(need in closure(other, lectures) for other in lecture.needs)
        )
        for name, lecture in lectures.items()
    }


# ---- the paths ----


@dataclass(frozen=True)
class Way:
    """A way through the course, at most so many minutes of first reading a step."""

    title: str
    step: str
    steps: int
    minutes: int


PATHS = (
    Way("One weekend", "Half-day", 4, 75),
    Way("Six weeks", "Week", 6, 120),
    Way("Twelve weeks", "Week", 12, 180),
)


def selection(lectures, minutes):
    """Return lectures that fit into some minutes, those that most others need first.

    None is taken before what it needs; they come in the order of the course.
    """
    order = list(lectures)
    uses = {n: sum(n in closure(m, lectures) for m in order) for n in order}
    taken, left = set(), minutes
    while True:
        fit = [
            name
            for name in order
            if name not in taken
            and set(lectures[name].needs) <= taken
            and lectures[name].minutes <= left
        ]
        if not fit:
            return [name for name in order if name in taken]
        best = max(fit, key=lambda name: (uses[name], -order.index(name)))
        taken.add(best)
        left -= lectures[best].minutes


def spread(names, lectures, steps):
    """Return `steps` lists of lectures in their order, so that the fullest is short.

    With fewer lectures than steps the longest stay for a second step: its list holds
    the lecture again.
    """
    if len(names) <= steps:
        extra = dict.fromkeys(names, 1)
        while names and sum(extra.values()) < steps:
            longest = max(names, key=lambda n: lectures[n].minutes / extra[n])
            extra[longest] += 1
        return [[name] for name in names for _ in range(extra[name])]
    sums = [0]
    for name in names:
        sums.append(sums[-1] + lectures[name].minutes)

    @lru_cache(None)
    def best(end, parts):
        """The (fullest, cuts) of the first `end` lectures in `parts` steps."""
        if parts == 1:
            return sums[end], (0,)
        tries = []
        for cut in range(parts - 1, end):
            fullest, cuts = best(cut, parts - 1)
            tries.append((max(fullest, sums[end] - sums[cut]), (*cuts, cut)))
        return min(tries)

    cuts = [*best(len(names), steps)[1], len(names)]
    return [names[a:b] for a, b in pairwise(cuts)]


def paths(lectures, kinds=PATHS):
    """Return {path: its steps}, each a list of lectures."""
    return {
        kind: spread(
            selection(lectures, kind.steps * kind.minutes), lectures, kind.steps
        )
        for kind in kinds
    }
