"""Every chapter as it is written and stored; see test_runs for how it runs."""

import ast
import re
import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from notebooks import (
    CHECK,
    CLAIM,
    INSTALL,
    PREDICTION,
    ROOT,
    chapters,
    code_cells,
    lectures,
    machine_paths,
    over_budget,
    parameters,
    read,
    records,
    stale,
    tagged,
    tags,
)

CHAPTERS, LECTURES = chapters(), lectures()
TEMPLATE = ROOT / "chapters" / "_template.ipynb"
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}

each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
each_lecture = pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize(
    "path", [*CHAPTERS, TEMPLATE], ids=lambda path: path.stem
)


def numbered(nb):
    """Return (number, code cell) of all cells that teach: none that are hidden."""
    return [
        (i, cell)
        for i, cell in enumerate(nb.cells)
        if cell.cell_type == "code" and not HIDDEN & set(tags(cell))
    ]


def pieces_of_html(nb):
    for cell in code_cells(nb):
        for output in cell.outputs:
            if "text/html" in output.get("data", {}):
                yield BeautifulSoup(output.data["text/html"], "html.parser")


def prose(nb):
    """Return the text of a chapter without its code."""
    return "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def labels(nb, *directives):
    """Return the labels of the exercises or solutions in a chapter's prose."""
    names = "|".join(directives)
    label = rf"{{(?:{names})}}[^\n]*\n(?::.*\n)*?:label: *(\S+)"
    return re.findall(label, prose(nb))


# ------------------------------------------------------------- as they are written


@each_notebook
def test_it_is_a_valid_notebook(path):
    nb = read(path)
    nbformat.validate(nb)
    assert (nb.nbformat, nb.nbformat_minor) >= (4, 5)
    assert nb.metadata.kernelspec.name == "python3"
    assert nb.cells[0].source.startswith("# ")


@each_notebook
def test_it_begins_as_every_chapter_does(path):
    """Install cell, parameters, one cell of imports, `run = begin(scale, seed)`."""
    nb = read(path)
    cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert {INSTALL, "remove-cell"} <= set(tags(cells[0]))
    assert "parameters" in tags(cells[1])
    assert parameters(nb) == {"scale": "auto", "seed": 0}
    assert re.match(r"(from|import) ", cells[2].source)
    assert cells[3].source.startswith("run = begin(scale, seed)")
    assert len(tagged(nb, INSTALL)) == len(tagged(nb, "parameters")) == 1


@each_notebook
def test_only_one_cell_imports(path):
    importing = []
    for i, cell in enumerate(read(path).cells):
        if cell.cell_type == "code" and INSTALL not in tags(cell):
            tree = ast.walk(ast.parse(cell.source))
            if any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree):
                importing.append(i)
    assert len(importing) == 1, f"cells {importing} import"


@each_notebook
def test_teaching_cells_fit_a_screen(path):
    """At most 15 lines of 80 columns, one output; folded cells as wide as a module."""
    nb = read(path)
    long = {
        i: n
        for i, cell in numbered(nb)
        if (n := len(cell.source.splitlines())) > 15
        and not cell.source.startswith(("import ", "from "))
    }
    assert not long, f"lines in a cell: {long}"
    wide = {
        i: line
        for i, cell in enumerate(nb.cells)
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
        if len(line) > (88 if HIDDEN & set(tags(cell)) else 80)
    }
    assert not wide
    several = {
        i: n
        for i, cell in numbered(nb)
        if (n := sum(o.output_type != "execute_result" for o in cell.outputs)) > 1
    }
    assert not several, f"outputs of a cell: {several}"


@each_notebook
def test_tensors_leave_the_device_before_numpy_sees_them(path):
    for cell in code_cells(read(path)):
        bare = re.findall(r"^.*(?<!\.cpu\(\))\.numpy\(\).*$", cell.source, re.M)
        assert not bare
        if re.search(r"\bfit\(|\bdef (?:L_|loss)", cell.source):
            assert ".detach(" not in cell.source, "the engine knows whose gradients"


def without_a_device(source):
    """Draws from a generator whose place is left to the reader's machine."""
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    named = [{keyword.arg for keyword in call.keywords} for call in calls]
    return [
        ast.unparse(call)
        for call, names in zip(calls, named, strict=True)
        if ("generator" in names and "device" not in names)
        or (ast.unparse(call.func) == "torch.Generator" and not call.args)
    ]


@each_notebook
def test_a_generator_and_what_it_draws_are_on_one_device(path):
    """On a GPU `begin` makes it the default, and a CPU's generator would be refused."""
    assert without_a_device("torch.randn(3, generator=g); torch.Generator()")
    for cell in code_cells(read(path)):
        if INSTALL not in tags(cell):
            assert not without_a_device(cell.source)


@each_lecture
def test_an_exercise_says_how_long_it_takes_and_has_a_hint(path):
    """Between its fences: `*10 minutes · easy.*` first, and a fold called Hint."""
    text, fence = prose(read(path)), "`{3,}"
    starts = rf"{{exercise-start}}[^\n]*\n:label: *(\S+)\n{fence}\n"
    exercises = re.findall(rf"{starts}(.*?){fence} *{{exercise-end}}", text, re.S)
    assert len(exercises) == text.count("{exercise-start}")
    begins = re.compile(r"\s*\*\d+ minutes · (easy|medium|hard)\.\*")
    assert not [label for label, text in exercises if not begins.match(text)]
    assert not [label for label, text in exercises if "{dropdown} Hint" not in text]


