"""Make the photographs in `data/photographs` from three packages.

    pip install '.[pictures]'
    apt-get download lomiri-wallpapers-16.04
    dpkg-deb -x lomiri-wallpapers-16.04_*.deb FOLDER
    python tools/make_photographs.py FOLDER [--to OTHER]

Taken are those under CC0, CC BY or in the public domain, as their packages say:
`data/photographs/LICENSE.txt` has the list. They are made smaller, so that what a
camera's compression left is gone.
"""

import argparse
from pathlib import Path

import numpy as np
from notebooks import ROOT
from PIL import Image, ImageOps
from sheets import needed

LONG, QUALITY = 512, 88  # pixels of the long side, of WebP
WALLPAPERS = {
    "brook": "life_by_Aitzol_Berasategi",
    "brushes": "Picture_1A_by_freespace",
    "dandelions": "seeding_by_Clements_Engelhardt",
    "dogs": "friends_by_Aitzol_Berasategi",
    "fig": "Picture_0B_by_freespace",
    "mountains": "aitzgorri_by_Aitzol_Berasategi",
    "peaks": "picosdeeuropa_by_Aitzol_Berasategi",
    "sunset": "sunset_by_Aitzol_Berasategi",
    "wine": "Wine_by_Jakkub_Mede",
}
SKIMAGE = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")
SKLEARN = ("china.jpg", "flower.jpg")


def sources(folder: Path) -> dict[str, Path]:
    """Return the files by the names that they get here."""
    walls = folder / "usr/share/backgrounds"
    if not walls.is_dir():
        raise SystemExit(f"no usr/share/backgrounds in {folder}: see the head")
    found = {name: walls / f"{file}.jpg" for name, file in WALLPAPERS.items()}
    for package, place, files in (
        (needed("skimage", "scikit-image"), "data", SKIMAGE),
        (needed("sklearn", "scikit-learn"), "datasets/images", SKLEARN),
    ):
        root = Path(package.__file__).parent / place
        found |= {Path(file).stem: root / file for file in files}
    return dict(sorted(found.items()))


def small(path: Path) -> Image.Image:
    """Return a photograph with a long side of `LONG` pixels, upright."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    shape = np.array(upright.size) * LONG / max(upright.size)
    width, height = np.round(shape).astype(int).tolist()
    return upright.resize((width, height), Image.Resampling.LANCZOS)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the wallpapers are unpacked")
    parser.add_argument("--to", type=Path, default=ROOT / "data/photographs")
    arguments = parser.parse_args(argv)
    arguments.to.mkdir(parents=True, exist_ok=True)
    for name, path in sources(arguments.folder).items():
        to = arguments.to / f"{name}.webp"
        small(path).save(to, quality=QUALITY, method=6)
        print(f"{to.name}: {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
