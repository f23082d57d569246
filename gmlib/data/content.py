"""A file is known by what it holds, not by how it was packed.

A distribution may compress the same data anew: the archive then has another
length and another hash, its content has not.
"""

import gzip
import hashlib
import io
import zlib
from typing import NamedTuple

GZIP = b"\x1f\x8b"  # with these two bytes a packed file begins


class Content(NamedTuple):
    """What a file holds when it is unpacked: how many bytes, and their SHA-256."""

    size: int
    sha256: str


class Refused(ValueError):
    """A file is not the one that is wanted; the message says why."""


def unpacked(file: bytes, wanted: Content) -> bytes:
    """Return the content of a file, which may be packed by gzip or not.

    Raises
    ------
    Refused
        If it is not the content that is wanted.
    """
    content = _inflated(file, wanted.size) if file.startswith(GZIP) else file
    if len(content) == wanted.size and matches(content, wanted):
        return content
    if file[:99].lstrip().startswith(b"<"):
        raise Refused("a web page instead of the file")
    if len(content) > wanted.size:
        raise Refused(f"more than the {wanted.size:,} bytes that it should hold")
    if len(content) < wanted.size:
        raise Refused(f"{len(content):,} bytes instead of {wanted.size:,}")
    raise Refused("the wrong SHA-256")


def matches(content: bytes, wanted: Content) -> bool:
    """Say whether a content has the hash that is wanted."""
    return hashlib.sha256(content).hexdigest() == wanted.sha256


def _inflated(file: bytes, size: int) -> bytes:
    """Unpack, but not much more than `size` bytes, whatever the file says."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(file)) as stream:
            return stream.read(size + 1)
    except EOFError:
        raise Refused(f"cut short: it ends after {len(file):,} bytes") from None
    except (OSError, zlib.error) as error:
        raise Refused(f"a damaged archive: {error}") from None
