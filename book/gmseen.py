"""The site as it is seen from outside: what a link to a page shows, and who it is.

A link in a message or a search shows a page's title, its first words, the site's name
and a picture: the one that the front page shows for the lecture, drawn on a card of the
usual size as PNG, since not every reader of such a card knows WebP. A page without
figures shows that of the first lecture. All addresses are absolute and come from
`html_baseurl`, the one address; while that is a placeholder nobody can follow them.
With an address of its own the site also has the buttons that lead to the repository.
"""

import base64
import html
import io
import re
import sys
from functools import lru_cache
from pathlib import Path
from urllib.parse import urljoin

from gmpictures import FOLDER
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
import course  # noqa: E402
from address import is_placeholder  # noqa: E402
from notebooks import chapters, read  # noqa: E402

SIZE, MARGIN = (1200, 630), 40  # what the readers of links ask for


def first_figure(nb):
    """Return (bytes, text alternative) of the figure that stands for a notebook."""
    found = course.picture(nb)
    return (base64.b64decode(found[0]), html.unescape(found[1])) if found else None


def card(data):
    """Return a picture, whole, in the middle of a white card, as PNG."""
    with Image.open(io.BytesIO(data)) as picture:
        picture = picture.convert("RGBA")
    room = [whole - 2 * MARGIN for whole in SIZE]
    scale = min(room[0] / picture.width, room[1] / picture.height)
    size = [max(1, round(side * scale)) for side in picture.size]
    # Pixels of samples stay pixels; a drawing that is made smaller stays smooth.
    kind = Image.Resampling.NEAREST if scale >= 3 else Image.Resampling.LANCZOS
    picture = picture.resize(size, kind)
    whole = Image.new("RGB", SIZE, "white")
    corner = [(a - b) // 2 for a, b in zip(SIZE, size, strict=True)]
    whole.paste(picture, corner, picture)
    buffer = io.BytesIO()
    colours = whole.getcolors(256)
    (whole.quantize(256) if colours else whole).save(buffer, "png", optimize=True)
    return buffer.getvalue()


@lru_cache
def of_the_book(root):
    """Return (page, bytes, text alternative) of the book's first figure, or None."""
    for path in chapters(root):
        if found := first_figure(read(path)):
            return path.relative_to(root).with_suffix("").as_posix(), *found
    return None


def picture(name, root):
    """Return (page, bytes, text alternative) of what stands for a page, or None."""
    path = root / f"{name}.ipynb"
    found = first_figure(read(path)) if path.exists() else None
    return (name, *found) if found else of_the_book(root)


def tags(pairs):
    """Return meta tags of names and contents."""
    lines = [
        f'<meta property="{name}" content="{html.escape(text)}" />'
        for name, text in pairs.items()
    ]
    return "\n".join(lines) + "\n"


def seen(app, name, template, context, doctree):
    """Give a page the picture of its link, before the rest is written by opengraph.

    A page that Sphinx makes of itself (an index, the search) gets all of it here.
    """
    address = app.config.html_baseurl
    found = picture(name, Path(app.srcdir)) if address else None
    shown = {}
    if found:
        page, data, words = found
        file = f"{FOLDER}/card-{page.replace('/', '-')}.png"
        place = Path(app.outdir, file)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(card(data))
        shown = {"og:image": urljoin(address, file), "og:image:alt": words}
        if not words:
            del shown["og:image:alt"]
    if doctree is not None:
        context["meta"] = dict(context.get("meta") or {}) | shown
        size = zip(("og:image:width", "og:image:height"), map(str, SIZE), strict=True)
        if found:
            context["meta"] |= dict(size)
        return
    title = re.sub(r"<[^>]*>", "", html.unescape(context.get("title") or ""))
    pairs = {
        "og:title": title or app.config.html_title,
        "og:type": "website",
        "og:site_name": app.config.html_title,
        "og:description": f"{title}: {app.config.html_title}",
    }
    if name != "404":  # it stands at no address
        pairs["og:url"] = urljoin(address, f"{name}.html")
    context["metatags"] = context.get("metatags", "") + tags(pairs | shown)
    context["metatags"] += "\n".join(app.config.ogp_custom_meta_tags)


def name_all(app, exception):
    """Let the sitemap name all pages: sphinx-sitemap has those this build wrote.

    It runs before sphinx-sitemap's own handler, which empties the queue.
    """
    if (queue := getattr(app, "sitemap_links", None)) is None:
        return  # a book without sphinx-sitemap
    links = {(f"{d}.html", None) for d in app.env.found_docs}
    while not queue.empty():
        links.add(queue.get())
    for link in sorted(links):
        queue.put(link)


def configure(app, config):
    """Settle what follows from the address and the title."""
    config.ogp_site_url = config.html_baseurl
    config.ogp_site_name = config.html_title
    config.ogp_custom_meta_tags = [
        '<meta name="twitter:card" content="summary_large_image" />'
    ]
    options = config.html_theme_options
    if is_placeholder(options.get("repository_url", "https://no.invalid")):
        options.pop("repository_url", None)
        return
    for button in ("repository", "issues", "edit_page"):
        options[f"use_{button}_button"] = True


def setup(app):
    app.connect("config-inited", configure, priority=150)
    app.connect("html-page-context", seen, priority=400)
    app.connect("build-finished", name_all, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
