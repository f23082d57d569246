"""Write the lectures as notebooks that read well everywhere, without the site.

    python tools/export.py [NAME ...] [--to FOLDER]

Jupyter, Colab, VS Code, GitHub and Kaggle show a lecture's directives as raw code. Here
they become plain Markdown: theorems and equations with the numbers of the site, sources
by author and year, links to the pages of the site where it has an address. A directive
or a role that would be left stops the export, which says where it is.
"""

import argparse
import copy
import re
import sys

import address
from labels import Book
from myst import Unreadable
from nbformat import from_dict
from nbformat.v4 import new_markdown_cell
from notebooks import EMBEDDED, INSTALL, ROOT, chosen, read, tags, write
from plain import Page, Part

COURSE = "Deep Generative Models"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
FOLDED = "jp-MarkdownHeadingCollapsed"  # Jupyter's word
HIDDEN = {  # the code of a cell that only draws, in Jupyter, Colab and Kaggle
    "jupyter": {"source_hidden": True},
    "cellView": "form",
    "_kg_hide-input": True,
}
IN_CODE = re.compile(
    r"\{(?:doc|eq|ref|numref|term|cite:\w+|prf:\w+)\}`[^`]*`|`{3,}\{.*"
)
SLIDER = 'class="gm-slider"'
TRUST = (
    '<p class="gm-trust" style="margin:.5em 0 0"><small>To move it, trust this notebook'
    " (in JupyterLab: <em>View › Activate Command Palette › Trust Notebook</em>) or run"
    " it.</small></p>"
)
# Where the notebook is trusted, scripts run: there that line takes itself away.
TRUSTED = "this.closest('.gm-slider').querySelector('.gm-trust').remove()"


class Refused(Exception):
    """What cannot be exported, a line each."""


class Exporter:
    """Exports the pages of one book, each as a student's or a whole notebook."""

    def __init__(self, root=ROOT, url=None):
        self.root, self.url = root, url or address.address(root)
        self.real = not address.is_placeholder(self.url)
        self.book = Book(root)

    def __call__(self, path, *, solutions=True, outputs=True, beside=()):
        """Return a stored chapter as a notebook for every reader.

        `beside` are the paths of the chapters that are written into the same folder.

        Raises
        ------
        Refused
            If a directive, role, target or label is left, with its cell and text.
        """
        doc = f"{path.parent.name}/{path.stem}"
        site = address.site(self.url) if self.real else ""
        others = {f"{p.parent.name}/{p.stem}" for p in beside}
        page = Page(self.book, doc, site, others)
        nb, parts, wrong = read(path), [], []
        for number, cell in enumerate(nb.cells):
            try:
                parts += _parts(cell, page)
            except (Unreadable, KeyError) as error:
                wrong.append(f"{path.name}, cell {number}: {error}")
        if wrong:
            raise Refused("\n".join(wrong))
        nb.cells = _arranged(parts, solutions)
        self._open(nb, doc)
        _label(nb)
        for cell in nb.cells:
            if cell.cell_type == "code" and not outputs:
                cell.outputs, cell.execution_count = [], None
        return nb

    def _open(self, nb, doc):
        """Say under the title where the lecture lives."""
        number, base = self.book.chapters.get(doc), address.site(self.url)
        what = f"Lecture {number} of *{COURSE}*" if number else f"A page of *{COURSE}*"
        if self.real:
            what = what.replace(f"*{COURSE}*", f"[{COURSE}]({base})")
            what += f" · [read it on the site]({base}{doc}.html)"
            colab = address.colab(self.url, doc.rpartition("/")[2])
            what += f" · [open it in Colab]({colab})"
        title, _, rest = nb.cells[0].source.partition("\n")
        nb.cells[0].source = f"{title}\n\n{what}\n\n{rest.lstrip()}".strip()


