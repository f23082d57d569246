"""The gates are tested: each fault, injected, turns the check that is for it red.

Here those of a chapter; of provenance, the site and the repository in files beside.
"""

from contextlib import nullcontext

import claims
import nbformat
import notebooks
import papermill
import pytest
import test_notebooks
import test_runs
from nbformat.v4 import new_code_cell
from notebooks import CHECK, CLAIM, PREDICTION, ROOT, outputs_hash, read, write

import book
from gmlib.lecture import ClaimFailed, check, claim

CHAPTER = ROOT / "chapters" / "gan.ipynb"
TEMPLATE = ROOT / "chapters" / "_template.ipynb"


@pytest.fixture
def chapter(tmp_path):
    """Return a copy of a stored chapter, changed by a function of its notebook."""

    def changed(change, honest=True, of=CHAPTER):
        nb = read(of)
        change(nb)
        if honest and "gmlib" in nb.metadata:  # so that another gate must see it
            nb.metadata["gmlib"]["outputs"] = outputs_hash(nb)
        write(nb, tmp_path / "gan.ipynb")
        return tmp_path / "gan.ipynb"

    return changed


def outputs(nb, mime):
    """Yield the outputs of a notebook that carry data of a kind."""
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if mime in output.get("data", {}):
                yield output


def first(nb, mime, **wanted):
    """Return the first record of a kind with these values."""
    for output in outputs(nb, mime):
        if wanted.items() <= output.data[mime].items():
            return output.data[mime]
    raise LookupError(wanted)


def html(nb, old, new):
    """Replace `old` in the first HTML output that holds it."""
    for output in outputs(nb, "text/html"):
        text = "".join(output.data["text/html"])
        if old in text:
            output.data["text/html"] = text.replace(old, new, 1)
            return
    raise LookupError(old)


def test_an_unchanged_chapter_passes_them_all(chapter):
    path = chapter(lambda nb: None)
    for gate in {gate for _, gate in STORED.values()}:
        gate(path)


# ---------------------------------------------------------------- a stored chapter


def a_false_claim(nb):
    first(nb, CLAIM)["verdict"] = "fails"


def no_claims(nb):
    for output in outputs(nb, CLAIM):
        del output.data[CLAIM]


def only_mathematics(nb):
    for output in outputs(nb, CLAIM):
        if output.data[CLAIM]["kind"] == "empirical":
            del output.data[CLAIM]


def an_output_by_hand(nb):
    html(nb, "Claim holds", "Claim really holds")


def changed_code(nb):
    next(c for c in nb.cells if "run = begin" in c.source).source += "\nrun = None"


def a_wrong_hash(nb):
    nb.metadata["gmlib"]["code"] = "0" * 64


def no_stamp(nb):
    del nb.metadata["gmlib"]


def a_smoke_run(nb):
    nb.metadata["gmlib"]["scale"] = "smoke"


def the_digits_for_mnist(nb):
    nb.metadata["gmlib"]["data"] = {"digits": "0" * 64}


def too_slow(nb):
    nb.metadata["gmlib"]["cpu_seconds"] = 1e5


def no_text_alternative(nb):
    html(nb, 'alt="', 'alt="" data-was="')


def no_slider(nb):
    for output in outputs(nb, "text/html"):
        text = "".join(output.data["text/html"])
        output.data["text/html"] = text.replace('type="range"', 'type="text"')


def a_failing_solution(nb):
    first(nb, CHECK, solution=True).update(passed=False, wrong=["all"])


def a_starter_that_passes(nb):
    first(nb, CHECK, solution=False).update(passed=True, wrong=[])


def a_silent_check(nb):
    first(nb, CHECK, solution=False)["wrong"] = []


def a_lost_solution(nb):
    cell = next(c for c in nb.cells if "{solution-start}" in c.source)
    cell.source = cell.source.replace("{solution-start}", "{note}")


def no_hint(nb):
    cell = next(c for c in nb.cells if "{dropdown} Hint" in c.source)
    cell.source = cell.source.replace("{dropdown} Hint", "{note}")


