"""Exercises: checks that say what is wrong, and are themselves put to the test."""

import html
from collections.abc import Callable, Sequence
from typing import Any

import torch

from gmlib.lecture.claims import ClaimFailed
from gmlib.lecture.page import BOX, GREEN, GREY, named, plain, put, readable

CHECK = "application/vnd.gmlib.check+json"
Tests = Sequence[
    tuple[str, Callable[[Any], Any]]
    | tuple[str, Callable[[Any], Any], Any]
    | tuple[str, Callable[[Any], Any], Any, float]
]


def check(
    identifier: str, candidate: Any, tests: Tests, solution: bool = False
) -> None:
    """Check an answer to an exercise and say what is wrong with it.

    Parameters
    ----------
    identifier : str
        The exercise's label.
    candidate : object
        The student's function or value; None, ``...`` and a function whose body is
        ``...`` mean: not yet begun.
    tests : list of (str, callable), (str, callable, expected[, tolerance])
        What must be true, in words, and a predicate candidate → bool; or, in words,
        what is computed from the candidate and what is expected: numbers, tensors or
        lists of them, within `tolerance` (absolute and relative, by default 1e-4), or
        a word or truth value. Then the check shows expected against got.
    solution : bool
        The candidate is the book's own solution: it must pass, and what it is not
        must fail: an answer of None, and its own answer plus one, negated or zero.

    Raises
    ------
    ClaimFailed
        If `solution` and a test fails, or no test fails for a wrong answer. A
        student's answer never raises.
    ValueError
        If there are no tests, or the label is malformed.
    """
    if not tests:
        raise ValueError("a check without tests cannot fail")
    wrong = _wrong(candidate, tests)
    passed = not wrong
    record = {
        "id": named(identifier),
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
    put(body, text, {CHECK: record})
    if solution and not passed:
        raise ClaimFailed(f"the solution of {identifier} fails: {text}")
    for words, answers in _false_answers(candidate) if solution else ():
        if not any(_wrong(answer, tests) for answer in answers):
            raise ClaimFailed(f"the check of {identifier} accepts {words}")


def _wrong(candidate: Any, tests: Tests) -> list[str]:
    """Return the words of the tests that a candidate does not pass."""
    wrong, unwritten = [], _unwritten(candidate)
    for words, compute, *wanted in tests:
        if unwritten:
            wrong.append(words)
            continue
        try:
            got = compute(candidate)
            if not wanted and not got:
                wrong.append(words)
            elif wanted and (difference := _difference(got, *wanted)):
                wrong.append(f"{words}: {difference}")
        except Exception as error:
            wrong.append(f"{words} ({type(error).__name__}: {error})")
    return wrong


def _difference(got: Any, expected: Any, tolerance: float = 1e-4) -> str:
    """Say how what came differs from what was expected, nothing if it does not."""
    if got is None or isinstance(expected, str | bool):
        return "" if got == expected else _against(expected, got)
    a, b = (torch.as_tensor(v).detach().cpu().double() for v in (expected, got))
    if a.shape != b.shape and not a.numel() == b.numel() == 1:
        return f"expected the shape {tuple(a.shape)}, got {tuple(b.shape)}"
    a, b = a.flatten(), b.flatten()
    apart = ~torch.isclose(b, a, rtol=tolerance, atol=tolerance)
    if not apart.any():
        return ""
    if len(a) <= 6:
        return _against(expected, got)
    i = int((b - a).abs().nan_to_num(torch.inf).argmax())
    where = f"at place {i} of {len(a)}, where they differ most"
    return f"{_against(a[i].item(), b[i].item())} {where}"


def _against(expected: Any, got: Any) -> str:
    """Say both, with as many digits as tell them apart."""
    words = ["", ""]
    for digits in (4, 6, 9, 17):
        words = [readable(plain(v, digits), digits) for v in (expected, got)]
        if words[0] != words[1]:
            break
    return f"expected {words[0]}, got {words[1]}"


def _unwritten(candidate: Any) -> bool:
    """Tell whether an exercise is not yet begun: None, ``...``, or a body of that."""
    if candidate is None or candidate is ...:
        return True
    code, empty = getattr(candidate, "__code__", None), (lambda: None).__code__
    return (
        code is not None
        and code.co_code[::2] == empty.co_code[::2]
        and all(c is None or c is ... or isinstance(c, str) for c in code.co_consts)
    )


def _false_answers(candidate: Any) -> list[tuple[str, list[Any]]]:
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


def _each(change: Callable[[Any], Any], answer: Any) -> Any:
    """Change every number of an answer."""
    if isinstance(answer, tuple | list):
        return type(answer)(_each(change, a) for a in answer)
    return not answer if isinstance(answer, bool) else change(answer)
