"""MNIST: handwritten digits, 28 × 28 pixels."""

from gmlib.data.content import Content
from gmlib.data.empirical import Empirical
from gmlib.data.fetch import Archives
from gmlib.data.idx import labelled_images
from gmlib.data.registry import declare
from gmlib.data.set_digits import or_digits

ARCHIVES = Archives(
    name="MNIST",
    contents={
        "train-images-idx3-ubyte": Content(
            47_040_016,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        "train-labels-idx1-ubyte": Content(
            60_008,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        "t10k-images-idx3-ubyte": Content(
            7_840_016,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        "t10k-labels-idx1-ubyte": Content(
            10_008,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    },
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    package="mnist",
)


def mnist(split: str = "train", strict: bool = False) -> Empirical:
    """MNIST (LeCun, Cortes, Burges): 60 000 images to train, 10 000 to test.

    Looked for in ``GMLIB_DATA``, in the cache, then on two mirrors; the content of
    every archive is held against its SHA-256. If MNIST cannot be had, one message
    says what was tried and the `digits` stand in, in both splits; look at
    ``.name``.

    Raises
    ------
    Unavailable
        If `strict` and MNIST cannot be had.
    ValueError
        If the split is neither ``train`` nor ``test``.
    """
    return strictly(split) if strict else or_digits(strictly, split)


def strictly(split: str) -> Empirical:
    """MNIST or `Unavailable`: nothing stands in for it."""
    return labelled_images(ARCHIVES, "mnist", split)


declare("mnist", "images", strictly)
