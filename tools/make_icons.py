"""Make the pictures in `data/icons` from the packages of their four vendors.

    npm install --prefix FOLDER openmoji@17.0.0 @discordapp/twemoji@16.0.1 \\
        @iconify-json/noto@1.2.9 @iconify-json/fluent-emoji-flat@1.2.6
    pip install '.[pictures]'
    python tools/make_icons.py FOLDER [--to OTHER]

Drawn are the icons that all four vendors have, without flags and skin tones, and of
OpenMoji those that come in five skin tones. The licences beside them are kept by hand.
"""

import argparse
import csv
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
from notebooks import ROOT
from PIL import Image
from sheets import means, needed, save, sheet

SIZE = 64  # pixels a side; three vendors are stored at half of it
VENDORS = ("openmoji", "twemoji", "noto", "fluent")
PACKAGES = {"noto": "noto", "fluent": "fluent-emoji-flat"}
WITHOUT = {"flags", "extras-openmoji", "extras-unicode", "component"}
PEOPLE = re.compile(
    r"\b(wo)?(man|men|person|people|boy|girl|child|baby|mother|father|mrs|mr|mx)\b|"
    r"\b(king|queen|prince|princess|merman|mermaid|merperson|santa|claus)\b"
)
# What is drawn nearly alike counts as one thing: it is in one part of the split.
ALIKE = (
    "o’clock", "thirty", "moon", "heart", "circle", "square", "diamond", "triangle",
    "keycap", "book", "arrow", "mailbox", "envelope", "button", "family", "couple",
    "kiss", "cloud", "monkey",
)  # fmt: skip
ONE = {"thirty": "o’clock"}


def thing(name: str) -> str:
    """Return what an icon shows, by its name: the same word for what looks alike.

    >>> thing("woman firefighter") == thing("firefighter")
    True
    """
    words = PEOPLE.sub("", name.lower().partition(":")[0])
    for word in ALIKE:
        if word in words:
            return ONE.get(word, word)
    return " ".join(re.findall(r"\w+", words))


def split(name: str) -> str:
    """Return ``train`` or, of every eighth thing, ``test``."""
    return "test" if hashlib.sha256(thing(name).encode()).digest()[0] < 32 else "train"


def key(code: str) -> str:
    """Return code points as all vendors write them: without the variation selector."""
    return "-".join(part for part in code.upper().split("-") if part != "FE0F")


class Packages:
    """The vendors' packages, as npm has installed them in a folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "node_modules"
        if not (self.root / "openmoji").is_dir():
            raise SystemExit(f"no openmoji in {self.root}: see the head of this file")
        drawn = (self.root / "@discordapp/twemoji/dist/svg").glob("*.svg")
        self.twemoji = {key(path.stem): path for path in drawn}
        self.sets = {v: self._iconify(name) for v, name in PACKAGES.items()}

    def _iconify(self, package: str) -> tuple[dict, dict]:
        place = self.root / "@iconify-json" / package
        names = json.loads((place / "chars.json").read_text("utf8"))
        icons = json.loads((place / "icons.json").read_text("utf8"))
        return {key(code): name for code, name in names.items()}, icons

    def rows(self) -> list[dict]:
        """The table of OpenMoji's icons, in its order."""
        text = (self.root / "openmoji/data/openmoji.csv").read_text("utf8")
        return list(csv.DictReader(io.StringIO(text)))

    def in_all(self, code: str) -> bool:
        known = [self.twemoji, *(names for names, _ in self.sets.values())]
        return all(key(code) in codes for codes in known)

    def openmoji(self, code: str, kind: str) -> str:
        """A drawing, ``color`` or ``black``, without the margin around it."""
        path = self.root / "openmoji" / kind / "svg" / f"{code}.svg"
        svg = path.read_text("utf8")
        return svg.replace('viewBox="0 0 72 72"', 'viewBox="6 6 60 60"', 1)

    def svg(self, vendor: str, code: str) -> str:
        if vendor == "openmoji":
            return self.openmoji(code, "color")
        if vendor == "twemoji":
            return self.twemoji[key(code)].read_text("utf8")
        names, icons = self.sets[vendor]
        name, flip = names[key(code)], False
        while name in icons.get("aliases", {}):
            alias = icons["aliases"][name]
            name, flip = alias["parent"], flip ^ alias.get("hFlip", False)
        icon, side = icons["icons"][name], icons["width"]
        width, height = icon.get("width", side), icon.get("height", icons["height"])
        turn = f'<g transform="matrix(-1 0 0 1 {width} 0)">' if flip else "<g>"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
            f"{turn}{icon['body']}</g></svg>"
        )


