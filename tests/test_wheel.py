"""The wheel holds all that a notebook needs; that each runs with it: test_runs.py."""

import zipfile

import pytest
from notebooks import ROOT
from warm import build

pytestmark = pytest.mark.xdist_group("wheel")  # it is built once


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("wheel"))


def test_it_holds_the_module_and_its_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = [f for f in (ROOT / "gmlib").rglob("*.*") if "__pycache__" not in f.parts]
    assert {".py", ".js", ".css"} <= {file.suffix for file in files}
    for file in files:
        assert file.relative_to(ROOT).as_posix() in names
    assert "gmlib/py.typed" in names
    for file in (ROOT / "data").rglob("*"):
        if file.is_file():
            assert f"gmlib/_data/{file.relative_to(ROOT / 'data')}" in names
    assert all(name.startswith(("gmlib/", "gmlib-")) for name in names)
    assert [n for n in names if n.endswith("licenses/LICENSE")]
    assert wheel.stat().st_size < 20e6
