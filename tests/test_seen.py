"""The site as others see it: previews of links, its address, its licences."""

import base64
import io
import queue
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urljoin

import gmabout
import gmseen
import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from notebooks import ROOT, chapters, read
from PIL import Image
from test_site import HTML, PAGES, soup

from gmlib import data
from gmlib.data.cards import Card
from gmlib.data.registry import SETS

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
ADDRESS = CONFIG["html"]["baseurl"]
WANTED = ("og:title", "og:site_name", "og:description", "og:image", "og:type")


def faults_of_preview(head, page):
    """Return what a link to a page would show wrongly, in words."""
    found = {}
    for tag in head.select("meta[property], meta[name]"):
        name = tag.get("property") or tag.get("name")
        found.setdefault(name, []).append(tag["content"])
    asked = [*WANTED, "twitter:card", "viewport"]
    wrong = [
        f"{len(found.get(n, []))} × {n}" for n in asked if len(found.get(n, [])) != 1
    ]
    if found.get("og:site_name") != [CONFIG["title"]]:
        wrong.append(f"the site is called {found.get('og:site_name')}")
    if page != "404.html":  # which stands at no address
        here = urljoin(ADDRESS, page)
        canonical = [tag["href"] for tag in head.select("link[rel=canonical]")]
        for place in (found.get("og:url"), canonical):
            if place != [here]:
                wrong.append(f"{place} is not {here}")
    for image in found.get("og:image", []):
        file = HTML / image.removeprefix(ADDRESS)
        if not (image.startswith(ADDRESS) and file.is_file()):
            wrong.append(f"no picture {image}")
        elif file.suffix not in (".png", ".jpg"):
            wrong.append(f"not every reader of links knows {file.suffix}")
    return wrong


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_a_page_shows_what_it_is(page):
    assert not faults_of_preview(soup(page), page)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('property="og:image" content="', 'property="og:image" content="gone/'),
        ('property="og:url" content="http', 'property="og:url" content="'),
        ("og:site_name", "og:site"),
        ('name="viewport"', 'name="viewport" content="1"/><meta name="viewport"'),
        ('name="twitter:card"', 'name="card"'),
    ],
)
def test_a_fault_of_a_preview_is_seen(old, new):
    page = f"chapters/{chapters()[0].stem}.html"
    text = (HTML / page).read_text("utf8")
    assert old in text
    changed = BeautifulSoup(text.replace(old, new, 1), "html.parser")
    assert faults_of_preview(changed, page)


def test_a_page_shows_the_first_figure_of_its_own():
    names = {}
    for path in chapters():
        (tag,) = soup(f"chapters/{path.stem}.html").select('meta[property="og:image"]')
        names[path.stem] = tag["content"]
    with_figures = [p.stem for p in chapters() if gmseen.first_figure(read(p))]
    assert len({names[stem] for stem in with_figures}) == len(with_figures)


def nb_with(*outputs):
    cell = nbformat.v4.new_code_cell("x")
    cell.outputs = [nbformat.v4.new_output("display_data", data=o) for o in outputs]
    return nbformat.v4.new_notebook(cells=[cell])


def picture(width, height):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "webp", lossless=True)
    return buffer.getvalue()


def test_the_first_figure_is_found_by_rule():
    red = base64.b64encode(picture(3, 2)).decode()
    image = f'<img src="data:image/webp;base64,{red}" alt="A &lt; b.">'
    tag = f'<figure class="gm-figure">{image}</figure>'
    nb = nb_with({"text/plain": "no"}, {"text/html": tag})
    assert gmseen.first_figure(nb) == (picture(3, 2), "A < b.")
    assert gmseen.first_figure(nb_with({"text/plain": "no"})) is None


@pytest.mark.parametrize("size", [(10, 10), (4000, 300), (20, 900), (1200, 630)])
def test_a_card_holds_the_whole_picture(size):
    made = Image.open(io.BytesIO(gmseen.card(picture(*size))))
    assert (made.format, made.size) == ("PNG", (1200, 630))
    box = made.convert("L").point(lambda v: 255 * (v < 200)).getbbox()
    wide, high = box[2] - box[0], box[3] - box[1]
    assert wide / high == pytest.approx(size[0] / size[1], rel=0.06)
    assert min(box[:2]) >= 40
    assert max(wide / 1120, high / 550) > 0.98


MINI = """\
project = author = "x"
html_title = "A course"
extensions = ["myst_nb", "sphinxext.opengraph", "gmpage", "gmseen"]
html_theme = "sphinx_book_theme"
html_baseurl = "{site}"
html_static_path = [{static!r}]
html_theme_options = dict(repository_url="{url}", repository_branch="main",
  path_to_docs="", pygments_light_style="a11y-high-contrast-light",
  pygments_dark_style="a11y-high-contrast-dark")
ogp_social_cards = dict(enable=False)
"""


