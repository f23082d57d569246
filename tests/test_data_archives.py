"""The archives of MNIST and its kin: where they lie, and what they are known by."""

import gzip
import hashlib

import pytest
import torch
from fake_archives import (
    CONTENT,
    FACTS,
    FILES,
    GOOD,
    KIND,
    PACKED,
    enter,
    files_under,
    forget,
    is_the_data,
    lay_out,
    others,
)
from fake_mirrors import serving

from gmlib import data
from gmlib.data import fetch, idx, set_fashion_mnist, set_mnist
from gmlib.data.content import Refused, unpacked


@pytest.fixture(autouse=True)
def small_world(monkeypatch, tmp_path):
    enter(monkeypatch, tmp_path)


@pytest.fixture
def serve():
    with serving() as start:
        yield start


def test_a_local_root_is_read_without_the_network(monkeypatch, tmp_path):
    lay_out(tmp_path / "local")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    assert is_the_data(data.images("train"))
    assert not (tmp_path / "cache").exists()


def test_a_local_root_that_is_half_there_is_filled_from_a_mirror(
    serve, monkeypatch, tmp_path
):
    lay_out(tmp_path / "local", PACKED[:2])
    server = serve()
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    monkeypatch.setenv("GMLIB_MIRRORS", f"{server.address}/good")
    assert is_the_data(data.mnist("test", strict=True), "test")
    assert files_under(tmp_path / "local") == sorted(PACKED[:2])
    assert files_under(tmp_path / "cache") == sorted(PACKED[2:])


def test_the_cache_is_a_root_of_torchvision(serve, monkeypatch, tmp_path):
    """torchvision finds our archives, and reads in them what we read."""
    datasets = pytest.importorskip("torchvision.datasets")
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    ours = data.mnist("train", strict=True)
    md5 = [(file, hashlib.md5(GOOD[file]).hexdigest()) for file in PACKED]
    reader = type("MNIST", (datasets.MNIST,), {"resources": md5, "mirrors": [""]})
    theirs = reader(tmp_path / "cache", train=True, download=True)
    assert torch.equal(ours._x[:, 0], theirs.data)
    assert torch.equal(ours.y, theirs.targets)
    # It leaves the files unpacked beside them: these are enough.
    folder = tmp_path / "cache" / KIND / "raw"
    for file in PACKED:
        (folder / file).unlink()
    forget()
    monkeypatch.setenv("GMLIB_MIRRORS", "")
    assert files_under(folder) == sorted(FILES)
    assert is_the_data(data.mnist("train", strict=True))


@pytest.mark.parametrize("ours", [set_mnist.ARCHIVES, set_fashion_mnist.ARCHIVES])
def test_names_and_first_mirror_are_those_of_torchvision(ours):
    datasets = pytest.importorskip("torchvision.datasets")
    theirs = getattr(datasets, ours.name)
    assert [f"{f}.gz" for f in ours.contents] == [f for f, _ in theirs.resources]
    assert ours.mirrors[0] == theirs.mirrors[0]
    assert len(ours.mirrors) == 2


# ----------------------------------------------------- known by their content


def in_two_parts(content):
    return gzip.compress(content[:50]) + gzip.compress(content[50:])


PACKINGS = {
    "as published": lambda content: gzip.compress(content, mtime=0),
    "by a distribution": lambda content: gzip.compress(content, 1, mtime=1_591_315_200),
    "in two parts": in_two_parts,
    "not at all": lambda content: content,
}


@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)
@pytest.mark.parametrize("folder", ["MNIST/raw", "mnist", "."])
@pytest.mark.parametrize("ending", [".gz", ""])
def test_the_same_data_are_known_however_packed_and_laid(
    monkeypatch, tmp_path, pack, folder, ending
):
    """torchvision's folders, Debian's, or the folder of the files itself."""
    place = tmp_path / "local" / folder
    place.mkdir(parents=True, exist_ok=True)
    for file, content in CONTENT.items():
        (place / (file + ending)).write_bytes(pack(content))
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    assert is_the_data(data.mnist("train", strict=True))
    assert is_the_data(data.mnist("test", strict=True), "test")
    noted = {f"{KIND}/{file}": FACTS[file].sha256 for file in FILES}
    assert data.used() == noted


