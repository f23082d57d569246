"""The page: how an output gets there, and how values are written on it."""

import math
import re
from typing import Any

from IPython.display import Markdown, display

BOX = "border-left:4px solid {};padding:.4em .8em;margin:.8em 0"
GREEN, RED, GREY = "#00795C", "#B3261E", "#6B6B6B"
_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def put(page: str, text: str, records: dict[str, Any] | None = None) -> None:
    """Display HTML, plain text for a terminal, and records (JSON) for machines."""
    display((records or {}) | {"text/html": page, "text/plain": text}, raw=True)


def say(text: str) -> None:
    """Display a Markdown sentence; put computed numbers into it with an f-string."""
    display(Markdown(text))


def named(identifier: str) -> str:
    """Return the id of a claim or an exercise; ValueError if it is not one."""
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"an id is lower-case words joined by hyphens: {identifier!r}")
    return identifier


def plain(value: Any, digits: int = 6) -> Any:
    """Turn measured values into JSON: numbers to so many digits, tensors to lists.

    JSON has no infinity: it becomes the word.
    """
    if isinstance(value, dict):
        return {str(k): plain(v, digits) for k, v in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(v, digits) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value).replace("inf", "∞").replace("-", "−")
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def readable(value: Any, digits: int = 4) -> str:
    """Return what `plain` returned as a reader sees it: numbers to so many digits."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {readable(v, digits)}" for k, v in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(readable(v, digits) for v in value) + "]"
    if isinstance(value, float):
        return f"{value + 0.0:.{digits}g}".replace("-", "−")  # a zero has no sign
    return str(value)
