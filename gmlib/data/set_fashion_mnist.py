"""Fashion-MNIST: articles of clothing, 28 × 28 pixels."""

from gmlib.data.content import Content
from gmlib.data.empirical import Empirical
from gmlib.data.fetch import Archives
from gmlib.data.idx import labelled_images
from gmlib.data.registry import declare
from gmlib.data.set_digits import or_digits

ARCHIVES = Archives(
    name="FashionMNIST",
    contents={
        "train-images-idx3-ubyte": Content(
            47_040_016,
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        "train-labels-idx1-ubyte": Content(
            60_008,
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        "t10k-images-idx3-ubyte": Content(
            7_840_016,
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        "t10k-labels-idx1-ubyte": Content(
            10_008,
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    },
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    package="fashion-mnist",
)


def fashion_mnist(split: str = "train", strict: bool = False) -> Empirical:
    """Fashion-MNIST (Xiao, Rasul, Vollgraf 2017); see `mnist`.

    Raises
    ------
    Unavailable
        If `strict` and Fashion-MNIST cannot be had.
    ValueError
        If the split is neither ``train`` nor ``test``.
    """
    return strictly(split) if strict else or_digits(strictly, split)


def strictly(split: str) -> Empirical:
    """Fashion-MNIST or `Unavailable`: nothing stands in for it."""
    return labelled_images(ARCHIVES, "fashion_mnist", split)


declare("fashion_mnist", "images", strictly)
