"""Write a student's or an instructor's edition of the lectures.

    python tools/editions.py student|instructor [NAME ...] [--to FOLDER]

The student's notebooks have the exercises with their checks, but neither the solutions
nor any output; the instructor's have both. In both the directives of the site around
exercises and solutions are plain headings, as Jupyter and Colab show no directives.
"""

import argparse
import re

from notebooks import ROOT, chosen, read, write

from gmlib import checks

MARK = re.compile(
    r"^(`{3,}){(exercise|solution)-(start|end)} *(.*)\n((?::.*\n)*)\1 *$", re.M
)


def prose(source, inside, solutions):
    """Return (text, whether it ends inside a solution) of a cell of prose.

    The directives become headings, as Jupyter and Colab do not know them.
    """
    parts, last = [], 0
    for mark in MARK.finditer(source):
        parts.append(source[last : mark.start()] if solutions or not inside else "")
        last, (_, kind, side, title, _) = mark.end(), mark.groups()
        inside = (kind, side) == ("solution", "start")
        if side == "start" and (solutions or not inside):
            parts.append(f"### Exercise: {title}" if not inside else "### Solution")
    parts.append(source[last:] if solutions or not inside else "")
    return "\n\n".join(filter(None, map(str.strip, parts))), inside


def edition(nb, solutions):
    """Change a notebook in place into the one with or without its solutions."""
    kept, inside = [], False
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source, inside = prose(cell.source, inside, solutions)
        elif inside and not solutions:
            continue
        if cell.source:
            kept.append(cell)
    if inside:
        raise ValueError("a solution has no end")
    nb.cells = kept
    if not solutions:
        nb.metadata.pop("gmlib", None)
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
    return nb


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=("student", "instructor"))
    parser.add_argument("names", nargs="*", help="chapters (default: all)")
    parser.add_argument(
        "--to", type=lambda p: checks.path("--to", p), help="default: _build/KIND"
    )
    asked = parser.parse_args(argv)
    paths = chosen(parser, asked.names)
    folder = asked.to or ROOT / "_build" / asked.kind
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        nb = edition(read(path), asked.kind == "instructor")
        write(nb, folder / path.name)
        print(f"{name}: {len(nb.cells)} cells for the {asked.kind}")
    print(f"in {folder}")


if __name__ == "__main__":
    main()
