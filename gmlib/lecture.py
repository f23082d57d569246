"""What a lecture cell says to its reader: claims, figures, sentences, checks.

Every output carries HTML for the page, plain text for a terminal, and, for
claims and checks, JSON for the machines that keep the book honest.
"""

import html
import math
import re
import statistics
from dataclasses import dataclass

import torch
from IPython.display import Markdown, display

from gmlib import plot, ranks, runtime
from gmlib.runtime import by_scale

__all__ = [
    "ClaimFailed",
    "begin",
    "by_scale",
    "check",
    "claim",
    "mean_std",
    "say",
    "show",
    "table",
]

CLAIM = "application/vnd.gmlib.claim+json"
CHECK = "application/vnd.gmlib.check+json"
BOX = "border-left:4px solid {};padding:.4em .8em;margin:.8em 0"
GREEN, RED, GREY = "#00795C", "#B3261E", "#6B6B6B"


class ClaimFailed(AssertionError):
    """A mathematical claim, or the solution of an exercise, that does not hold."""


@dataclass(frozen=True)
class Run:
    """What `begin` found: the device, the scale and the seed of this run."""

    device: torch.device
    scale: str
    seed: int

    def checkpoint(self, name):
        """The checkpoint's path for a training called `name`, or None.

        None unless the environment variable ``GMLIB_CHECKPOINTS`` names a folder.
        """
        return runtime.checkpoint_path(f"{name}-{self.scale}-seed{self.seed}")


def begin(scale="auto", seed=0):
    """Start a lecture: choose device and scale, seed everything.

    On an accelerator tensors are from here on created there unless a cell says
    otherwise (`torch.set_default_device`).

    Returns
    -------
    Run
    """
    ranks.start(runtime.device().type)  # under torchrun: each rank on its own GPU
    run = Run(runtime.device(), runtime.set_scale(scale), seed)
    if run.device.type != "cpu":
        torch.set_default_device(run.device)
    runtime.seed(seed)
    return run


# ---------------------------------------------------------------------- claims

_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def _name(identifier):
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"an id is lower-case words joined by hyphens: {identifier!r}")
    return identifier


def _plain(value):
    """Turn measured values into JSON: numbers to six digits, tensors to lists.

    JSON has no infinity: it becomes the word.
    """
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value).replace("inf", "∞").replace("-", "−")
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _readable(value):
    if isinstance(value, dict):
        return ", ".join(f"{k} {_readable(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(map(_readable, value)) + "]"
    if isinstance(value, float):
        return f"{value + 0.0:.4g}".replace("-", "−")  # a zero has no sign
    return str(value)


def claim(
    identifier,
    statement,
    holds,
    *,
    measured,
    expected=None,
    tolerance=None,
    kind="math",
    seeds=None,
    recorded=None,
):
    """Judge a claim of the lecture and show the verdict with its numbers.

    Parameters
    ----------
    identifier : str
        Unique in the course: ``"vae-gap-is-kl"``.
    statement : str
        One sentence, plain text.
    holds : bool
        The outcome of the measurement, for instance ``abs(gap - kl) < 1e-6``.
    measured, expected : number, str, list or dict of them
    tolerance : number or str, optional
    kind : {"math", "empirical"}
        A mathematical claim must hold at every scale. An empirical one is
        judged from scale ``cpu`` up.
    seeds : int, optional
        How many seeds an empirical claim rests on.
    recorded : str, optional
        The sweep in ``data/results`` whose rows were measured, if not this page's own
        runs.

    Raises
    ------
    ClaimFailed
        If a mathematical claim does not hold. An empirical one that fails is
        shown as failed, and the checks of the stored book refuse it.
    """
    if kind not in ("math", "empirical"):
        raise ValueError(f"a claim is of kind math or empirical, not {kind!r}")
    if hasattr(holds, "item"):
        holds = holds.item()
    if not isinstance(holds, bool):
        raise TypeError(f"holds is a bool, not {type(holds).__name__}")
    judged = kind == "math" or runtime.scale() != "smoke"
    verdict = ("holds" if holds else "fails") if judged else "unjudged"
    record = {
        "id": _name(identifier),
        "statement": statement,
        "kind": kind,
        "verdict": verdict,
        "measured": _plain(measured),
        "expected": _plain(expected),
        "tolerance": _plain(tolerance),
        "seeds": seeds,
        "recorded": recorded,
        "scale": runtime.scale(),
    }
    word, colour, sign = {
        "holds": ("holds", GREEN, "✓"),
        "fails": ("does not hold here", RED, "✗"),
        "unjudged": ("not judged at this scale", GREY, "–"),
    }[verdict]
    facts = [f"measured: {_readable(record['measured'])}"]
    if expected is not None:
        facts.append(f"expected: {_readable(record['expected'])}")
    if tolerance is not None:
        facts.append(f"tolerance: {_readable(record['tolerance'])}")
    if seeds is not None:
        facts.append(f"{seeds} seed{'s' * (seeds > 1)}")
    if recorded is not None:
        facts.append(f"recorded in data/results/{recorded}.csv")
    text = f"{sign} Claim ({kind}) {word}: {statement} [{'; '.join(facts)}]"
    body = (
        f'<div class="gm-claim gm-{verdict}" id="claim-{identifier}" '
        f'style="{BOX.format(colour)}">'
        f'<strong style="color:{colour}">{sign} Claim {word}.</strong> '
        f"{html.escape(statement)}<br>"
        f"<small>{html.escape('; '.join(facts))} ({kind})</small></div>"
    )
    display({CLAIM: record, "text/html": body, "text/plain": text}, raw=True)
    if kind == "math" and not holds:
        raise ClaimFailed(text)


