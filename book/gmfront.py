"""The front page, made from the lectures: their pictures, their map, ways through them.

- `{lectures}` shows each with a picture of its own, its question and its minutes;
- `{course-map}` draws which lecture needs which;
- `{course-paths}` offers ways through the map for a weekend, six and twelve weeks;
- `{models}` tells what each model can be asked, for a page beside the lectures;
- `{run-times}` says how long the stored runs took;
- `{alive} LECTURE` shows its first figure that is alive, and nothing as long as none is
  stored.

The rules are in tools/course.py; nothing here names a lecture.
"""

import base64
import hashlib
import io
import re
import sys
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from gmmap import SHAPES, drawing
from PIL import Image
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
from course import closure, course, direct, live, notebook, paths  # noqa: E402
from models import table  # noqa: E402
from notebooks import lectures as notebooks  # noqa: E402

WIDTH = 480  # px of a picture of the front page
ROLE = re.compile(r"\{[\w:]+\}`([^`<]*?)(?: *<[^`>]*>)?`")


def thumbnail(picture):
    """Return (file name, bytes, size) of a lecture's picture, small, as WebP."""
    image = Image.open(io.BytesIO(base64.b64decode(picture[0]))).convert("RGB")
    image.thumbnail((WIDTH, WIDTH))
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=82, method=6)
    content = stream.getvalue()
    return hashlib.sha256(content).hexdigest()[:16] + ".webp", content, image.size


def write_pictures(app, error):
    """Write the pictures of the front page into the site, where they are missing."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir, "_static", "front")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [thumbnail(c.picture) for c in course().values() if c.picture]
    for name, content, _ in wanted:
        if not (folder / name).exists():
            (folder / name).write_bytes(content)
    for file in folder.iterdir():
        if file.name not in {name for name, *_ in wanted}:
            file.unlink()


class OfCourse(SphinxDirective):
    """A directive that is made from all lectures."""

    def run(self):
        self.env.note_dependency(str(ROOT / "_toc.yml"))
        for path in notebooks():
            self.env.note_dependency(str(path))
        return self.show(course())

    def href(self, name):
        """Return the address of a lecture's page, from this one."""
        return self.env.app.builder.get_relative_uri(
            self.env.docname, f"chapters/{name}"
        )

    def show(self, lectures):
        """Return the nodes of the directive."""
        raise NotImplementedError


def raw(html):
    return nodes.raw("", html, format="html")


def times(lecture):
    """Return a lecture's minutes in words, as far as they are known."""
    words = []
    if lecture.reading:
        words.append(f"first reading {lecture.reading} min")
    if lecture.running:
        words.append(f"its stored run {max(lecture.running, 1):.0f} min")
    return ", ".join(words).capitalize()


def short(lecture):
    """Return the title of a lecture as far as a colon."""
    return lecture.title.split(":")[0]


class Lectures(OfCourse):
    """Every lecture: a picture, its number and title, its question, its minutes."""

    def show(self, lectures):
        found = [raw('<ol class="gm-lectures">')]
        for number, lecture in enumerate(lectures.values(), 1):
            title = f"{number}. {escape(lecture.title)}"
            found.append(raw(f"<li>{self.image(lecture)}<div>"))
            found.append(raw(f'<p><a href="{self.href(lecture.name)}">{title}</a></p>'))
            if lecture.question:
                words = nodes.paragraph(classes=["gm-question"])
                text = StringList([ROLE.sub(r"\1", lecture.question)], lecture.name)
                self.state.nested_parse(text, self.content_offset, words)
                found += words.children
            if minutes := times(lecture):
                found.append(raw(f'<p class="gm-times">{minutes}</p>'))
            found.append(raw("</div></li>"))
        return [*found, raw("</ol>")]

    def image(self, lecture):
        if not lecture.picture:
            return '<span class="gm-no-picture"></span>'
        name, _, (width, height) = thumbnail(lecture.picture)
        up = self.env.app.builder.get_relative_uri(self.env.docname, "index")
        place = f"{up.rpartition('/')[0]}/_static/front/{name}".lstrip("/")
        return (
            f'<img src="{place}" width="{width}" height="{height}" loading="lazy"'
            f' alt="{lecture.picture[1]}">'
        )


class Map(OfCourse):
    """Which lecture needs which, drawn for wide and for narrow pages."""

    def show(self, lectures):
        closures = {name: closure(name, lectures) for name in lectures}
        drawn = [
            drawing(lectures, direct(lectures), closures, self.href, shape)
            for shape in SHAPES
        ]
        return [raw("".join(drawn))]


class Paths(OfCourse):
    """Ways through the course, each a list of steps."""

    def show(self, lectures):
        found = [raw('<div class="gm-paths">')]
        for way, steps in paths(lectures).items():
            names = dict.fromkeys(name for step in steps for name in step)
            hours = sum(lectures[name].minutes for name in names) / 60
            found.append(
                raw(
                    f'<div class="gm-path"><p><strong>{way.title}</strong><br>'
                    f"{len(names)} of {len(lectures)} lectures, about {hours:.0f} hours"
                    f" of first reading</p><dl>{self.steps(way, steps, lectures)}"
                    "</dl></div>"
                )
            )
        return [*found, raw("</div>")]

    def steps(self, way, steps, lectures):
        parts, at = [], 0
        while at < len(steps):
            to = at + 1
            while to < len(steps) and steps[to] == steps[at]:
                to += 1
            when = f"{way.step} {at + 1}" if to == at + 1 else ""
            when = when or f"{way.step}s {at + 1}–{to}"
            links = "<br>".join(
                f'<a href="{self.href(name)}">{escape(short(lectures[name]))}</a>'
                for name in steps[at]
            )
            more = "" if to == at + 1 else "<br>with its second reading and exercises"
            parts.append(f"<div><dt>{when}</dt><dd>{links}{more}</dd></div>")
            at = to
        return "".join(parts)


class Models(OfCourse):
    """The map of models as a table, from tools/models.py."""

    def show(self, lectures):
        self.env.note_dependency(str(ROOT / "book" / "models.csv"))
        found = nodes.container(classes=["gm-models"])
        lines = StringList(table(), "models")
        self.state.nested_parse(lines, self.content_offset, found)
        return found.children


class RunTimes(OfCourse):
    """One sentence: how long the stored runs took."""

    def show(self, lectures):
        found = sorted(c.running for c in lectures.values() if c.running)
        if not found:
            return []
        low, high = (f"{max(minutes, 1):.0f}" for minutes in (found[0], found[-1]))
        span = f"{low} to {high} minutes" if low != high else f"{low} min"
        text = f"The runs whose outputs you see here took {span} each."
        return [nodes.paragraph(text, text)]


class Alive(OfCourse):
    """A live figure of a lecture, with a link to where it comes from."""

    required_arguments = 1

    def show(self, lectures):
        (name,) = self.arguments
        path = next((path for path in notebooks() if path.stem == name), None)
        if not path or not (html := live(notebook(path))):
            return []
        link = f'<a href="{self.href(name)}">{escape(lectures[name].title)}</a>'
        words = f'<p class="gm-from">It runs in this page. From: {link}.</p>'
        return [raw(f'<div class="gm-alive">{html}{words}</div>')]


def setup(app):
    app.add_directive("lectures", Lectures)
    app.add_directive("course-map", Map)
    app.add_directive("course-paths", Paths)
    app.add_directive("models", Models)
    app.add_directive("run-times", RunTimes)
    app.add_directive("alive", Alive)
    app.connect("build-finished", write_pictures)
    app.add_css_file("gmfront.css")
    app.add_js_file("gmfront.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
