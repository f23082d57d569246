"""What is done to a whole page, just before it is written.

Sphinx's events see the body of a page, not the head, header and sidebars around it. So
the function that renders a page is followed by others, each from its text to a text:

- one viewport, where the theme, its parent and docutils each write their own;
- a script of the head waits until the page is there, and none that only the page of the
  search needs is loaded elsewhere;
- icons are drawn in the page (`gmicons`), colours of code are told once (`gmslim`);
- a picture is a file that is fetched when it is wanted, with its sizes (`gmpictures`),
  and so is a sound (`gmsounds`).
"""

import re
from pathlib import Path

import gmicons
import gmpictures
import gmslim
import gmsounds

VIEWPORT = re.compile(r'[ \t]*<meta (?:content="[^"]*" )?name="viewport"[^>]*>\n?')
SCRIPT = re.compile(r'<script(?![^>]*\bdefer\b)([^>]*\bsrc=")([^"]*)("[^>]*></script>)')
SEARCH = ("searchtools.js", "language_data.js", "searchindex.js")
# The theme's second table of contents, for print: the browser's outline is one.
TWICE = re.compile(r'<div id="jb-print-docs-body".*?(?=<div id="searchbox">)', re.S)
# Scripts in the page refer to it at once, and to nothing else.
AT_ONCE = ("documentation_options.js",)


def one_viewport(page):
    """Keep the first viewport of a page; a second one would be ignored."""
    first = VIEWPORT.search(page)
    if first is None:
        return page
    end = first.end()
    return page[:end] + VIEWPORT.sub("", page[end:])


def deferred(page, searches):
    """Let no script hold up a page; drop those of the search, unless it `searches`."""

    def later(match):
        name = match[2].partition("?")[0].rpartition("/")[2]
        if name in SEARCH and not searches:
            return ""
        wait = "" if name in AT_ONCE else " defer"
        return f"<script{wait}{match[1]}{match[2]}{match[3]}"

    return SCRIPT.sub(later, page)


def finish(page, name, out, config):
    """Return a rendered page as it is written; its pictures go into the folder `out`.

    Parameters
    ----------
    page : str
        The whole HTML.
    name : str
        Of the page: ``chapters/gan``.
    out : Path
        The folder of the site.
    config : Config
        Of Sphinx.
    """
    searches = name == "search" or config.html_theme_options.get("search_as_you_type")
    page = TWICE.sub("", deferred(one_viewport(page), searches))
    page = gmicons.inlined(page, gmicons.theme_icons())
    modes = "pygments_light_style", "pygments_dark_style"
    styles = tuple(config.html_theme_options[mode] for mode in modes)
    page = gmslim.slim(page, styles)
    return gmpictures.filed(gmsounds.filed(page, name, out), name, out)


def wrap(app):
    """Let `finish` follow the function that renders a page."""
    if app.builder.format != "html":
        return
    templates = app.builder.templates
    rendered = templates.render
    app.gm_written = set()

    def render(template, context):
        page = rendered(template, context)
        name = context.get("pagename")
        if name is None or not template.endswith(".html"):
            return page
        app.gm_written.add(name)
        return finish(page, name, Path(app.outdir), app.config)

    templates.render = render


def end(app, error):
    """Look once more at the pictures that were not there when a page was written."""
    if error is None and app.builder.format == "html":
        gmpictures.sized(Path(app.outdir), sorted(app.gm_written))


def setup(app):
    app.connect("builder-inited", wrap)
    app.connect("build-finished", end)
    # Before MathJax, which asks it what to typeset first.
    app.add_js_file("gmlight.js", priority=100)
    app.add_css_file("gmlight.css", priority=850)
    app.add_css_file("gmprint.css", priority=850)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
