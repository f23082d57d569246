"""Device, scale, seed, and the two context managers."""

import os

import numpy as np
import pytest
import torch
from torch import nn

from gmlib import runtime


def test_the_scale_is_what_was_asked_for(monkeypatch):
    assert runtime.set_scale("cpu") == "cpu"
    assert runtime.by_scale(smoke=1, cpu=2, gpu=3) == 2
    monkeypatch.setenv("GMLIB_SCALE", "gpu")
    assert runtime.set_scale("smoke") == "smoke"  # said outright
    assert runtime.set_scale("auto") == "gpu"  # left open
    monkeypatch.delenv("GMLIB_SCALE")
    assert runtime.set_scale() == "cpu"  # what the machine (here: made a CPU) has


def test_an_unknown_scale_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="smoke, cpu, gpu or auto"):
        runtime.set_scale("huge")
    monkeypatch.setenv("GMLIB_SCALE", "tiny")
    with pytest.raises(ValueError, match="'tiny'"):
        runtime.set_scale()


def test_the_device_can_be_chosen_and_must_exist(monkeypatch):
    assert runtime.device() == torch.device("cpu")  # conftest's GMLIB_DEVICE
    monkeypatch.setenv("GMLIB_DEVICE", "abacus")
    with pytest.raises(ValueError, match=r"has only .*cpu"):
        runtime.device()
    monkeypatch.delenv("GMLIB_DEVICE")
    assert runtime.device().type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("bad", [-1, 1.5, True, "0", np.int64(-1)])
def test_a_seed_is_a_natural_number(bad):
    with pytest.raises(ValueError, match="a seed is"):
        runtime.seed(bad)
    runtime.seed(np.int64(3))


def test_bars_are_silent_when_asked_or_told(monkeypatch):
    assert runtime.silent(False)
    for value, silent in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("TQDM_DISABLE", value)
        assert runtime.silent() is silent


def test_a_fork_leaves_the_generators_alone_even_after_an_error():
    runtime.seed(3)
    expected = torch.rand(2)
    runtime.seed(3)
    with runtime.forked_rng(0):
        inside = torch.rand(1)
    with pytest.raises(KeyError), runtime.forked_rng(1):
        raise KeyError
    assert torch.equal(torch.rand(2), expected)
    with runtime.forked_rng(0):
        assert torch.equal(torch.rand(1), inside)


def test_evaluating_restores_each_modules_own_mode():
    net = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    net[1].eval()
    with runtime.evaluating(net):
        assert not net.training
        assert not net(torch.zeros(1, 1)).requires_grad
    assert [net.training, net[0].training, net[1].training] == [True, True, False]


def test_checkpoints_go_where_the_student_says(monkeypatch, tmp_path):
    assert runtime.checkpoint_path("vae") is None
    monkeypatch.setenv("GMLIB_CHECKPOINTS", str(tmp_path))
    assert runtime.checkpoint_path("vae") == tmp_path / "vae.safetensors"


def test_what_has_no_deterministic_form_raises_once_it_is_asked_for(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # what is set is kept
    try:
        runtime.set_deterministic()
        with pytest.raises(RuntimeError, match="deterministic"):
            torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
    finally:
        runtime.set_deterministic(False)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
