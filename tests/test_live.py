"""Figures in which networks answer: in a browser, from a file, without a kernel."""

import hashlib
import re

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browser import OVERFLOW
from living import (
    CLOSE,
    FIGURES,
    Opened,
    drawing,
    far,
    numbers,
    shown,
    spec_of,
    the_rest,
    walk,
)
from notebooks import EMBEDDED, MACHINE_PATH
from serve import serve
from torch import nn

from gmlib import nets, plot
from gmlib.plot.inpage import figure


@pytest.fixture
def opened(browser, tmp_path, monkeypatch):
    """Open figures in a page; in the end nothing has gone wrong there."""
    pages = []

    def open_page(*calls, **given):
        figures = shown(monkeypatch, *calls)
        pages.append(Opened(browser, tmp_path, figures, **given))
        pages[-1].specs = [spec_of(html) for html in figures]
        return pages[-1]

    yield open_page
    for page in pages:
        assert not page.problems
        assert len(page.requests) == 1, "a foreign request"
        page.context.close()


def picture(page, name, i=0):
    canvas = page.figure(i).get_by_role("img", name=name, exact=True)
    return canvas.evaluate("c => c.toDataURL()")


@pytest.mark.parametrize("name", FIGURES)
def test_the_page_answers_as_torch_does(opened, name):
    page = opened(FIGURES[name])
    assert far(page.figure(), page.specs[0]) < CLOSE
    assert page.settled(), "it says something before it is moved"


def test_the_replay_sees_another_network(opened):
    page = opened(walk)
    spec = page.specs[0]
    answers = numbers(spec["replay"]["answers"]["x"]).copy()
    answers[-1] += 0.01
    spec["replay"]["answers"]["x"] = figure.packed(answers)
    assert far(page.figure(), spec) > CLOSE


def test_it_lives_on_a_server_as_well(browser, tmp_path, monkeypatch):
    with Opened(browser, tmp_path, shown(monkeypatch, walk)):
        pass
    with serve(tmp_path) as server:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/page.html")
        assert page.locator(".gm-live[data-alive] canvas").count() == 1
        page.close()
        server.shutdown()


def test_keys_move_the_picture_and_the_words(opened):
    page = opened(walk)
    before, words = picture(page, "Decoded"), page.settled()
    assert "z₁ 0.00, z₂ 0.00: Judged " in words
    page.page.keyboard.press("Tab")
    for _ in range(20):
        page.page.keyboard.press("ArrowRight")
    after = page.settled()
    assert "z₁ 0.60, z₂ 0.00: Judged " in after
    assert picture(page, "Decoded") != before
    first = page.figure().get_by_role("slider").first
    assert first.get_attribute("aria-valuetext") == "0.60"
    assert page.figure().locator("figcaption").get_attribute("aria-live") == "polite"


def test_a_pointer_moves_both_latents(opened):
    page = opened(walk)
    plane = page.figure().locator("svg").bounding_box()
    page.page.mouse.click(
        plane["x"] + 0.75 * plane["width"], plane["y"] + 0.75 * plane["height"]
    )
    assert "z₁ 1.5" in page.settled()
    assert "z₂ −1.5" in page.settled()


def seen(page):
    return np.array(
        page.figure().evaluate("box => box.answer({}).x"), dtype=float
    ).reshape(28, 28)


@pytest.mark.parametrize(("left", "size"), [(0.1, 0.3), (0.4, 0.55)])
def test_what_is_drawn_is_centred_and_sized_as_mnist_is(opened, left, size):
    page = opened(drawing)
    pad = page.figure().locator("canvas").first
    box = pad.bounding_box()
    assert "example a line" in page.settled()

    def at(u, v):
        return box["x"] + box["width"] * (left + size * u), box["y"] + box["height"] * (
            left + size * v
        )

    page.page.mouse.move(*at(0, 0))
    page.page.mouse.down()
    for corner in ((0, 1), (0.5, 1), (0.5, 0.3)):
        page.page.mouse.move(*at(*corner), steps=3)
    page.page.mouse.up()
    assert "your drawing" in page.settled()
    x = seen(page)
    rows, columns = np.nonzero(x.sum(1) > 0.2)[0], np.nonzero(x.sum(0) > 0.2)[0]
    assert 19 <= np.ptp(rows) + 1 <= 22
    assert np.ptp(columns) + 1 < 15
    places = np.arange(28) + 0.5
    assert abs((x.sum(1) * places).sum() / x.sum() - 14) < 0.3
    assert abs((x.sum(0) * places).sum() / x.sum() - 14) < 0.3
    page.figure().get_by_role("button", name="Clear").click()
    assert "nothing drawn" in page.settled()
    assert seen(page).max() == 0


