"""Icons drawn in the page, not by a script of 1.5 MB that looks for them there.

The theme brings Font Awesome (icons: CC BY 4.0) as a script that holds all icons there
are, and puts each into the page when it has loaded: the page then jumps. Here the dozen
that a page shows are taken out of that script when the page is made.
"""

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

THEME = "theme/pydata_sphinx_theme/static/scripts/fontawesome.js"
ICON = re.compile(r'<(i|span) class="([^"]*\bfa-(?!lg\b|fw\b)[a-z][^"]*)"([^>]*)></\1>')
LOADER = re.compile(r"[ \t]*<script[^>]*/fontawesome\.js[^>]*></script>\n?")
# Classes that say which family and how large: not the name of an icon.
STYLES = {"fas", "far", "fab", "fa-solid", "fa-regular", "fa-brands", "fa-lg", "fa-fw"}


@lru_cache(1)
def theme_icons():
    """Return the text of the script that holds the theme's icons."""
    spec = find_spec("pydata_sphinx_theme")
    return Path(spec.origin).parent.joinpath(THEME).read_text("utf8")


@lru_cache(None)
def drawing(name, icons):
    """Return (width, height, path) of a solid icon; ValueError if there is none."""
    shape = r'"[0-9a-f]+","([^"]+)"'
    entry = rf'["{{,]{name}"?:\[(\d+),(\d+),\[[^\]]*\],{shape}'
    other = rf':\[(\d+),(\d+),\[[^\]]*"{name}"[^\]]*\],{shape}'  # an older name
    found = re.findall(entry, icons) or re.findall(other, icons)
    if not found:
        raise ValueError(f"the theme has no icon {name}")
    return found[-1]  # the families stand in a row: brands, regular, solid


def inlined(page, icons):
    """Return a page with its icons drawn in it, without the script that drew them.

    Raises
    ------
    ValueError
        If the page asks for an icon that `icons` does not hold.
    """

    def draw(match):
        _, classes, rest = match.groups()
        names = [c for c in classes.split() if c[:3] == "fa-" and c not in STYLES]
        width, height, path = drawing(names[0].removeprefix("fa-"), icons)
        kept = " ".join(c for c in classes.split() if c not in STYLES - {"fa-lg"})
        hidden = "" if "aria-hidden" in rest else ' aria-hidden="true"'
        return (
            f'<svg class="svg-inline--fa {kept}"{rest}{hidden} viewBox="0 0 {width}'
            f' {height}"><path fill="currentColor" d="{path}"/></svg>'
        )

    return ICON.sub(draw, LOADER.sub("", page))
