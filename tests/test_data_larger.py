"""Larger sets on request: read where they lie, fetched only if the network may be."""

import pytest
from PIL import Image

from gmlib import data
from gmlib.data import on_request


class Small:
    """Ten pictures, as torchvision would hand them out; it lies in one folder."""

    def __init__(self, here, split, transform, download=False):
        if here.name != "there" and not download:
            raise RuntimeError("Dataset not found or corrupted")
        self.images = [
            transform(Image.new("RGB", (40, 36), (10 * i, 0, 0))) for i in range(10)
        ]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], i


def test_a_larger_set_is_read_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setitem(on_request.LARGER, "cifar10", (Small, 32))
    monkeypatch.setenv("GMLIB_CACHE", str(tmp_path))
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "there"))
    monkeypatch.setenv("GMLIB_MIRRORS", "")
    law = data.larger("cifar10", "test", size=8, most=4)
    assert tuple(law.x.shape) == (4, 3, 8, 8)
    assert law.name == "cifar10 test"
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(
        data.Unavailable, match=r"cifar10 cannot be had(?s:.*)not found"
    ):
        data.larger("cifar10")
    monkeypatch.delenv("GMLIB_MIRRORS")
    assert len(data.larger("cifar10")) == 10


@pytest.mark.parametrize("which", on_request.LARGER)
def test_a_larger_set_that_is_not_here_is_not_fetched(monkeypatch, tmp_path, which):
    monkeypatch.setenv("GMLIB_CACHE", str(tmp_path))
    monkeypatch.delenv("GMLIB_DATA", raising=False)
    monkeypatch.setenv("GMLIB_MIRRORS", "")
    with pytest.raises(data.Unavailable, match=f"{which} cannot be had"):
        data.larger(which)


def test_an_unknown_larger_set_is_refused():
    with pytest.raises(ValueError, match="larger set 'imagenet': choose from cifar10"):
        data.larger("imagenet")
    with pytest.raises(ValueError, match="split 'valid'"):
        data.larger("cifar10", "valid")
