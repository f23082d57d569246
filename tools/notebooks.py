"""What the tools and the tests know of a chapter: its cells, its stamp, its state."""

import ast
import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
SLACK = 3  # a machine may be so much slower than the one that a budget is made for
INSTALL = "gmlib-install"
CLAIM = "application/vnd.gmlib.claim+json"
CHECK = "application/vnd.gmlib.check+json"
EMBEDDED = re.compile(r"base64,[A-Za-z0-9+/=\s]+")
MACHINE_PATH = re.compile(
    r"(?<![\w.:/-])(?:/(?:home|root|tmp|work|Users|var|opt|mnt|private|usr/lib)/"
    r"|[A-Z]:\\)[^\s\"'<>)]+"
)


def chapters(root=ROOT):
    """Return the paths of all notebooks of the book, in its order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    paths = [root / f"{file}.ipynb" for file in files]
    return [path for path in paths if path.exists()]


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


def code_hash(nb):
    """Return the SHA-256 of the chapter's code.

    Prose and the install cell (which holds the public address) are left out: a
    change in them does not change an output.
    """
    return _digest(cell.source.strip() for cell in code_cells(nb))


def outputs_hash(nb):
    """Return the SHA-256 of the chapter's outputs."""
    return _digest(
        json.dumps(output, sort_keys=True, ensure_ascii=True)
        for cell in code_cells(nb)
        for output in cell.outputs
    )


def _imports(tree):
    """Return the modules of gmlib that a syntax tree imports from."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "gmlib":
            found |= {alias.name for alias in node.names}
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("gmlib.")}
    return found


def library(nb, root=ROOT):
    """Return ``{module: SHA-256}`` of the modules of gmlib that a chapter reaches."""
    files = {file.stem: file.read_text("utf8") for file in root.glob("gmlib/*.py")}
    asked = _imports(ast.parse("\n".join(c.source for c in code_cells(nb))))
    reached = {"__init__"}
    while asked := (asked & files.keys()) - reached:
        reached |= asked
        asked = set().union(*(_imports(ast.parse(files[name])) for name in asked))
    return {name: _digest([files[name]]) for name in sorted(reached)}


def file_hash(path):
    """Return the SHA-256 of a file, None if it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def drift(path, root=ROOT):
    """Return what has changed beneath a chapter since its outputs were made.

    Modules of gmlib that it reaches, data that come with gmlib, the locked packages.
    """
    nb = read(path)
    stamp, modules = nb.metadata["gmlib"], library(nb, root)
    names = sorted(stamp["library"].keys() | modules.keys())
    changed = [f"gmlib.{n}" for n in names if stamp["library"].get(n) != modules.get(n)]
    for name, sha256 in stamp["data"].items():
        if (now := file_hash(root / "data" / name)) and now != sha256:
            changed.append(f"data/{name}")
    if stamp["lock"] != file_hash(root / "requirements.lock"):
        changed.append("requirements.lock")
    return changed


def stale(path):
    """Say why the stored outputs are not those of the present code ("": they are)."""
    nb = read(path)
    stamp = nb.metadata.get("gmlib")
    if not stamp:
        return "it has never been executed"
    if stamp.get("code") != code_hash(nb):
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

    The chapter's metadata hold ``{"budget": {scale: {"seconds": 20, "mib": 2048}}}``;
    `slack` is how many times as long a slow machine may take. At scale ``gpu`` the
    memory is that of the GPU.
    """
    asked = nb.metadata.get("budget", {}).get(scale)
    if asked is None:
        return [f"{seconds:.0f} s and {mib} MiB, but no budget for scale {scale}"]
    lines = []
    if seconds > slack * asked["seconds"]:
        allowed = f" (times {slack} on a slow machine)" if slack > 1 else ""
        lines.append(f"{seconds:.0f} s of {asked['seconds']} s{allowed}")
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
        os.environ.get("GMLIB_DATA", ""): "$GMLIB_DATA",
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
