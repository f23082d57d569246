"""Begin a chapter from the template and put it into the table of contents.

python tools/new_chapter.py NAME [TITLE]
"""

import argparse
import re
import sys
import uuid

from address import address, install_cell
from notebooks import INSTALL, ROOT, read, tagged, write

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def new_chapter(name, title, root=ROOT):
    """Write chapters/NAME.ipynb and add it behind the last lecture; return its path."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"a chapter's name is its topic in lower-case words joined by hyphens,"
            f" beginning with a letter (chapters/wgan.ipynb): {name!r}"
        )
    path = root / "chapters" / f"{name}.ipynb"
    if path.exists() or path.with_suffix(".md").exists():
        raise ValueError(f"{path.name} exists")
    toc = root / "_toc.yml"
    lines = toc.read_text("utf8").splitlines()
    first = next(i for i, line in enumerate(lines) if "caption: Lectures" in line)
    after = [i for i, line in enumerate(lines) if i > first and "caption:" in line]
    part = range(first, after[0] if after else len(lines))
    last = max(i for i in part if re.match(r"\s*- file: ", lines[i]))
    indent = lines[last][: len(lines[last]) - len(lines[last].lstrip())]
    lines.insert(last + 1, f"{indent}- file: chapters/{name}")

    nb = read(root / "chapters" / "_template.ipynb")
    for cell in nb.cells:
        cell.id = uuid.uuid4().hex[:8]
        cell.source = cell.source.replace("template-", f"{name}-")
        cell.source = cell.source.replace("TITLE", title)
        if INSTALL in cell.metadata.get("tags", []):
            cell.source = install_cell(address(root))
    assert len(tagged(nb, INSTALL)) == 1
    write(nb, path)
    toc.write_text("\n".join(lines) + "\n", "utf8")
    return path


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="the topic, for instance wgan")
    parser.add_argument("title", nargs="?", default="")
    asked = parser.parse_args(argv)
    title = asked.title or asked.name.replace("-", " ").capitalize()
    try:
        path = new_chapter(asked.name, title)
    except ValueError as error:
        sys.exit(f"new-chapter: {error}")
    print(f"written: {path.relative_to(ROOT)}, and its line in _toc.yml")
    print("next: let its opening say what one needs; write; `make book`")
    print("(CONTRIBUTING.md says how a chapter is built and what is checked)")


if __name__ == "__main__":
    main()
