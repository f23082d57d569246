"""What the labels of the book stand for: numbers, as the site prints them, and titles.

Sphinx and its extensions number theorems of each kind, exercises and labelled equations
by chapter, in the order of the pages; so do we, from the sources alone. A test compares
the numbers with those of the built site.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from posixpath import dirname, join, normpath

import yaml
from myst import HEADING, TARGET, Text, blocks
from notebooks import ROOT, read
from pybtex.database import parse_file
from pybtex.richtext import Text as Rich

PROOFS = {
    *("algorithm", "assumption", "axiom", "conjecture", "corollary", "criterion"),
    *("definition", "example", "lemma", "notation", "observation", "property"),
    *("proposition", "remark", "theorem"),
}


@dataclass(frozen=True)
class Label:
    """What a label names, where it is, and what the site prints for it."""

    doc: str
    anchor: str
    name: str  # Theorem 2.3, (2.3), Exercise 2.1; of a section its title
    title: str = ""


class Book:
    """The pages of the book in their order: titles, labels, and the works they cite."""

    def __init__(self, root=ROOT):
        self.root = root
        toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
        self.chapters, self.titles, self.labels = {toc["root"]: None}, {}, {}
        number = 0
        for part in toc["parts"]:
            for entry in part["chapters"]:
                number += bool(part.get("numbered"))
                self.chapters[entry["file"]] = number if part.get("numbered") else None
        self._counts = Counter()
        for doc, chapter in self.chapters.items():
            self._read(root, doc, chapter)
        self.works = parse_file(str(root / "references.bib")).entries

    def _read(self, root, doc, chapter):
        if (path := root / f"{doc}.ipynb").exists():
            cells = [c.source for c in read(path).cells if c.cell_type == "markdown"]
        else:
            cells = [(root / f"{doc}.md").read_text("utf8")]
        for source in cells:
            self._find(source.split("\n"), doc, chapter)

    def _find(self, lines, doc, chapter):
        """Note every label of some lines, and of the directives in them."""
        for block in blocks(lines):
            if isinstance(block, Text):
                self._targets(block.lines, doc)
            elif block.name is not None and not block.name.startswith("code"):
                self._directive(block, doc, chapter)
                self._find(block.lines, doc, chapter)

    def _targets(self, lines, doc):
        waiting = []
        for line in lines:
            if target := TARGET.fullmatch(line):
                waiting.append(target[1])
            elif heading := HEADING.fullmatch(line):
                self.titles.setdefault(doc, heading[2])
                for name in waiting:
                    self._note(name, Label(doc, name, heading[2], heading[2]))
                waiting = []
            elif line.strip() and not line.startswith("{"):
                for name in waiting:
                    self._note(name, Label(doc, name, ""))
                waiting = []

    def _directive(self, block, doc, chapter):
        label = block.options.get("label") or block.options.get("name", "")
        kind = block.name.removeprefix("prf:")
        if block.name == "math":
            if label:
                number = self._next("math", chapter)
                self._note(label, Label(doc, f"equation-{label}", f"({number})"))
        elif block.name == f"prf:{kind}" and kind in PROOFS:
            plain = "nonumber" in block.options
            name = kind.capitalize()
            if not plain:
                name += f" {self._next(kind, chapter)}"
            self._note(label, Label(doc, label, name, block.argument))
        elif block.name in ("exercise", "exercise-start"):
            name = f"Exercise {self._next('exercise', chapter)}"
            self._note(label, Label(doc, label, name, block.argument))

    def _next(self, kind, chapter):
        self._counts[kind, chapter] += 1
        number = self._counts[kind, chapter]
        return f"{number}" if chapter is None else f"{chapter}.{number}"

    def _note(self, name, label):
        if name in self.labels:
            raise ValueError(f"the label {name} is there twice")
        if name:
            self.labels[name] = label

    def page(self, target, doc):
        """Return the page that a path means on a page of the book, None if none."""
        target = re.sub(r"\.(md|ipynb)$", "", target)
        base = "" if target.startswith("/") else dirname(doc)
        found = normpath(join(base, target.lstrip("/")))
        return found if found in self.chapters else None

    @lru_cache(None)  # noqa: B019 (a book lives as long as the process)
    def cited(self, key):
        """Return (who, year) of a work as the site cites it."""
        entry = self.works[key]
        persons = entry.persons.get("author") or entry.persons["editor"]
        names = [
            str(Rich(" ").join([*p.rich_prelast_names, *p.rich_last_names]))
            for p in persons
        ]
        who = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        return who, entry.fields["year"]
