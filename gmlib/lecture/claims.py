"""Claims: sentences with a verdict and the numbers it rests on."""

import html
from typing import Any

from gmlib import runtime
from gmlib.lecture.page import BOX, GREEN, GREY, RED, named, plain, put, readable

CLAIM = "application/vnd.gmlib.claim+json"
VERDICTS = {  # in words, in colour, as a sign
    "holds": ("holds", GREEN, "✓"),
    "fails": ("does not hold here", RED, "✗"),
    "unjudged": ("not judged at this scale", GREY, "–"),
}


class ClaimFailed(AssertionError):
    """A mathematical claim, or the solution of an exercise, that does not hold."""


def claim(
    identifier: str,
    statement: str,
    holds: Any,
    *,
    measured: Any,
    expected: Any = None,
    tolerance: Any = None,
    kind: str = "math",
    seeds: int | None = None,
    why_one: str | None = None,
    recorded: str | None = None,
) -> None:
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
        How many seeds an empirical claim rests on: three or more.
    why_one : str, optional
        Why an empirical claim may rest on fewer, in words.
    recorded : str, optional
        The sweep in ``data/results`` whose rows were measured, if not this page's own
        runs.

    Raises
    ------
    ClaimFailed
        If a mathematical claim does not hold. An empirical one that fails is
        shown as failed, and the checks of the stored book refuse it.
    ValueError, TypeError
        If the id is malformed, there is no such kind, `holds` is no bool, or an
        empirical claim rests on fewer than three seeds and does not say why.
    """
    if kind not in ("math", "empirical"):
        raise ValueError(f"a claim is of kind math or empirical, not {kind!r}")
    if hasattr(holds, "item"):
        holds = holds.item()
    if not isinstance(holds, bool):
        raise TypeError(f"holds is a bool, not {type(holds).__name__}")
    judged = kind == "math" or runtime.scale() != "smoke"
    if judged and kind == "empirical" and not why_one and (seeds or 0) < 3:
        raise ValueError(
            f"the empirical claim {identifier} rests on {seeds or 'unsaid'} seeds:"
            " pass seeds=3 or more, or say in why_one why fewer suffice"
        )
    verdict = ("holds" if holds else "fails") if judged else "unjudged"
    record = {
        "id": named(identifier),
        "statement": statement,
        "kind": kind,
        "verdict": verdict,
        "measured": plain(measured),
        "expected": plain(expected),
        "tolerance": plain(tolerance),
        "seeds": seeds,
        "why_one": why_one,
        "recorded": recorded,
        "scale": runtime.scale(),
    }
    word, _, sign = VERDICTS[verdict]
    facts = _facts(record)
    text = f"{sign} Claim ({kind}) {word}: {statement} [{facts}]"
    put(_page(record, facts), text, {CLAIM: record})
    if kind == "math" and not holds:
        raise ClaimFailed(text)


def _facts(record: dict[str, Any]) -> str:
    """Return the numbers of a claim in one line."""
    facts = [f"measured: {readable(record['measured'])}"]
    if record["expected"] is not None:
        facts.append(f"expected: {readable(record['expected'])}")
    if record["tolerance"] is not None:
        facts.append(f"tolerance: {readable(record['tolerance'])}")
    if (seeds := record["seeds"]) is not None:
        facts.append(f"{seeds} seed{'s' * (seeds > 1)}")
    if record["why_one"] is not None:
        facts.append(f"one suffices: {record['why_one']}")
    if record["recorded"] is not None:
        facts.append(f"recorded in data/results/{record['recorded']}.csv")
    return "; ".join(facts)


def _page(record: dict[str, Any], facts: str) -> str:
    """Return the box of a claim, as HTML."""
    word, colour, sign = VERDICTS[record["verdict"]]
    return (
        f'<div class="gm-claim gm-{record["verdict"]}" id="claim-{record["id"]}" '
        f'style="{BOX.format(colour)}">'
        f'<strong style="color:{colour}">{sign} Claim {word}.</strong> '
        f"{html.escape(record['statement'])}<br>"
        f"<small>{html.escape(facts)} ({record['kind']})</small></div>"
    )
