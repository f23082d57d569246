"""All chapters, exported: in the Markdown of every reader, with the site's numbers.

The subset is what JupyterLab, Colab, VS Code, GitHub and Kaggle share: CommonMark with
tables, `$` and `$$` with macros that both MathJax and KaTeX know, and of HTML only
`<details>`. In a quote a formula takes one line: JupyterLab looks for formulas before
it knows of quotes. The site is that of the last `make book`.
"""

import json
import re
from types import SimpleNamespace

import export
import gmexport
import pytest
from bs4 import BeautifulSoup
from labels import Book
from markdown_it import MarkdownIt
from myst import TOKEN
from nbformat.v4 import new_markdown_cell, new_notebook
from notebooks import ROOT, chapters, read, write

HTML = ROOT / "_build" / "html"
WORDS = """
    alpha approx arccos arg bar begin beta binom Big Bigl Bigr big bigl bigr bmod cap
    cdot cdots chi circ cos cosh cot coth cup dagger Delta delta det dot dots ell
    emptyset end epsilon equiv eta exists exp forall frac gamma Gamma ge geq gets gg hat
    iff implies in inf infty int kappa lambda Lambda langle lceil ldots le left
    leftarrow leq lfloor lim ll ln log Longleftrightarrow longrightarrow Longrightarrow
    mapsto mathbb mathbf mathcal mathrm max mid min mp mu nabla ne neq nu Omega omega
    operatorname odot otimes overline partial perp phi Phi pi Pi pm pmod Pr prod propto
    psi Psi qquad quad rangle rceil rfloor rho right sup tag Rightarrow rightarrow
    setminus Sigma sigma sim simeq sin sinh sqrt star subset subseteq sum tan tanh tau
    text textstyle tfrac theta Theta tilde times to top underbrace underline varepsilon
    varphi vec vert Vert widehat widetilde xi Xi zeta
"""
MACROS = set(WORDS.split())
ENVIRONMENTS = {"aligned", "cases", "gathered", "matrix", "pmatrix", "bmatrix", "array"}


# All chapters are exported once.
pytestmark = pytest.mark.xdist_group("export")


@pytest.fixture(scope="module")
def exported():
    """All chapters of the book, exported; {name: notebook}."""
    exporter = export.Exporter()
    return {path.stem: exporter(path) for path in chapters()}


