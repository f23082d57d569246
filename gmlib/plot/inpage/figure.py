"""A figure in which trained networks answer, without a kernel and without a server."""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from textwrap import fill
from typing import Any

import torch
from IPython.display import display
from torch import Tensor

from gmlib import runtime
from gmlib.plot.figures import new
from gmlib.plot.inpage.inputs import CLASSES, Input, packed
from gmlib.plot.inpage.outputs import Output
from gmlib.plot.inpage.recorder import (
    Networks,
    Program,
    Recorder,
    answers,
    halved,
    record,
)
from gmlib.plot.pictures import data_uri

MOST = 1_000_000  # bytes of a figure
TRIES = 8  # inputs whose answers by torch travel with the figure
CLOSE = 1e-3  # half precision must stay so close to torch
# What the page runs, by its content: a change of it is a change of the library.
SCRIPTS = {
    "parts.js": "ac72f6de80bf23e0",
    "forward.js": "82071e48172591ce",
    "figure.js": "1772f0bfa4d81180",
    "training.js": "ffe89418dd1eedae",
    "gan.js": "ec0408a4c7ec0d13",
    "live.css": "b17f5864ec4a5fc7",
}


def page_file(name: str) -> str:
    """A script or style sheet of this folder, without comments and indentation."""
    text = files("gmlib.plot.inpage").joinpath(name).read_text("utf8")
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def written(spec: Mapping[str, Any]) -> str:
    """A figure's description as a script that a page does not run."""
    text = json.dumps(spec, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")


def place(
    kind: str,
    title: str,
    alt: str,
    spec: Mapping[str, Any],
    still: Any,
    scripts: Sequence[str],
) -> None:
    """Display a figure: its still picture, its description and what brings it to life.

    Raises ValueError if it is larger than a page should hold.
    """
    if not alt.strip() or not title.strip():
        raise ValueError("say in title what the figure is, and in alt what it shows")
    uri, w, h = data_uri(still, quality=80)
    colours = "".join(f"--class-{k}:{c};" for k, c in enumerate(CLASSES))
    style = f"{page_file('live.css')}\n.gm-live{{{colours}}}"
    code = "\n".join(map(page_file, scripts))
    data = written(dict(spec) | {"alt": alt})
    parts = {"weights and answers": data, "still picture": uri, "script": code + style}
    sizes = {name: len(text.encode()) for name, text in parts.items()}
    if sum(sizes.values()) > MOST:
        listed = ", ".join(f"{name} {n / 1000:.0f} kB" for name, n in sizes.items())
        raise ValueError(
            f"the figure {title!r} has {sum(sizes.values()) / 1000:.0f} kB ({listed}), "
            f"more than {MOST / 1000:.0f}: take smaller networks, or show fewer values"
        )
    # JupyterLab leaves the keys to what has the second attribute.
    body = (
        f'<figure class="gm-live" data-kind="{kind}" data-lm-suppress-shortcuts="true">'
        f"<style>{style}</style>"
        f"<p><strong>{html.escape(title)}</strong></p>"
        f'<img src="{uri}" width="{w // 2}" height="{h // 2}" alt="{html.escape(alt)}">'
        f'<script type="application/json">{data}</script></figure>'
        f"<script>(() => {{\n{code}\n}})();</script>"
    )
    display({"text/html": body, "text/plain": f"[{title}: {alt}]"}, raw=True)


def live(
    inputs: Sequence[Input],
    networks: Mapping[str, tuple[Any, ...]],
    outputs: Sequence[Output],
    *,
    alt: str,
    title: str,
) -> None:
    """Display trained networks that answer in the page to what a reader moves.

    Nothing else is needed: no kernel, no server, no other host. The networks run once,
    on examples; what they ask of torch is written down, and a short script repeats it.
    So a network may be any function of tensors: a module, or a lambda with modules and
    arithmetic in it. Modules run in evaluation mode. Weights travel in half precision
    if torch's answers then stay within 0.001, else in single precision; if that is too
    large, the networks shown are those with weights rounded to half precision.

    Parameters
    ----------
    inputs : list of Plane, Sliders, Choice, Noise or Pad
        What is moved. Each gives a named value; networks get it as a batch of one.
    networks : dict of (function, name, ...)
        Each computes a named value from values before it: ``{"x": (decoder, "z")}``.
    outputs : list of Picture, Bars, Number, Curve or Posterior
        What is seen, of any named value.
    alt : str
        What the figure shows at the start, for those who cannot see it; what changes
        is added in words.
    title : str

    Raises
    ------
    ValueError
        If a layer asks torch for something that has no counterpart in the page (it is
        named), if names do not fit together, a value has not the shape that its output
        shows, or the figure is larger than 1 MB.

    Examples
    --------
    A walk over the latents of a VAE, and what a judge says of each picture::

        plot.live(
            inputs=[plot.Plane("z", codes, labels, words=list("0123456789"))],
            networks={
                "x": (lambda z: decoder(z).sigmoid(), "z"),
                "p": (lambda x: judge.network(x).softmax(1), "x"),
            },
            outputs=[
                plot.Picture("x", label="Decoded"),
                plot.Bars("p", list("0123456789"), label="Judged"),
            ],
            title="A walk over the latents",
            alt="A plane of codes; beside it the picture decoded from its middle.",
        )
    """
    steps = _arranged(inputs, networks, outputs)
    names = [part.name for part in inputs]
    device = runtime.device()
    tries = {part.name: part.tries(TRIES).to(device) for part in inputs}
    start = {part.name: part.first().to(device) for part in inputs}
    shown = list(dict.fromkeys(name for part in outputs for name in part.names))
    program, values, found = _recorded(steps, start, tries, shown)
    halves = _bears_halves(program, steps, tries, shown, found)
    singles = 16 / 3 * sum(x.numel() for x in program.constants.values())  # bytes
    if not halves and singles > 0.8 * MOST:
        # Too large: then the networks shown are those with rounded weights.
        with halved(program):
            program, values, found = _recorded(steps, start, tries, shown)
        halves = True
    specs = [
        [part.spec() | {"name": part.name, "label": part.label or part.name}
         for part in inputs],
        [part.spec(values) | {"values": part.names, "label": part.label or part.name}
         for part in outputs],
    ]  # fmt: skip
    spec = {
        "inputs": specs[0],
        "outputs": specs[1],
        "program": packed_program(program, halves),
        "replay": {
            "inputs": {n: packed(tries[n]) for n in names},
            "answers": {n: packed(torch.stack([f[n] for f in found])) for n in shown},
        },
    }
    still = _still(inputs, outputs, values)
    place("net", title, alt, spec, still, ("parts.js", "forward.js", "figure.js"))


def _arranged(inputs, networks, outputs) -> Networks:
    """Check that names fit together; return {name: (function, names)}."""
    if not inputs or not outputs:
        raise ValueError("a figure needs an input to move and an output to see")
    known: set[str] = set()
    for name in [part.name for part in inputs] + list(networks):
        if name in known:
            raise ValueError(f"two values are named {name!r}")
        known.add(name)
    before, steps = {part.name for part in inputs}, {}
    for name, given in networks.items():
        function, *names = given if isinstance(given, tuple) else (given,)
        if not callable(function) or not names:
            raise ValueError(f"network {name!r} must be (function, names it takes)")
        for argument in names:
            if argument not in before:
                raise ValueError(
                    f"network {name!r} asks for {argument!r}; before it there are: "
                    f"{', '.join(sorted(before))}"
                )
        steps[name] = (function, tuple(names))
        before.add(name)
    for part in outputs:
        for name in part.names:
            if name not in known:
                raise ValueError(f"nothing computes {name!r}, which is to be shown")
    return steps


def _recorded(
    steps: Networks,
    start: Mapping[str, Tensor],
    tries: Mapping[str, Tensor],
    shown: Sequence[str],
) -> tuple[Program, dict[str, Tensor], list[dict[str, Tensor]]]:
    """The program, the values at the start, and torch's answers to the other inputs."""
    program, values = record(steps, start, shown)
    found = [
        _tried(steps, {n: x[i : i + 1] for n, x in tries.items()}, shown, program)
        for i in range(TRIES)
    ]
    return program, {name: x.detach().cpu() for name, x in values.items()}, found


def _flat(values: Mapping[str, Tensor], shown: Sequence[str]) -> dict[str, Tensor]:
    return {name: values[name].detach().cpu().float().reshape(-1) for name in shown}


def _tried(
    steps: Networks,
    given: Mapping[str, Tensor],
    shown: Sequence[str],
    program: Program,
) -> dict[str, Tensor]:
    """torch's answers to one input, for which it must compute the same."""
    other, values = record(steps, given, shown)
    if not program.same(other):
        raise ValueError(
            "a network computes otherwise for another input: a number was read out of "
            "a tensor, as by item() or an if; use tensors only, as by torch.where"
        )
    return _flat(values, shown)


def _bears_halves(
    program: Program,
    steps: Networks,
    tries: Mapping[str, Tensor],
    shown: Sequence[str],
    found: Sequence[Mapping[str, Tensor]],
) -> bool:
    """Whether torch's answers stay where they are with weights of half precision."""
    with halved(program), Recorder().watching():
        for i, was in enumerate(found):
            given = {n: x[i : i + 1] for n, x in tries.items()}
            now = _flat(answers(steps, given), shown)
            for name in shown:
                far = (now[name] - was[name]).abs() / was[name].abs().clamp(min=1)
                if not far.max() < CLOSE:
                    return False
    return True


def packed_program(program: Program, halves: bool) -> dict[str, Any]:
    """A program as the page reads it."""
    where, whole, half = [], [], []
    for index, x in program.constants.items():
        kind = halves and index in program.weights
        into = half if kind else whole
        where.append([index, sum(map(len, into)), x.numel(), int(kind)])
        into.append(x.reshape(-1))

    def joined(parts):
        return torch.cat([torch.empty(0), *parts])

    return {
        "sizes": program.sizes,
        "steps": program.steps,
        "constants": where,
        "whole": packed(joined(whole)),
        "halves": packed(joined(half), "<f2"),
        "inputs": program.inputs,
        "outputs": program.outputs,
    }


def _still(
    inputs: Sequence[Input], outputs: Sequence[Output], values: Mapping[str, Tensor]
) -> Any:
    """Draw the figure as it starts."""
    many = len(inputs) + len(outputs)
    columns = min(many, 3)
    rows = -(-many // columns)
    fig, axes = new(8.0, 2.9 * rows, rows, columns, squeeze=False)
    cells: list[Callable[..., None]] = [part.still for part in inputs]
    for ax, part in zip(axes.flat, [*inputs, *outputs], strict=False):
        ax.set_title(fill(part.label or part.name, 100 // columns))
    for ax, draw in zip(axes.flat, cells, strict=False):
        draw(ax)
    for ax, part in zip(list(axes.flat)[len(cells) :], outputs, strict=False):
        part.still(ax, values)
    for ax in list(axes.flat)[many:]:
        ax.set_axis_off()
    return fig
