"""The repository itself: locked versions, nothing of the machine it was made on."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import address
import draw_garden
import numpy as np
import pytest
import yaml
from notebooks import ROOT
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image
from pybtex.database import parse_file

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
BOOK, TESTS = (
    (ROOT / name).read_text("utf8")
    for name in ("requirements.lock", "requirements-test.lock")
)
ENTRY = re.compile(
    r"(?m)^([a-z0-9][a-z0-9.-]*)==(\S+)(?: ; (.*?))? \\\n((?:    --.*\n)+)"
)
BIN = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


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


# ----------------------------------------------------------------------- the locks


@pytest.mark.parametrize("lock", [BOOK, TESTS], ids=["book", "tests"])
def test_every_locked_package_has_hashes(lock):
    entries = ENTRY.findall(lock)
    assert len(entries) > 100
    assert "".join(lock.split()) == "".join(
        "".join(f"{n}=={v}{' ; ' + m if m else ''} \\\n{h}".split())
        for n, v, m, h in entries
    ), "the lock holds more than packages and hashes"
    for *_, hashes in entries:
        for line in hashes.splitlines():
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-test.lock", "tools/uv.lock.txt"]
)
def test_the_locks_hold_no_address(name):
    assert not re.search(r"//|index|find-links|@", (ROOT / name).read_text("utf8"))


def locked(lock):
    """Return {name: version} of what a lock installs here."""
    return {
        name: Version(version)
        for name, version, marker, _ in ENTRY.findall(lock)
        if not marker or Requirement(f"x ; {marker}").marker.evaluate()
    }


@pytest.mark.parametrize(
    ("lock", "extras"),
    [(BOOK, {"book"}), (TESTS, {"book", "test", "cluster"})],
    ids=["book", "tests"],
)
def test_a_lock_answers_what_the_project_asks_for(lock, extras):
    asked = [*PROJECT["dependencies"]]
    for extra in extras:
        asked += PROJECT["optional-dependencies"][extra]
    versions = locked(lock)
    for line in asked:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate(default_environment()):
            continue
        name = name_of(wanted.name)
        assert name in versions, f"{name}: `make lock`"
        assert versions[name] in wanted.specifier, f"{name}: `make lock`"


def test_the_book_is_locked_to_the_versions_that_are_tested():
    tested = {
        (name, version): hashes for name, version, _, hashes in ENTRY.findall(TESTS)
    }
    for name, version, _, hashes in ENTRY.findall(BOOK):
        assert tested.get((name, version)) == hashes, f"{name}: `make lock`"


def test_the_book_needs_nothing_of_what_only_tests_use():
    asked = PROJECT["optional-dependencies"]
    names = {name_of(Requirement(r).name) for r in asked["test"] + asked["cluster"]}
    # The kernel of the notebooks and the theme of the site need these two as well.
    assert names & locked(BOOK).keys() == {"psutil", "beautifulsoup4"}


def test_the_set_up_starts_from_the_locked_uv():
    start = (ROOT / "tools" / "uv.lock.txt").read_text("utf8")
    assert start.startswith("uv==")
    assert start in BOOK


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
            r"`((?:tools|chapters|gmlib|data|book|tests|benchmarks|\.github)/[^`]*)`",
            text,
        ):
            assert list(ROOT.glob(path)), f"{name}: {path}"


def test_the_front_page_leads_to_every_lecture():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    text = (ROOT / "index.md").read_text("utf8")
    assert "```{lectures}" in text  # which shows them all, see test_front
    for part in toc["parts"]:
        for entry in part["chapters"]:
            assert part["caption"] == "Lectures" or entry["file"] in text


def test_the_licences_and_the_citation_are_there():
    for name in PROJECT["license-files"]:
        assert len((ROOT / name).read_text("utf8")) > 500
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


@pytest.mark.parametrize("kind", draw_garden.KINDS)
def test_the_garden_is_what_its_tool_draws(kind):
    folder = ROOT / "data" / "garden" / kind
    assert len(list(folder.iterdir())) == draw_garden.EACH
    with Image.open(folder / "007.png") as stored:
        drawn = draw_garden.draw(kind, 7)
        assert np.array_equal(stored.convert("RGB"), drawn.convert("RGB"))


def test_the_garden_is_small():
    files = (ROOT / "data" / "garden").rglob("*.png")
    assert sum(file.stat().st_size for file in files) < 300_000


# -------------------------------------------------- CI, and machines for development


def test_ci_runs_the_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "make test" in script.read_text("utf8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_commands_that_exist_and_may_only_read(path):
    text = path.read_text("utf8")
    rules = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf8"))
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= {*rules}
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


def test_the_machines_that_the_readme_names_are_those_of_ci():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf8"))["jobs"]
    matrix = jobs["supported"]["strategy"]["matrix"]
    readme = (ROOT / "README.md").read_text("utf8")
    assert ", ".join(matrix["python"]).replace(", 3.14", " and 3.14") in readme
    assert {m.split("-")[0] for m in matrix["machine"]} == {"ubuntu", "macos"}
    lowest = Requirement(f"python {PROJECT['requires-python']}").specifier
    assert [v in lowest for v in ("3.10", *matrix["python"])] == [False] + 4 * [True]


@pytest.mark.parametrize(
    ("url", "is_set", "is_here"),
    [
        (address.PLACEHOLDER, "false", "false"),
        ("https://github.com/someone/course", "true", "true"),
        ("https://github.com/someone/original", "true", "false"),
    ],
)
def test_workflows_read_the_address_from_its_one_place(url, is_set, is_here, tmp_path):
    place = ROOT / ".github" / "workflows" / "address.yml"
    (step,) = yaml.safe_load(place.read_text("utf8"))["jobs"]["read"]["steps"][1:]
    text = (ROOT / "pyproject.toml").read_text("utf8")
    (tmp_path / "pyproject.toml").write_text(text.replace(address.address(), url))
    env = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_OUTPUT": "out"}
    env |= {"GITHUB_REPOSITORY": "someone/course", "PATH": os.environ["PATH"]}
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=env, check=True)
    said = (tmp_path / "out").read_text("utf8")
    assert said == f"is-set={is_set}\nis-here={is_here}\n"


def test_nothing_runs_or_is_published_without_an_address():
    for name, output in (("ci", "is-set"), ("site", "is-here")):
        place = ROOT / ".github" / "workflows" / f"{name}.yml"
        jobs = yaml.safe_load(place.read_text("utf8"))["jobs"]
        assert jobs.pop("address") == {"uses": "./.github/workflows/address.yml"}
        asks = {
            job
            for job, what in jobs.items()
            if what.get("if") == f"needs.address.outputs.{output} == 'true'"
        }
        assert asks
        assert all(job in asks or jobs[job]["needs"] in asks for job in jobs)


def test_lint_sees_a_broken_workflow_and_a_wrong_type(tmp_path):
    makefile = (ROOT / "Makefile").read_text("utf8")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf8")
    broken = tmp_path / "ci.yml"
    broken.write_text(workflow.replace("matrix.machine", "matrix.machines"))
    (lint,) = re.findall(r"\$\(BIN\)/(jactionlint .*) \.github", makefile)
    command, *options = lint.split()
    run = [BIN / command, *options, "--", broken]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 1
    assert '"machines" is not defined' in done.stdout
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f(x: int) -> int:\n    return x\n\n\nf('a')\n")
    assert "$(BIN)/pyrefly check\n" in makefile
    run = [BIN / "pyrefly", "check", "--config", ROOT / "pyproject.toml", wrong]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 1
    assert "bad-argument-type" in done.stdout


def test_what_is_prepared_once_stays_with_one_worker(tmp_path):
    """The tests' runner and its plugin must fit: groups were once ignored silently."""
    test = "import os, pytest\n@pytest.mark.xdist_group('g')\n"
    test += "@pytest.mark.parametrize('i', range(6))\ndef test(i): print(os.getpid())\n"
    (tmp_path / "test_group.py").write_text(test)
    run = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-rP"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert len(set(re.findall(r"(?m)^\d+$", done.stdout))) == 1


def test_a_container_begins_with_the_book():
    place = ROOT / ".devcontainer" / "devcontainer.json"
    assert json.loads(place.read_text("utf8"))["postCreateCommand"] == "make book"


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
