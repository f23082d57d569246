"""The site's own text font, so that a page has the same lines everywhere.

Source Sans 3 (SIL Open Font Licence) comes from a locked package. Its letters, digits
and signs are written into the site as WOFF2, a tenth of the whole, with the licence. A
part of it may not bear its name, which is reserved: the site calls it Course Sans.
"""

import importlib
from pathlib import Path

from fontTools import subset

PACKAGE = "fontpkg_source_sans_3"
NAME = "Course Sans"
FILES = {"SourceSans3[wght].ttf": "text", "SourceSans3-Italic[wght].ttf": "text-italic"}
# Latin with its accents, Greek, punctuation, arrows and the signs of mathematics.
RANGES = (0x20, 0x17F), (0x300, 0x3FF), (0x2000, 0x22FF), (0x2700, 0x27BF)


def source():
    """Return the folder of the installed package."""
    return Path(importlib.import_module(PACKAGE).__file__).parent


def rename(font):
    """Give a font the site's name; who made it and under which licence stays."""
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6, 16, 25):
            record.string = NAME.replace(" ", "") if record.nameID == 6 else NAME


def write_fonts(app, error):
    """Write the font into the site, once."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir, "_static", "fonts")
    folder.mkdir(parents=True, exist_ok=True)
    for file, name in FILES.items():
        target = folder / f"{name}.woff2"
        if not target.exists():
            options = subset.Options(flavor="woff2")
            font = subset.load_font(str(source() / "files" / file), options)
            cut = subset.Subsetter(options)
            cut.populate(unicodes=[c for a, b in RANGES for c in range(a, b + 1)])
            cut.subset(font)
            rename(font)
            subset.save_font(font, str(target), options)
    (folder / "LICENSE.txt").write_bytes((source() / "LICENSE").read_bytes())


def setup(app):
    app.connect("build-finished", write_fonts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
