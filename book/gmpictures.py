"""Pictures of the site are files, fetched when they are wanted; each carries its size.

A notebook holds its pictures as text (base64), and a page made of it would hold them
too: a third larger than the files, and all of them before the last line can be read.
In the site a picture is a file named by its content, so that two that are equal are
one; it is fetched when it comes near the screen (`loading=lazy`) and decoded beside
the page. The notebooks, those to download as well, keep their pictures in themselves.
"""

import base64
import hashlib
import html
import io
import re
from pathlib import Path
from urllib.parse import unquote, urlparse

from PIL import Image

FOLDER = "_pictures"
TAG = re.compile(r"<img\b[^>]*>")
SOURCE = re.compile(r'\bsrc="([^"]*)"')
STORED = re.compile(r"data:image/(webp|png|jpeg|gif|svg\+xml);base64,(.+)", re.S)
# What a script holds, or a text that is copied, is no picture of the page.
APART = re.compile(r"(<script\b.*?</script>|<textarea\b.*?</textarea>)", re.S)
SLIDER = re.compile(r'(<figure class="gm-slider".*?)(</figure>)', re.S)
LABELS = re.compile(r'data-labels="([^"]*)"')
LIVE = re.compile(r'(<figure class="gm-live"[^>]*>.*?)(</figure>)', re.S)


def save(data, kind, out):
    """Write a picture into the site, once; return its path in it."""
    name = f"{hashlib.sha256(data).hexdigest()[:20]}.{kind.removesuffix('+xml')}"
    file = out / FOLDER / name
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return f"{FOLDER}/{name}"


def sizes(file):
    """Return (width, height) of a picture in a file; None of a drawing (SVG)."""
    if file.suffix == ".svg":
        return None
    with Image.open(io.BytesIO(file.read_bytes())) as picture:
        return picture.size


def with_default(tag, **attributes):
    """Add attributes to a tag, those that it does not have."""
    for key, value in attributes.items():
        if not re.search(rf"\s{key}=", tag):
            tag = f'{tag[: -2 if tag.endswith("/>") else -1].rstrip()} {key}="{value}">'
    return tag


def placed(tag, up, page, out):
    """Return the tag of a picture as the site has it."""
    found = SOURCE.search(tag)
    if found is None:
        return tag
    stored = STORED.fullmatch(html.unescape(found[1]))
    if stored:
        path = save(base64.b64decode(stored[2]), stored[1], out)
        tag = tag.replace(found[0], f'src="{up}{path}"')
        file = out / path
    else:
        place = urlparse(found[1])
        file = out / Path(page).parent / unquote(place.path)
    tag = with_default(tag, loading="lazy", decoding="async")
    # The sizes together, or not at all: one of them is a wish of the author.
    known = sizes(file) if file.is_file() else None
    if known and not re.search(r"\s(width|height)=", tag):
        tag = with_default(tag, width=known[0], height=known[1])
    return tag


def noted(page):
    """Say under what moves what a printed page shows of it; the screen hides it."""

    def of_slider(match):
        labels = LABELS.search(match[1])
        names = labels[1].split("|") if labels else [""]
        words = f"The first of {len(names)} pictures"
        words += f" ({names[0]})" if names[0] else ""
        note = f'<p class="gm-print">{words}: they move on the site.</p>'
        return match[1] + note + match[2]

    note = '<p class="gm-print">A still picture: this figure answers on the site.</p>'
    page = SLIDER.sub(of_slider, page)
    return LIVE.sub(lambda match: match[1] + note + match[2], page)


def settled(page, name, out):
    """Return a page with its pictures as the site has them."""
    up = "" if name == "404" else "../" * name.count("/")  # shown at any address
    parts = APART.split(page)
    parts[::2] = [
        TAG.sub(lambda m: placed(m[0], up, name, out), part) for part in parts[::2]
    ]
    return "".join(parts)


def filed(page, name, out):
    """Return a page whose pictures are files in the folder `out`, its site.

    Raises ValueError if the text of a picture is not base64.
    """
    return noted(settled(page, name, out))


def sized(out, names):
    """Give sizes to pictures that Sphinx puts into the site after the pages."""
    for name in names:
        file = out / f"{name}.html"
        page = file.read_text("utf8")
        if (made := settled(page, name, out)) != page:
            file.write_text(made, "utf8")