def test_one_need_not_draw(opened):
    page = opened(drawing)
    words = page.settled()
    page.figure().get_by_role("combobox", name="Example").select_option("a box")
    assert "example a box" in page.settled()
    assert page.settled() != words
    assert seen(page).max() == 0.5


def test_noise_a_choice_and_sliders_change_what_is_seen(opened):
    page = opened(the_rest)
    pictures = [picture(page, "Sample")]
    for change in (
        lambda f: f.get_by_role("button", name="Draw again").click(),
        lambda f: f.get_by_role("combobox", name="Colour").select_option("<green>"),
        lambda f: f.get_by_role("slider", name="width").press("End"),
    ):
        change(page.figure())
        words = page.settled()
        pictures.append(picture(page, "Sample"))
    assert len(set(pictures)) == 4
    assert words == "draw 2; Colour <green>; shift 1.25, width 2.00"


def test_two_figures_do_not_touch_each_other(opened):
    page = opened(walk, walk)
    first, second = picture(page, "Decoded"), picture(page, "Decoded", 1)
    page.figure(1).get_by_role("slider").first.press("End")
    page.settled(1)
    assert picture(page, "Decoded") == first
    assert picture(page, "Decoded", 1) != second
    assert page.page.locator(".gm-live [id]").count() == 0
    assert page.page.locator(".gm-live-stage").count() == 2


def test_it_lives_where_a_front_end_runs_its_scripts_later(opened):
    """JupyterLab sets innerHTML, then makes each script anew, then shows them."""
    page = opened(the_rest)
    page.page.evaluate(
        """() => {
          const old = document.querySelector('main');
          const host = document.createElement('div');
          host.innerHTML = old.innerHTML;
          host.querySelectorAll('.gm-live').forEach(f => {
            f.removeAttribute('data-alive');
            f.querySelectorAll('.gm-live-stage, figcaption').forEach(e => e.remove());
          });
          for (const s of host.querySelectorAll('script')) {
            const anew = document.createElement('script');
            for (const a of s.attributes) anew.setAttribute(a.name, a.value);
            anew.textContent = s.textContent;
            s.replaceWith(anew);
          }
          old.replaceWith(host);
        }"""
    )
    assert page.page.locator(".gm-live[data-alive] .gm-live-stage").count() == 1


@pytest.mark.parametrize("name", FIGURES)
def test_without_script_and_in_print_there_is_a_still_picture(opened, name):
    page = opened(FIGURES[name], java_script_enabled=False)
    still = page.figure().locator("img")
    assert still.is_visible()
    assert still.get_attribute("alt") == page.specs[0]["alt"]
    assert page.page.locator("input, canvas, button").count() == 0
    page = opened(FIGURES[name])
    still, stage = page.figure().locator("img"), page.figure().locator(".gm-live-stage")
    assert stage.is_visible()
    assert not still.is_visible()
    page.page.emulate_media(media="print")
    assert still.is_visible()
    assert not stage.is_visible()


@pytest.mark.parametrize("theme", ["", "light", "dark"])
def test_everyone_can_use_it_on_a_phone_and_in_the_dark(opened, theme):
    scheme = "dark" if theme != "dark" else "light"  # the site's choice wins
    phone = {"width": 390, "height": 800}
    page = opened(*FIGURES.values(), theme=theme, viewport=phone, color_scheme=scheme)
    page.settled()
    assert page.page.evaluate(OVERFLOW) == []
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    ground = page.figure().evaluate("e => getComputedStyle(e).backgroundColor")
    assert ground == ("rgb(246, 248, 250)" if theme == "light" else "rgb(31, 38, 45)")
    found = Axe().run(page.page).response["violations"]
    assert not [(rule["id"], rule["nodes"][0]["html"]) for rule in found]


