"""The tools keep what they promise: whole notebooks, true stamps, one address."""

import os
import shutil
import signal
import subprocess
import sys
import time

import address
import execute
import nbformat
import new_chapter
import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebooks import INSTALL, ROOT, read, stale

URL = "https://github.com/someone/some-course"


@pytest.fixture
def chapter(tmp_path):
    """A chapter of three code cells, not yet executed."""
    nb = new_notebook(
        cells=[
            new_markdown_cell("# A chapter"),
            new_code_cell("# install", metadata={"tags": ["remove-cell", INSTALL]}),
            new_code_cell(
                'scale = "auto"\nseed = 3', metadata={"tags": ["parameters"]}
            ),
            new_code_cell("import os, sys\nprint(os.getcwd(), sys.prefix)"),
        ]
    )
    path = tmp_path / "topic.ipynb"
    notebooks.write(nb, path)
    return path


def edit(path, cell, source):
    nb = read(path)
    nb.cells[cell].source = source
    notebooks.write(nb, path)


def test_a_run_is_stored_with_the_stamp_of_its_code(chapter, monkeypatch):
    monkeypatch.setenv("GMLIB_SCALE", "cpu")
    assert stale(chapter) == "it has never been executed"
    assert execute.execute(chapter)
    assert stale(chapter) == ""
    nb = read(chapter)
    stamp = nb.metadata["gmlib"]
    assert (stamp["scale"], stamp["seed"], stamp["device"]) == ("cpu", 3, "cpu")
    assert stamp["seconds"] > 0
    assert stamp["cpu_seconds"] > 0
    assert stamp["library"] == {}, "it imports nothing of gmlib"
    assert stamp["memory_mib"] > 50
    assert set(stamp["versions"]) == {"python", "torch", "numpy", "matplotlib"}
    assert 'scale = "auto"' in nb.cells[2].source
    assert notebooks.machine_paths(nb) == []
    assert "execution" not in nb.cells[3].metadata
    assert len(nb.cells) == 4
    assert nb.cells[1].source == address.install_cell(address.address())

    edit(chapter, 0, "# A better title")
    edit(chapter, 1, "# another address")
    assert stale(chapter) == "", "prose and the address change no output"
    nb.cells[3].outputs = []
    notebooks.write(nb, chapter)
    assert stale(chapter) == "its outputs were changed by hand or cleared"
    edit(chapter, 3, "import os, sys  # both\nprint(os.getcwd(),sys.prefix)")
    assert stale(chapter) == "its outputs were changed by hand or cleared"
    edit(chapter, 3, "print(2)")
    assert stale(chapter) == "its code has changed since it was executed"


def test_a_budget_counts_cpu_seconds(chapter):
    nb = read(chapter)
    assert notebooks.over_budget(nb, "cpu", 3, 10) == [
        "3 CPU s and 10 MiB, but no budget for scale cpu"
    ]
    nb.metadata["budget"] = {"cpu": {"seconds": 3, "mib": 10}}
    assert notebooks.over_budget(nb, "cpu", 3.0, 10) == []
    assert notebooks.over_budget(nb, "cpu", 7.2, 11) == [
        "7 CPU s of 3 CPU s at scale cpu", "11 MiB of 10 MiB at scale cpu"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("%time f(1)", "%time f(1)  ", True),
        ("%time f(1)", "%time f(2)", False),
        ("x = !ls", "x = !ls -l", False),
        ("f(1)", "f(1);", False),
        ("'shown'", "'other'", False),
        ("not python at all", "not python at  all", False),
        ("def f():\n  'doc'\n  return 1", "def f(): return 1 # one", True),
    ],
)
def test_a_cell_is_known_by_what_it_means(a, b, same, chapter):
    found = []
    for source in (a, b):
        edit(chapter, 3, source)
        found.append(notebooks.code_hash(read(chapter)))
    assert (found[0] == found[1]) == same


def test_a_run_that_fails_leaves_the_good_file(chapter, capsys):
    edit(chapter, 3, "print('so far')\nraise ValueError('no further')")
    before = chapter.read_bytes()
    assert not execute.execute(chapter, store=True)
    assert chapter.read_bytes() == before
    partial = read(chapter.with_name("topic.partial.ipynb"))
    kinds = [output.output_type for output in partial.cells[3].outputs]
    assert kinds == ["stream", "error"]
    assert "no further" in capsys.readouterr().err


