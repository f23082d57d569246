"""An exported lecture in a real JupyterLab, as a student reads it."""

import json
import os
import re
import subprocess
import sys
import time

import pytest
from export import FOLDED, Exporter
from myst import TOKEN
from nbformat.v4 import new_code_cell, new_markdown_cell
from notebooks import ROOT, write

pytestmark = pytest.mark.xdist_group("jupyterlab")
SETTINGS = {  # draw every cell at once; ask nothing of anybody
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false"},
}
NUMBERS = """() => [...document.querySelectorAll(
  '.jp-MarkdownOutput mjx-assistive-mml mlabeledtr > mtd:first-child'
)].map(e => e.textContent)"""
PROSE = """() => [...document.querySelectorAll('.jp-MarkdownOutput')].map(e => {
  const copy = e.cloneNode(true);
  copy.querySelectorAll('mjx-container, code').forEach(m => m.remove());
  return copy.textContent;
}).join(' ')"""
HINT = new_markdown_cell(
    "<details><summary>Hint</summary>\n\nTry $h_1$, **then** $h_2$.\n\n</details>"
)


def lecture():
    """The lecture on GANs, exported: all its prose, what moves, and nothing to run."""
    nb = Exporter()(ROOT / "chapters" / "gan.ipynb")
    moving = [
        cell
        for cell in nb.cells
        if cell.cell_type == "code"
        and any(
            "gm-slider" in o.get("data", {}).get("text/html", "") for o in cell.outputs
        )
    ]
    prose = [cell for cell in nb.cells if cell.cell_type == "markdown"]
    hidden = new_code_cell("1 + 1", metadata={"jupyter": {"source_hidden": True}})
    nb.cells = [prose[0], moving[0], HINT, hidden, *prose[1:]]
    return nb


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab that knows nothing of this user, and the lecture."""
    home, nb = tmp_path_factory.mktemp("jupyterlab"), lecture()
    (home / "work").mkdir()
    write(nb, home / "work" / "gan.ipynb")
    for name, values in SETTINGS.items():
        place = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(values), "utf8")
    kinds = ("CONFIG", "DATA", "RUNTIME")
    env = os.environ | {f"JUPYTER_{k}_DIR": str(home / k.lower()) for k in kinds}
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "HOME": str(home)}
    env |= {"JUPYTERLAB_WORKSPACES_DIR": str(home / "spaces")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    command += ["--IdentityProvider.token=t", f"--ServerApp.root_dir={home / 'work'}"]
    command += ["--LabApp.extension_manager=readonly"]
    command += ["--LabApp.expose_app_in_browser=True"]
    log = (home / "log").open("w+")
    process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=home)
    try:
        yield f"{address(process, home, log)}lab/tree/gan.ipynb?token=t", nb
    finally:
        process.terminate()
        process.wait()
        log.close()


def address(process, home, log):
    """Wait until the server says where it listens."""
    place = home / "runtime" / f"jpserver-{process.pid}.json"
    while not (place.exists() and place.read_text("utf8").endswith("}")):
        assert process.poll() is None, (log.seek(0), log.read())
        time.sleep(0.1)
    return json.loads(place.read_text("utf8"))["url"]


@pytest.fixture(scope="module")
def page(lab, browser):
    """The lecture, opened, with every formula typeset that ever will be."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(0)
    page.goto(lab[0])
    count = sum(c.cell_type == "markdown" for c in lab[1].cells)
    page.wait_for_function(
        f"document.querySelectorAll('.jp-MarkdownOutput').length >= {count}"
    )
    page.wait_for_function(
        "n => document.querySelectorAll('mjx-container').length >= n",
        arg=formulas(lab[1]),
    )
    yield page
    page.close()


def formulas(nb):
    """Return the number of formulas in the prose of a notebook."""
    return sum(map(formulas_of, prose(nb)))


def prose(nb):
    return [c.source for c in nb.cells if c.cell_type == "markdown"]


def formulas_of(text):
    return sum(bool(m["math"] or m["display"]) for m in TOKEN.finditer(text))


def count(page, selector):
    return page.locator(selector).count()


def test_every_formula_is_typeset_and_no_directive_is_left(page, lab):
    assert formulas(lab[1]) > 300
    assert count(page, ".jp-MarkdownOutput mjx-container") == formulas(lab[1])
    assert count(page, "mjx-merror, [data-mjx-error]") == 0
    numbers = [n for c in lab[1].cells for n in re.findall(r"\\tag\{(.+?)\}", c.source)]
    assert len(numbers) > 10
    assert page.evaluate(NUMBERS) == [f"({number})" for number in numbers]
    # The prose of the lecture has no block of code, so one would be a raw fence.
    assert count(page, ".jp-MarkdownOutput pre") == 0
    text = page.evaluate(PROSE)
    assert not [m for m in ("{", "`", ":::", "$", ":label:", ")=") if m in text]
    assert re.search(r"Theorem \d\.\d \(The best discriminator\)\. Let", text)
    assert count(page, ".jp-MarkdownOutput blockquote mjx-container[display=true]") > 3


def test_what_is_folded_or_hidden_is_so(page, lab):
    hints = re.findall(r"(?s)<details>.+?</details>", "\n".join(prose(lab[1])))
    assert len(hints) > 3
    assert count(page, "details:not([open]) > summary") == len(hints)
    assert count(page, "details mjx-container") == sum(map(formulas_of, hints)) > 3
    assert count(page, "details strong") == sum(h.count("**") for h in hints) // 2 > 0
    hidden = [c for c in lab[1].cells if "jupyter" in c.metadata]
    assert count(page, ".jp-InputPlaceholder") == len(hidden) == 2
    cells = [c for c in lab[1].cells if c.cell_type == "markdown"]
    folds = [i for i, c in enumerate(cells) if FOLDED in c.metadata]
    for words in ("#### Solution to", "(for the second reading)"):
        assert sum(words in cells[i].source for i in folds) > 3
    assert count(page, f".{FOLDED}") == len(folds)
    # Without its code a fold may be empty: then the next heading follows.
    holding = [i for i in folds if not cells[i + 1].source.startswith("#")]
    assert len(holding) > 3
    assert count(page, f".{FOLDED} + .jp-Cell.lm-mod-hidden") == len(holding)


def test_a_slider_moves_once_the_notebook_is_trusted(page):
    box = page.locator(".gm-slider").first
    shown = (
        "b => [...b.querySelectorAll('img')].findIndex("
        "i => getComputedStyle(i).display !== 'none')"
    )
    assert "To move it, trust" in box.locator(".gm-trust").inner_text()
    assert box.locator("input").is_disabled()
    # The palette, which has this command, closes by itself when it loses the focus.
    page.evaluate("() => { jupyterapp.commands.execute('notebook:trust'); }")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_for_function("!document.querySelector('.gm-trust')")
    assert box.evaluate(shown) == 0
    box.locator("input").click()  # in its middle: JupyterLab keeps the arrow keys
    assert box.evaluate(shown) > 0
    assert box.locator("output").inner_text() != "round 0"
