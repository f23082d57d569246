"""The wheel holds all that a notebook needs: each runs in an empty folder with it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from execute import environment
from nbclient import NotebookClient
from notebooks import CLAIM, ROOT, chapters, read, records

UV = str(Path(sys.executable).with_name("uv"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel without asking the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [UV, "build", "--quiet", "--offline", "--wheel", "--no-build-isolation"]
    command += ["--python", sys.executable, "--out-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install it into a folder of its own; keep the checkout out of sight."""
    site = tmp_path_factory.mktemp("site")
    command = [UV, "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run(
        [*command, "--python", sys.executable, "--target", str(site), str(wheel)],
        check=True,
    )
    (site / "sitecustomize.py").write_text(
        f"import sys\nsys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
    )
    return site


def test_it_holds_the_module_and_its_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for file in (ROOT / "gmlib").rglob("*.py"):
        assert file.relative_to(ROOT).as_posix() in names
    assert "gmlib/py.typed" in names
    for file in (ROOT / "data").rglob("*"):
        if file.is_file():
            assert f"gmlib/_data/{file.relative_to(ROOT / 'data')}" in names
    assert all(name.startswith(("gmlib/", "gmlib-")) for name in names)
    assert [n for n in names if n.endswith("licenses/LICENSE")]
    assert wheel.stat().st_size < 20e6


@pytest.mark.parametrize(
    "path",
    [*chapters(), ROOT / "chapters" / "_template.ipynb"],
    ids=lambda path: path.stem,
)
def test_a_notebook_runs_alone(path, installed, tmp_path):
    """In an empty folder, from the wheel, without network and MNIST: as on Colab."""
    nb = read(path)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    probe = (
        "import sys\n"
        f"print([m for m in list(sys.modules.values())"
        f" if (getattr(m, '__file__', None) or '').startswith({str(ROOT)!r})"
        f" and not m.__file__.startswith(sys.prefix)])\n"
        "print(sys.modules['gmlib'].__file__)"
    )
    nb.cells.append(nbformat.v4.new_code_cell(probe))
    folder = tmp_path / "empty"
    folder.mkdir()
    env = environment(tmp_path, "smoke") | {
        "PYTHONPATH": str(installed),
        "GMLIB_MIRRORS": "",
        "GMLIB_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    env = {name: value for name, value in env.items() if name != "GMLIB_DATA"}
    client = NotebookClient(
        nb,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    client.execute(env=env)
    from_checkout, where = nb.cells[-1].outputs[0].text.split("\n")[:2]
    assert from_checkout == "[]"
    assert where.startswith(str(installed) + os.sep)
    assert records(nb, CLAIM)
    assert not list(folder.iterdir()), "it left files behind"
