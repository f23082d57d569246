"""Draw the pictures in `data/garden`: daisies, mushrooms and tulips.

python tools/draw_garden.py [FOLDER]
"""

import argparse
import math
import random
from pathlib import Path

from notebooks import ROOT
from PIL import Image, ImageDraw

SIZE, FINE, EACH, COLOURS = 32, 8, 200, 40  # pixels, drawn so much larger, pictures
SKIES = ("#cfe8f7", "#fde3cf", "#e3dcf4", "#fdf3c8", "#d5efe0")
GROUNDS = ("#7fb069", "#5f9e5a", "#a3b86c")
GREENS = ("#3e7c3a", "#2f6b46", "#55862f")
PETALS = ("#ffffff", "#f6a6c1", "#f7c843", "#b48ce0", "#f2784b")
CUPS = ("#d7263d", "#f46036", "#f2b134", "#8e3b9e", "#f05d8e")
CAPS = ("#c8322b", "#8a5a36", "#e0852e", "#6d4c9f")


class Sheet:
    """A picture that is drawn in units of its pixels, larger than it will be."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.image = Image.new("RGB", (SIZE * FINE, SIZE * FINE), self.one_of(SKIES))
        self.pen = ImageDraw.Draw(self.image)
        self.ground = SIZE - chance.uniform(4, 7)
        self.pen.rectangle(
            (0, self.ground * FINE, SIZE * FINE, SIZE * FINE), fill=self.one_of(GROUNDS)
        )

    def one_of(self, colours):
        """A colour near one of the list."""
        hue = self.chance.choice(colours)
        parts = [int(hue[i : i + 2], 16) for i in (1, 3, 5)]
        shift = self.chance.randint(-10, 10)
        return tuple(min(255, max(0, part + shift)) for part in parts)

    def polygon(self, points, fill):
        self.pen.polygon([(x * FINE, y * FINE) for x, y in points], fill=fill)

    def oval(self, x, y, a, b, fill, turn=0.0):
        """An ellipse around (x, y) with half axes a and b, turned by an angle."""
        angles = [2 * math.pi * k / 48 for k in range(48)]
        points = [(a * math.cos(t), b * math.sin(t)) for t in angles]
        c, s = math.cos(turn), math.sin(turn)
        self.polygon([(x + c * u - s * v, y + s * u + c * v) for u, v in points], fill)

    def stem(self, x, y, foot, width, fill):
        """A stem from (x, y) down into the ground, at `foot`."""
        low = self.ground + 2
        self.polygon(
            [(x - width, y), (x + width, y), (foot + width, low), (foot - width, low)],
            fill,
        )

    def small(self):
        """The picture in its own size, with few colours."""
        image = self.image.resize((SIZE, SIZE), Image.Resampling.BOX)
        return image.quantize(COLOURS, dither=Image.Dither.NONE)


def daisy(sheet):
    chance, green = sheet.chance, sheet.one_of(GREENS)
    x, y = chance.uniform(13, 19), chance.uniform(10.5, 13)
    length, count = chance.uniform(7.5, 9.5), chance.randint(6, 11)
    sheet.stem(x, y, x + chance.uniform(-3, 3), 0.8, green)
    side = chance.choice((-1, 1))
    sheet.oval(x + side * 3, sheet.ground - 1, 3.4, 1.3, green, -side * 0.6)
    petals, start = sheet.one_of(PETALS), chance.uniform(0, math.pi)
    for k in range(count):
        turn = start + 2 * math.pi * k / count
        middle = 0.58 * length
        sheet.oval(
            x + middle * math.cos(turn), y + middle * math.sin(turn),
            length / 2, 4.4 * length / count / 2.2, petals, turn,
        )  # fmt: skip
    sheet.oval(x, y, length / 3, length / 3, sheet.one_of(("#f5b700", "#7a4a1e")))


def tulip(sheet):
    chance, green, cup = sheet.chance, sheet.one_of(GREENS), sheet.one_of(CUPS)
    x, y = chance.uniform(13, 19), chance.uniform(9, 12)
    a, b = chance.uniform(4.2, 5.6), chance.uniform(5.6, 7)
    foot = x + chance.uniform(-1.5, 1.5)
    sheet.stem(x, y + b / 2, foot, 0.9, green)
    for side in (-1, 1):
        height = chance.uniform(4.5, 7)
        middle = sheet.ground - height / 2
        sheet.oval(foot + side * 3.2, middle, height * 0.75, 1.5, green, -side * 1.1)
    sheet.oval(x, y + b * 0.2, a, b * 0.8, cup)
    for side in (-1, 0, 1):  # three tips
        tip, root = x + side * a * 0.85, x + side * a * 0.5
        sheet.polygon(
            [(tip, y - b), (root - a * 0.5, y + 0.5), (root + a * 0.5, y + 0.5)], cup
        )
    dark = tuple(part * 4 // 5 for part in cup)
    sheet.oval(x, y + b * 0.35, a * 0.42, b * 0.62, dark)


def mushroom(sheet):
    chance, cap = sheet.chance, sheet.one_of(CAPS)
    x, y = chance.uniform(12.5, 19.5), chance.uniform(14, 17.5)
    a, b = chance.uniform(8, 11), chance.uniform(7.5, 10.5)
    sheet.oval(x, (y + sheet.ground) / 2 + 1, chance.uniform(2.6, 4), 8, "#f4ead5")
    half = [math.pi + math.pi * k / 32 for k in range(33)]
    sheet.polygon([(x + a * math.cos(t), y + b * math.sin(t)) for t in half], cap)
    sheet.oval(x, y, a, 1.6, cap)
    spots = chance.uniform(1.1, 1.7)
    for u, v in ((-0.5, 0.25), (0.05, 0.62), (0.52, 0.3), (-0.02, 0.12)):
        sheet.oval(
            x + u * a + chance.uniform(-0.8, 0.8), y - v * b, spots, spots, "#fff8e7"
        )
    sheet.oval(x - 7, SIZE, 3, chance.uniform(2, 5), sheet.one_of(GREENS), 1.2)


KINDS = {"daisy": daisy, "mushroom": mushroom, "tulip": tulip}


def draw(kind: str, number: int) -> Image.Image:
    """Return picture `number` of a kind; the same at every call."""
    sheet = Sheet(random.Random(f"{kind} {number}"))
    KINDS[kind](sheet)
    return sheet.small()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "data/garden")
    folder = parser.parse_args(argv).folder
    for kind in KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(EACH):
            path = folder / kind / f"{number:03}.png"
            draw(kind, number).save(path, optimize=True)
    print(f"{EACH} pictures of each of {', '.join(KINDS)} in {folder}")


if __name__ == "__main__":
    main()