@each_lecture
def test_it_has_exercises_with_solutions(path):
    nb = read(path)
    exercises = labels(nb, "exercise", "exercise-start")
    assert len(exercises) >= 4
    assert len(set(exercises)) == len(exercises)
    solved = re.findall(r"{solution(?:-start)?} *(\S+)", prose(nb))
    assert sorted(solved) == sorted(exercises)


def assert_answered(predictions):
    """Every question is answered once, after it was asked, by one of its answers."""
    asked = {}
    for record in predictions:
        if "question" in record:
            assert asked.setdefault(record["id"], record) is record
        else:
            assert record["answer"] in asked.pop(record["id"])["answers"]
    assert not asked, f"never answered: {list(asked)}"


def assert_two_sided(checks):
    """Every starter fails its check and is told why, every solution passes."""
    for check in checks:
        assert check["passed"] == check["solution"], check["id"]
        assert bool(check["wrong"]) != check["solution"], check["id"]


# -------------------------------------------------------------- as they are stored


@each_chapter
def test_its_outputs_come_from_its_code(path):
    assert stale(path) == ""


@each_chapter
def test_its_outputs_come_from_a_real_run(path):
    stamp = read(path).metadata["gmlib"]
    assert stamp["scale"] in ("cpu", "gpu")
    assert stamp["seed"] == 0
    mib = stamp.get("device_memory_mib", stamp["memory_mib"])
    seconds = stamp.get("cpu_seconds", stamp["seconds"])
    assert not over_budget(read(path), stamp["scale"], seconds, mib)
    assert not [name for name in stamp["data"] if "digits" in name.lower()]


@each_lecture
def test_it_asks_before_it_shows(path):
    predictions = records(read(path), PREDICTION)
    assert_answered(predictions)
    assert len(predictions) >= 6, "three questions, three answers"


@each_chapter
def test_its_claims_hold(path):
    claims = records(read(path), CLAIM)
    assert claims
    names = [claim["id"] for claim in claims]
    assert len(set(names)) == len(names)
    failed = [claim["id"] for claim in claims if claim["verdict"] != "holds"]
    assert not failed


@each_lecture
def test_its_empirical_claims_say_their_seeds(path):
    claims = [c for c in records(read(path), CLAIM) if c["kind"] == "empirical"]
    assert not [
        c["id"] for c in claims if not c.get("why_one") and (c["seeds"] or 0) < 3
    ]


@each_lecture
def test_it_claims_enough_of_both_kinds(path):
    claims = records(read(path), CLAIM)
    assert len(claims) >= 5
    assert {claim["kind"] for claim in claims} == {"math", "empirical"}


@each_lecture
def test_its_exercises_are_open_and_its_solutions_pass(path):
    nb = read(path)
    checks = records(nb, CHECK)
    solved = {check["id"] for check in checks if check["solution"]}
    assert_two_sided(checks)
    assert len(solved) >= 4
    assert {check["id"] for check in checks} == solved
    assert {c["id"] for c in checks if not c["solution"]} == solved, (
        "a check is missing"
    )


@each_chapter
def test_its_figures_say_what_they_show(path):
    nb = read(path)
    for cell in code_cells(nb):
        for output in cell.outputs:
            kinds = [k for k in output.get("data", {}) if k.startswith("image/")]
            assert not kinds, f"not shown by `show`: {cell.source[:60]}"
    images = [image for page in pieces_of_html(nb) for image in page.select("img")]
    assert images
    for image in images:
        assert len(image.get("alt", "").strip()) > 10
        assert image["src"].startswith("data:image/")


@each_chapter
def test_it_has_something_to_move(path):
    sliders = [
        p.select(".gm-slider input[type=range]") for p in pieces_of_html(read(path))
    ]
    assert any(sliders)


@each_chapter
def test_its_outputs_are_clean(path):
    """No error, no warning, no path of the machine, and not too large."""
    nb = read(path)
    for cell in code_cells(nb):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source[:60]
            assert output.get("name") != "stderr", output.text
            widgets = [kind for kind in output.get("data", {}) if "widget" in kind]
            assert not widgets, f"needs a kernel: {cell.source[:60]}"
    assert machine_paths(nb) == []
    assert path.stat().st_size < 2.5e6


def test_claims_and_exercises_have_names_of_their_own():
    for kind in (CLAIM, CHECK, PREDICTION):
        owner = {}
        for path in CHAPTERS:
            for name in {record["id"] for record in records(read(path), kind)}:
                assert owner.setdefault(name, path) == path


def test_the_checks_see_what_is_wrong(tmp_path):
    """The checks above can fail: a notebook that breaks several rules."""
    nb = read(TEMPLATE)
    nb.cells[1].source = "import os"
    nb.cells[2].source = 'scale = "cpu"\nseed = 0'
    shown = numbered(nb)[3][1]
    shown.source = "x = t.numpy()" + "\n" * 16
    broken = tmp_path / "broken.ipynb"
    nbformat.write(nb, broken)
    for test in (
        test_it_begins_as_every_chapter_does,
        test_teaching_cells_fit_a_screen,
        test_tensors_leave_the_device_before_numpy_sees_them,
        test_its_claims_hold,
        test_it_claims_enough_of_both_kinds,
        test_its_figures_say_what_they_show,
    ):
        with pytest.raises(AssertionError):
            test(broken)


def test_the_chapters_pass_their_style():
    ruff = [sys.executable, "-m", "ruff", "check", "--select", "E9,F401,F821"]
    subprocess.run([*ruff, str(ROOT / "chapters")], check=True)