def test_weights_are_halved_only_where_it_does_not_show(monkeypatch):
    wide = nn.Linear(64, 64)

    def of(times):
        plot.live(
            [plot.Noise("z", 64)],
            {"y": (lambda z: (times * wide(z).sum(1)).sin(), "z")},
            [plot.Number("y")],
            title="A sum",
            alt="A number made of noise.",
        )

    weights = wide.weight.clone()
    small, large = map(spec_of, shown(monkeypatch, lambda: of(0.01), lambda: of(1e4)))
    assert sum(half for *_, half in small["program"]["constants"]) == 1
    assert sum(half for *_, half in large["program"]["constants"]) == 0
    assert torch.equal(wide.weight, weights), "the network is as it was"
    # A figure that would be too large shows the network with rounded weights.
    monkeypatch.setattr(figure, "MOST", 25_000)
    monkeypatch.setattr(figure, "place", lambda *given: specs.append(given[3]))
    specs = []
    of(1e4)
    assert sum(half for *_, half in specs[0]["program"]["constants"]) == 1
    assert torch.equal(wide.weight, weights)
    with torch.no_grad():
        wide.weight.copy_(weights.half())
    monkeypatch.setattr(figure, "MOST", 1_000_000)
    of(1e4)
    assert specs[0]["replay"] == specs[1]["replay"]


def test_a_network_in_training_mode_is_shown_in_evaluation_and_left_alone(monkeypatch):
    network = nets.mlp([8, 128, 784], batch_norm=True, shape=(1, 28, 28)).train()
    before = {name: x.clone() for name, x in network.state_dict().items()}

    def of():
        plot.live(
            [plot.Noise("z", 8)],
            {"x": (lambda z: network(z).sigmoid(), "z")},
            [plot.Picture("x")],
            title="Noise",
            alt="A picture made of noise.",
        )

    (spec,) = map(spec_of, shown(monkeypatch, of))
    assert sum(half for *_, half in spec["program"]["constants"]) == 2
    assert all(torch.equal(before[n], x) for n, x in network.state_dict().items())
    assert all(layer.training for layer in network.modules())


def plain(**changes):
    """A figure of which one part is another."""
    parts = {
        "inputs": [plot.Sliders("t", ["t"])],
        "networks": {"y": (torch.tanh, "t")},
        "outputs": [plot.Number("y")],
        "alt": "A number.",
        "title": "Plain",
    }
    plot.live(**(parts | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alt": " "}, "in alt what it shows"),
        ({"inputs": []}, "an input to move"),
        ({"networks": {"t": (torch.tanh, "t")}}, "two values are named 't'"),
        ({"networks": {"y": torch.tanh}}, "must be"),
        ({"networks": {"y": (torch.tanh, "u")}}, "asks for 'u'; before it .* t"),
        ({"outputs": [plot.Number("v")]}, "nothing computes 'v'"),
        ({"outputs": [plot.Picture("y")]}, "picture 'y' has shape"),
        ({"outputs": [plot.Bars("y", ["a", "b"])]}, "2 words"),
        ({"outputs": [plot.Curve("y", (0, 1), (0, 1), ["a"])]}, "curve 'y'"),
        ({"networks": {"y": (lambda t: t * 9 + 3, "t")},
          "outputs": [plot.Bars("y", ["a"])]}, "probabilities, not from 3"),
        ({"networks": {"y": (lambda t: t * float(t), "t")}}, "read out of a tensor"),
        ({"networks": {"y": (lambda t: t * 2 if t > 0 else t, "t")}}, "read out of"),
        ({"networks": {"y": (lambda t: t.sort(1).values, "t")}}, "torch's sort has no"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(monkeypatch, changes, words):
    assert len(shown(monkeypatch, plain)) == 1
    with pytest.raises(ValueError, match=words):
        plain(**changes)


def test_a_figure_too_large_for_a_page_says_its_sizes():
    with pytest.raises(
        ValueError, match=r"has \d{4} kB \(weights and answers \d{4} kB"
    ):
        walk(width=600)


def test_a_change_of_a_script_is_a_change_of_the_library():
    """A chapter drifts when Python changes: so Python says which scripts it means."""
    now = {
        name: hashlib.sha256(figure.page_file(name).encode()).hexdigest()[:16]
        for name in figure.SCRIPTS
    }
    assert now == figure.SCRIPTS


def test_bare_base64_never_spells_a_path(monkeypatch):
    for html in shown(monkeypatch, *FIGURES.values()):
        assert len(EMBEDDED.findall(html)) >= 4
        words = EMBEDDED.sub("", html)
        assert not re.search(r"[A-Za-z0-9+/]{100}", words)
        assert not MACHINE_PATH.search(words)
