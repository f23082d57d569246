"""The fast path: what it may change, and how it falls back."""

import pytest
import torch
from games import bits, cloud, equal, gan

from gmlib import runtime
from gmlib.game import fit


def test_the_fast_path_falls_back_with_one_line(capsys):
    runtime.seed(5)
    asked = gan()
    fit(asked, cloud, 5, fast=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "no CUDA graphs on cpu" in out
    runtime.seed(5)
    plain = gan()
    fit(plain, cloud, 5)
    assert equal(bits(asked), bits(plain))


def test_bf16_runs_inside_networks_and_leaves_no_trace(monkeypatch):
    monkeypatch.setattr("gmlib.game.fast.processor_has_bf16", lambda: True)
    runtime.seed(5)
    players = gan()
    T = players["T"].modules[0]
    seen = set()
    T[1].register_forward_hook(lambda m, i, out: seen.add(out.dtype))
    history = fit(players, cloud, 200, fast={"bf16"}, batch_size=128)
    assert torch.bfloat16 in seen
    assert "forward" not in vars(T)
    runtime.seed(5)
    reference = fit(gan(), cloud, 200, batch_size=128)
    for name in ("T", "G"):  # the losses follow those of float32
        gap = abs(history[name][-100:].mean() - reference[name][-100:].mean())
        assert gap < 0.05


def test_a_processor_without_bf16_trains_in_float32(monkeypatch, capsys):
    monkeypatch.setattr("gmlib.game.fast.processor_has_bf16", lambda: False)
    runtime.seed(5)
    asked = gan()
    fit(asked, cloud, 5, fast={"bf16"})
    assert "computes bfloat16 slowly" in capsys.readouterr().out
    runtime.seed(5)
    plain = gan()
    fit(plain, cloud, 5)
    assert equal(bits(asked), bits(plain))


def test_what_is_compiled_is_the_whole_loss(monkeypatch):
    """Not one whose idle terms come from elsewhere, which no compiler sees through."""
    runtime.seed(5)
    players, forms = gan(), []
    T = players["T"].modules[0]

    def compiled(f):
        def run(*args):
            forms.append(vars(T)["forward"])
            return f(*args)

        return run

    monkeypatch.setattr(torch, "compile", compiled)
    fit(players, cloud, 2, fast={"compile"})
    assert [getattr(f, "whole", None) for f in forms] == [None] * 4
    assert all(f.__self__ is T for f in forms)


def test_a_failing_compiler_falls_back_with_one_line(monkeypatch, capsys):
    def broken(f):
        def raising(*args):
            raise RuntimeError("no compiler here")

        return raising

    monkeypatch.setattr(torch, "compile", broken)
    history = fit(gan(), cloud, 5, fast={"compile"})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "compiling the losses failed" in out
    assert len(history.rounds) == 5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_captured_rounds_follow_eager_ones(monkeypatch):
    monkeypatch.setenv("GMLIB_DEVICE", "cuda")

    def train(fast):
        runtime.seed(0)
        players = gan(average=0.9, steps=2)
        data = lambda n: torch.randn(n, 2, device="cuda") + 1  # noqa: E731
        return fit(players, data, 200, fast=fast, batch_size=256)

    eager, captured = train(False), train({"graph"})
    for name in ("T", "G"):
        gap = abs(eager[name][-50:].mean() - captured[name][-50:].mean())
        assert gap < 0.05
