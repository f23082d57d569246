"""Any picture that Pillow opens, as bytes of one channel or of three."""

import numpy as np
from PIL import Image, ImageOps

DEEP = 65535 / 255  # a 16-bit grey is so many times its 8-bit one
SCALED = ("PNG", "PPM")  # of these Pillow may hand out 16 bits in a mode of 32


def eight_bit(image: Image.Image, channels: int) -> Image.Image:
    """Return a picture as grey (mode L, 1 channel) or in colour (RGB, 3 channels).

    It is turned as its EXIF data says. What is transparent becomes white. 16-bit
    greys are scaled, where `Image.convert` would cut them off at 255.

    Raises
    ------
    ValueError
        If its pixels are 32-bit numbers, of which nobody knows what white is.
    """
    deep = image.mode.startswith("I;16")
    deep = deep or (image.mode == "I" and image.format in SCALED)
    image = ImageOps.exif_transpose(image)
    if deep:
        scaled = np.round(np.asarray(image) / DEEP)
        image = Image.fromarray(scaled.astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers: save it with 8 or 16 bits")
    if image.mode[-1] in "Aa" or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("L" if channels == 1 else "RGB")