def rendered(svg: str) -> np.ndarray:
    """Return a drawing on white as bytes (SIZE, SIZE, 3)."""
    resvg = needed("resvg_py", "resvg-py")
    png = resvg.svg_to_bytes(
        svg_string=svg, width=SIZE, height=SIZE, skip_system_fonts=True
    )
    with Image.open(io.BytesIO(bytes(png))) as image:
        rgba = np.asarray(image.convert("RGBA")).astype(np.int64)
    ink, cover = rgba[..., :3], rgba[..., 3:]
    drawn = (ink * cover + 255 * (255 - cover) + 127) // 255
    square = np.full((SIZE, SIZE, 3), 255, np.uint8)
    top, left = ((SIZE - side) // 2 for side in drawn.shape[:2])  # 0, or not square
    square[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return square


def levels(pictures: np.ndarray, count: int = 64) -> np.ndarray:
    """Return bytes with `count` levels a channel, black and white among them."""
    return (pictures.astype(np.int64) * count // 256 * 255 // (count - 1)).astype("u1")


def line(packages: Packages, code: str) -> np.ndarray:
    """Return OpenMoji's black line art as bytes (SIZE, SIZE, 1)."""
    return rendered(packages.openmoji(code, "black")).min(-1, keepdims=True)


def untoned(name: str) -> str:
    """Return the name of a drawing without the skin tone of its first version.

    >>> untoned("man: light skin tone, beard")
    'man: beard'
    """
    return re.sub("[:,] light skin tone", "", name.replace("light skin tone, ", ""))


def table(rows: list[dict], path: Path) -> None:
    """Write code points, name, group and split of each icon."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf8") as stream:
        to = csv.writer(stream, lineterminator="\n")
        to.writerow(["code", "name", "group", "split"])
        for row in rows:
            name = untoned(row["annotation"])
            code = row["skintone_base_hexcode"] or row["hexcode"]
            to.writerow([code, name, row["group"], split(name)])


def aligned(packages: Packages) -> list[dict]:
    """Return the rows of the icons that all four vendors have."""
    plain = [r for r in packages.rows() if not r["skintone"]]
    plain = [r for r in plain if r["group"] not in WITHOUT]
    return [r for r in plain if packages.in_all(r["hexcode"])]


def toned(packages: Packages) -> list[list[dict]]:
    """Return, of each drawing with one skin tone, its rows from light to dark."""
    found: dict[str, list[dict]] = {}
    for row in packages.rows():
        if row["skintone"] in {*"12345"}:
            found.setdefault(row["skintone_base_hexcode"], []).append(row)
    return [sorted(rows, key=lambda r: r["skintone"]) for rows in found.values()]


def make_aligned(packages: Packages, to: Path) -> None:
    rows = aligned(packages)
    lines = {row["hexcode"]: line(packages, row["hexcode"]) for row in rows}
    rows = [row for row in rows if lines[row["hexcode"]].min() < 128]  # some are empty
    codes = [row["hexcode"] for row in rows]
    table(rows, to / "openmoji/icons.csv")
    save(sheet(np.stack([lines[code] for code in codes])), to / "openmoji/line.webp")
    for vendor in VENDORS:
        drawn = np.stack([rendered(packages.svg(vendor, code)) for code in codes])
        drawn = drawn if vendor == "openmoji" else levels(means(drawn, 2))
        save(sheet(drawn), to / vendor / "colour.webp")


def make_toned(packages: Packages, to: Path) -> None:
    five = toned(packages)
    table([rows[0] for rows in five], to / "openmoji/tones.csv")
    lines, colours = [], []
    for rows in five:
        black = {packages.openmoji(row["hexcode"], "black") for row in rows}
        if len(rows) != 5 or len(black) != 1:
            raise SystemExit(f"{rows[0]['annotation']}: not one line, five colours")
        lines.append(line(packages, rows[0]["hexcode"]))
        colours += [rendered(packages.openmoji(r["hexcode"], "color")) for r in rows]
    save(sheet(np.stack(lines)), to / "openmoji/tones_line.webp")
    save(sheet(np.stack(colours)), to / "openmoji/tones_colour.webp")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where npm has installed them")
    parser.add_argument("--to", type=Path, default=ROOT / "data/icons")
    arguments = parser.parse_args(argv)
    packages = Packages(arguments.folder)
    make_aligned(packages, arguments.to)
    make_toned(packages, arguments.to)


if __name__ == "__main__":
    main()
