"""Checkpoints: whole or not at all, and nothing that runs."""

import errno
import pickle

import pytest
import torch

from gmlib import checkpoint as c


def test_what_is_saved_is_loaded(tmp_path):
    tensors = {"a": torch.randn(3, 4).T, "b": torch.arange(3), "c": torch.zeros(())}
    tensors["shares memory with a"] = tensors["a"][:1]
    path = tmp_path / "new" / "x.safetensors"
    c.save(path, tensors, {"round": 3, "l": [1]})
    loaded, meta = c.load(path)
    assert meta == {"round": 3, "l": [1]}
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[k], tensors[k]) for k in tensors)
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_a_nested_state_comes_back_as_it_was():
    state = {
        0: {"step": torch.tensor(2.0), "t": (1, [None, True])},
        "lr": 0.1,
        "s": "x",
    }
    tensors, skeleton = c.pack(state, "p")
    back = c.unpack(skeleton, tensors)
    assert list(tensors) == ["p/0"]
    assert back[0].pop("step") is state[0].pop("step")
    assert back == state
    assert type(back[0]["t"]) is tuple
    with pytest.raises(TypeError, match="cannot hold"):
        c.pack({"f": object()}, "p")


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    c.save(path, {"a": torch.ones(2)}, {"round": 1})

    def full(tensors, file, metadata):
        file.write_bytes(b"half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(c, "save_file", full)
    with pytest.raises(c.CheckpointError, match=r"No space left.*untouched"):
        c.save(path, {"a": torch.zeros(2)}, {"round": 2})
    assert c.load(path)[1] == {"round": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(c.CheckpointError, match="could not be written"):
        c.save(tmp_path / "file" / "x.safetensors", {"a": torch.ones(1)}, {})


@pytest.mark.parametrize("keep", [0, 7, 60, -8])
def test_a_file_cut_short_is_refused(tmp_path, keep):
    path = tmp_path / "x.safetensors"
    c.save(path, {"a": torch.ones(100)}, {"round": 1})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(c.CheckpointError, match="no whole checkpoint"):
        c.load(path)


def test_nothing_is_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    path = tmp_path / "x.safetensors"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(c.CheckpointError):
        c.load(path)
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(c.CheckpointError):
        c.load(path)
    assert not (tmp_path / "ran").exists()


def test_no_checkpoint_is_no_damaged_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        c.load(tmp_path / "x.safetensors")
