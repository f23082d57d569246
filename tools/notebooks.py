"""What the tools and the tests know of a chapter: its cells, its stamp, its state."""

import ast
import hashlib
import json
import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path

import nbformat
import yaml
from reach import reached

from gmlib.fingerprint import meaning

ROOT = Path(__file__).resolve().parent.parent
FORMAT = 2  # of a stamp: 1, without the word, holds hashes of texts
SLACK = 3  # so many times the CPU seconds of a budget fail a run
INSTALL = "gmlib-install"
CLAIM = "application/vnd.gmlib.claim+json"
CHECK = "application/vnd.gmlib.check+json"
PREDICTION = "application/vnd.gmlib.prediction+json"
EMBEDDED = re.compile(r"base64,[A-Za-z0-9+/=\s]+")
MACHINE_PATH = re.compile(
    r"(?<![\w.:/-])(?:/(?:home|root|tmp|work|Users|var|opt|mnt|private|usr/lib)/"
    r"|[A-Z]:\\)[^\s\"'<>)]+"
)


def chapters(root=ROOT, part=None):
    """Return the paths of all notebooks of the book, or of a part, in its order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    parts = [p for p in toc["parts"] if part in (None, p["caption"])]
    files = [c["file"] for p in parts for c in p["chapters"]]
    paths = [root / f"{file}.ipynb" for file in files]
    return [path for path in paths if path.exists()]


def lectures(root=ROOT):
    """Return the paths of the chapters that prove theorems and set exercises."""
    return chapters(root, "Lectures")


def chosen(parser, names):
    """Return {name: path} of the chapters that a command was given, by default all."""
    paths = {path.stem: path for path in chapters()}
    if unknown := [name for name in names if name not in paths]:
        parser.error(f"no chapter {unknown[0]!r}; there are: {', '.join(paths)}")
    return {name: paths[name] for name in names or paths}


def read(path):
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def write(nb, path):
    """Write a notebook so that a reader sees the old one or the new one, whole."""
    text = nbformat.writes(nb).rstrip("\n") + "\n"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def code_cells(nb):
    """Return the code cells that belong to the chapter: all but the install cell."""
    return [c for c in nb.cells if c.cell_type == "code" and INSTALL not in tags(c)]


def tagged(nb, tag):
    """Return the cells that carry `tag`."""
    return [cell for cell in nb.cells if tag in tags(cell)]


def _digest(parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _tree(source):
    """Return the syntax tree of a cell, None if it is no Python even to IPython."""
    try:
        return ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        try:
            return ast.parse(TransformerManager().transform_cell(source))
        except SyntaxError:
            return None


def _meant(source):
    """Return what a cell means; a semicolon at its end keeps its value silent."""
    tree = _tree(source)
    words = source if tree is None else json.dumps(meaning(tree))
    return words + ";" * source.endswith(";")


def code_hash(nb, form=FORMAT):
    """Return the SHA-256 of the chapter's code, by what it means.

    Prose and the install cell (which holds the public address) are left out: a
    change in them does not change an output. Stamps of the first form hold the
    hash of the text.
    """
    sources = [cell.source.strip() for cell in code_cells(nb)]
    return _digest(sources if form == 1 else map(_meant, sources))


def outputs_hash(nb):
    """Return the SHA-256 of the chapter's outputs."""
    return _digest(
        json.dumps(output, sort_keys=True, ensure_ascii=True)
        for cell in code_cells(nb)
        for output in cell.outputs
    )


def library(nb, root=ROOT):
    """Return ``{definition: hash}`` of what a chapter reaches of gmlib."""
    trees = filter(None, (_tree(cell.source) for cell in code_cells(nb)))
    return reached(ast.Module([s for tree in trees for s in tree.body], []), root)


def file_hash(path):
    """Return the SHA-256 of a file, None if it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def locked(root=ROOT):
    """Return {package: version} of what gmlib itself needs, as locked.

    A package more, or another version of what renders pages, changes no output.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    needed = {re.match(r"[\w.-]+", line)[0].lower() for line in project["dependencies"]}
    found = {}
    text = (root / "requirements.lock").read_text("utf8")
    for name, version in re.findall(r"(?m)^([a-z0-9.-]+)==(\S+)", text):
        if name in needed:  # one that depends on the platform has several
            found[name] = " or ".join(filter(None, (found.get(name), version)))
    return found


def drift(path, root=ROOT):
    """Return what has changed beneath a chapter since its outputs were made.

    Definitions of gmlib that it reaches, data that come with gmlib, the locked
    packages that gmlib needs. Pictures and arrays that come with gmlib are stamped by
    their numbers, not by their file: by what their card states.
    """
    nb = read(path)
    stamp = nb.metadata["gmlib"]
    then, now = stamp["library"], _library_now(nb, root)
    names = sorted(then.keys() | now.keys())
    changed = [f"gmlib.{name}" for name in names if then.get(name) != now.get(name)]
    stated = _stated(root)
    for name, sha256 in stamp["data"].items():
        present = stated.get(name) or file_hash(root / "data" / name)
        if present and present != sha256:
            changed.append(f"data/{name}")
    versions = locked(root)
    changed += [k for k, v in stamp["lock"].items() if versions.get(k) != v]
    return changed


