"""A section for the second reading: on the site all but its heading is folded."""

from docutils.core import publish_parts
from docutils.nodes import raw, section
from gmbook import fold
from myst_parser.parsers.docutils_ import Parser

SOURCE = """# A lecture

## For all

Text.

{.second-reading}
### A long proof

Steps.

#### A lemma

More.

## For all again
"""


class Folding(Parser):
    """MyST as the site reads it, then what the site does to sections."""

    def parse(self, inputstring, document):
        super().parse(inputstring, document)
        fold(None, document)
        self.document = document


def test_a_section_folds_but_for_its_heading():
    parser = Folding()
    settings = {"myst_enable_extensions": ["attrs_block"], "raw_enabled": True}
    html = publish_parts(
        SOURCE, parser=parser, writer_name="html5", settings_overrides=settings
    )["body"]
    before, opened, rest = html.partition('<details class="gm-second">')
    inside, closed, after = rest.partition("</details>")
    assert opened
    assert closed
    assert "A long proof" in before
    assert "Steps." in inside
    assert "More." in inside
    assert "For all again" in after
    (folded,) = (
        s for s in parser.document.findall(section) if "second-reading" in s["classes"]
    )
    assert sum(isinstance(child, raw) for child in folded.children) == 2
