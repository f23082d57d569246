"""Sounds of the site are files, fetched when they are played.

A notebook holds a sound as text, as it holds its pictures (see `gmpictures`); the page
made of it would hold it too, before its last line can be read. In the site it is a file
named by its content. The notebooks to download keep their sounds in themselves.
"""

import base64
import hashlib
import re

FOLDER = "_sounds"
STORED = re.compile(
    r'(<audio\b[^>]*?\bsrc=")data:audio/(ogg|wav);base64,([^"]+)(?=")', re.S
)


def filed(page, name, out):
    """Return a page whose sounds are files in the folder `out`, its site.

    Raises ValueError if the text of a sound is not base64.
    """
    up = "" if name == "404" else "../" * name.count("/")

    def placed(match):
        data = base64.b64decode(match[3], validate=True)
        file = out / FOLDER / f"{hashlib.sha256(data).hexdigest()[:20]}.{match[2]}"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return f"{match[1]}{up}{FOLDER}/{file.name}"

    return STORED.sub(placed, page)
