"""Where the files of a data set are looked for, and how they are downloaded.

``GMLIB_DATA``     a torchvision root (it holds ``MNIST/raw/*``, packed or not)
                   or a folder such as Debian's ``/usr/share/datasets``; only read
``GMLIB_CACHE``    where downloads are kept; else the user's cache folder
``GMLIB_MIRRORS``  addresses of torchvision roots, separated by spaces, asked
                   instead of the public ones; empty: the network is not asked

The archives have torchvision's names and folders (a test compares the two), but
are fetched by the few lines below: torchvision's own loader waits for a silent
network without a limit, needs a folder that it may write to, knows an archive by
how it was packed, and takes seconds to import.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from gmlib import checks
from gmlib.data import shelf
from gmlib.data.content import Content, Refused, unpacked

ANSWER_SECONDS = 2.5  # until a mirror counts as silent
STALL_SECONDS = 10  # between two pieces of a running download


class Unavailable(RuntimeError):
    """A data set is neither here nor can it be fetched; the message says why."""


@dataclass(frozen=True)
class Archives:
    """The files of a data set: what they hold, and where they may lie.

    Parameters
    ----------
    name : str
        torchvision's name: a root holds them in ``NAME/raw``.
    contents : mapping
        What each file holds, by its name without ``.gz``.
    mirrors : tuple of str
        Public folders that hold them, packed.
    package : str
        What Debian's ``/usr/share/datasets`` calls the folder.
    """

    name: str
    contents: Mapping[str, Content]
    mirrors: tuple[str, ...]
    package: str


def read(archives: Archives) -> dict[str, bytes]:
    """Return the content of every file of a data set: all, or none.

    Raises
    ------
    Unavailable
        If one is missing; the message lists what was tried.
    """
    found, tried = {}, []
    for file in archives.contents:
        content = _local(archives, file, tried) or _download(archives, file, tried)
        if content is None:
            sources = "\n".join(f"  {line}" for line in tried) or "  nothing"
            others = len(archives.contents) - 1
            raise Unavailable(
                f"{archives.name} cannot be had: {file} is missing. Tried:\n"
                f"{sources}\n"
                "Let GMLIB_DATA name a folder that holds "
                f"{archives.name}/raw/{file}.gz and the {others} other archives, or "
                "connect to the network; then restart the kernel."
            )
        found[file] = content
    for file, content in found.items():
        shelf.remember(f"{archives.name}/{file}", content)
    return found


def roots() -> tuple[Path, ...]:
    """The folders to look in, the last of which is the cache."""
    local = os.environ.get("GMLIB_DATA")
    kept = os.environ.get("GMLIB_CACHE")
    if not kept:
        home = os.path.expanduser("~")
        base = {
            "darwin": os.path.join(home, "Library", "Caches"),
            "win32": os.environ.get("LOCALAPPDATA") or home,
        }.get(sys.platform)
        base = base or os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
        kept = os.path.join(base, "gmlib")
    return tuple(checks.path("a folder of data", r) for r in (local, kept) if r)


def mirrors(archives: Archives) -> tuple[str, ...]:
    """The addresses of the folders that hold the archives."""
    own = os.environ.get("GMLIB_MIRRORS")
    if own is None:
        return archives.mirrors
    return tuple(f"{root.rstrip('/')}/{archives.name}/raw/" for root in own.split())


def _kept(root: Path, archives: Archives, file: str) -> Path:
    """Where a download is kept: as torchvision does it."""
    return root / archives.name / "raw" / f"{file}.gz"


def _places(root: Path, archives: Archives, file: str) -> list[Path]:
    """Where a file may lie under a root, the usual place first."""
    packed = _kept(root, archives, file)
    folders = packed.parent, root / archives.package, root
    return [folder / name for folder in folders for name in (packed.name, file)]


def _local(archives: Archives, file: str, tried: list[str]) -> bytes | None:
    """Return the content of a file in GMLIB_DATA or the cache, or None."""
    wanted, kept = archives.contents[file], _kept(roots()[-1], archives, file)
    for root in roots():
        places, said = _places(root, archives, file), len(tried)
        for path in places:
            try:
                return unpacked(path.read_bytes(), wanted)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                tried.append(f"{path}: {error.strerror}")
            except Refused as fault:
                tried.append(f"{path}: {fault}")
                if path == kept:  # the cache is ours: what is broken goes
                    with suppress(OSError):
                        path.unlink()
        if len(tried) == said:
            tried.append(f"{places[0]}: No such file or directory")
    return None


def _download(archives: Archives, file: str, tried: list[str]) -> bytes | None:
    """Fetch a file, keep it in the cache if that can be written, or None."""
    wanted = archives.contents[file]
    # Nothing is packed into much more than its own length.
    longest = wanted.size + wanted.size // 100 + 1024
    for url, answer in _ask([f"{m}{file}.gz" for m in mirrors(archives)]):
        try:
            if isinstance(answer, Exception):
                raise answer
            with answer:
                archive = answer.read(longest)
            content = unpacked(archive, wanted)
        except Exception as error:  # whatever a network can do
            tried.append(f"{url}: {_why(error)}")
            continue
        _keep(_kept(roots()[-1], archives, file), archive)
        return content
    return None


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__


def _ask(urls: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield (url, response or exception) in the order in which they answer.

    All are asked at once, in threads: a name server that is silent cannot be
    given a time limit in any other way.
    """
    answers = SimpleQueue()

    def ask(url):
        try:
            request = Request(url, headers={"User-Agent": "gmlib"})
            answers.put((url, urlopen(request, timeout=STALL_SECONDS)))
        except Exception as error:
            answers.put((url, error))

    waiting = dict.fromkeys(urls)
    for url in urls:
        Thread(target=ask, args=(url,), daemon=True).start()
    end = time.monotonic() + ANSWER_SECONDS
    with suppress(Empty):
        while waiting:
            url, answer = answers.get(timeout=max(end - time.monotonic(), 0))
            del waiting[url]
            yield url, answer
    for url in waiting:
        yield url, TimeoutError(f"no answer in {ANSWER_SECONDS:g} s")


def _keep(path: Path, archive: bytes) -> None:
    """Write a checked archive whole or not at all; a read-only cache is no error."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            part = stream.name
            stream.write(archive)
        os.replace(part, path)
    except OSError:
        if part is not None:
            with suppress(OSError):
                os.unlink(part)
