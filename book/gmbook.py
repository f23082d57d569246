"""What this book needs from Sphinx beyond the stock theme.

- MathJax comes from an installed package and is served by the site itself;
- docstrings are prose: the stars and bars of mathematics in them are no markup;
- no page asks for anything outside the site (thebe's scripts are dropped, and
  with them the console error of a constant declared twice);
- the machine-readable outputs of `gmlib.lecture` stay out of the page silently;
- `{recorded} NAME` shows columns of data/speed/NAME.csv, with machine and date;
- `{claims}` lists the claims of all chapters, `{status}` how each was executed;
- each chapter says in one line what its outputs were made with;
- a section marked ``{.second-reading}`` folds, all but its heading;
- a Colab button only where the repository has an address;
- the 404 page finds its files under the site's own path.
"""

import csv
import html
import importlib.metadata
import io
import re
import shutil
import sys
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlparse

import pybtex.plugin
from docutils import nodes
from docutils.parsers.rst.directives.tables import CSVTable
from docutils.statemachine import StringList
from myst_nb.core.render import NbElementRenderer
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
from claims import facts, false, summary  # noqa: E402
from notebooks import CLAIM, chapters, drift, listed, read, records  # noqa: E402

MATHJAX = "sphinx-mathjax-offline"
MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")


def is_placeholder(url):
    """Whether `url` is one that nobody can own (RFC 2606)."""
    return (urlparse(url).hostname or "invalid").endswith("invalid")


def configure(app, config):
    """Settle what follows from other settings."""
    config.notfound_urls_prefix = urlparse(config.html_baseurl).path or "/"
    options = config.html_theme_options
    if is_placeholder(options.get("repository_url", "")):
        options.pop("repository_url", None)
        options["launch_buttons"] = {}
    # pybtex looks its plugins up afresh for every citation: 10 ms each.
    pybtex.plugin.find_plugin = lru_cache(None)(pybtex.plugin.find_plugin)


def page(app, name, template, context, doctree):
    """Drop thebe's scripts and any script that is listed twice."""
    seen, kept = set(), []
    for script in context.get("script_files", []):
        source = str(getattr(script, "filename", None) or "")
        body = str((getattr(script, "attributes", None) or {}).get("body", ""))
        if "thebe" in source.lower() or "thebe" in body.lower():
            continue
        key = (source, body)
        if key not in seen:
            seen.add(key)
            kept.append(script)
    context["script_files"] = kept

    if "body" in context:
        body = context["body"]
        # A fold is named by what it shows ("Show code cell source").
        body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
        # Docutils' role of a bibliography's entries is deprecated by ARIA.
        body = body.replace(' role="doc-biblioentry"', ' role="listitem"')
        # sphinx-proof and sphinx-exercise give every proof the same id.
        body = re.sub(r' id="(?:proof|exercise|solution)(?:-content)?"', "", body)
        context["body"] = body

    is_chapter = context.get("page_source_suffix") == ".ipynb"
    if is_chapter and "body" in context:
        href = context["pathto"]("chapters/status")
        line = f'<p class="gm-stamp">{made_with(ROOT / f"{name}.ipynb", href)}</p>'
        context["body"] = context["body"].replace("</h1>", f"</h1>{line}", 1)
    if is_chapter and not app.config.html_theme_options.get("launch_buttons"):
        link = {
            "type": "link",
            "text": "Colab",
            "tooltip": "How to open it in Colab",
            "icon": "_static/images/logo_colab.png",
            "url": context["pathto"]("index") + "#on-colab",
        }
        context["header_buttons"].append(
            {
                "type": "group",
                "tooltip": "Launch interactive content",
                "icon": "fas fa-rocket",
                "buttons": [link],
                "label": "launch-buttons",
            }
        )


def plain_docstring(app, what, name, obj, options, lines):
    """Keep |p - q| and *shape as they are; make lists of aligned columns."""
    inside = None  # the indentation of what precedes a literal block
    column = None  # where the second column of an aligned list begins
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = None
        if inside is not None:
            continue
        row = re.match(r"(``[^`]+``)( {2,})(?=\S)", line)
        if row:
            column = row.end()
            line = f"* {row[1]}: {line[column:]}"
        elif column and indent == column:
            line = f"  {line.strip()}"
        else:
            column = None
            if line.rstrip().endswith("::"):
                inside = indent
        parts = re.split(r"(``.+?``|`[^`]+`)", line)
        star = r"(?<!\\)([|*])" if not row else r"(?<!\\)(?<!^)([|*])"
        parts[::2] = [re.sub(star, r"\\\1", part) for part in parts[::2]]
        lines[i] = "".join(parts)


