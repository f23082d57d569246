"""What this book needs from Sphinx beyond the stock theme.

- MathJax comes from an installed package and is served by the site itself;
- docstrings are prose: the stars and bars of mathematics in them are no markup;
- no page asks for anything outside the site (thebe's scripts are dropped, and
  with them the console error of a constant declared twice);
- the machine-readable outputs of `gmlib.lecture` stay out of the page silently;
- `{recorded} NAME` shows columns of data/speed/NAME.csv, with machine and date;
- a Colab button only where the repository has an address;
- the 404 page finds its files under the site's own path.
"""

import csv
import importlib.metadata
import io
import re
import shutil
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlparse

import pybtex.plugin
from docutils.parsers.rst.directives.tables import CSVTable
from docutils.statemachine import StringList
from myst_nb.core.render import NbElementRenderer

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
        # sphinx-proof and sphinx-exercise give every proof the same id.
        body = re.sub(r' id="(?:proof|exercise|solution)(?:-content)?"', "", body)
        context["body"] = body

    is_chapter = context.get("page_source_suffix") == ".ipynb"
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
    app.connect("config-inited", configure, priority=100)
    app.connect("autodoc-process-docstring", plain_docstring, priority=100)
    app.connect("autodoc-skip-member", only_own)
    app.connect("html-page-context", page, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
