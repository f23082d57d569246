"""Every notebook runs at scale smoke as on Colab: from the wheel, alone, offline.

Its kernel is forked from a warm process (tools/warm.py); two also run in a cold one.
The second run of each is nbval's, against its stored outputs (tools/test.py).
"""

import json
import os
import shutil
from pathlib import Path

import nbformat
import papermill
import pytest
from execute import PROBE, environment
from names import in_words, watched
from notebooks import (
    CHECK,
    CLAIM,
    PREDICTION,
    ROOT,
    SLACK,
    chapters,
    over_budget,
    read,
    records,
)
from test_notebooks import CHAPTERS, TEMPLATE, assert_answered, assert_two_sided
from warm import warm

SPENT = ROOT / "_build" / "spent"  # read by tools/test.py
FAILED = ROOT / "_build" / "failed"  # what a failed run leaves to be looked at
WHERE = """
import os, sys
print("GMLIB_WARM_SECONDS" in os.environ)
print([m.__file__ for m in list(sys.modules.values())
       if (getattr(m, "__file__", None) or "").startswith(CHECKOUT)
       and not m.__file__.startswith(sys.prefix)])
print(sys.modules["gmlib"].__file__)
"""


@pytest.fixture(scope="session")
def warmed(tmp_path_factory):
    """The environment of warm kernels: that of `make test`, or one of our own."""
    if "GMLIB_WARM" in os.environ:
        yield dict(os.environ)
    else:
        with warm(tmp_path_factory.mktemp("warm")) as env:
            yield env


@pytest.fixture
def as_on_colab(warmed, monkeypatch, tmp_path):
    """Neither a network, nor MNIST, nor the checkout: the folder of the wheel."""
    names = ("JUPYTER_PATH", "GMLIB_WARM")
    changes = environment(tmp_path, "auto") | {name: warmed[name] for name in names}
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    for name in ("GMLIB_DATA", "GMLIB_SCALE"):
        monkeypatch.delenv(name, raising=False)
    site = str(Path(warmed["GMLIB_WARM"]) / "site")
    monkeypatch.setenv("PYTHONPATH", site)
    monkeypatch.setenv("GMLIB_MIRRORS", "")
    monkeypatch.setenv("GMLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return site


def run(path, tmp_path):
    """Run a notebook by papermill in an empty folder; return it and what it printed."""
    wanted = {"scale": "smoke", "seed": 1}
    assert wanted.keys() == papermill.inspect_notebook(str(path)).keys()
    nb = watched(read(path))
    where = WHERE.replace("CHECKOUT", repr(str(ROOT) + os.sep))
    nb.cells += [nbformat.v4.new_code_cell(source) for source in (PROBE, where)]
    nbformat.write(nb, tmp_path / "in.ipynb")
    folder = tmp_path / "empty"
    folder.mkdir()
    try:
        papermill.execute_notebook(
            str(tmp_path / "in.ipynb"),
            str(tmp_path / "out.ipynb"),
            parameters=wanted,
            kernel_name="python3",
            cwd=str(folder),
            progress_bar=False,
        )
    except papermill.PapermillExecutionError:
        if path.is_relative_to(ROOT):  # not one that a test of the gates has broken
            FAILED.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / "out.ipynb", FAILED / path.name)
        raise
    assert not list(folder.iterdir()), "it left files behind"
    nb = read(tmp_path / "out.ipynb")
    # What a cell prints comes in one piece or in several, as it happens.
    texts = ("".join(o.text for o in cell.outputs) for cell in nb.cells[-3:])
    twice, facts, where = texts
    assert not in_words(json.loads(twice)), "names of two kinds"
    return nb, json.loads(facts), where.splitlines()


def assert_it_runs(path, site, tmp_path, warm=True):
    """Whatever the seed: no claim that is mathematics may depend on luck."""
    nb, facts, (kernel, from_checkout, library) = run(path, tmp_path)
    assert kernel == str(warm)
    assert from_checkout == "[]"
    assert library.startswith(site + os.sep)
    claims = records(nb, CLAIM)
    stored = records(read(path), CLAIM)
    assert {c["id"] for c in claims} >= {c["id"] for c in stored}
    assert all(claim["scale"] == "smoke" for claim in claims)
    verdict = {"math": "holds", "empirical": "unjudged"}
    assert all(claim["verdict"] == verdict[claim["kind"]] for claim in claims)
    assert_two_sided(records(nb, CHECK))
    assert_answered(records(nb, PREDICTION))
    return claims, facts["cpu_seconds"], facts["memory_mib"]


@pytest.mark.parametrize("path", [*CHAPTERS, TEMPLATE], ids=lambda path: path.stem)
def test_it_runs_at_smoke(path, as_on_colab, tmp_path):
    claims, seconds, mib = assert_it_runs(path, as_on_colab, tmp_path)
    assert claims
    SPENT.mkdir(parents=True, exist_ok=True)
    spent = {"seconds": round(seconds, 1), "mib": mib}
    (SPENT / f"{path.stem}.json").write_text(json.dumps(spent), "utf8")
    assert not over_budget(read(path), "smoke", seconds, mib, SLACK)


@pytest.mark.parametrize("path", [TEMPLATE, chapters()[0]], ids=lambda path: path.stem)
def test_it_runs_in_a_cold_kernel(path, as_on_colab, monkeypatch, tmp_path):
    monkeypatch.delenv("JUPYTER_PATH")
    assert_it_runs(path, as_on_colab, tmp_path, warm=False)
