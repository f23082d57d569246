"""The wheel holds all that a notebook needs; that each runs with it: test_runs.py."""

import zipfile

import pytest
from notebooks import ROOT
from warm import build


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("wheel"))


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
