"""A GAN that trains in the page: torch's gradients, buttons, and that it learns."""

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browser import OVERFLOW
from living import Opened, gradients_far, numbers, replayed, shown, spec_of
from torch import nn

from gmlib import data, nets, plot
from gmlib.plot.inpage.training import LOSSES


def game(**more):
    plot.live_gan(
        nets.mlp([2, 12, 12, 2], "tanh"),
        nets.mlp([2, 12, 12, 1], "leaky", shape=()),
        {
            "ring": data.ring(std=0.05).sample((400,)),
            "line": torch.linspace(-2, 2, 100)[:, None] * torch.tensor([[1.0, 0.5]]),
        },
        alt="Eight points on a ring; the samples lie in the middle.",
        **more,
    )


@pytest.fixture
def page(browser, tmp_path, monkeypatch):
    figures = shown(monkeypatch, game)
    with Opened(browser, tmp_path, figures) as page:
        page.spec = spec_of(figures[0])
        yield page
        assert not page.problems
        assert len(page.requests) == 1


@pytest.mark.parametrize("loss", LOSSES)
def test_its_gradients_are_torchs(page, loss):
    found = replayed(page.figure(), page.spec["replay"], loss)["gradients"]
    for name, gradients in page.spec["replay"]["gradients"][loss].items():
        there = numbers(gradients, "<f8")
        assert abs(there).max() > 1e-3
        assert found[name] == pytest.approx(there.tolist(), abs=1e-10)


def test_the_replay_sees_another_gradient(page):
    assert gradients_far(page.figure(), page.spec) < 1e-10
    gradients = page.spec["replay"]["gradients"]
    gradients["minimax"] = gradients.pop("Wasserstein")
    assert gradients_far(page.figure(), page.spec) > 1e-3


@pytest.mark.parametrize("loss", ["non-saturating", "Wasserstein"])
def test_its_steps_are_those_of_torchs_optimisers(page, loss):
    record = page.spec["replay"]["after"][loss]
    found = replayed(page.figure(), page.spec["replay"], loss, record["adam"])["after"]
    for name in "DG":
        there = numbers(record[name], "<f8").tolist()
        assert found[name] == pytest.approx(there, abs=1e-8)


WEIGHTS = "box => [[...box.game.D.p].join(), [...box.game.G.p].join(), box.game.round]"


def press(page, name):
    page.figure().get_by_role("button", name=name, exact=True).press("Enter")
    page.settled()
    return page.figure().evaluate(WEIGHTS)


def test_one_steps_each_player(page):
    d, g, _ = page.figure().evaluate(WEIGHTS)
    after_d = press(page, "Step D")
    assert after_d[0] != d
    assert after_d[1:] == [g, 0]
    after_g = press(page, "Step G")
    assert after_g[0] == after_d[0]
    assert after_g[1] != g
    assert page.settled().startswith("Round 1; losses: D ")
    both = press(page, "One round")
    assert both[0] != after_g[0]
    assert both[2] == 2
    assert press(page, "Start again") == [d, g, 0]
    other = press(page, "Other weights")
    assert other[0] != d
    assert other[1] != g


def test_it_plays_and_rests(page):
    play = page.figure().get_by_role("button", name="Play", exact=True)
    play.press("Enter")
    page.page.wait_for_function("document.querySelector('.gm-live').game.round > 3")
    page.figure().get_by_role("button", name="Pause").press("Enter")
    page.settled()
    rounds = page.figure().evaluate("box => box.game.round")
    words = page.settled()
    assert words.startswith(f"Round {rounds}; ")
    assert page.figure().evaluate("box => box.game.round") == rounds


def test_its_controls_set_the_game(page):
    figure = page.figure()
    figure.get_by_role("combobox", name="Data").select_option("line")
    figure.get_by_role("combobox", name="Loss").select_option("Wasserstein")
    figure.get_by_role("combobox", name="Optimiser").select_option("SGD")
    figure.get_by_role("slider", name="Steps of D a round, k").press("ArrowRight")
    figure.get_by_role("slider", name="Learning rate of D").press("End")
    found = figure.evaluate("box => box.game.set")
    assert (found["data"], found["loss"], found["adam"]) == (1, "Wasserstein", False)
    assert found["k"] == 2
    assert found["rates"]["D"] == pytest.approx(10**-0.5)
    press(page, "One round")
    clipped = figure.evaluate("box => Math.max(...box.game.D.p.map(Math.abs))")
    assert clipped <= page.spec["clip"]


def test_it_learns(page):
    """Half of the samples come near the ring, and half of the ring near a sample."""
    before = page.figure().evaluate("box => box.game.near()")
    after = page.figure().evaluate(
        """box => {
          for (let i = 0; i < 800; i++) box.game.play();
          return box.game.near();
        }"""
    )
    assert max(before) < 0.2
    assert min(after) > 0.5, after


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everyone_can_use_it(browser, tmp_path, monkeypatch, theme):
    phone = {"width": 390, "height": 800}
    figures = shown(monkeypatch, game, game)
    with Opened(browser, tmp_path, figures, theme, viewport=phone) as page:
        page.settled()
        assert page.page.evaluate(OVERFLOW) == []
        assert page.page.evaluate("document.documentElement.scrollWidth") == 390
        found = Axe().run(page.page).response["violations"]
        assert not [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
        assert page.page.locator(".gm-live[data-alive] canvas").count() == 2
    with Opened(browser, tmp_path, figures, java_script_enabled=False) as page:
        assert page.figure().locator("img").is_visible()


@pytest.mark.parametrize(
    ("G", "D", "words"),
    [
        (
            nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)),
            None,
            "G has a LayerNorm that",
        ),
        (nn.Linear(2, 3), None, r"G returns points \(n, 2\)"),
        (None, nn.Linear(2, 2), r"G returns points \(n, 2\)"),
        (
            nn.Linear(2, 2, bias=False),
            None,
            "G has a Linear that the page cannot train",
        ),
    ],
)
def test_what_the_page_cannot_train_is_named(G, D, words):
    with pytest.raises(ValueError, match=words):
        plot.live_gan(
            G or nn.Linear(2, 2),
            D or nn.Linear(2, 1),
            {"dot": torch.zeros(1, 2)},
            alt="A dot.",
        )
