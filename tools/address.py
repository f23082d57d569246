"""Keep the public address of the repository the same wherever it stands.

    python tools/address.py                  write it from pyproject.toml to its places
    python tools/address.py URL              set it, then write it
    python tools/address.py --check          only say where it differs

The one source is [project.urls] Repository in pyproject.toml. Its places: _config.yml,
README.md, CITATION.cff, and the first code cell of every notebook, which installs
gmlib from it where gmlib is missing. Until an address is set, it is a placeholder that
nobody can own, and nothing installs from it.
"""

import argparse
import re
import sys
import tomllib
from urllib.parse import urlparse

from notebooks import INSTALL, ROOT, read, tagged, write

GITHUB = re.compile(r"https://github\.com/[A-Za-z0-9][\w-]*/[A-Za-z0-9._-]+")
PLACEHOLDER = "https://repository.invalid/generative-models"
COLAB = "https://colab.research.google.com"
BRANCH = "notebooks"  # where the workflow of the site puts the exported lectures

INSTALL_CELL = """\
# gmlib-install: acts only where gmlib is missing, for example on Colab.
from importlib.util import find_spec

if find_spec("gmlib") is None:
    {action}"""
INSTALL_ACTION = """\
get_ipython().run_line_magic(
        "pip", "install -q 'gmlib @ git+{url}'"
    )"""
NO_ADDRESS_ACTION = """\
print(
        "gmlib is not installed here, and this copy of the course has no"
        " public address yet to install it from: see its README."
    )"""


def is_placeholder(url):
    """Whether `url` is one that nobody can own (RFC 2606)."""
    return (urlparse(url).hostname or "").endswith(".invalid")


def address(root=ROOT):
    """Return the repository's public address."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    return project["urls"]["Repository"]


def site(url):
    """Return the address of the rendered book: that of GitHub Pages."""
    if is_placeholder(url):
        return url + "/"
    owner, name = urlparse(url).path.strip("/").split("/")
    own = name.lower() == f"{owner.lower()}.github.io"
    return f"https://{owner.lower()}.github.io/" + ("" if own else f"{name}/")


def colab(url, name):
    """Return the address at which Colab opens an exported lecture."""
    place = urlparse(url).path.strip("/")
    return f"{COLAB}/github/{place}/blob/{BRANCH}/{name}.ipynb"


def install_cell(url):
    """Return the text of the install cell."""
    if is_placeholder(url):
        return INSTALL_CELL.format(action=NO_ADDRESS_ACTION)
    return INSTALL_CELL.format(action=INSTALL_ACTION.format(url=url))


def badges(url):
    """Return what the README says about the address."""
    if is_placeholder(url):
        return (
            "> **The public address of this repository is not set yet.** Before\n"
            "> publishing it, run `make address URL=https://github.com/OWNER/REPOSITORY`"
            " once:\n"
            "> it is written to the site, the Colab buttons and the install cells.\n"
            "> Until then no notebook installs `gmlib` from anywhere."
        )
    return (
        f"[Read the book]({site(url)}) · [Source]({url}) ·\n"
        f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({colab(url, 'vae')})"
    )


def substitutions(url):
    """Return file -> [(pattern, replacement)] for every text that holds the address."""
    base = site(url)
    return {
        "pyproject.toml": [(r'(?m)^Repository = ".*"$', f'Repository = "{url}"')],
        "_config.yml": [
            (r"(?m)^  url: .* # \(address\)$", f"  url: {url} # (address)"),
            (
                r"(?m)^  baseurl: .* # \(address\)$",
                f"  baseurl: {base} # (address)",
            ),
        ],
        "CITATION.cff": [
            (r"(?m)^repository-code: .*$", f'repository-code: "{url}"'),
            (r"(?m)^url: .*$", f'url: "{base}"'),
        ],
        "README.md": [
            (
                r"(?s)<!-- address -->\n.*?\n<!-- /address -->",
                f"<!-- address -->\n{badges(url)}\n<!-- /address -->",
            )
        ],
    }


def differences(url, root=ROOT, fix=False):
    """Return the places where the address is not `url`; with `fix`, write it there."""
    found = []
    for name, pairs in substitutions(url).items():
        path = root / name
        text = new = path.read_text("utf8")
        for pattern, replacement in pairs:
            new, times = re.subn(pattern, lambda _, r=replacement: r, new)
            if times != 1:
                raise SystemExit(
                    f"{name}: expected one place for the address: {pattern}"
                )
        if new != text:
            found.append(name)
            if fix:
                path.write_text(new, "utf8")
    for path in sorted((root / "chapters").glob("*.ipynb")):
        if path.name.endswith(".partial.ipynb"):
            continue
        nb = read(path)
        cells = tagged(nb, INSTALL)
        if len(cells) != 1:
            raise SystemExit(f"{path.name}: expected one cell tagged {INSTALL}")
        if cells[0].source != install_cell(url):
            found.append(f"chapters/{path.name}")
            if fix:
                cells[0].source = install_cell(url)
                write(nb, path)
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "url", nargs="?", default="", help="https://github.com/OWNER/REPO"
    )
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args(argv)
    url = asked.url.strip().rstrip("/").removesuffix(".git") or address()
    if not (GITHUB.fullmatch(url) or url == PLACEHOLDER):
        parser.error(
            f"{url!r} is not of the form https://github.com/OWNER/REPOSITORY"
            " (Colab opens notebooks from GitHub only)"
        )
    places = differences(url, fix=not asked.check)
    for place in places:
        print(f"{'differs' if asked.check else 'written'}: {place}")
    if asked.check and places:
        sys.exit(1)
    print(f"address: {url}")


if __name__ == "__main__":
    main()
