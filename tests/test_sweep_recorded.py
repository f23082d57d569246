"""The recorded sweeps: read with their types, run at scale smoke, and their rules."""

import pytest
import sweep as tool
import torch
from sweeping import run_here

from gmlib import data, nets, runtime


@pytest.fixture
def at_hand(monkeypatch):
    run_here(monkeypatch)


def test_a_recorded_sweep_is_read_with_its_types(
    tmp_path, at_hand, monkeypatch, capsys
):
    (tmp_path / "sweeps").mkdir()
    file = tmp_path / "sweeps" / "tiny.py"
    file.write_text(
        "from gmlib.runtime import by_scale\n"
        "grid = [{'a': a} for a in range(by_scale(smoke=1, cpu=2, gpu=3))]\n"
        "def half(a):\n    return a / 2\n"
        "def cell(a):\n    return {'half': half(a), 'even': a % 2 == 0}\n"
    )
    assert len(tool.record("tiny", "smoke", tmp_path, workers=1)) == 1
    assert not (tmp_path / "data").exists(), "smoke stores nothing"
    tool.record("tiny", "cpu", tmp_path, workers=1)
    file.write_text(file.read_text().replace("a / 2", "a / 4"))
    rows = tool.record("tiny", "cpu", tmp_path, workers=1)
    assert "2 rows are kept but not counted" in capsys.readouterr().out
    monkeypatch.setattr(data.shelf, "PLACE", tmp_path / "data")
    assert data.results("tiny") == rows, "the newest code"
    assert [(r["half"], r["even"]) for r in rows] == [(0.0, True), (0.25, False)]
    with pytest.raises(ValueError, match="'huge': tiny"):
        data.results("huge")


SWEEPS = sorted(path.stem for path in (tool.ROOT / "sweeps").glob("*.py"))


@pytest.mark.parametrize("name", SWEEPS)
def test_the_recorded_sweeps_run(name, capsys):
    assert tool.main([name, "--scale", "smoke", "--workers", "1"]) == 0
    cells = len(tool.load(name).grid)
    assert cells > 1
    assert f"{name}: {cells} cells done, 0 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scores", "word"),
    [
        ((8.0, 20.0, 10, 1.0), "trained"),
        ((8.0, 20.0, 10, 0.2), "collapsed"),
        ((3.0, 200.0, 3, 1.0), "collapsed"),
        ((2.0, 600.0, 9, 1.0), "poor"),
    ],
)
def test_the_verdict_on_an_architecture_follows_its_rule(scores, word):
    assert tool.load("architectures").verdict(*scores) == word


def test_with_all_guidelines_the_networks_are_those_of_the_library():
    module = tool.load("guidelines")
    G, T = module.networks(module.DCGAN)
    assert repr(G) == repr(nets.dcgan_generator(64, width=16))
    assert repr(T) == repr(nets.dcgan_discriminator(width=16))
    for removed, changed in module.REMOVED.items():
        assert changed.keys() <= module.DCGAN.keys(), removed


def test_historical_averaging_is_the_distance_to_the_mean_of_the_past():
    """‖θ − 1/t Σ_i θ_i‖², Salimans et al. 2016, section 3.3."""
    net = torch.nn.Linear(2, 1, bias=False)
    past, thetas = tool.load("tricks").Past([net]), torch.randn(4, 1, 2)
    assert past.distance() == 0, "there is no past yet"
    for theta in thetas:
        with torch.no_grad():
            net.weight.copy_(theta)
            past.update()
    expected = (thetas[-1] - thetas.mean(0)).square().sum()
    assert past.distance().item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_few_labels_are_balanced_and_follow_the_seed():
    few = tool.load("semi_supervised").few
    runtime.seed(1)
    first = few(data.digits(), 100)
    assert torch.equal(torch.bincount(first.y), torch.full((10,), 10))
    runtime.seed(1)
    assert torch.equal(first.x, few(data.digits(), 100).x)
    assert not torch.equal(first.x, few(data.digits(), 100).x)


def test_an_unknown_sweep_is_named(capsys):
    with pytest.raises(SystemExit):
        tool.main(["nothing"])
    assert f"choose from {', '.join(SWEEPS)}" in capsys.readouterr().err