def test_a_run_at_smoke_stores_nothing(chapter):
    before = chapter.read_bytes()
    assert execute.execute(chapter, scale="smoke")
    assert chapter.read_bytes() == before


def test_a_kernel_that_dies_leaves_the_good_file(chapter, capsys):
    edit(chapter, 2, "scale, seed = 'smoke', 3\nprint('so far')")
    edit(chapter, 3, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    before = chapter.read_bytes()
    assert not execute.execute(chapter, store=True)
    assert chapter.read_bytes() == before
    partial = read(chapter.with_name("topic.partial.ipynb"))
    assert partial.cells[2].outputs[0].text == "so far\n"
    printed = capsys.readouterr()
    assert "the kernel died (out of memory, or ended by a signal)" in printed.err
    assert "the run is in topic.partial.ipynb; topic.ipynb is as it was" in printed.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_execution_that_is_interrupted_leaves_the_good_file(
    chapter, tmp_path, number
):
    begun = tmp_path / "begun"
    edit(chapter, 2, "scale, seed = 'smoke', 3\nprint('so far')")
    edit(chapter, 3, f"import time\nopen({str(begun)!r}, 'w')\ntime.sleep(3000)")
    before = chapter.read_bytes()
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r})\n"
        "from pathlib import Path; import execute\n"
        f"execute.execute(Path({str(chapter)!r}), store=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdout=-1, stderr=-1
    ) as process:
        while not begun.exists() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert "topic: interrupted" in err
    assert "the run is in topic.partial.ipynb; topic.ipynb is as it was" in out
    assert chapter.read_bytes() == before
    partial = read(chapter.with_name("topic.partial.ipynb"))
    assert partial.cells[2].outputs[0].text == "so far\n"


def test_a_second_execution_of_a_chapter_waits_for_nobody_and_harms_nothing(chapter):
    before = chapter.read_bytes()
    with execute.alone(chapter):
        message = rf"topic: process {os.getpid()} is executing it already"
        with pytest.raises(SystemExit, match=message):
            execute.execute(chapter, store=True)
        with execute.alone(chapter.with_name("another.ipynb")):
            pass
    assert chapter.read_bytes() == before


def test_paths_of_the_machine_are_seen():
    nb = new_notebook(cells=[new_code_cell("x")])
    home = "/" + "home/ada/x.py"
    nb.cells[0].outputs = [
        nbformat.v4.new_output("stream", text=f"{home}:3: a warning"),
        nbformat.v4.new_output(
            "display_data", {"text/html": f"<img src='data:x;base64,{home}AAA'>"}
        ),
    ]
    assert notebooks.machine_paths(nb) == [f"{home}:3:"]


def test_pictures_keep_letters_that_spell_a_path(monkeypatch):
    """Once in many pictures the base64 text contains the name of the home folder."""
    monkeypatch.setenv("HOME", "/" + "ada")
    picture = "base64,UklG" + "/" + "adaAAA="
    nb = new_notebook(cells=[new_code_cell("x")])
    html = f"<img src='data:image/webp;{picture}'> in {'/' + 'ada'}/x"
    nb.cells[0].outputs = [nbformat.v4.new_output("display_data", {"text/html": html})]
    notebooks.hide_machine(nb, run_folder="/" + "nowhere")
    assert nb.cells[0].outputs[0].data["text/html"] == html.replace("/ada/x", "~/x")


# --------------------------------------------------------------------- the address


@pytest.fixture
def copy(tmp_path):
    """A copy of the files that the address and the chapters concern."""
    for name in (
        "pyproject.toml",
        "_config.yml",
        "_toc.yml",
        "README.md",
        "CITATION.cff",
    ):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "chapters").mkdir()
    for path in (ROOT / "chapters").glob("*.ipynb"):
        if not path.name.endswith(".partial.ipynb"):
            shutil.copy(path, tmp_path / "chapters")
    return tmp_path


def test_the_address_is_the_same_everywhere():
    assert address.differences(address.address()) == []