def _stated(root):
    """Return ``{file: SHA-256 of its content}``, as the cards in data/ state it."""
    row = re.compile(r"(?m)^\| `(\S+)` \| [\d ]+ \| `([0-9a-f]{64})` \|$")
    cards = (root / "data").glob("*.md")
    return dict(
        found for card in cards for found in row.findall(card.read_text("utf8"))
    )


def _library_now(nb, root):
    """What the stamp of a chapter would say of gmlib today, in the stamp's own form."""
    stamp = nb.metadata["gmlib"]
    if stamp.get("format", 1) > 1:
        return library(nb, root)
    files = {name: root / "gmlib" / f"{name}.py" for name in stamp["library"]}
    return {k: file_hash(f) or "no file any more" for k, f in files.items()}


def listed(names, most=8):
    """Return names in words, not more than `most` of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def stale(path):
    """Say why the stored outputs are not those of the present code ("": they are)."""
    nb = read(path)
    stamp = nb.metadata.get("gmlib")
    if not stamp:
        return "it has never been executed"
    if stamp.get("code") != code_hash(nb, stamp.get("format", 1)):
        return "its code has changed since it was executed"
    if stamp.get("outputs") != outputs_hash(nb):
        return "its outputs were changed by hand or cleared"
    return ""


def parameters(nb):
    """Return the values in the cell tagged ``parameters``."""
    values = {}
    for cell in tagged(nb, "parameters"):
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.Assign):
                values[node.targets[0].id] = ast.literal_eval(node.value)
    return values


def over_budget(nb, scale, seconds, mib, slack=1):
    """Say by how much a run exceeds what its chapter declares, a list of lines.

    The chapter's metadata hold ``{"budget": {scale: {"seconds": 20, "mib": 2048}}}``.
    Seconds are those that the kernel's process had of the CPUs, all threads together:
    they do not grow while it waits. At scale ``gpu`` the memory is that of the GPU.
    `slack` is how many times as long a slower core may take, or one whose caches and
    units are shared with other work.
    """
    asked = nb.metadata.get("budget", {}).get(scale)
    if asked is None:
        return [f"{seconds:.0f} CPU s and {mib} MiB, but no budget for scale {scale}"]
    lines = []
    if seconds > slack * asked["seconds"]:
        allowed = f" (times {slack} on a slower core)" if slack > 1 else ""
        lines.append(f"{seconds:.0f} CPU s of {asked['seconds']} CPU s{allowed}")
    if mib > asked["mib"]:
        lines.append(f"{mib} MiB of {asked['mib']} MiB")
    return [f"{line} at scale {scale}" for line in lines]


def records(nb, mime):
    """Return the machine-readable outputs of one kind (`CLAIM` or `CHECK`)."""
    return [
        output.data[mime]
        for cell in nb.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if mime in output.get("data", {})
    ]


def texts(output):
    """Yield the texts of an output, without embedded pictures."""
    if "text" in output:
        yield output.text
    for mime, value in output.get("data", {}).items():
        if not mime.startswith("image/") or mime == "image/svg+xml":
            text = value if isinstance(value, str) else json.dumps(value)
            yield EMBEDDED.sub("", text)
    yield from output.get("traceback", [])


def machine_paths(nb):
    """Return what looks like a path of the machine that executed the notebook."""
    cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    return sorted(
        {
            match.group()
            for cell in cells
            for output in cell.outputs
            for text in texts(output)
            for match in MACHINE_PATH.finditer(text)
        }
    )


def hide_machine(nb, *, run_folder):
    """Write paths of this machine as they would read on any other."""
    places = {
        str(run_folder): ".",
        str(ROOT) + os.sep: "",
        os.path.join(sys.prefix, ""): "",
        os.path.expanduser(os.environ.get("GMLIB_DATA", "")): "$GMLIB_DATA",
        str(Path.home()): "~",
    }
    places = {place: new for place, new in places.items() if len(place) > 1}

    def clean(value):
        if isinstance(value, list):
            return [clean(v) for v in value]
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items()}
        if not isinstance(value, str):
            return value
        pictures = EMBEDDED.findall(value)  # where letters may spell a path by chance
        words = [hidden(text) for text in EMBEDDED.split(value)]
        return "".join(a + b for a, b in zip(words, [*pictures, ""], strict=True))

    def hidden(text):
        for place in sorted(places, key=len, reverse=True):
            text = text.replace(place, places[place])
        return re.sub(r"/\S*/ipykernel_\d+/\d+\.py", "cell", text)

    for cell in nb.cells:
        for output in cell.get("outputs", []):
            for key in ("text", "data", "traceback"):
                if key in output:
                    output[key] = nbformat.from_dict(clean(output[key]))
