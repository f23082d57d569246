"""Figures that live in a page, as a test opens them: from a file, without a network."""

import base64
import json

import numpy as np
from bs4 import BeautifulSoup

from gmlib.plot.inpage import figure

PAGE = """<!doctype html><html lang="en"{}><head><meta charset="utf-8">
<title>Live</title><meta name="viewport" content="width=device-width">
</head><body><main><h1>Live</h1>{}</main></body></html>"""


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
