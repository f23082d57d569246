"""The prose of a lecture in the Markdown that every reader of notebooks knows.

JupyterLab, Colab, VS Code, GitHub and Kaggle typeset CommonMark, `$` and `$$` with what
MathJax and KaTeX share, and `<details>`. Inside a quote or a list a formula takes one
line: JupyterLab reads formulas before it reads the quote's marks.
"""

import html
import re
from dataclasses import dataclass, field

from labels import PROOFS
from models import table
from myst import (
    ATTRIBUTES,
    HEADING,
    TARGET,
    TOKEN,
    Text,
    Unreadable,
    blocks,
    hidden,
    paragraphs,
)

NOTES = {
    *("admonition", "attention", "caution", "danger", "error", "hint", "important"),
    *("note", "seealso", "tip", "warning"),
}
CODE = ("code", "code-block", "code-cell", "ipython3", "sourcecode")
SECOND = "second-reading"
END = "□"
ROLE = r"\{[a-z][\w:.+-]*\}`"
QUOTED = re.compile(
    r"^[ >*-]*(?:(?:`{3,}|~{3,}) *\{|:{3,}).*", re.M
)  # in a quote, a list
LEFT = re.compile(
    rf"{ROLE}|^\([^()\s]+\)=.*"
    r"|^ *\{[.#][^{}]*\}.*|[\])]\{[.#][^{}]*\}|\{\{.*?\}\}|^%.*|^\+\+\+.*|\[\^[^\]]*\]"
    r"|\$\$ *\([\w:-]+\)|^ *\\begin\{.*|^: .*",
    re.M,
)


@dataclass
class Part:
    """A piece of prose that becomes a cell; a heading that folds stands alone."""

    lines: list[str] = field(default_factory=list)
    level: int = 0  # of the heading it begins with
    folded: bool = False
    event: str = ""  # exercise-start, exercise-end, solution-start, solution-end

    @property
    def text(self):
        return _tidy(self.lines)


