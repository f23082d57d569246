"""Pictures: right pixels, text alternatives, sliders without a kernel."""

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from gmlib import plot
from gmlib.history import History


@pytest.fixture
def shown(monkeypatch):
    """Collect what is displayed."""
    bundles = []
    monkeypatch.setattr(plot.movable, "display", lambda data, raw: bundles.append(data))
    return bundles


def pixels(uri):
    data = base64.b64decode(uri.removeprefix("data:image/webp;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_tiles_lie_in_reading_order_with_a_white_line_between():
    x = torch.zeros(3, 1, 2, 2) + torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1)
    sheet = plot.tile(x, columns=2)
    assert sheet.shape == (5, 5)
    assert sheet[0, 0] == 0
    assert sheet[0, 2] == 1  # the line
    assert sheet[0, 3] == 0.5
    assert sheet[3, 0] == 1
    assert plot.tile(-torch.ones(1, 3, 2, 2), low=-1).shape == (2, 2, 3)


def test_a_picture_survives_the_page_without_loss():
    frame = np.linspace(0, 1, 12).reshape(3, 4)
    uri, w, h = plot.data_uri(frame, enlarge=2)
    assert (w, h) == (8, 6)
    expected = np.kron((255 * frame).round(), np.ones((2, 2)))
    np.testing.assert_array_equal(pixels(uri)[..., 0], expected)


def test_a_slider_has_a_picture_a_position_and_labels_for_all(shown):
    frames = [np.full((4, 4), v) for v in (0.0, 0.5, 1.0)]
    plot.slider(frames, ["round 0", "round <5>", 10], "a grey square", "Round")
    soup = BeautifulSoup(shown[0]["text/html"], "html.parser")
    images, handle = soup.find_all("img"), soup.find("input", type="range")
    assert len(images) == 3
    assert [i["alt"] for i in images][1] == "a grey square (round <5>)"
    assert [("display:block" in i["style"]) for i in images] == [True, False, False]
    assert handle["max"] == "2"
    assert handle["data-labels"].split("|") == ["round 0", "round <5>", "10"]
    assert soup.find("label")["for"] == handle["id"]
    assert soup.find("output").text == "round 0"
    assert "a grey square" in shown[0]["text/plain"]


def test_two_sliders_on_a_page_do_not_share_an_id(shown):
    for _ in range(2):
        plot.slider([np.zeros((2, 2))], ["one"], "black")
    ids = [re.search(r'<input id="([^"]+)"', b["text/html"])[1] for b in shown]
    assert len(set(ids)) == 2


def test_figures_are_closed_when_they_become_pictures(shown):
    fig, ax = plot.new()
    ax.plot([0, 1])
    plot.slider([fig], ["only"], "a line")
    assert not plt.fignum_exists(fig.number)


def test_the_plane_and_the_landscape_agree_on_their_axes():
    points = plot.plane(2.0, 5)
    assert points.shape == (25, 2)
    fig, ax = plot.new()
    step = torch.where(points[:, 0] > 0, 1.0, 0.0)  # high on the right
    filled = plot.landscape(step, 2.0, ax, levels=[0.5, 1.5])
    high = np.concatenate([path.vertices for path in filled.get_paths()])
    plt.close(fig)
    assert high[:, 0].min() > 0
    assert (high[:, 1].min(), high[:, 1].max()) == (-2, 2)


def test_curves_and_scatter_draw_what_they_are_given():
    h = History()
    h.extend(["T", "G"], np.ones((4, 2)))
    fig, ax = plot.new()
    plot.curves(h, ax=ax)
    assert [line.get_label() for line in ax.lines] == ["T", "G"]
    plot.scatter(torch.zeros(3, 2), ax=ax, lim=2)
    assert ax.get_xlim() == (-2, 2)
    plt.close(fig)


def test_tensors_with_gradients_become_arrays():
    assert plot.to_numpy(torch.ones(2, requires_grad=True)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.image_grid(torch.zeros(0, 1, 2, 2)), "images have shape"),
        (lambda: plot.image_grid(torch.zeros(4, 28, 28)), "images have shape"),
        (lambda: plot.scatter(torch.zeros(3)), "points have shape"),
        (lambda: plot.landscape(torch.zeros(5), 1), "no square grid"),
        (lambda: plot.data_uri(np.zeros(3)), "a frame is"),
        (lambda: plot.slider([], [], "x"), "as many labels"),
        (lambda: plot.slider([np.zeros((2, 2))], ["a", "b"], "x"), "as many labels"),
        (lambda: plot.slider([np.zeros((2, 2))], ["a"], " "), "say in alt"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
    plt.close("all")


@pytest.mark.parametrize(("width", "size"), [(6.0, 7), (12.0, 10)])
def test_text_that_no_one_can_read_is_refused(width, size):
    """On the page a figure has 81 pixels an inch, a wide one fewer."""
    fig, ax = plot.new(width=width)
    ax.set_title("small print", fontsize=size)
    with pytest.raises(ValueError, match=r"'small print' would be \d"):
        plot.data_uri(fig)
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize(("width", "size"), [(6.0, 8), (8.4, 8), (12.0, 12)])
def test_text_of_nine_pixels_is_shown(width, size):
    fig, ax = plot.new(width=width)
    ax.set_xlabel("legible", fontsize=size)
    ax.tick_params(labelsize=size)
    plot.data_uri(fig)
