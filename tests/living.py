"""Figures that live in a page, as a test opens them: from a file, without a network."""

import base64
import json

import numpy as np
import torch
from bs4 import BeautifulSoup
from torch import nn

from gmlib import metrics, nets, plot
from gmlib.plot.inpage import figure

CLOSE = 2e-3
DIGITS = list("0123456789")
PAGE = """<!doctype html><html lang="en"{}><head><meta charset="utf-8">
<title>Live</title><meta name="viewport" content="width=device-width">
</head><body><main><h1>Live</h1>{}</main></body></html>"""


def walk(width=32):
    """A decoder over a plane, and what a judge says of its pictures."""
    decoder = nets.mlp([2, width, 784], "tanh", shape=(1, 28, 28))
    judge = metrics.judge("mnist").network
    plot.live(
        [plot.Plane("z", torch.randn(700, 2), torch.arange(700) % 10, DIGITS)],
        {
            "x": (lambda z: (3 * decoder(z)).sigmoid(), "z"),
            "p": (lambda x: judge(x).softmax(1), "x"),
        },
        [plot.Picture("x", label="Decoded"), plot.Bars("p", DIGITS, label="Judged")],
        title="A walk",
        alt="Codes on a plane, and the picture of their middle.",
    )


def drawing():
    """A pad, the code of what is drawn, and its reconstruction."""
    encoder, decoder = nets.mlp([784, 8, 4]), nets.conv_decoder(2, width=4)
    examples = torch.zeros(2, 1, 28, 28)
    examples[0, 0, 4:24, 13:15], examples[1, 0, 10:18, 10:18] = 1, 0.5
    codes = torch.randn(50, 2)
    plot.live(
        [plot.Pad("x", examples, ["a line", "a box"])],
        {
            "h": (encoder, "x"),
            "m": (lambda h: h.chunk(2, 1)[0], "h"),
            "s": (lambda h: h.chunk(2, 1)[1].exp(), "h"),
            "r": (lambda m: decoder(m).sigmoid(), "m"),
            "bits": (lambda x, r: (x - r).square().sum((1, 2, 3)), "x", "r"),
        },
        [
            plot.Picture("x", label="Seen"),
            plot.Posterior("m", "s", codes, label="Code"),
            plot.Picture("r", label="Reconstruction"),
            plot.Number("bits", "bits", 1, label="Cost"),
        ],
        title="Draw",
        alt="A line, its code and its reconstruction.",
    )


def the_rest():
    """Noise, a class for an embedding, sliders; several pictures, curves."""
    embed, G = nn.Embedding(3, 2), nets.dcgan_generator(9, 3, width=4, size=16)
    line = torch.linspace(-3, 3, 61)
    plot.live(
        [
            plot.Noise("z", 5),
            plot.Choice("c", ["red", "<green>", "blue"], torch.arange(3), "Colour"),
            plot.Sliders("t", ["shift", "width"], 0.5, 2),
        ],
        {
            "x": (lambda z, c, t: G(torch.cat([z, embed(c), t], 1)), "z", "c", "t"),
            "two": (lambda x: torch.stack([x, -x], 1), "x"),
            "f": (lambda t: torch.stack([line * t[:, :1], line + t[:, 1:]], 1), "t"),
        },
        [
            plot.Picture("two", -1, 1, label="Sample"),
            plot.Curve("f", (-3, 3), (-6, 6), ["steep", "high"], "x", "Lines"),
        ],
        title="The <rest>",
        alt="Two pictures and two lines.",
    )


def sliders():
    """Numbers alone: nothing here calls for an answer before it is moved."""
    plot.live(
        [plot.Sliders("a", ["a", "b"])],
        {"y": (lambda a: a.square().sum(1), "a")},
        [plot.Number("y", label="Sum")],
        title="A sum of squares",
        alt="A number made of two.",
    )


FIGURES = {"walk": walk, "drawing": drawing, "the rest": the_rest, "sliders": sliders}


def shown(monkeypatch, *calls):
    """Return the HTML of what some calls display."""
    bundles = []
    monkeypatch.setattr(figure, "display", lambda data, raw: bundles.append(data))
    for call in calls:
        call()
    return [bundle["text/html"] for bundle in bundles]


def spec_of(html):
    """What a figure says of itself."""
    soup = BeautifulSoup(html, "html.parser")
    return json.loads(soup.find("script", type="application/json").string)


def numbers(uri, kind="<f4"):
    """Numbers from a data URI."""
    return np.frombuffer(base64.b64decode(uri.split(",")[1]), kind)


class Opened:
    """Figures in a page, and all that went wrong while they were there."""

    def __init__(self, browser, folder, figures, theme="", **context):
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.problems, self.requests = [], []
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))
        self.page.on(
            "console",
            lambda m: m.type in ("error", "warning") and self.problems.append(m.text),
        )
        self.page.on("request", lambda r: self.requests.append(r.url))
        file = folder / "page.html"
        theme = f' data-theme="{theme}"' if theme else ""
        file.write_text(PAGE.format(theme, "\n".join(figures)), "utf8")
        self.page.goto(file.as_uri(), wait_until="load")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def figure(self, i=0):
        return self.page.locator(".gm-live").nth(i)

    def settled(self, i=0):
        """The words of a figure's state, once it has told them."""
        words = self.figure(i).locator("figcaption")
        self.page.wait_for_timeout(50)  # a frame
        self.page.wait_for_timeout(400)  # it tells what it shows when one rests
        return words.inner_text()


def described(figure):
    """What a figure in a page says of itself."""
    return json.loads(figure.locator('script[type="application/json"]').text_content())


def replayed(figure, record, loss, adam=True):
    """Gradients and weights that a GAN in a page has on torch's batch."""
    x, z = (numbers(record[name], "<f8").tolist() for name in "xz")
    given = [loss, x, z, record["rounds"], record["rate"], adam]
    return figure.evaluate("(box, given) => box.replay(...given)", given)


def gradients_far(figure, spec):
    """How far the gradients of a GAN in a page are from torch's."""
    most = 0.0
    for loss, both in spec["replay"]["gradients"].items():
        found = replayed(figure, spec["replay"], loss)["gradients"]
        for name, there in both.items():
            gap = np.array(found[name]) - numbers(there, "<f8")
            most = max(most, np.abs(gap).max())
    return most


def far(figure, spec):
    """How far a page's answers are from torch's, of all tries, relative above 1."""
    tries = {k: numbers(v).reshape(8, -1) for k, v in spec["replay"]["inputs"].items()}
    most = 0.0
    for i in range(8):
        given = {name: x[i].tolist() for name, x in tries.items()}
        found = figure.evaluate("(box, given) => box.answer(given)", given)
        for name, all_answers in spec["replay"]["answers"].items():
            answer = numbers(all_answers).reshape(8, -1)[i]
            there = np.array(found[name])
            assert there.shape == answer.shape
            most = max(most, np.max(abs(there - answer) / np.maximum(1, abs(answer))))
    return most