def only_own(app, what, name, obj, skip, options):
    """Leave what gmlib only passes on to its own library's documentation."""
    home = getattr(obj, "__module__", None) or "gmlib"
    return True if what == "module" and not home.startswith("gmlib") else None


def hide_own_mime_types():
    """Outputs for machines (claims, checks) are not unknown: they are not shown."""
    unhandled = NbElementRenderer.render_unhandled

    def render(self, data):
        if data.mime_type.startswith("application/vnd.gmlib."):
            return []
        return unhandled(self, data)

    NbElementRenderer.render_unhandled = render


class Recorded(CSVTable):
    """A table of recorded results: its columns, and under them where they come from.

    The lines of the body name the columns, each by its name in the CSV, or by
    ``what to call it = name``; a name that ends in % is shown as a percentage.
    """

    required_arguments, optional_arguments = 1, 0
    final_argument_whitespace = False

    def run(self):
        root = Path(self.state.document.settings.env.srcdir)
        path = root / "data" / "speed" / f"{self.arguments[0]}.csv"
        self.state.document.settings.env.note_dependency(str(path))
        with open(path, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        columns = [line.rpartition(" = ") for line in self.content if line.strip()]
        heads, names = zip(*[(a or b, b) for a, _, b in columns], strict=True)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([head.removesuffix("%") for head in heads])
        for row in rows:
            writer.writerow([self.cell(row, name) for name in names])
        first = rows[0]
        self.arguments = [
            f"Recorded on {first['date']}: {first['device']}, {first['threads']} "
            f"threads, PyTorch {first['torch']}"
        ]
        self.content = StringList(text.getvalue().splitlines(), str(path))
        self.options |= {"header-rows": 1, "stub-columns": 1, "class": ["gm-recorded"]}
        return super().run()

    @staticmethod
    def cell(row, name):
        if name.endswith("%"):
            value = row[name.removesuffix("%")]
            return f"{float(value):.0%}" if value else ""
        return row[name]


def made_with(path, href):
    """Say in one line, as HTML, what a chapter's outputs were made with."""
    stamp = read(path).metadata["gmlib"]
    minutes = f"{stamp['seconds'] / 60:.0f} min"
    line = (
        f"Outputs of {stamp['date']}: scale <code>{stamp['scale']}</code>, seed"
        f" {stamp['seed']}, {minutes} on {html.escape(stamp['device'])}."
    )
    state = "Code beneath it has changed since" if drift(path) else "Up to date"
    return f'{line} <a href="{href}">{state}</a>.'


class OfChapters(SphinxDirective):
    """A directive that is made from the stored chapters, one section for each."""

    def run(self):
        self.env.note_dependency(str(ROOT / "_toc.yml"))
        found = []
        for path in chapters():
            self.env.note_dependency(str(path))
            nb = read(path)
            title = nb.cells[0].source.splitlines()[0].lstrip("# ")
            page = self.env.app.builder.get_relative_uri(
                self.env.docname, f"chapters/{path.stem}"
            )
            found.append((path, nb, title, page))
        return self.show(found)

    def section(self, title, body):
        section = nodes.section(ids=[nodes.make_id(f"of {title}")])
        section += nodes.title(title, title)
        section += nodes.raw("", body, format="html")
        return section


class Claims(OfChapters):
    """Every claim of every chapter: statement, numbers, verdict, and where it is."""

    def show(self, found):
        every = [claim for _, nb, *_ in found for claim in records(nb, CLAIM)]
        text = f"{summary(every)}."
        lists = [
            self.section(title, self.ledger(records(nb, CLAIM), page))
            for _, nb, title, page in found
        ]
        return [nodes.paragraph(text, text), *lists]

    @staticmethod
    def ledger(claims, page):
        items = []
        for claim in claims:
            sign = "✓" if claim["verdict"] == "holds" else "✗"
            kind = {"math": "mathematics", "empirical": "experience"}[claim["kind"]]
            words = html.escape(claim["statement"])
            numbers = html.escape(facts(claim))
            link = f"{page}#claim-{claim['id']}"
            items.append(
                f'<li class="gm-{claim["verdict"]}"><a href="{link}">'
                f"{sign} {words}</a><br><small>{numbers}. {kind.capitalize()},"
                f" scale {claim['scale']}.</small></li>"
            )
        return f'<ul class="gm-ledger">{"".join(items)}</ul>'


class Status(OfChapters):
    """How, when and from what the outputs of each chapter were made."""

    def show(self, found):
        return [self.section(title, self.card(*rest)) for *rest, title, _ in found]

    @staticmethod
    def card(path, nb):
        stamp = nb.metadata["gmlib"]
        budget = nb.metadata.get("budget", {}).get(stamp["scale"], {})
        claims = records(nb, CLAIM)
        changed = drift(path)
        mib = stamp.get("device_memory_mib", stamp["memory_mib"])
        time = f"{stamp['seconds']:.0f} s"
        if "cpu_seconds" in stamp:
            allowed = budget.get("seconds")
            time += f", {stamp['cpu_seconds']:.0f} CPU s (budget {allowed} CPU s)"
        rows = {
            "State": f"drifted: {listed(changed)}" if changed else "up to date",
            "Executed": f"{stamp['date']}, scale {stamp['scale']}, seed"
            f" {stamp['seed']}, device {stamp['device']}",
            "Time": time,
            "Memory": f"{mib} MiB (budget {budget.get('mib')} MiB)",
            "Claims": f"{len(claims) - len(false(claims))} of {len(claims)} hold",
            "Packages": ", ".join(f"{k} {v}" for k, v in stamp["versions"].items()),
            "Code": stamp["code"][:12],
            "Locked": ", ".join(f"{k} {v}" for k, v in stamp["lock"].items()),
            "Library": Status.library(stamp),
            "Data": ", ".join(f"{k} {v[:8]}" for k, v in stamp["data"].items())
            or "none from files",
        }
        body = "".join(
            f'<tr><th scope="row">{key}</th><td>{html.escape(value)}</td></tr>'
            for key, value in rows.items()
        )
        return (
            '<div class="gm-table" style="overflow-x:auto"><table class="gm-status">'
            f"<caption>{path.stem}</caption><tbody>{body}</tbody></table></div>"
        )

    @staticmethod
    def library(stamp):
        """How many definitions of gmlib were reached, room by room."""
        names, count = stamp["library"], {}
        if stamp.get("format", 1) == 1:  # whole modules
            return ", ".join(f"{name} {text[:8]}" for name, text in names.items())
        for name in names:
            room = name.split(".")[0]
            count[room] = count.get(room, 0) + 1
        rooms = ", ".join(f"{room} {n}" for room, n in count.items())
        return f"{len(names)} definitions ({rooms})"


def fold(app, doctree):
    """Fold what a first reading leaves out: all of a section but its heading."""
    for section in doctree.findall(nodes.section):
        if "second-reading" in section["classes"]:
            words = "<summary>For the second reading</summary>"
            opened = f'<details class="gm-second">{words}'
            section.insert(1, nodes.raw("", opened, format="html"))
            section.append(nodes.raw("", "</details>", format="html"))


def copy_mathjax(app, error):
    """Serve MathJax from the site."""
    if error or app.builder.format != "html":
        return
    files = importlib.metadata.files(MATHJAX) or []
    root = Path(app.outdir, "_static", "mathjax")
    for file in files:
        _, found, part = str(file).partition("/static/mathjax/")
        if found and part.startswith(MATHJAX_PARTS):
            target = root / part
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)


def setup(app):
    hide_own_mime_types()
    app.add_directive("recorded", Recorded)
    app.add_directive("claims", Claims)
    app.add_directive("status", Status)
    app.connect("config-inited", configure, priority=100)
    app.connect("autodoc-process-docstring", plain_docstring, priority=100)
    app.connect("autodoc-skip-member", only_own)
    app.connect("doctree-read", fold)
    app.connect("html-page-context", page, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