@pytest.mark.parametrize("owner", ["https://github.com/someone/course", None])
def test_with_an_address_a_page_leads_to_the_repository(owner, tmp_path):
    """And without one there is no button that leads nowhere."""
    url = owner or "https://repository.invalid/course"
    site = "https://someone.github.io/course/"
    static = str(ROOT / "book" / "static")
    (tmp_path / "conf.py").write_text(MINI.format(url=url, site=site, static=static))
    (tmp_path / "index.md").write_text("# A page\n\nSome words.\n")
    paths = [str(ROOT / folder) for folder in ("book", "tools", "")]
    code = (
        f"import sys; sys.path[:0] = {paths!r}; from sphinx.cmd.build import main;"
        f" sys.exit(main(['-q', {str(tmp_path)!r}, {str(tmp_path / 'out')!r}]))"
    )
    # The picture of the whole book: the first of its lectures.
    toc = "root: index\nparts:\n  - caption: Lectures\n    chapters: []\n"
    (tmp_path / "_toc.yml").write_text(toc)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    page = (tmp_path / "out" / "index.html").read_text("utf8")
    assert f'<meta property="og:url" content="{site}index.html" />' in page
    assert f'<link rel="canonical" href="{site}index.html" />' in page
    places = (f'"{url}"', f"{url}/issues/new", f"{url}/edit/main/index.md")
    assert [place in page for place in places] == [owner is not None] * 3


# ------------------------------------------------------------------- what is said


def test_the_page_on_data_has_the_licence_of_every_card():
    page = soup("about/data.html")
    rows = page.select(".gm-datasets tbody tr")
    assert len(rows) == len(SETS)
    for row in rows:
        cells = [" ".join(cell.text.split()) for cell in row("th") + row("td")]
        name, *_, licence = cells
        assert licence == re.sub(r"[`*]", "", data.card(name).fields["licence"])


def test_a_card_is_shown_as_it_is_written():
    field = {"in code": "`data.x()`", "source": "A < B, `C`", "licence": "MIT"}
    made = gmabout.table([a_card("x", field)])
    assert "<td>A &lt; B, <code>C</code></td><td>MIT</td>" in made
    assert "<code>data.x()</code>" in made
    assert gmabout.cell("a.b`, *A title*") == "<code>a.b</code>, <em>A title</em>"
    assert gmabout.cell("see `a.b") == "see <code>a.b</code>"


def a_card(name, fields):
    return Card(name, fields, {})


def test_the_site_says_that_it_counts_nobody_and_does_not():
    said = soup("about/accessibility.html").text
    assert "No analytics, no cookies." in said
    scripts = [p for p in (HTML / "_static").rglob("*.js") if "mathjax" not in p.parts]
    words = re.compile(
        r"document\.cookie\s*=|google-analytics|gtag\(|plausible\.io|matomo"
    )
    found = [p.name for p in scripts if words.search(p.read_text("utf8"))]
    found += [p for p in PAGES if words.search((HTML / p).read_text("utf8"))]
    assert not found


def faults_of_changelog(text, version):
    """Return what is wrong with a changelog, in words."""
    heads = re.findall(r"(?m)^## (.*)$", text)
    form = re.compile(r"Unreleased|\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d")
    wrong = [head for head in heads if not form.fullmatch(head)]
    dates = re.findall(r"(?m)^## .* - (\S+)$", text)
    if dates != sorted(dates, reverse=True):
        wrong.append("the newest is not the first")
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    wrong += [kind for kind in re.findall(r"(?m)^### (.*)$", text) if kind not in kinds]
    if not any(head.startswith(f"{version} ") for head in heads):
        wrong.append(f"nothing of {version}")
    return wrong


def test_the_changelog_has_its_form_and_the_present_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    version = project["version"]
    assert not faults_of_changelog(text, version)
    assert soup("about/changelog.html").select("h1")[0].text.startswith("Changelog")
    for old, new in (
        (f"## {version}", "## 99.0.0"),
        ("### Added", "### Novelties"),
        (" - 20", ", 20"),
    ):
        assert faults_of_changelog(text.replace(old, new, 1), version), new
    assert faults_of_changelog(text + "\n## 9.9.9 - 2999-01-01\n", version)


def test_the_sitemap_names_every_page_at_the_address():
    text = (HTML / "sitemap.xml").read_text("utf8")
    places = re.findall(r"<loc>(.*?)</loc>", text)
    made = {p for p in PAGES if Path(ROOT / p).with_suffix(".md").exists()}
    made |= {p for p in PAGES if Path(ROOT / p).with_suffix(".ipynb").exists()}
    assert {urljoin(ADDRESS, page) for page in made} <= set(places)


def test_the_sitemap_keeps_the_pages_that_were_not_written_anew():
    app = SimpleNamespace(sitemap_links=queue.Queue())
    app.env = SimpleNamespace(found_docs={"index", "chapters/gan", "chapters/vae"})
    for name in ("chapters/gan.html", "search.html"):
        app.sitemap_links.put((name, None))
    gmseen.name_all(app, None)
    names = [app.sitemap_links.get()[0] for _ in range(4)]
    both = ["chapters/gan.html", "chapters/vae.html"]
    assert names == [*both, "index.html", "search.html"]
    assert app.sitemap_links.empty()
