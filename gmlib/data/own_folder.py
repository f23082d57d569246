"""Your own pictures: a folder of files becomes a data set."""

import os
from collections import Counter
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from tqdm.auto import tqdm

from gmlib import checks, ranks, runtime
from gmlib.data import shelf
from gmlib.data.eight_bit import eight_bit
from gmlib.data.empirical import Empirical
from gmlib.data.registry import SPLITS

HELD_OUT = 5  # every fifth picture of a class is for testing, as of the digits
VALIDATION = {"val", "valid", "validation"}
FEW = 5  # so many names in a message


def own(
    folder: str | Path, size: int = 32, channels: int = 3, split: str | None = None
) -> Empirical:
    """Your own pictures, from a folder, as bytes in memory.

    Each folder in it is a class; its pictures may lie deeper. Without such folders
    the pictures have no labels. The order is that of the names. A picture is turned
    as its EXIF data says, laid on white where it is transparent, resized so that its
    short side has `size` pixels, and cut to its middle square (torchvision's Resize
    and CenterCrop). Hidden files are not looked at. One line says what is left out:
    files that are no pictures, and by their names pictures that cannot be read.

    Parameters
    ----------
    folder : str or Path
        ``~`` is the home folder.
    size : int
        Pixels a side. DCGAN's networks take 4, 5, 6 or 7 times a power of two.
    channels : {1, 3}
        Grey, or red, green and blue.
    split : {"train", "test"}, optional
        The folder of that name, if the folder holds ``train`` and ``test``; if not,
        ``test`` is every fifth picture of each class, and ``train`` is the rest. By
        default all pictures.

    Returns
    -------
    Empirical
        Pictures of shape (channels, size, size), in [0, 1] when sampled, with the
        number of their class as label and the names of the classes in ``.classes``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the folder is not there, or is a file.
    ValueError
        If there is no picture in it, or none that can be read, or `size`,
        `channels` or `split` is another than it may be.
    """
    size = checks.count("size", size)
    checks.choice("channels", channels, (1, 3))
    if split is not None:
        checks.choice("split", split, SPLITS)
    root = _checked(folder)
    name, (files, classes) = root.name, _listed(root, split)
    # torchvision takes seconds to import, which a lecture without pictures saves.
    from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

    square = Compose([Resize(size), CenterCrop(size), PILToTensor()])
    pictures, labels, broken = [], [], []
    bar = tqdm(files, name, unit="picture", delay=2, disable=runtime.silent())
    for path, label in bar:
        try:
            # On a GPU the default device is the GPU, and bytes are collected here.
            with torch.device("cpu"), Image.open(root / path) as image:
                pictures.append(square(eight_bit(image, channels)))
            labels.append(label)
        except Exception as error:  # Pillow raises of all kinds
            broken.append(f"{path.as_posix()} ({_reason(error)})")
    if not pictures:
        raise ValueError(f"no picture in {root} can be read: {_few(broken)}")
    if broken:
        ranks.say(f"{name}: left out, as it cannot be read: {_few(broken)}")
    x, y = torch.stack(pictures), torch.tensor(labels, device="cpu")
    content = x.numpy().tobytes() + y.numpy().tobytes()
    shelf.remember("/".join(filter(None, ("own", name, split))), content)
    return Empirical(x, y if classes else None, name, classes=classes)


def _checked(folder: str | Path) -> Path:
    """Return the path of a folder that is there."""
    if not isinstance(folder, str | os.PathLike):
        kind = type(folder).__name__
        raise TypeError(f"own takes the path of a folder of pictures, not a {kind}")
    root = Path(folder).expanduser().resolve()
    if root.is_dir():
        return root
    if root.exists():
        raise NotADirectoryError(
            f"{folder} is a file, and a folder of pictures is wanted: give the folder "
            "it lies in, or unpack it first (shutil.unpack_archive)"
        )
    raise FileNotFoundError(f"there is no folder {root}: is its name right?")


def _reason(error: Exception) -> str:
    """Say in a few words why a picture cannot be read, without its path."""
    if isinstance(error, UnidentifiedImageError):
        return "no picture that Pillow knows"
    return (str(error) or type(error).__name__).splitlines()[0]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


# --------------------------------------------------------- which files, which classes


def _listed(root: Path, split: str | None) -> tuple[list[tuple[Path, int]], list[str]]:
    """Return the pictures of a folder with their labels, and the names of the classes.

    Paths are relative to the folder. Without classes all labels are 0.
    """
    every, depth = _pictures(root), 0
    if len({_class(p, 0) for p in every}) == 1 and all(_class(p, 1) for p in every):
        depth = 1  # as an archive unpacks: one folder, in which are the others
    pictures, tops = every, {_class(p, depth) for p in every} - {""}
    if {*SPLITS} <= tops <= {*SPLITS} | VALIDATION:
        if split is None:
            raise ValueError(
                f'{root} holds train and test: say split="train" or split="test"'
            )
        pictures, depth = [p for p in every if _class(p, depth) == split], depth + 1
    elif split is not None:
        pictures = _held_out(every, depth, split == "test")
    # Of every picture: what a split lacks must not move the numbers of its classes.
    classes = sorted({_class(p, depth) for p in every} - {""})
    if not classes:
        return [(p, 0) for p in pictures], []
    if loose := [p.as_posix() for p in pictures if not _class(p, depth)]:
        ranks.say(f"{root.name}: left out, beside the classes: {_few(loose)}")
    named = [(p, _class(p, depth)) for p in pictures]
    return [(p, classes.index(name)) for p, name in named if name], classes


def _class(path: Path, depth: int) -> str:
    """Return the folder of a picture at a depth, "" if it lies higher."""
    return path.parts[depth] if len(path.parts) > depth + 1 else ""


def _held_out(pictures: list[Path], depth: int, test: bool) -> list[Path]:
    """Return every fifth picture of each class, or those that are not."""
    seen: Counter[str] = Counter()
    kept = []
    for p in pictures:
        seen[_class(p, depth)] += 1
        if (seen[_class(p, depth)] % HELD_OUT == 0) == test:
            kept.append(p)
    if not kept:
        raise ValueError(
            "there are no pictures to test: every fifth of a class is held out, and "
            "no class has five"
        )
    return kept


def _pictures(root: Path) -> list[Path]:
    """Return what Pillow can open, by its ending; say what is left out."""
    inside = sorted(
        (Path(where) / name).relative_to(root)
        for where, _, names in os.walk(root, followlinks=True)
        for name in names
    )
    files = [p for p in inside if not any(part.startswith(".") for part in p.parts)]
    endings = Image.registered_extensions()  # an add-on's too, such as .heic
    pictures = [p for p in files if endings.get(p.suffix.lower()) in Image.OPEN]
    others = {p.suffix.lower() or p.name for p in files} - {
        p.suffix.lower() for p in pictures
    }
    if not pictures:
        has = f"its files end in {_few(sorted(others))}" if others else "it is empty"
        raise ValueError(
            f"{root} holds no pictures, {has}: put .png or .jpg files into it, "
            "or a folder of them for each class"
        )
    if others:
        kinds = _few(sorted(others))
        ranks.say(f"{root.name}: left out, as they are no pictures: {kinds}")
    return pictures
