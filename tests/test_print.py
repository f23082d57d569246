"""The PDF: nothing is shrunk, folded away or split off, and its links lead within it.

One lecture, the shortest, is printed as a whole, and a book of three pages; that every
page of the site fits a sheet is tried in test_light.
"""

import importlib.util
import io
import re

import pdf
import pypdf
import pytest
from notebooks import ROOT, lectures
from test_site import HTML, soup

# Here, a lecture and a book are printed once.
pytestmark = pytest.mark.xdist_group("print")

# tools/print.py, whose name is also that of a function
spec = importlib.util.spec_from_file_location("printing", ROOT / "tools" / "print.py")
printing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(printing)

SHORTEST = min(
    (f"chapters/{path.stem}" for path in lectures()),
    key=lambda name: (HTML / f"{name}.html").stat().st_size,
)
CONFIG = {
    "title": "A book",
    "author": "Somebody",
    "html": {"baseurl": "https://x.invalid/"},
}


@pytest.fixture(scope="module")
def press(browser, server):
    return printing.Press(browser, server, HTML)


@pytest.fixture(scope="module")
def lecture(press):
    ids = printing.wanted([SHORTEST], HTML)[SHORTEST]
    return pdf.Document(press.page(SHORTEST, ids))


def bare(text):
    return re.sub(r"\W+", "", text)


def test_no_sheet_is_shrunk_and_all_is_numbered(lecture):
    assert lecture.length > 5
    assert not pdf.shrunk(lecture)
    for number, page in enumerate(lecture.reader.pages, 1):
        assert re.search(rf"(?m)^{number}$", page.extract_text()), number


def test_what_is_folded_is_in_the_text(lecture):
    """Solutions, code that draws, and the second reading."""
    text, page = bare(pdf.text(lecture)), soup(f"{SHORTEST}.html")
    code = [
        bare(line)
        for pre in page.select("main :is(.solution, details) .highlight pre")
        for line in pre.text.splitlines()
    ]
    assert page.select("main .solution .highlight pre")
    begun = [
        bare(p.text)[:20]  # what a line surely holds
        for p in page.select("main :is(.solution, details.gm-second) p")
        if not p.select(".math, .gm-hit") and not p.find_parent("summary")
    ]
    lost = [words for words in code + begun if len(words) > 8 and words not in text]
    assert not lost
    assert "Hidecodecellsource" not in text
    assert text.count("theymoveonthesite") == len(page.select(".gm-slider"))


def test_a_table_that_is_too_wide_is_seen(press):
    wide = '<p>Words.</p><table><tr><td style="min-width:{}px">x</td></tr></table>'
    sheet = "<style>@page {{ size: A4; margin: 18mm }}</style>" + wide
    assert not pdf.shrunk(pdf.Document(press.text(sheet.format(100))))
    assert pdf.shrunk(pdf.Document(press.text(sheet.format(1500)))) == [1]


def test_a_lecture_alone_keeps_only_links_that_lead_somewhere(lecture, press):
    made = pypdf.PdfReader(io.BytesIO(pdf.alone(lecture, SHORTEST, press.root)))
    assert len(made.pages) == lecture.length
    goals = [a for p in made.pages for a in p.get("/Annots", [])]
    addresses = [str(a.get_object().get("/A", {}).get("/URI", "")) for a in goals]
    assert not [address for address in addresses if address.startswith(press.root)]
    assert any("/Dest" in a.get_object() for a in goals)


@pytest.fixture(scope="module")
def book(press):
    found = [
        ("", ["index"]),
        ("Reference", ["chapters/notation", "chapters/bibliography"]),
    ]
    return pypdf.PdfReader(io.BytesIO(printing.book(press, found, CONFIG)))


def test_a_book_has_a_cover_contents_and_numbers(book):
    cover, contents = (book.pages[i].extract_text() for i in (0, 1))
    assert "A book" in cover
    assert "Somebody" in cover
    assert "Contents" in contents
    labels = book.page_labels
    assert labels[0] == "i"
    first = labels.index("1")
    assert labels[first:] == [str(n + 1) for n in range(len(labels) - first)]
    assert [item.title for item in book.outline if not isinstance(item, list)][1:] == [
        "Notation",
        "Bibliography",
    ]
    # What the contents say of a page is what stands on its sheet.
    number = re.search(r"Bibliography\s+(\d+)", contents)[1]
    sheet = book.pages[labels.index(number)].extract_text()
    assert "Bibliography" in sheet
    assert re.search(rf"(?m)^{number}$", sheet)


def test_links_lead_within_a_book(book):
    numbers = {page.indirect_reference.idnum: i for i, page in enumerate(book.pages)}
    goals, addresses = [], []
    for page in book.pages:
        for annotation in page.get("/Annots", []):
            annotation = annotation.get_object()
            if "/Dest" in annotation:
                goals.append(numbers[annotation["/Dest"][0].idnum])
            else:
                addresses.append(str(annotation["/A"]["/URI"]))
    assert not [a for a in addresses if "127.0.0.1" in a]
    assert any(a.startswith("https://") for a in addresses), "works that are cited"
    first = book.page_labels.index("1")
    assert all(goal >= first for goal in goals)
    assert len(set(goals)) >= 3


def test_a_place_that_pages_lead_to_is_a_destination(lecture):
    anchors = printing.wanted([SHORTEST], HTML)[SHORTEST]
    there = {tag["id"] for tag in soup(f"{SHORTEST}.html").select("main [id]")}
    assert anchors & there <= lecture.places.keys()
