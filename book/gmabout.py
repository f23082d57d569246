"""`{datasets}`: what the data sets of the course are and what may be done with them.

The table is made from the cards in `data/`: a licence is written in one place.
"""

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from gmlib.data import card
from gmlib.data.registry import SETS

CODE = re.compile(r"`([^`]+)`")
TITLE = re.compile(r"\*([^*]+)\*")


def cell(text):
    """Return a field of a card as HTML, with its code and its titles.

    Cards are read without the backquotes at the ends of a field: one that lacks its
    partner gets it back.
    """
    if text.count("`") % 2:
        opens = re.search(r"(^|\s)`", text)
        text = f"{text}`" if opens else f"`{text}"
    text = CODE.sub(r"<code>\1</code>", html.escape(text, quote=False))
    return TITLE.sub(r"<em>\1</em>", text)


def table(cards):
    """Return data sets, where they are from and their licences, as a table in HTML."""
    heads = ("data set", "in code", "source", "licence")
    rows = [
        (
            f"<code>{each.name}</code>",
            f"<code>{html.escape(each.fields['in code'].strip('`'))}</code>",
            cell(each.fields["source"]),
            cell(each.fields["licence"]),
        )
        for each in cards
    ]
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(f"<td>{text}</td>" for text in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        '<div class="gm-table gm-datasets" style="overflow-x:auto"><table>'
        "<caption>The data sets, their sources and licences, from their cards"
        f"</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


class Datasets(SphinxDirective):
    """A table of all data sets of the course."""

    def run(self):
        for path in sorted(Path(self.env.srcdir, "data").glob("*.md")):
            self.env.note_dependency(str(path))
        body = table([card(name) for name in sorted(SETS)])
        return [nodes.raw("", body, format="html")]


def setup(app):
    app.add_directive("datasets", Datasets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
