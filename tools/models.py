"""The map of models: what each model of the course can be asked.

`book/models.csv` holds a row for each: the lecture that treats it, facts in a few words
and the labels of the theorems that show them. All else is read from the
lectures: their order, their titles, how many players their trainings have, and whether
the labels exist. The directive `{models}` shows the table, on the site and in the
exported notebooks.
"""

import ast
import csv

from course import notebook
from labels import Book
from notebooks import ROOT, code_cells, lectures

HEADER = (
    "Model",
    "What is optimised",
    "players",
    "$p(x)$",
    "A draw takes",
    "$z$ of a picture",
    "Draws bits",
)


def facts(root=ROOT):
    """Return the rows of `book/models.csv`, in the order of the lectures.

    Raises ValueError if a row names a lecture or a label that there is not.
    """
    with open(root / "book" / "models.csv", newline="", encoding="utf8") as stream:
        rows = list(csv.DictReader(stream))
    order, known = [path.stem for path in lectures(root)], Book(root).labels
    for row in rows:
        if row["lecture"] not in order:
            raise ValueError(f"{row['model']}: there is no lecture {row['lecture']!r}")
        for label in (row["trained_by"], row["density_by"]):
            if label not in known:
                raise ValueError(f"{row['model']}: there is no label {label!r}")
    return sorted(rows, key=lambda row: order.index(row["lecture"]))


def players(path):
    """Return how many players the first game of a lecture has, else one.

    A game is a dictionary of several `Player`s, or of names that hold one.
    """
    trees = [ast.parse(cell.source) for cell in code_cells(notebook(path))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    named = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and _is_player(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    games = [
        sum(_is_player(v) or getattr(v, "id", None) in named for v in node.values)
        for node in nodes
        if isinstance(node, ast.Dict)
    ]
    return next((n for n in games if n > 1), 1)


def _is_player(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Player"


def table(root=ROOT):
    """Return the map as lines of Markdown, for a page in the folder of the lectures."""
    lines = [f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|"]
    games = {path.stem: players(path) for path in lectures(root)}
    for row in facts(root):
        alone = "game" not in row["trained"]  # whatever else its lecture plays
        cells = [
            f"{{doc}}`{row['model']} <{row['lecture']}>`",
            f"{{prf:ref}}`{row['trained']} <{row['trained_by']}>`",
            str(1 if alone else games[row["lecture"]]),
            f"{{prf:ref}}`{row['density']} <{row['density_by']}>`",
            row["draw"],
            row["cause"],
            row["bits"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
