"""Four tiny archives that stand for MNIST's, and a world in which only they exist."""

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from gmlib.data import idx, set_digits, set_mnist, shelf
from gmlib.data.content import Content

KIND = "MNIST"
FILES = tuple(set_mnist.ARCHIVES.contents)  # without .gz
PACKED = tuple(f"{file}.gz" for file in FILES)
SIZES = {"train": 6, "t10k": 3}
rng = np.random.default_rng(0)


def as_idx(values):
    """An idx file of bytes, as LeCun's page describes it."""
    sizes = b"".join(n.to_bytes(4, "big") for n in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


PIXELS = {s: rng.integers(0, 256, (n, 28, 28), np.uint8) for s, n in SIZES.items()}
LABELS = {s: rng.integers(0, 10, n, np.uint8) for s, n in SIZES.items()}
CONTENT = {}
for _split in SIZES:
    CONTENT[f"{_split}-images-idx3-ubyte"] = as_idx(PIXELS[_split])
    CONTENT[f"{_split}-labels-idx1-ubyte"] = as_idx(LABELS[_split])
GOOD = {f"{file}.gz": gzip.compress(c, mtime=0) for file, c in CONTENT.items()}
FACTS = {f: Content(len(c), hashlib.sha256(c).hexdigest()) for f, c in CONTENT.items()}


def enter(monkeypatch, tmp_path):
    """Tiny archives, an empty cache, no memory of other tests, no proxy."""
    assert set(FACTS) == set(FILES)
    set_digits.read_digits()  # read once a process: let the lasting memory hold it
    tiny = replace(set_mnist.ARCHIVES, contents={f: FACTS[f] for f in FILES})
    monkeypatch.setattr(set_mnist, "ARCHIVES", tiny)
    monkeypatch.setattr(idx, "_tried", {})
    monkeypatch.setattr(set_digits, "_said", set())
    monkeypatch.setattr(shelf, "_used", {})
    monkeypatch.delenv("GMLIB_DATA", raising=False)
    monkeypatch.setenv("GMLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GMLIB_MIRRORS", "")
    monkeypatch.setenv("no_proxy", "*")


def others(content):
    """Other data of the same length."""
    return content[:-1] + bytes([content[-1] ^ 1])


def forget():
    idx._tried.clear()


def files_under(folder):
    return sorted(path.name for path in Path(folder).rglob("*") if path.is_file())


def lay_out(root, files=PACKED):
    folder = Path(root) / KIND / "raw"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_bytes((GOOD | CONTENT)[file])
    return folder


def is_the_data(law, split="train"):
    name = "train" if split == "train" else "t10k"
    pixels = torch.from_numpy(PIXELS[name])[:, None].float() / 255
    return (
        law.name == "mnist"
        and torch.equal(law.x, pixels)
        and law.y.tolist() == LABELS[name].tolist()
    )