# ------------------------------------------------------------------- exercises


def _unwritten(candidate):
    """Tell whether an exercise is not yet begun: None, ``...``, or a body of that."""
    if candidate is None or candidate is ...:
        return True
    code, empty = getattr(candidate, "__code__", None), (lambda: None).__code__
    return (
        code is not None
        and code.co_code[::2] == empty.co_code[::2]
        and all(c is None or c is ... or isinstance(c, str) for c in code.co_consts)
    )


def _wrong(candidate, tests):
    """Return the words of the tests that a candidate does not pass."""
    wrong, unwritten = [], _unwritten(candidate)
    for words, predicate in tests:
        try:
            if unwritten or not predicate(candidate):
                wrong.append(words)
        except Exception as error:
            wrong.append(f"{words} ({type(error).__name__}: {error})")
    return wrong


def _each(change, answer):
    """Change every number of an answer."""
    if isinstance(answer, tuple | list):
        return type(answer)(_each(change, a) for a in answer)
    return not answer if isinstance(answer, bool) else change(answer)


def _false_answers(candidate):
    """Return what no check may accept: in words, and answers not all of which may pass.

    A loss may be right up to a constant, an eigenvector up to its sign, and features
    up to what they span: an answer plus one, its negative or nothing but zeros may
    pass, but not all three.
    """
    changes = (lambda a: a + 1, lambda a: -a, lambda a: 0 * a)
    if not callable(candidate):
        return [("its answer, changed", [_each(c, candidate) for c in changes])]
    changed = [lambda *x, c=c, **k: _each(c, candidate(*x, **k)) for c in changes]
    return [
        ("an answer of None", [lambda *x, **k: None]),
        ("its answer, changed", changed),
    ]


def check(identifier, candidate, tests, solution=False):
    """Check an answer to an exercise and say what is wrong with it.

    Parameters
    ----------
    identifier : str
        The exercise's label.
    candidate : object
        The student's function or value; None, ``...`` and a function whose body is
        ``...`` mean: not yet begun.
    tests : list of (str, callable)
        What must be true, in words, and a predicate candidate → bool.
    solution : bool
        The candidate is the book's own solution: it must pass, and what it is not
        must fail: an answer of None, and its own answer plus one, negated or zero.

    Raises
    ------
    ClaimFailed
        If `solution` and a test fails, or no test fails for a wrong answer. A
        student's answer never raises.
    """
    if not tests:
        raise ValueError("a check without tests cannot fail")
    wrong = _wrong(candidate, tests)
    passed = not wrong
    record = {
        "id": _name(identifier),
        "solution": solution,
        "passed": passed,
        "wrong": wrong,
        "tests": len(tests),
    }
    if passed:
        headline, colour = f"✓ All {len(tests)} tests pass.", GREEN
    else:
        headline, colour = f"Not yet: {len(wrong)} of {len(tests)} tests to go.", GREY
    items = "".join(f"<li>{html.escape(w)}</li>" for w in wrong)
    body = (
        f'<div class="gm-check gm-{"passed" if passed else "open"}" '
        f'style="{BOX.format(colour)}"><strong style="color:{colour}">{headline}'
        f"</strong>{f'<ul>{items}</ul>' if items else ''}</div>"
    )
    text = "\n".join([headline, *(f"  - {w}" for w in wrong)])
    display({CHECK: record, "text/html": body, "text/plain": text}, raw=True)
    if solution and not passed:
        raise ClaimFailed(f"the solution of {identifier} fails: {text}")
    for words, answers in _false_answers(candidate) if solution else ():
        if not any(_wrong(answer, tests) for answer in answers):
            raise ClaimFailed(f"the check of {identifier} accepts {words}")


