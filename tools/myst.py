"""The grammar of the lectures' prose: blocks of MyST, and what stands within a line.

It knows as much as is needed to find every directive, role and formula, and nothing of
what they mean: that is for `plain` (how they read elsewhere) and `labels` (numbers).
"""

import re
from dataclasses import dataclass, field

OPENING = re.compile(r"( *)(`{3,}|~{3,}|:{3,}) *(?:\{([^}\n]*)\})?(.*)")
OPTION = re.compile(r":([\w-]+):(?: +(.*))?")
HEADING = re.compile(r"(#{1,6}) +(.*?)(?: +#+)?\s*")
TARGET = re.compile(r"\(([^()\s]+)\)=\s*")
ATTRIBUTES = re.compile(r"\{([.#][^{}]*)\}\s*")
TOKEN = re.compile(
    r"(?P<escape>\\[\\`*_{}\[\]()#+.!$|~<>-])"
    r"|\{(?P<role>[a-z][\w:.+-]*)\}(?P<ticks>`+)(?!`)(?P<body>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|(?P<code>(?P<fence>`+)(?!`).+?(?<!`)(?P=fence)(?!`))"
    r"|\$\$(?P<display>(?:\\.|[^\\$])+?)\$\$"
    r"|\$(?P<math>(?:\\.|[^\\$])+?)\$",
    re.S,
)


class Unreadable(ValueError):
    """Prose that the site may understand, but other readers of notebooks would not."""


@dataclass
class Text:
    """Lines outside every fence."""

    lines: list[str] = field(default_factory=list)


@dataclass
class Fence:
    """A fenced block: a directive, or code where it has no name."""

    indent: str
    name: str | None
    argument: str
    lines: list[str]
    options: dict[str, str] = field(default_factory=dict)


def blocks(lines):
    """Return the Text and Fence blocks of some lines."""
    found, i = [Text()], 0
    while i < len(lines):
        opening = OPENING.fullmatch(lines[i])
        if not opening or (opening[2][0] == "`" and "`" in opening[4]):
            found[-1].lines.append(lines[i])
            i += 1
            continue
        end = _end(lines, i, opening[2])
        found += [_fence(opening, lines[i + 1 : end]), Text()]
        i = end + 1
    return [block for block in found if not isinstance(block, Text) or block.lines]


def _end(lines, start, marks):
    """Return the number of the line that closes a fence."""
    for i in range(start + 1, len(lines)):
        line = lines[i].strip()
        if len(line) >= len(marks) and not line.strip(marks[0]):
            return i
    raise Unreadable(f"a fence has no end: {lines[start].strip()}")


def _fence(opening, body):
    indent, marks, name, rest = opening.groups()
    body = [line.removeprefix(indent) for line in body]
    if name is None and marks[0] == ":":
        raise Unreadable(f"a colon fence without a directive: {opening[0].strip()}")
    fence = Fence(indent, name and name.strip(), rest.strip(), body)
    while name is not None and body and (option := OPTION.fullmatch(body[0].rstrip())):
        fence.options[option[1]] = (option[2] or "").strip()
        del body[0]
    while name is not None and body and not body[0].strip():
        del body[0]
    return fence


def paragraphs(lines):
    """Yield runs of lines without an empty one, and the empty ones as ``[""]``."""
    run = []
    for line in lines:
        if line.strip():
            run.append(line)
            continue
        if run:
            yield run
        yield [""]
        run = []
    if run:
        yield run


def hidden(text, keep):
    """Put formulas, code and roles of a paragraph out of sight.

    Returns the text with a sign in place of each, and a function that puts back what
    `keep`, a function of the match, made of each.
    """
    stored = []

    def store(match):
        stored.append(keep(match))
        return f"\0{len(stored) - 1}\0"

    masked = TOKEN.sub(store, text)
    return masked, lambda t: re.sub(r"\0(\d+)\0", lambda m: stored[int(m[1])], t)
