"""The repository itself: locked versions, nothing of the machine it was made on."""

import re
import subprocess
import tomllib

import pytest
import yaml
from notebooks import ROOT
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version
from pybtex.database import parse_file

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf8")
ENTRY = re.compile(
    r"(?m)^([a-z0-9][a-z0-9.-]*)==(\S+)(?: ; (.*?))? \\\n((?:    --.*\n)+)"
)


def tracked():
    """Return the files of the repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        pytest.skip("this is not a checkout")
    return [
        p for name in run.stdout.split("\0") if name and (p := ROOT / name).exists()
    ]


def text_of(path):
    try:
        return path.read_text("utf8")
    except UnicodeDecodeError:
        return ""


def name_of(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# ------------------------------------------------------------------------ the lock


def test_every_locked_package_has_hashes():
    entries = ENTRY.findall(LOCK)
    assert len(entries) > 100
    assert "".join(LOCK.split()) == "".join(
        "".join(f"{n}=={v}{' ; ' + m if m else ''} \\\n{h}".split())
        for n, v, m, h in entries
    ), "the lock holds more than packages and hashes"
    for *_, hashes in entries:
        for line in hashes.splitlines():
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)


def test_the_lock_holds_no_address():
    for name in ("requirements.lock", "tools/uv.lock.txt"):
        assert not re.search(r"//|index|find-links|@", (ROOT / name).read_text("utf8"))


def test_the_lock_answers_what_the_project_asks_for():
    locked = {}
    for name, version, marker, _ in ENTRY.findall(LOCK):
        here = not marker or Requirement(f"x ; {marker}").marker.evaluate()
        if here:
            locked[name] = Version(version)
    asked = [*PROJECT["dependencies"]]
    for extra in PROJECT["optional-dependencies"].values():
        asked += extra
    for line in asked:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate(default_environment()):
            continue
        name = name_of(wanted.name)
        assert name in locked, f"{name}: `make lock`"
        assert locked[name] in wanted.specifier, f"{name}: `make lock`"


def test_the_set_up_starts_from_the_locked_uv():
    start = (ROOT / "tools" / "uv.lock.txt").read_text("utf8")
    assert start.startswith("uv==")
    assert start in LOCK


def test_the_library_fits_colab():
    """The ranges admit what Colab had installed (tools/colab.txt)."""
    lines = (ROOT / "tools" / "colab.txt").read_text("utf8").splitlines()
    colab = dict(line.split("==") for line in lines if "==" in line)
    for line in PROJECT["dependencies"]:
        wanted = Requirement(line)
        assert colab[name_of(wanted.name)] in wanted.specifier
    assert PROJECT["requires-python"] == ">=3.11"


# -------------------------------------------------------------------- what is in it


def test_nothing_names_the_machine_or_a_package_host():
    machine = [f"/{place}/" for place in ("root", "work")] + [r"/home/\w+/", "/Users/"]
    hosts = ["py" + "pi.org", "python" + "hosted", "/" + "simple/"]
    pattern = re.compile("|".join([*machine, *hosts]))
    own = {"tests/test_repository.py", "tools/notebooks.py"}
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        text = re.sub(r"base64,[A-Za-z0-9+/=\\n\"\s]+", "", text_of(path))
        if name not in own and (found := pattern.search(text)):
            pytest.fail(
                f"{name}: {text[max(0, found.start() - 60) : found.end() + 40]}"
            )


def test_files_are_small():
    large = {p.name: s for p in tracked() if (s := p.stat().st_size) > 3e6}
    assert not large


def test_generated_files_are_not_in_it():
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    parts = ("_build/", ".venv/", "__pycache__", ".ipynb_checkpoints", ".partial.")
    assert not [n for n in names if any(part in n for part in parts)]


def test_the_commands_of_the_documents_exist():
    rules = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf8")))
    for name in ("README.md", "CONTRIBUTING.md", "index.md"):
        text = (ROOT / name).read_text("utf8")
        for words in re.findall(r"(?:`|^)make ([a-z][a-z -]*)", text, re.M):
            assert set(words.split()) <= rules, f"{name}: make {words}"
    phony = re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text("utf8"))[1]
    assert set(phony.split()) <= rules


def test_the_documents_link_to_what_exists():
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text("utf8")
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / link).exists(), f"{name}: {link}"
        for path in re.findall(
            r"`((?:tools|chapters|gmlib|data|book|tests)/[^`]*)`", text
        ):
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_the_front_page_leads_to_every_lecture():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    text = (ROOT / "index.md").read_text("utf8")
    for part in toc["parts"]:
        for entry in part["chapters"]:
            assert entry["file"] in text


def test_ci_runs_the_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "make test" in script.read_text("utf8")


def test_the_licences_and_the_citation_are_there():
    for name in PROJECT["license-files"]:
        assert len((ROOT / name).read_text("utf8")) > 500
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


# ----------------------------------------------------------------- the bibliography


def test_every_source_says_who_what_where_and_when():
    entries = parse_file(str(ROOT / "references.bib")).entries
    assert len(entries) >= 40
    for key, entry in entries.items():
        assert entry.persons.get("author"), key
        assert {"title", "year"} <= entry.fields.keys(), key
        where = {"journal", "booktitle", "publisher", "howpublished", "institution"}
        assert where & entry.fields.keys(), key
        assert entry.fields["year"] in key, key
    titles = [re.sub(r"\W", "", e.fields["title"]).lower() for e in entries.values()]
    assert len(set(titles)) == len(titles), "a work appears twice"
