"""PDFs that a browser printed: their places, links and scale, bound into a book.

The browser turns a link within a page into one within its PDF, and a link to another
page into an address. Here an address of a page that is bound too becomes a link within
the book, and an address that leads nowhere on paper is taken out. pypdf binds them.
"""

import io
import re
from typing import NamedTuple
from urllib.parse import unquote, urldefrag

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, FloatObject, NameObject, NullObject

# The browser draws at 300 points an inch what is laid out at 96; what is too wide for
# the page makes it draw the whole document smaller, each page by the same factor.
POINTS = 300 / 96
MATRIX = re.compile(
    rb"([\d.]+) (-?[\d.]+) (-?[\d.]+) ([\d.]+) (-?[\d.]+) (-?[\d.]+) cm"
)


class Place(NamedTuple):
    """A place in a document: its page, from 0, and its height in points."""

    page: int
    top: float


class Document:
    """A printed page of the site: its sheets, and where its anchors are."""

    def __init__(self, data):
        self.reader = PdfReader(io.BytesIO(data))
        self.length = len(self.reader.pages)
        self.places = {}
        for name, goal in self.reader.named_destinations.items():
            page = self.reader.get_destination_page_number(goal)
            if page is not None and page >= 0:
                self.places[unquote(name.lstrip("/"))] = Place(page, float(goal.top))


def scale(content):
    """Return how large a sheet is drawn, 1 as it was laid out; None if it is empty."""
    found = []
    for match in MATRIX.finditer(content):
        a, b, c, d, x, y = map(float, match.groups())
        # What stands at the corner is not of the text: head and foot of the sheet.
        if abs(a - d) < 1e-3 and b == c == 0 and (x or y) and 0.2 < a < POINTS + 0.01:
            found.append(a / POINTS)
    return max(found, default=None)


def shrunk(document):
    """Return the sheets, from 1, that were drawn smaller than they were laid out."""
    found = []
    for number, page in enumerate(document.reader.pages, 1):
        contents = page.get_contents()
        size = scale(contents.get_data()) if contents is not None else None
        if size is not None and size < 0.995:
            found.append(number)
    return found


def text(document):
    """Return the text of a document."""
    return "\n".join(page.extract_text() for page in document.reader.pages)


def target(annotation, own, root):
    """Return (page of the site, anchor) that a link leads to, or its address."""
    if "/Dest" in annotation:
        return own, unquote(str(annotation["/Dest"]).lstrip("/"))
    address = str(annotation.get("/A", {}).get("/URI", ""))
    if not address.startswith(root):
        return address
    path, anchor = urldefrag(address.removeprefix(root))
    return unquote(path).removesuffix(".html"), unquote(anchor)


def relink(writer, sheets, own, root, starts, places):
    """Let the links on `sheets`, which are those of the page `own`, lead within."""
    for sheet in sheets:
        kept = ArrayObject()
        for reference in sheet.get("/Annots", None) or []:
            annotation = reference.get_object()
            if annotation.get("/Subtype") == "/Link":
                goal = target(annotation, own, root)
                if isinstance(goal, tuple):
                    if goal[0] not in starts:
                        continue  # not bound: the words stay, the link goes
                    here = places[goal[0]].get(goal[1])
                    number = starts[goal[0]] + (here.page if here else 0)
                    top = FloatObject(here.top) if here else NullObject()
                    annotation.pop("/A", None)
                    page = writer.pages[number].indirect_reference
                    annotation[NameObject("/Dest")] = ArrayObject(
                        [page, NameObject("/XYZ"), NullObject(), top, NullObject()]
                    )
            kept.append(reference)
        if "/Annots" in sheet:
            sheet[NameObject("/Annots")] = kept


def closed(writer):
    """Return the bytes of a document."""
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def alone(document, name, root):
    """Return one printed page, as bytes, without links that lead to others."""
    writer = PdfWriter(clone_from=document.reader)
    relink(writer, writer.pages, name, root, {name: 0}, {name: document.places})
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def bound(front, made, titles, root, title):
    """Return printed pages bound behind their `front`, as bytes.

    Parameters
    ----------
    front : Document
        Cover and contents; its sheets have small Roman numbers.
    made : dict of Document
        The pages of the site in their order, by name.
    titles : dict of str
        What the outline calls them, by name.
    root : str
        The address of the site while it was printed.
    title : str
        Of the book.
    """
    writer = PdfWriter()
    starts, places = {}, {name: document.places for name, document in made.items()}
    writer.append(front.reader, import_outline=False)
    for name, document in made.items():
        starts[name] = len(writer.pages)
        writer.append(document.reader, import_outline=False)
        entry = writer.add_outline_item(title=titles[name], page_number=starts[name])
        sections(writer, document, starts[name], entry)
    end = 0
    for name, start in [(None, 0), *starts.items()]:
        end = start + (front if name is None else made[name]).length
        sheets = [writer.pages[i] for i in range(start, end)]
        relink(writer, sheets, name, root, starts, places | {None: {}})
    writer.set_page_label(0, front.length - 1, style="/r")
    writer.set_page_label(front.length, end - 1, style="/D", start=1)
    writer.add_metadata({"/Title": title})
    return closed(writer)


def sections(writer, document, start, parent):
    """Put the sections of a printed page into the outline, under its title."""
    outline = document.reader.outline
    inner = outline[1] if len(outline) > 1 and isinstance(outline[1], list) else []
    for item in inner:
        if not isinstance(item, list):
            page = document.reader.get_destination_page_number(item)
            writer.add_outline_item(
                title=str(item.title), page_number=start + page, parent=parent
            )