def no_minutes(nb):
    cell = next(c for c in nb.cells if "{exercise-start}" in c.source)
    cell.source = cell.source.replace(" minutes · ", " moments · ")


def no_seeds(nb):
    first(nb, CLAIM, kind="empirical").update(seeds=None, why_one=None)


def an_unanswered_question(nb):
    record = next(o for o in outputs(nb, PREDICTION) if "answer" in o.data[PREDICTION])
    del record.data[PREDICTION]


def two_questions(nb):
    kept = sorted({r.data[PREDICTION]["id"] for r in outputs(nb, PREDICTION)})[:2]
    for record in list(outputs(nb, PREDICTION)):
        if record.data[PREDICTION]["id"] not in kept:
            del record.data[PREDICTION]


def a_path_of_the_machine(nb):
    html(nb, "Claim holds", "Claim holds in /" + "home/ada/run")


def an_error_in_the_outputs(nb):
    cell = next(c for c in nb.cells if c.get("outputs"))
    cell.outputs.append(nbformat.v4.new_output("error", ename="E", evalue="no"))


def a_warning_in_the_outputs(nb):
    cell = next(c for c in nb.cells if c.get("outputs"))
    cell.outputs.append(nbformat.v4.new_output("stream", name="stderr", text="careful"))


def a_second_import_cell(nb):
    nb.cells.append(new_code_cell("import os"))


def a_cell_too_long(nb):
    nb.cells.append(new_code_cell("x = 1\n" * 16))


def a_cell_too_wide(nb):
    nb.cells.append(new_code_cell("x = 1  # " + "y" * 80))


def a_detached_loss(nb):
    nb.cells.append(new_code_cell("def L_G(x):\n    return -T(x).detach().mean()"))


def a_hidden_parameter(nb):
    next(c for c in nb.cells if c.source.startswith("scale =")).source += "\nlr = 1"


STORED = {
    "a false claim": (a_false_claim, test_notebooks.test_its_claims_hold),
    "no claims": (no_claims, test_notebooks.test_its_claims_hold),
    "only mathematics": (
        only_mathematics,
        test_notebooks.test_it_claims_enough_of_both_kinds,
    ),
    "changed code": (changed_code, test_notebooks.test_its_outputs_come_from_its_code),
    "a wrong hash": (a_wrong_hash, test_notebooks.test_its_outputs_come_from_its_code),
    "no stamp": (no_stamp, test_notebooks.test_its_outputs_come_from_its_code),
    "a smoke run": (a_smoke_run, test_notebooks.test_its_outputs_come_from_a_real_run),
    "the digits for MNIST": (
        the_digits_for_mnist,
        test_notebooks.test_its_outputs_come_from_a_real_run,
    ),
    "too slow": (too_slow, test_notebooks.test_its_outputs_come_from_a_real_run),
    "no text alternative": (
        no_text_alternative,
        test_notebooks.test_its_figures_say_what_they_show,
    ),
    "no slider": (no_slider, test_notebooks.test_it_has_something_to_move),
    "a failing solution": (
        a_failing_solution,
        test_notebooks.test_its_exercises_are_open_and_its_solutions_pass,
    ),
    "a starter that passes": (
        a_starter_that_passes,
        test_notebooks.test_its_exercises_are_open_and_its_solutions_pass,
    ),
    "a check that says nothing": (
        a_silent_check,
        test_notebooks.test_its_exercises_are_open_and_its_solutions_pass,
    ),
    "a lost solution": (
        a_lost_solution,
        test_notebooks.test_it_has_exercises_with_solutions,
    ),
    "no hint": (
        no_hint,
        test_notebooks.test_an_exercise_says_how_long_it_takes_and_has_a_hint,
    ),
    "no minutes": (
        no_minutes,
        test_notebooks.test_an_exercise_says_how_long_it_takes_and_has_a_hint,
    ),
    "no seeds": (no_seeds, test_notebooks.test_its_empirical_claims_say_their_seeds),
    "no answer": (an_unanswered_question, test_notebooks.test_it_asks_before_it_shows),
    "few questions": (two_questions, test_notebooks.test_it_asks_before_it_shows),
    "a path": (a_path_of_the_machine, test_notebooks.test_its_outputs_are_clean),
    "an error": (an_error_in_the_outputs, test_notebooks.test_its_outputs_are_clean),
    "a warning": (a_warning_in_the_outputs, test_notebooks.test_its_outputs_are_clean),
    "two import cells": (
        a_second_import_cell,
        test_notebooks.test_only_one_cell_imports,
    ),
    "a long cell": (a_cell_too_long, test_notebooks.test_teaching_cells_fit_a_screen),
    "a wide cell": (a_cell_too_wide, test_notebooks.test_teaching_cells_fit_a_screen),
    "a detached loss": (
        a_detached_loss,
        test_notebooks.test_tensors_leave_the_device_before_numpy_sees_them,
    ),
    "a hidden parameter": (
        a_hidden_parameter,
        test_notebooks.test_it_begins_as_every_chapter_does,
    ),
}