def prose(nb):
    """Yield all Markdown of a notebook."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            yield cell.source
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                yield output.data["text/markdown"]


def formulas(text):
    """Return (formulas, the text without them and without code)."""
    found = []

    def out(match):
        found.append(match["display"] or match["math"])
        if found[-1]:
            return "X"
        return match[0] if match["escape"] or match["role"] else "C"

    text = TOKEN.sub(out, re.sub(r"(?ms)^```\w*\n.*?^```$", "", text))
    return [f for f in found if f], text


def outside(nb):
    """Return what in the Markdown of a notebook not every reader knows."""
    wrong, markdown = [], MarkdownIt("commonmark").enable("table")
    for source in prose(nb):
        wrong += re.findall(r"[`~:]{3,} *\{.*", source)
        found, text = formulas(source)
        for formula in found:
            macros = set(re.findall(r"\\([A-Za-z]+)", formula)) - MACROS
            macros |= set(re.findall(r"\\begin\{(.*?)\}", formula)) - ENVIRONMENTS
            wrong += [f"macro {macro}: {formula}" for macro in macros]
            if re.search(r"<[A-Za-z/!?]|\n\s*\n|\n>|\n\s*([-+=>#*]|\d+\.) ", formula):
                wrong.append(f"formula: {formula}")
        marks = r"\$|:::|`{3}|\{[^}]*\}`?|\)=$|^%|\[\^"
        wrong += [f"left: {m[0]}" for m in re.finditer(marks, text, re.M)]
        for token in markdown.parse(text):
            for part in [token, *(token.children or [])]:
                if part.type.startswith("html"):
                    tags = re.findall(r"<\s*([a-z/]+)", part.content)
                    known = {"details", "summary", "/summary", "/details"}
                    wrong += [f"<{tag}>" for tag in tags if tag not in known]
                link = str(part.attrs.get("href", part.attrs.get("src", "https:")))
                if not re.match(r"https:|\w+\.ipynb$", link):
                    wrong.append(f"link: {link}")
    return wrong


def test_every_chapter_is_in_the_markdown_that_all_readers_know(exported):
    assert not {name: wrong for name, nb in exported.items() if (wrong := outside(nb))}
    assert (
        sum(len(formulas(t)[0]) for nb in exported.values() for t in prose(nb)) > 1000
    )


@pytest.mark.parametrize(
    "text",
    [
        "```{math}\nx\n```",
        "a {eq}`b`",
        ":::note",
        "(a)=",
        "{.x}",
        "$\\unknown$",
        "$$\n\\begin{align}x\\end{align}\n$$",
        "$a<b$",
        "> $$x\n> y$$",
        "<script>x</script>",
        "[a](../b.html)",
        "[^1]",
    ],
)
def test_what_is_outside_is_seen(text):
    assert outside(new_notebook(cells=[new_markdown_cell(text)]))
    good = "# A\n\n$x_1$ and\n\n> $$y \\tag{1}$$\n\n[b](c.ipynb)"
    assert not outside(new_notebook(cells=[new_markdown_cell(good)]))


def test_nothing_is_lost(exported):
    """Every labelled equation, every theorem and every cell of code is still there."""
    for path in chapters():
        nb, made = read(path), "\n".join(prose(exported[path.stem]))
        source = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
        labelled = re.findall(r"{math}\s+:label:", source)
        assert made.count(r"\tag{") == len(labelled)
        theorems = re.findall(r"{prf:(?!proof|ref)\w+}", source)
        assert len(re.findall(r"(?m)^> \*\*[A-Z]\w+ \d+\.\d+", made)) == len(theorems)
        proofs = source.count("{prf:proof}")
        assert made.count("*Proof.*") == made.count("□") == proofs
        code = [c.source for c in nb.cells if c.cell_type == "code"]
        assert code == [
            c.source for c in exported[path.stem].cells if c.cell_type == "code"
        ]


def test_an_exported_notebook_is_valid_and_names_nothing_of_this_machine(exported):
    for nb in exported.values():
        assert len({cell.id for cell in nb.cells}) == len(nb.cells)
        assert "gmlib" not in nb.metadata
        assert "vnd.gmlib" not in json.dumps(nb)
    assert len(exported) == len(chapters())


# ------------------------------------------------------------------- the site


@pytest.fixture(scope="module")
def pages():
    """The built pages of the chapters; {doc: soup}."""
    docs = [f"chapters/{path.stem}" for path in chapters()]
    return {
        doc: BeautifulSoup((HTML / f"{doc}.html").read_text("utf8"), "html.parser")
        for doc in docs
    }


def numbers(page):
    """Return {anchor: number} of what is numbered on a page of the site."""
    found = {}
    for number in page.select(".eqno, .caption-number"):
        box = number.find_parent(id=True)
        text = number.get_text().replace("#", "").strip()
        found[box["id"]] = re.sub(r"\s+", " ", text)
    return found


def test_the_numbers_are_those_of_the_site(pages):
    ours = {doc: {} for doc in pages}
    for label in Book().labels.values():
        if label.doc in pages and label.name != label.title:  # that of a section
            ours[label.doc][label.anchor] = label.name
    assert ours == {doc: numbers(page) for doc, page in pages.items()}
    assert sum(map(len, ours.values())) > 200


def test_works_are_cited_as_on_the_site(pages):
    book, seen = Book(), 0
    for page in pages.values():
        for span in page.select(".bibtex-citation"):
            links = span.select("a[href]")
            for link in links:
                who, year = book.cited(link["href"].partition("#cite-")[2])
                said = span.get_text().replace("\xa0", " ")
                who = who.replace("\xa0", " ")
                assert f"{who}, {year}" in said or f"{who} [{year}]" in said
                seen += 1
    assert seen > 100


def test_links_from_elsewhere_find_their_place_on_the_site(pages, exported):
    """Every link that an exported notebook has, once there is an address."""
    url = "https://github.com/someone/some-course"
    exporter, base = export.Exporter(url=url), export.address.site(url)
    ids, broken, seen = {}, set(), 0
    for path in chapters():
        for text in prose(exporter(path)):
            for link in re.findall(rf"\({re.escape(base)}([^)]*)\)", text):
                file, _, anchor = link.partition("#")
                if file not in ids:
                    html = (HTML / (file or "index.html")).read_text("utf8")
                    ids[file] = set(re.findall(r'id="([^"]+)"', html))
                seen += 1
                if anchor and anchor not in ids[file]:
                    broken.add(link)
    assert not broken
    assert seen > 200


def test_the_button_for_downloads_serves_the_exported_notebooks(pages, exported):
    for doc, page in pages.items():
        button = page.select_one(".btn-download-source-button")
        file = (HTML / doc).parent / button["href"]
        assert not outside(read(file))
        assert read(file) == exported[file.stem]


def test_the_rocket_opens_the_exported_notebook():
    options = {"repository_url": "https://github.com/a/b"}
    app = SimpleNamespace(config=SimpleNamespace(html_theme_options=options))
    main = f"{export.address.COLAB}/github/a/b/blob/main/chapters/vae.ipynb"
    context = {"header_buttons": [{"buttons": [{"url": main}, {"url": "#x"}]}, {}]}
    gmexport.launch(app, "chapters/vae", None, context, None)
    urls = [button["url"] for button in context["header_buttons"][0]["buttons"]]
    assert urls == [export.address.colab("https://github.com/a/b", "vae"), "#x"]
    assert urls[0].endswith("/blob/notebooks/vae.ipynb")
    place = ROOT / ".github" / "workflows" / "site.yml"
    assert f"initial-branch {export.address.BRANCH}\n" in place.read_text("utf8")


def test_a_page_that_cannot_be_exported_is_a_warning_of_the_build(
    tmp_path, monkeypatch, caplog
):
    """Which is an error there (`book.py` asks for it)."""
    place = tmp_path / "chapters" / "gan.ipynb"
    place.parent.mkdir()
    write(new_notebook(cells=[new_markdown_cell("# A\n\n{novelty}`x`")]), place)
    monkeypatch.setattr(gmexport, "chapters", lambda: [place])
    builder = SimpleNamespace(format="html")
    gmexport.offer(SimpleNamespace(builder=builder, outdir=tmp_path), None)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "gan.ipynb, cell 0: a role that is not known" in record.getMessage()
