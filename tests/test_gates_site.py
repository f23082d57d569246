"""The gates are tested: faults of the site and of the repository."""

import shutil

import export
import pytest
import test_imports
import test_repository
import test_site
from notebooks import ROOT, read, write

from gmlib.data import content, set_mnist


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site of one page."""

    def made(body):
        (tmp_path / "index.html").write_text(f"<main>{body}</main>", "utf8")
        monkeypatch.setattr(test_site, "HTML", tmp_path)
        monkeypatch.setattr(test_site, "PAGES", ["index.html"])

    return made


def test_a_sound_page_passes(site):
    site('<a id="here" href="#here">here</a><img src="data:," alt="A dot.">')
    test_site.test_every_internal_link_and_anchor_resolves()
    test_site.test_every_image_says_what_it_shows("index.html")
    test_site.test_no_page_loads_anything_from_another_host("index.html")
    test_site.test_ids_are_unique()


@pytest.mark.parametrize(
    ("body", "gate"),
    [
        ('<a href="gone.html">x</a>', "test_every_internal_link_and_anchor_resolves"),
        ('<a href="#gone">x</a>', "test_every_internal_link_and_anchor_resolves"),
        ('<a id="a"></a><a id="a"></a>', "test_ids_are_unique"),
    ],
)
def test_a_fault_of_the_site_is_caught(body, gate, site):
    site(body)
    with pytest.raises(AssertionError):
        getattr(test_site, gate)()


@pytest.mark.parametrize(
    ("body", "gate"),
    [
        ('<img src="data:,">', "test_every_image_says_what_it_shows"),
        ('<img src="data:," alt="a.png">', "test_every_image_says_what_it_shows"),
        (
            '<script src="https://elsewhere.test/x.js"></script>',
            "test_no_page_loads_anything_from_another_host",
        ),
    ],
)
def test_a_fault_of_a_page_is_caught(body, gate, site):
    site(body)
    with pytest.raises(AssertionError):
        getattr(test_site, gate)("index.html")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("```{novelty} X\nx\n```", "a directive that is not known: {novelty}"),
        ("as {novelty}`x` says", "a role that is not known: {novelty}`x`"),
        ("as {eq}`eq-gan-nowhere` says", "does not exist: eq-gan-nowhere"),
        ("[so](gan-nowhere)", "a link to nothing that is known: [so](gan-nowhere)"),
    ],
)
def test_what_only_the_site_can_read_is_not_exported(fault, words, tmp_path):
    nb = read(ROOT / "chapters" / "gan.ipynb")
    (number, cell), *_ = [(i, c) for i, c in enumerate(nb.cells) if "##" in c.source]
    place = tmp_path / "chapters" / "gan.ipynb"
    place.parent.mkdir()
    write(nb, place)
    exporter = export.Exporter()
    assert exporter(place).cells
    cell.source += f"\n\n{fault}"
    write(nb, place)
    with pytest.raises(export.Refused) as refused:
        exporter(place)
    assert f"gan.ipynb, cell {number}: " in str(refused.value)
    assert words in str(refused.value)


def test_an_import_against_the_floors_is_caught(tmp_path):
    library = tmp_path / "gmlib"
    shutil.copytree(ROOT / "gmlib", library, ignore=shutil.ignore_patterns("__pyc*"))
    assert not test_imports.breaches(library)
    file = library / "objectives.py"
    file.write_text(file.read_text("utf8") + "\nfrom gmlib import game\n", "utf8")
    assert test_imports.breaches(library)


def test_a_package_without_a_hash_is_caught():
    test_repository.test_every_locked_package_has_hashes(test_repository.BOOK)
    lock = "unknown==1.0\n" + test_repository.BOOK
    with pytest.raises(AssertionError):
        test_repository.test_every_locked_package_has_hashes(lock)


def test_an_archive_with_a_wrong_hash_is_refused():
    wanted = set_mnist.ARCHIVES.contents["t10k-labels-idx1-ubyte"]
    with pytest.raises(ValueError, match="the wrong SHA-256"):
        content.unpacked(b"\1" * wanted.size, wanted)