def _parts(cell, page):
    """Return (Part, cell) for what becomes of a cell."""
    if cell.cell_type == "markdown":
        return [(part, None) for part in page.parts(cell.source)]
    if cell.cell_type == "code":
        if found := IN_CODE.search(cell.source):
            raise Unreadable(f"code that says what only the site reads: {found[0]}")
        for output in cell.outputs:
            _shown(output, page)
    return [(Part(), cell)]


def _shown(output, page):
    """Change an output in place: prose as everywhere, no records for machines."""
    data = output.get("data", {})
    for mime in [mime for mime in data if mime.startswith("application/vnd.gmlib.")]:
        del data[mime]
    if "text/markdown" in data:
        data["text/markdown"] = page.text(data["text/markdown"])
    text = data.get("text/html", "")
    if found := IN_CODE.search(EMBEDDED.sub("", text)):
        raise Unreadable(f"an output that only the site reads: {found[0]}")
    if SLIDER in text:
        text = text.replace("<img ", f'<img onload="{TRUSTED}" ', 1)
        data["text/html"] = text.replace("</figure>", f"{TRUST}</figure>")


def _arranged(parts, solutions):
    """Return the cells of a notebook, with or without its solutions."""
    kept, inside, opened, ended = [], False, None, None
    for part, cell in parts:
        if part.event.startswith("solution"):
            inside = part.event == "solution-start"
        if inside and not solutions:
            continue
        if cell is None and part.text:
            cell = new_markdown_cell(part.text)
            if part.folded:
                cell.metadata[FOLDED] = True
            if part.event == "solution-start":
                opened = cell
        if part.event == "solution-end":
            ended = opened
        if cell is not None:
            if ended and not part.level:  # the fold of a solution would swallow it
                del ended.metadata[FOLDED]
            ended = None
            kept.append(cell)
    if inside:
        raise Refused("a solution has no end")
    return kept


def _label(nb):
    """Give the cells their ids, and say to each reader what is folded and hidden."""
    folded = []
    for number, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            cell.id = f"prose-{number}"
            if FOLDED in cell.metadata:
                cell.metadata["id"] = cell.id
                folded.append(cell.id)
        elif "hide-input" in tags(cell) or INSTALL in tags(cell):
            cell.metadata.update(copy.deepcopy(HIDDEN))
    colab = {"provenance": [], "toc_visible": True, "collapsed_sections": folded}
    language = {"name": "python"}
    nb.metadata = from_dict(
        {"kernelspec": KERNEL, "language_info": language, "colab": colab}
    )


def export(paths, folder, **how):
    """Write chapters into a folder; return their number of cells by name."""
    exporter, wrong, made = Exporter(), [], {}
    for path in paths:
        try:
            made[path.name] = exporter(path, beside=paths, **how)
        except Refused as error:
            wrong.append(str(error))
    if wrong:
        raise Refused("\n".join(wrong))
    folder.mkdir(parents=True, exist_ok=True)
    for name, nb in made.items():
        write(nb, folder / name)
    return {name: len(nb.cells) for name, nb in made.items()}


def run(parser, kind, names, to, **how):
    """Do what a command asks: export chapters, or say what is in the way."""
    paths = chosen(parser, names)
    folder = to or ROOT / "_build" / kind
    try:
        made = export(list(paths.values()), folder, **how)
    except Refused as error:
        print(error, file=sys.stderr)
        sys.exit("export: refused; nothing was written")
    for name, cells in made.items():
        print(f"{name}: {cells} cells")
    print(f"in {folder}")


def options(parser):
    """Add what every edition can be told."""
    parser.add_argument("names", nargs="*", help="chapters (default: all)")
    parser.add_argument("--to", type=_folder, help="default: in _build")


def _folder(name):
    from gmlib import checks  # brings PyTorch, which takes seconds

    return checks.path("--to", name)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options(parser)
    asked = parser.parse_args(argv)
    run(parser, "notebooks", asked.names, asked.to)


if __name__ == "__main__":
    main()
