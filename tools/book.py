"""Render the book into _build/html; a warning is an error.

A chapter is executed first where its stored outputs are not those of its present code.
A table of results must be that of its sweep, which nothing here runs.
If nothing has changed since the last good build, nothing is done.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml
from claims import facts, false
from execute import execute
from notebooks import CLAIM, ROOT, chapters, drift, listed, read, records, stale

BUILD = ROOT / "_build"
HTML = BUILD / "html"
STATE = BUILD / "inputs.json"
LOG = BUILD / "book.log"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def pages():
    """Return the files that become pages."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    names = [toc["root"]] + [c["file"] for p in toc["parts"] for c in p["chapters"]]
    found = []
    for name in names:
        files = [ROOT / f"{name}{kind}" for kind in (".ipynb", ".md")]
        files = [file for file in files if file.exists()]
        if not files:
            sys.exit(f"_toc.yml names {name}, but there is no such chapter")
        found.append(files[0])
    return found


def inputs():
    """Return {file: SHA-256} of all that the site is made from."""
    files = [
        *pages(),
        *(ROOT / name for name in ("_config.yml", "_toc.yml", "references.bib")),
        ROOT / "requirements.lock",
        *(ROOT / "gmlib").rglob("*.py"),
        *(ROOT / "tools").glob("*.py"),
        *(ROOT / "sweeps").glob("*.py"),
        *(ROOT / "data").rglob("*.csv"),
        *(ROOT / "data").glob("*.md"),
        ROOT / "CHANGELOG.md",
        *(p for p in (ROOT / "book").rglob("*") if p.is_file() and p.suffix != ".pyc"),
    ]
    return {
        str(file.relative_to(ROOT)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
    }


def built_from():
    """Return the inputs of the last good build, or None."""
    try:
        state = json.loads(STATE.read_text("utf8"))
    except (OSError, ValueError):
        return None
    complete = all(
        (HTML / page.relative_to(ROOT)).with_suffix(".html").exists()
        for page in pages()
    )
    return state if complete else None


def execute_stale(as_stored):
    """Execute the chapters that need it; return the names of those that fail.

    With `as_stored`, to need it is to fail.
    """
    failed = []
    for path in chapters():
        reason = stale(path)
        if reason:
            print(f"{path.stem}: {reason}")
            if as_stored or not execute(path, store=True):
                failed.append(path.stem)
        elif changed := drift(path):
            print(
                f"{path.stem}: drifted: {listed(changed)} changed since its outputs"
                f" were made (make execute CHAPTER={path.stem})"
            )
    return failed


def false_claims():
    """Print the claims that do not hold as they are stored; return their number."""
    number = 0
    for path in chapters():
        for claim in false(records(read(path), CLAIM)):
            number += 1
            print(
                f"{path.stem}: claim {claim['id']} ({claim['kind']}, scale"
                f" {claim['scale']}): {claim['verdict']}: {facts(claim)}"
            )
    return number


def outdated_tables():
    """Print the recorded tables that are not of their sweeps; return whether one is.

    In a process of its own: to know what a sweep means, it is imported.
    """
    command = [sys.executable, "tools/sweep.py", "--check"]
    return bool(subprocess.run(command, cwd=ROOT).returncode)


def build(everything):
    """Run Jupyter Book; return whether there was neither error nor warning."""
    if everything:
        shutil.rmtree(HTML, ignore_errors=True)
    jb = Path(sys.executable).with_name("jb")
    command = [str(jb), "build", ".", "-W", "-n"]
    command += ["--keep-going"] + (["--all"] if everything else [])
    BUILD.mkdir(exist_ok=True)
    with LOG.open("w", encoding="utf8") as log:
        code = subprocess.run(
            command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        ).returncode
    if code == 0:
        return True
    lines = COLOUR.sub("", LOG.read_text("utf8")).splitlines()
    marks = ("WARNING", "ERROR", "Error", "Exception")
    found = [line for line in lines if any(mark in line for mark in marks)]
    print("\n".join(found or lines[-30:]), file=sys.stderr)
    print(f"the whole output is in {LOG.relative_to(ROOT)}", file=sys.stderr)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--as-stored", action="store_true", help="execute nothing")
    asked = parser.parse_args()
    start = time.monotonic()
    failed = execute_stale(asked.as_stored)
    if failed:
        sys.exit(f"book: not built; to be executed: {', '.join(failed)}")
    if number := false_claims():
        sys.exit(f"book: not built; claims that do not hold: {number}")
    before, now = built_from(), inputs()
    place = Path(HTML.name).joinpath("index.html")
    if before == now:
        print(f"book: nothing has changed: _build/{place}")
        return
    # Sphinx reports a warning only for the pages it reads: it may skip a page only
    # if that page was read without warning, under the same settings and library.
    own = {str(page.relative_to(ROOT)) for page in pages()}
    changed = {name for name in now if (before or {}).get(name) != now[name]}
    if not changed <= own and outdated_tables():
        sys.exit("book: not built; a table of results is not that of its sweep")
    everything = before is None or before.keys() != now.keys() or not changed <= own
    STATE.unlink(missing_ok=True)
    if not build(everything):
        sys.exit("book: failed")
    STATE.write_text(json.dumps(now, indent=1), "utf8")
    print(f"book: {len(own)} pages in {time.monotonic() - start:.0f} s: _build/{place}")


if __name__ == "__main__":
    main()
