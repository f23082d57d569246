"""Two processes train as one does, and stop, save and go on together."""

import os
import re
import subprocess
import sys
import traceback

import nbformat
import on_ranks
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook
from notebooks import INSTALL, ROOT
from ranks import execute

from gmlib import ranks, runtime
from gmlib.checkpoint import CheckpointError
from gmlib.game import Player, fit

# Two ranks are started once for all that is asked of them.
pytestmark = pytest.mark.xdist_group("ranks")

RUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
RUN += ["--local-addr=127.0.0.1"]  # a machine need not know its own name


def torchrun(*command, timeout=1700):
    """Run a program on two ranks; return the finished process."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tools")])
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        env.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return subprocess.run(
        [sys.executable, *RUN, *map(str, command)],
        env=env, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def both(folder):
    """What the two ranks have seen (see on_ranks.py)."""
    alone = folder / "rank0" / "alone.safetensors"
    fit(on_ranks.noisy_game(), on_ranks.cloud, 2, batch_size=8, checkpoint=alone)
    done = torchrun(ROOT / "tests" / "on_ranks.py", folder)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{r}.pt") for r in range(2)]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def close(a, b, tolerance):
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=tolerance)


# -------------------------------------------------------------- the mathematics


@pytest.mark.parametrize("case", on_ranks.EQUAL, ids=str)
def test_two_ranks_are_one_with_the_same_global_batch(both, case):
    tolerance = 1e-5 if case[0] == torch.float32 else 1e-9
    expected = on_ranks.equal_game(*case)
    first, second = (seen["equal"][str(case)] for seen in both)
    assert same(first["state"].values(), second["state"].values())
    assert first["state"].keys() == expected["state"].keys()
    assert any("running_var" in name for name in expected["state"])
    close(first["state"].values(), expected["state"].values(), tolerance)
    # The curves are kept in single precision.
    close([first["table"], second["table"]], [expected["table"]] * 2, 1e-6)


@pytest.mark.parametrize("name", on_ranks.LAYERS)
def test_batch_norm_sees_the_batch_of_all_ranks(both, name):
    expected = on_ranks.batch_norm(*on_ranks.LAYERS[name])
    seen = [r["batch norm"][name] for r in both]
    for one, *parts in zip(expected["seen"], *(s["seen"] for s in seen), strict=True):
        # Outputs and derivatives in x belong to a slice; those in weights add up.
        for i, (whole, *pieces) in enumerate(zip(one, *parts, strict=True)):
            close([torch.cat(pieces) if i < 3 else sum(pieces)], [whole], 1e-9)
    for s in seen:
        assert s["buffers"].keys() == expected["buffers"].keys()
        close(s["buffers"].values(), expected["buffers"].values(), 1e-12)


def test_batch_norm_keeps_dtypes_and_is_torchs_own_again(both):
    assert [r["tensors"]["dtype"] for r in both] == [torch.bfloat16] * 2
    assert [r["forward"] for r in both] == [False, False]


def test_means_and_votes(both):
    for r in both:
        seen = r["tensors"]
        one, none, double, image, wide = seen["mean"]
        assert (one.item(), none, double.item()) == (1.5, None, 1.0)
        assert double.dtype == torch.float64
        assert torch.equal(image, torch.full((2, 3, 4, 4), 0.5))
        assert seen["channels last"]
        assert wide.tolist() == [1, 1, 1]
        assert seen["agree"] == (1, 3, 1)
        assert seen["gather"] == ["rank 0", "rank 1"]
        assert seen["first"] == 10
        assert seen["error"][0] == "ZeroDivisionError"
    assert both[1]["tensors"]["error"][2] == ["(on rank 0)"]


# --------------------------------------------------------------------- replicas


def test_ranks_draw_different_noise_and_are_replicas_after(both):
    alone = on_ranks.noise()
    first, second = (r["noise"] for r in both)
    assert same([first["drawn"]], [alone["drawn"]])  # rank 0 draws as one process
    equal = (first["drawn"] == second["drawn"]).flatten(1).any(1)
    # Each training rehearses two losses under one seed, then takes 3 × 2 batches.
    assert equal.tolist() == ([True] * 2 + [False] * 6) * 2
    batches = torch.cat([first["drawn"][[2, 10]], second["drawn"][[2, 10]]])
    assert len(batches.flatten(1).unique(dim=0)) == 4  # a second training draws anew
    assert same(first["state"].values(), second["state"].values())
    assert same([first["generator"]] * 2, [second["generator"], alone["generator"]])


def test_all_start_from_rank_0(both):
    first, second = (r["start"] for r in both)
    assert same(first["state"].values(), second["state"].values())
    for r in (first, second):
        kind, words, _ = r["error"]
        assert kind == "RuntimeError"
        assert "differ between the ranks" in words


def test_rank_0_alone_speaks(both):
    first, second = (r["quiet"] for r in both)
    assert first["out"].count("fast path") == 2
    assert "on several ranks rounds run eagerly" in first["out"]
    assert "2/2" in first["bar"]
    assert (second["out"], second["bar"]) == ("", "")


# ------------------------------------------------------------ stopping together


def test_a_signal_to_one_rank_stops_both_and_the_resumed_run_is_bit_equal(both):
    for r in both:
        seen = r["resume"]
        assert seen["stopped"][:2] == ("SystemExit", "143")
        assert seen["moves"] == 11 * 2  # eleven whole rounds
        assert same(seen["resumed"], seen["straight"])
    assert same(both[0]["resume"]["resumed"], both[1]["resume"]["resumed"])
    assert "stopped after round 11 of 24" in both[0]["resume"]["printed"]
    assert "resumed from round 11 of" in both[0]["resume"]["again"]
    assert both[1]["resume"]["printed"] == both[1]["resume"]["again"] == ""


def test_rank_0_alone_writes(both):
    files = ["alone.safetensors", "run.safetensors", "straight.safetensors"]
    assert both[0]["resume"]["files"] == files
    assert both[1]["resume"]["files"] == []


def test_a_checkpoint_belongs_to_a_number_of_ranks(both, folder):
    for r in both:
        kind, words, _ = r["resume"]["alone"]
        assert kind == "CheckpointError"
        assert "saved by 1 ranks, and this training has 2" in words
    path = folder / "rank0" / "run.safetensors"
    with pytest.raises(CheckpointError, match="--nproc-per-node=2"):
        fit(on_ranks.noisy_game(), on_ranks.cloud, 24, batch_size=8, checkpoint=path)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("later", "NotFinite", "net became nan in round 6"),
        ("at once", "NotFinite", "is nan before round 1"),
        ("data", "KeyError", "no such file"),
        ("disk", "CheckpointError", "could not be written"),
        ("batch", "ValueError", "5 samples cannot be divided among 2"),
    ],
)
def test_a_fault_of_one_rank_stops_both(both, fault, kind, words):
    for r in both:
        seen = r["faults"][fault]
        assert seen[0] == kind
        assert words in seen[1]


def test_the_other_rank_says_where_the_fault_was(both):
    assert "(on rank 1)" in both[0]["faults"]["at once"][2]
    assert "(on rank 0)" in both[1]["faults"]["disk"][2]
    assert both[0]["faults"]["odd"][:2] == ("RuntimeError", "Odd: strange")
    assert both[1]["faults"]["odd"][:2] == ("Odd", "strange")
    assert same([both[0]["faults"]["generator"]], [both[1]["faults"]["generator"]])


# -------------------------------------------------------------------- one process


def test_a_single_process_never_calls_torch_distributed(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4))
    game = {"net": Player([net], lambda x: net(x).square().mean())}
    seen, calls = set(), []

    def watch(frame, event, function):
        if event == "call":
            seen.add(frame.f_globals.get("__name__", ""))
        elif event == "c_call":
            seen.add(getattr(function, "__module__", None) or "")

    def data(n):
        calls.append(n)
        return torch.randn(n, 2)

    sys.setprofile(watch)
    try:
        fit(game, data, 3, checkpoint=tmp_path / "net.safetensors")
    finally:
        sys.setprofile(None)
    assert {"gmlib.game.engine", "gmlib.ranks"} <= seen  # the watch sees what is called
    assert not [name for name in seen if "distributed" in name]
    assert calls == [64] * 4
    assert (ranks.world(), ranks.rank()) == (1, 0)


def test_start_and_stop_do_nothing_without_torchrun(monkeypatch):
    for name in ranks.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    ranks.start()
    assert ranks.world() == 1
    for name, value in (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    ranks.start()
    ranks.stop()
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("kind", "words"), [("mps", "not on mps"), ("cuda", "local rank 1 has no GPU")]
)
def test_a_device_that_ranks_cannot_share_is_refused(monkeypatch, kind, words):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(RuntimeError, match=words):
        ranks.start(kind)


# ---------------------------------------------------------------------- the tools


def test_the_projected_traffic_is_what_is_sent(both):
    for r in both:
        seen = r["traffic"]
        expected = seen["expected"]
        # Two rounds, in one of which T moves.
        assert sum(seen["sent"]) == 2 * (expected["gradients"] + expected["moments"])
        assert len(seen["sent"]) == 2 * expected["messages"]
        assert seen["flushed"] == 2 * 2 * 4  # rounds, curves, bytes
        G, T = (sum(p.numel() for p in player.parameters) for player in game_sizes())
        assert expected["gradients"] == 4 * (G + 2 * T / 2)


def game_sizes():
    players = on_ranks.noisy_game()
    return players["G"], players["T"]


CELLS = [
    ("raise SystemError('the install cell has run')", [INSTALL]),
    ('scale = "auto"\nseed = 0', ["parameters"]),
    ("import torch\nfrom torch import nn\nfrom gmlib import ranks", []),
    ("from gmlib.game import Player, fit\nfrom gmlib.lecture import begin, claim, say\n"
     "run = begin(scale, seed)", []),
    ("net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))\n"
     "loss = lambda x: net(x).square().mean()\nshares = []\n"
     "def data(n):\n    shares.append(n)\n    return torch.randn(n, 2)\n"
     "h = fit({'net': Player([net], loss)}, data, 40, batch_size=32)", []),
    ("say(f'It is {run.scale} with seed {run.seed}.')\n"
     "claim('a-half', 'Each takes half.', set(shares) == {16}, measured=shares[-1])\n"
     "ranks.gather(len(h.rounds))", []),
]  # fmt: skip


def notebook(path, cells):
    nb = new_notebook(
        cells=[new_code_cell(source, metadata={"tags": t}) for source, t in cells]
    )
    nbformat.write(nb, path)
    return path


def test_a_chapter_runs_on_two_ranks(tmp_path):
    path = notebook(tmp_path / "topic.ipynb", CELLS)
    before = path.read_bytes()
    tool = ROOT / "tools" / "ranks.py"
    done = torchrun(tool, path, "--scale", "smoke", "--seed", "5")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "topic.ipynb: 2 ranks"
    assert lines[1] == "It is smoke with seed 5."
    assert re.fullmatch(r"✓ Claim .*Each takes half\. \[measured: 16\]", lines[2])
    assert lines[3:] == ["[40, 40]"]  # rank 1 was there, and silent
    assert path.read_bytes() == before
    assert runtime.scale() == "smoke"


def test_a_cell_that_fails_is_named(tmp_path):
    cells = [*CELLS[:3], ("1 / ranks.rank()", [])]
    path = notebook(tmp_path / "topic.ipynb", cells)
    with pytest.raises(ZeroDivisionError) as failed:
        execute(path, {})
    text = "".join(traceback.format_exception(failed.value))
    assert "(in topic.ipynb, code cell 3, on rank 0)" in text
    assert "1 / ranks.rank()\n" in text  # its line, as in any traceback