@pytest.mark.parametrize("fault", STORED)
def test_a_fault_in_a_stored_chapter_is_caught(fault, chapter):
    change, gate = STORED[fault]
    with pytest.raises((AssertionError, KeyError)):
        gate(chapter(change))


def test_no_book_is_built_on_a_false_claim(chapter, monkeypatch, capsys):
    path = chapter(a_false_claim)
    monkeypatch.setattr(book, "chapters", lambda: [path])
    monkeypatch.setattr("sys.argv", ["book.py", "--as-stored"])
    with pytest.raises(SystemExit, match="claims that do not hold: 1"):
        book.main()
    monkeypatch.setattr(notebooks, "chapters", lambda: [path])
    with pytest.raises(SystemExit, match="do not hold"):
        claims.main([])
    assert "  fails " in capsys.readouterr().out


def test_two_chapters_may_not_share_a_claim(chapter, monkeypatch):
    monkeypatch.setattr(test_notebooks, "CHAPTERS", [CHAPTER, chapter(lambda nb: None)])
    with pytest.raises(AssertionError):
        test_notebooks.test_claims_and_exercises_have_names_of_their_own()


# ----------------------------------------------------------------- a running chapter

RAISES = "raise ValueError('by a gate test')"
FALSE_CLAIM = "claim('gate-false', 'One is two.', 1 == 2, measured=1, expected=2)"
FAILED = (
    "check('gate-solution', lambda: 2, [('it is one', lambda f: f() == 1)],"
    " solution=True)"
)
ACCEPTS_ALL = (
    "check('gate-lax', lambda: 2, [('anything', lambda f: True)], solution=True)"
)
STARTS_SOLVED = "check('gate-open', lambda: 1, [('it is one', lambda f: f() == 1)])"
LEAVES_FILES = "open('left.txt', 'w').close()"
TWO_KINDS = "run = 3"


warmed, as_on_colab = test_runs.warmed, test_runs.as_on_colab


@pytest.mark.parametrize(
    "source",
    [
        RAISES,
        FALSE_CLAIM,
        FAILED,
        ACCEPTS_ALL,
        STARTS_SOLVED,
        LEAVES_FILES,
        TWO_KINDS,
        "",
    ],
)
def test_a_fault_in_a_running_chapter_is_caught(source, chapter, as_on_colab, tmp_path):
    def short(nb):
        """Keep the beginning that every chapter has, then the fault."""
        (begin,) = (i for i, c in enumerate(nb.cells) if "run = begin" in c.source)
        nb.cells[begin + 1 :] = [new_code_cell(source)] * bool(source)

    faults = (AssertionError, papermill.PapermillExecutionError)
    with pytest.raises(faults) if source else nullcontext():
        path = chapter(short, of=TEMPLATE)
        test_runs.assert_it_runs(path, as_on_colab, tmp_path)


def test_a_false_claim_stops_the_notebook():
    with pytest.raises(ClaimFailed):
        claim("gate-false", "One is two.", False, measured=1, expected=2)


@pytest.mark.parametrize("tests", [[("anything", lambda f: True)]])
def test_a_check_that_accepts_everything_is_no_check(tests):
    with pytest.raises(ClaimFailed, match="accepts"):
        check("gate-lax", lambda: 1, tests, solution=True)