def test_a_folder_of_other_data_with_the_same_names_is_not_taken(monkeypatch, tmp_path):
    """MNIST and Fashion-MNIST differ in nothing but their content."""
    place = tmp_path / "fashion-mnist"
    place.mkdir()
    for file, content in CONTENT.items():
        (place / f"{file}.gz").write_bytes(gzip.compress(others(content)))
    monkeypatch.setenv("GMLIB_DATA", str(place))
    with pytest.raises(data.Unavailable, match="the wrong SHA-256"):
        data.mnist(strict=True)
    assert not data.used()


def test_a_small_file_that_unpacks_without_end_is_given_up():
    endless = gzip.compress(bytes(10_000_000))
    with pytest.raises(Refused, match="more than the 99 bytes"):
        unpacked(endless, FACTS[FILES[0]]._replace(size=99))


@pytest.mark.parametrize("content", [b"", b"not an idx file", b"\0\0\x0d\1" + bytes(8)])
def test_only_idx_files_of_bytes_are_read(content):
    with pytest.raises(ValueError, match="no idx file"):
        idx.array(content)


# -------------------------------------------------------------- it goes wrong


def test_the_local_root_alone_can_fail_too(monkeypatch, tmp_path):
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(data.Unavailable, match=r"nowhere.*No such file"):
        data.mnist(strict=True)


def test_train_and_test_come_from_one_data_set(monkeypatch, tmp_path):
    """With the training half of MNIST alone, both splits are digits."""
    lay_out(tmp_path / "local", PACKED[:2])
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    assert {data.images(split).name for split in ("train", "test")} == {"digits"}
    assert not [name for name in data.used() if KIND in name], "nothing was used"


def test_a_broken_local_archive_is_passed_over_but_left_alone(
    serve, monkeypatch, tmp_path
):
    broken = lay_out(tmp_path / "local") / PACKED[0]
    broken.write_bytes(b"not mine to delete")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    with pytest.raises(data.Unavailable, match="18 bytes instead of"):
        data.mnist(strict=True)
    forget()
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist(strict=True))
    assert broken.read_bytes() == b"not mine to delete"


def test_a_broken_archive_in_the_cache_is_replaced(serve, monkeypatch, tmp_path):
    broken = lay_out(tmp_path / "cache") / PACKED[0]
    broken.write_bytes(GOOD[PACKED[0]][:10])
    with pytest.raises(data.Unavailable, match="cut short: it ends after 10 bytes"):
        data.mnist(strict=True)
    assert not broken.exists()
    forget()
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist(strict=True))
    assert broken.read_bytes() == GOOD[PACKED[0]]


# ------------------------------------------------------- a cache that refuses


def test_a_cache_that_cannot_be_made_is_no_error(serve, monkeypatch, tmp_path):
    """A file stands where the folder should be: that stops root as well."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GMLIB_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist("train", strict=True))
    assert is_the_data(data.mnist("test", strict=True), "test")


@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_full_disk_is_no_error_and_leaves_nothing(serve, monkeypatch, tmp_path, step):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    if step == "replace":
        monkeypatch.setattr(fetch.os, "replace", full)
    else:
        real = fetch.tempfile.NamedTemporaryFile

        def broken(*arguments, **keywords):
            stream = real(*arguments, **keywords)
            stream.write = full
            return stream

        monkeypatch.setattr(fetch.tempfile, "NamedTemporaryFile", broken)
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist(strict=True))
    assert files_under(tmp_path / "cache") == []


def test_the_default_cache_is_the_user_s_own(monkeypatch, tmp_path):
    monkeypatch.delenv("GMLIB_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    for platform, where in (
        ("linux", tmp_path / ".cache"),
        ("darwin", tmp_path / "Library" / "Caches"),
        ("win32", tmp_path / "Local"),
    ):
        monkeypatch.setattr(fetch.sys, "platform", platform)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
        assert fetch.roots() == (where / "gmlib",)
    monkeypatch.setattr(fetch.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert fetch.roots() == (tmp_path / "mine" / "gmlib",)