class Page:
    """A page of the book: turns its prose into plain Markdown.

    `site` is the address of the rendered book, "" where it has none; `beside` are the
    pages whose notebooks are written into the same folder.
    """

    def __init__(self, book, doc, site="", beside=()):
        self.book, self.doc, self.site, self.beside = book, doc, site, beside

    # ------------------------------------------------------------------ whole cells

    def text(self, source):
        """Return prose that has neither exercises nor folded sections."""
        return self._checked(_tidy(self._lines(source.split("\n"), flat=False)))

    def parts(self, source):
        """Return the Parts of a cell of prose."""
        parts = [Part()]
        for block in blocks(source.split("\n")):
            if isinstance(block, Text):
                self._sections(block.lines, parts)
            elif re.fullmatch(r"(exercise|solution)-(start|end)", block.name or ""):
                parts += [self._event(block)]
                if block.name != "exercise-start":  # its text stays with its heading
                    parts += [Part()]
            else:
                parts[-1].lines += self._fence(block, flat=False)
        for part in parts:
            self._checked(part.text)
        return [part for part in parts if part.text or part.event]

    def _sections(self, lines, parts):
        """Append lines to the last part, beginning another at each heading."""
        run, fold = [], False
        for line in [*lines, None]:
            heading = HEADING.fullmatch(line or "")
            if line is None or heading:
                parts[-1].lines += self._prose(run, flat=False)
                run = []
            if heading:
                title = self._inline(heading[2]) + " (for the second reading)" * fold
                parts.append(Part([f"{heading[1]} {title}"], len(heading[1]), fold))
                if fold:
                    parts.append(Part())
                fold = False
            elif line is not None and (found := ATTRIBUTES.fullmatch(line)):
                if found[1].split() != [f".{SECOND}"]:
                    raise Unreadable(f"an attribute that is not known: {line}")
                fold = True
            elif line is not None:
                if fold and line.strip() and not TARGET.fullmatch(line):
                    raise Unreadable(f"no heading after {{.{SECOND}}}: {line}")
                run.append(line)
        if fold:
            raise Unreadable(f"no heading after {{.{SECOND}}}")

    def _event(self, block):
        """Return the heading of an exercise or a solution, or the mark of its end."""
        if block.name.endswith("-end"):
            return Part(event=block.name)
        exercise = block.name == "exercise-start"
        label = self._label(block.options["label"] if exercise else block.argument)
        name = label.name + f" ({self._inline(label.title)})" * bool(label.title)
        words = f"### {name}" if exercise else f"#### Solution to {name}"
        level = words.index(" ")
        return Part([words], level, not exercise, block.name)

    @staticmethod
    def _checked(text):
        """Return text if no directive, role, target or attribute is left in it."""
        for block in blocks(text.split("\n")):
            if isinstance(block, Text):
                for run in paragraphs(block.lines):
                    masked = TOKEN.sub(_but_for_roles, "\n".join(run))
                    found = QUOTED.search("\n".join(run)) or LEFT.search(masked)
                    if found:
                        raise Unreadable(f"not for every reader: {found[0]}")
            elif block.name is not None:
                raise Unreadable(f"not for every reader: {{{block.name}}}")
        return text

    # ------------------------------------------------------------------ directives

    def _lines(self, lines, flat):
        """Return some lines and the directives in them as plain Markdown."""
        out = []
        for block in blocks(lines):
            prose = isinstance(block, Text)
            out += self._prose(block.lines, flat) if prose else self._fence(block, flat)
        return out

    def _fence(self, block, flat):
        """Return the lines of a fenced block, empty ones around them."""
        name, flat = block.name, flat or bool(block.indent)
        kind = (name or "").removeprefix("prf:")
        if name is None or name in CODE:
            language = block.argument.replace("ipython3", "python")
            lines = [f"```{language}", *block.lines, "```"]
            if any(line.strip().startswith("```") for line in block.lines):
                raise Unreadable(f"a fence of code in a fence of code: {block.lines}")
        elif name == "math":
            lines = self._equation(block, flat)
        elif name == "prf:proof":
            lines = self._led("*Proof.*", self._lines(block.lines, flat))
            formula = lines[-1].endswith("$$")
            lines += ["", END] if formula else [f"{lines.pop()} {END}"]
        elif name == f"prf:{kind}" and kind in PROOFS:
            lines = self._stated(block, kind)
        elif name == "dropdown" or "dropdown" in block.options.get("class", ""):
            title = block.argument or name.capitalize()
            lines = self._folded(title, self._lines(block.lines, flat))
        elif name == "models":
            lines = self._prose(table(self.book.root), flat)
        elif name in NOTES:
            title = block.argument or name.capitalize()
            body = self._lines(block.lines, flat=True)
            lines = _quoted(self._led(f"**{self._inline(title)}.**", body))
        else:
            raise Unreadable(f"a directive that is not known: {{{name}}}")
        return ["", *(f"{block.indent}{line}".rstrip() for line in lines), ""]

    def _equation(self, block, flat):
        """Return a displayed formula, with the number that the site gives it."""
        text = "\n".join(filter(None, [block.argument, *block.lines])).strip()
        if re.search(r"(?<!\\)%", text):
            raise Unreadable(f"a comment in a formula: {text}")
        outside, times = text, 1
        while times:
            inner = r"\\begin\{(\w+\*?)\}(?:(?!\\begin\{).)*?\\end\{\1\}"
            outside, times = re.subn(inner, "", outside, flags=re.S)
        if r"\\" in outside:  # as Sphinx does
            text = f"\\begin{{aligned}}\n{text}\n\\end{{aligned}}"
        label = block.options.get("label")
        tag = rf"\tag{{{self._label(label).name[1:-1]}}}" if label else ""
        text = _safe(text, flat)
        if flat:
            return [f"$${text}{' ' * bool(tag)}{tag}$$"]
        return ["$$", *text.split("\n"), *filter(None, [tag]), "$$"]

    def _stated(self, block, kind):
        """Return a theorem and the like as a quote under its number."""
        name = block.options.get("label")
        words = self._label(name).name if name else None
        if words is None:
            raise Unreadable(f"a {kind} without a label: {block.argument}")
        title = f" ({self._inline(block.argument)})" if block.argument else ""
        body = self._lines(block.lines, flat=True)
        return _quoted(self._led(f"**{words}{title}.**", body))

    @staticmethod
    def _led(words, lines):
        """Let lines begin with words: in their first paragraph, if it is one."""
        lines = "\n".join(lines).strip("\n").split("\n")
        formal = re.match(r" *(?:[-*+] |\d+[.)] |>|\$\$|`{3}|#|<|\|)", lines[0])
        return [words, "", *lines] if formal else [f"{words} {lines[0]}", *lines[1:]]

    def _folded(self, title, lines):
        words = html.escape(title, quote=False)
        body = "\n".join(lines).strip("\n").split("\n")
        return [f"<details><summary>{words}</summary>", "", *body, "", "</details>"]

    # ------------------------------------------------------------------ paragraphs

    def _prose(self, lines, flat):
        """Return lines without fences: comments and targets gone, roles in words."""
        lines = [ln for ln in lines if ln[:1] != "%" and not TARGET.fullmatch(ln)]
        out = []
        for run in paragraphs(lines):
            if len(run) > 1 and run[1].startswith(": "):  # a term and what it means
                run = [f"- **{run[0].strip()}**{run[1]}", *run[2:]]
            indented = run[0].startswith(" ")
            out += self._inline("\n".join(run), flat or indented).split("\n")
        return out

    def _inline(self, text, flat=True):
        """Return a paragraph with its roles, links and formulas as every reader's."""

        def keep(match):
            if match["role"]:
                return self._role(match["role"], " ".join(match["body"].split()))
            if match["math"]:
                return f"${_safe(match['math'])}$"
            if match["display"]:
                return f"$${_safe(match['display'], flat)}$$"
            return match[0]

        masked, restored = hidden(text, keep)
        masked = re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]*)\)", self._linked, masked)
        return restored(masked)

    def _linked(self, match):
        """A link of Markdown; one to a label or a page of the book finds it."""
        picture, words, target = match.groups()
        if re.match(r"https?://|mailto:", target):
            return match[0]
        if picture:
            raise Unreadable(f"a picture that lies elsewhere: {match[0]}")
        target = target.removeprefix("#")
        if target in self.book.labels:
            label = self._label(target)
            return self._to(words or label.name, label.doc, label.anchor)
        doc, _, anchor = target.partition("#")
        if page := self.book.page(doc, self.doc):
            return self._to(words or self.book.titles[page], page, anchor)
        raise Unreadable(f"a link to nothing that is known: {match[0]}")

    def _role(self, role, body):
        """Return what a role reads like."""
        if role in ("cite:t", "cite:p"):
            return self._cited(role, [key.strip() for key in body.split(",")])
        if role == "math":
            return f"${_safe(body)}$"
        if role.startswith("py:"):
            name = body.lstrip("~!")
            return f"`{name.rpartition('.')[2] if body[0] == '~' else name}`"
        found = re.fullmatch(r"(.*?) *<([^<>]+)>", body)
        words, target = found.groups() if found else ("", body)
        if role == "term":
            return words or target
        if role == "doc":
            page = self.book.page(target, self.doc)
            if page is None:
                raise Unreadable(f"a page that does not exist: {target}")
            return self._to(words or self.book.titles[page], page)
        if role not in ("eq", "prf:ref", "ref", "numref"):
            raise Unreadable(f"a role that is not known: {{{role}}}`{body}`")
        label = self._label(target)
        if role == "numref" and words:
            number = label.name.split()[-1]
            words = words.replace("%s", number).replace("{number}", number)
        if role == "ref" and not words and label.anchor.startswith("ex-"):
            words = f"{label.name} ({label.title})"
        if not (words or label.name):
            raise Unreadable(f"a reference without words: {{{role}}}`{body}`")
        return self._to(words or label.name, label.doc, label.anchor)

    def _cited(self, role, keys):
        """Return works by author and year, linked to the bibliography."""
        said = []
        for key in keys:
            if key not in self.book.works:
                raise Unreadable(f"a work that is not in references.bib: {key}")
            who, year = self.book.cited(key)
            page, anchor = "chapters/bibliography", f"cite-{key}"
            if role == "cite:t":
                said.append(f"{who} ({self._to(year, page, anchor)})")
            else:
                said.append(self._to(f"{who}, {year}", page, anchor))
        if role == "cite:p":
            return f"({'; '.join(said)})"
        return ", ".join(said[:-1]) + " and " * (len(said) > 1) + said[-1]

    def _label(self, name):
        if name not in self.book.labels:
            raise Unreadable(f"a label that does not exist: {name}")
        return self.book.labels[name]

    def _to(self, words, doc, anchor=""):
        """Return words, as a link where there is something to link to."""
        if doc == self.doc:
            return words
        if self.site:
            return f"[{words}]({self.site}{doc}.html{'#' * bool(anchor)}{anchor})"
        if doc in self.beside:
            return f"[{words}]({doc.rpartition('/')[2]}.ipynb)"
        return words


def _quoted(lines):
    return [f"> {line}".rstrip() for line in _tidy(lines).split("\n")]


def _tidy(lines):
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _safe(formula, flat=True):
    """Return a formula that no Markdown takes for a tag, a list or a heading."""
    if flat:
        formula = " ".join(formula.split())
    formula = re.sub(r"\n\s*(?=[-+=>#*|]|\d+[.)])", " ", formula)
    return re.sub(r"<(?=[A-Za-z/!?])", "< ", formula)


def _but_for_roles(match):
    return match[0] if match["role"] else "$$" if match["display"] else "X"