def test_one_command_writes_the_address(copy):
    files = {p: p.read_text("utf8") for p in copy.rglob("*") if p.is_file()}
    changed = set(address.differences(URL, copy, fix=True))
    written = {f"chapters/{p.name}" for p in (copy / "chapters").iterdir()}
    assert changed == {
        "pyproject.toml", "_config.yml", "README.md", "CITATION.cff", *written
    }  # fmt: skip
    assert address.address(copy) == URL
    assert address.differences(URL, copy) == []
    for path in files:
        text = path.read_text("utf8")
        assert URL in text or "_toc" in path.name
        assert "repository.invalid" not in text
    assert "someone.github.io/some-course/" in (copy / "_config.yml").read_text("utf8")
    for path in (copy / "chapters").iterdir():
        if read(path).metadata.get("gmlib"):
            assert stale(path) == ""
    # and back, to the byte
    address.differences(address.address(), copy, fix=True)
    if address.is_placeholder(address.address()):
        assert files == {p: p.read_text("utf8") for p in files}


@pytest.mark.parametrize(
    "url", ["http://github.com/a/b", "https://github.com/a", "https://example.com/a/b"]
)
def test_an_address_that_colab_cannot_open_is_refused(url, capsys):
    with pytest.raises(SystemExit):
        address.main([url, "--check"])
    assert "https://github.com/OWNER/REPOSITORY" in capsys.readouterr().err


@pytest.mark.parametrize("url", [URL, address.PLACEHOLDER])
@pytest.mark.parametrize("missing", [True, False])
def test_the_install_cell_acts_only_where_gmlib_is_missing(
    url, missing, monkeypatch, capsys
):
    magics = []

    class Shell:
        def run_line_magic(self, *call):
            magics.append(call)

    found = None if missing else object()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    exec(address.install_cell(url), {"get_ipython": Shell})
    printed = capsys.readouterr().out
    if missing and url == URL:
        assert magics == [("pip", f"install -q 'gmlib @ git+{URL}'")]
    else:
        assert magics == []
    assert bool(printed) == (missing and url != URL)
    assert printed.count("\n") <= 1


def test_an_install_cell_never_names_an_address_that_nobody_set():
    text = address.install_cell(address.PLACEHOLDER)
    assert "://" not in text
    assert "pip" not in text


# ------------------------------------------------------------------ a new chapter


def test_a_new_chapter_joins_the_book(copy):
    path = new_chapter.new_chapter("flows", "Normalising flows", copy)
    nb = read(path)
    assert nb.cells[0].source.startswith("# Normalising flows")
    assert not [cell for cell in nb.cells if "template-" in cell.source]
    assert ":label: flows-theorem" in "".join(cell.source for cell in nb.cells)
    assert len({cell.id for cell in nb.cells}) == len(nb.cells)
    assert [p.stem for p in notebooks.lectures(copy)][-1] == "flows"
    toc = (copy / "_toc.yml").read_text("utf8")
    assert toc.startswith("#"), "comments stay"
    assert toc.index("chapters/flows") < toc.index("caption: Reference")
    with pytest.raises(ValueError, match="exists"):
        new_chapter.new_chapter("flows", "Again", copy)


@pytest.mark.parametrize("name", ["", "1-gan", "WGAN", "a b", "../x", "api"])
def test_a_chapters_name_is_a_topic(name, copy):
    shutil.copy(ROOT / "chapters" / "api.md", copy / "chapters")
    with pytest.raises(ValueError, match=r"name|exists"):
        new_chapter.new_chapter(name, "T", copy)


def test_unknown_chapters_are_named():
    command = [sys.executable, str(ROOT / "tools" / "execute.py"), "nowhere"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 2
    assert "no chapter 'nowhere'" in run.stderr


def test_make_hands_a_chapter_to_the_checks():
    dry = subprocess.run(
        ["make", "-n", "--no-print-directory", "test", "CHAPTER=nowhere"],
        cwd=ROOT,
        text=True,
        stdout=-1,
    )
    command = dry.stdout.splitlines()[-1].split()
    assert command[1] == "tools/test.py"
    ended = subprocess.run(
        [sys.executable, *command[1:]], cwd=ROOT, text=True, stderr=-1
    )
    there = "there are: introduction, latent_variables"
    assert f"no chapter 'nowhere'; {there}" in ended.stderr
