"""The site gives away exported notebooks, which read well without it.

- The button for downloads finds them where Sphinx puts a page's source;
- the rocket opens them in Colab from the branch that the publishing workflow writes.
"""

import sys
from pathlib import Path

from sphinx.util import logging

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
import address  # noqa: E402
from export import Exporter, Refused  # noqa: E402
from notebooks import chapters, write  # noqa: E402


def launch(app, name, template, context, doctree):
    """Let the rocket of a page open its exported notebook."""
    url = app.config.html_theme_options.get("repository_url", address.PLACEHOLDER)
    if address.is_placeholder(url):
        return
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if button.get("url", "").startswith(address.COLAB):
                button["url"] = address.colab(url, name.rpartition("/")[2])


def offer(app, error):
    """Put the exported notebooks in the place of the pages' sources."""
    if error or app.builder.format != "html":
        return
    exporter = Exporter()
    for path in chapters():
        try:
            write(exporter(path), Path(app.outdir, "_sources", "chapters", path.name))
        except Refused as refused:
            for line in str(refused).splitlines():
                logging.getLogger(__name__).warning(line)


def setup(app):
    app.connect("html-page-context", launch, priority=950)
    app.connect("build-finished", offer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