# --------------------------------------------------------- pictures and words


def show(figure, *, alt, caption=None, width=None, enlarge=1, quality=None):
    """Display a figure, or an array in [0, 1], with its text alternative; close it.

    Parameters
    ----------
    figure : matplotlib Figure or array (h, w[, 3])
    alt : str
        What the figure shows, for those who cannot see it.
    caption : str, optional
    width : int, optional
        Widest display in CSS pixels.
    enlarge : int
        Pixels of an array are repeated so often.
    quality : int, optional
        0–100 for lossy compression (photograph-like figures); default lossless.
    """
    if not alt.strip():
        raise ValueError("say in alt what the figure shows")
    is_array = not hasattr(figure, "savefig")
    uri, w, h = plot.data_uri(figure, enlarge, quality)
    width = width or (w if is_array else w // 2)
    under = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    # On a phone a wide figure scrolls in its box: shrunk, no one could read its axes.
    least = 0 if is_array or width <= 480 else 480
    body = (
        f'<figure class="gm-figure" style="margin:1em auto;max-width:{width}px">'
        '<div class="gm-scroll" style="overflow-x:auto">'
        f'<img src="{uri}" width="{w}" height="{h}" alt="{html.escape(alt)}" '
        f'style="width:100%;min-width:{least}px;height:auto"></div>{under}</figure>'
    )
    display({"text/html": body, "text/plain": f"[figure: {alt}]"}, raw=True)


def say(text):
    """Display a Markdown sentence; put computed numbers into it with an f-string."""
    display(Markdown(text))


def mean_std(values):
    """Return "mean ± standard deviation" of a few numbers, as a table shows it.

    Both have the decimals of the deviation's first digit, or of its second if the
    first is a 1. A single number has no deviation and is shown alone.
    """
    values = [float(v) for v in values]
    mean = statistics.fmean(values)
    if len(values) < 2:
        return _readable(mean)
    std = statistics.stdev(values)
    if std == 0 or not math.isfinite(std):
        return f"{_readable(mean)}\u00a0±\u00a0{_readable(std)}"
    first = math.floor(math.log10(std))
    digits = max(0, (std < 2 * 10**first) - first)
    return f"{mean:.{digits}f}\u00a0±\u00a0{std:.{digits}f}".replace("-", "−")


def table(rows, header, caption):
    """Display a table.

    Parameters
    ----------
    rows : list of lists
        Cells; floats are shown to four digits. The first cell names the row.
    header : list of str
    caption : str
        What the table holds, in a sentence.
    """
    rows = [[_readable(_plain(c)) for c in row] for row in rows]
    bad = [row for row in rows if len(row) != len(header)]
    if bad or not rows:
        raise ValueError(f"every row needs {len(header)} cells, unlike {bad or 'none'}")
    head = "".join(
        f'<th scope="col">{html.escape(h)}</th>' if h else "<td></td>" for h in header
    )
    body = "".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(c)}</td>" for c in row[1:])
        + "</tr>"
        for row in rows
    )
    page = (
        '<div class="gm-table" style="overflow-x:auto"><table>'
        f"<caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    widths = [max(len(r[i]) for r in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
        for r in [header, *rows]
    ]
    text = "\n".join([caption, *lines])
    display({"text/html": page, "text/plain": text}, raw=True)
