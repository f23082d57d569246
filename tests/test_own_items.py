"""The data sets of torchvision, and what is made like them, read into memory."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, Subset
from torchvision import transforms
from torchvision.datasets import FakeData, ImageFolder

from gmlib import data


@pytest.fixture
def garden(tmp_path):
    """Two classes of six pictures each."""
    for kind, red in (("tulip", 200), ("daisy", 100)):
        (tmp_path / kind).mkdir()
        for i in range(6):
            image = Image.new("RGB", (8, 8), (red, 0, i))
            image.save(tmp_path / kind / f"{i}.png")
    return tmp_path


def fake(**options):
    return FakeData(6, image_size=(3, 8, 8), num_classes=3, **options)


def test_a_torchvision_set_is_read_with_its_labels():
    law = data.from_torchvision(fake())
    items = [fake()[i] for i in range(6)]
    assert law.y.tolist() == [int(y) for _, y in items]
    wanted = torch.stack([transforms.PILToTensor()(x) for x, _ in items])
    assert torch.equal(law._x, wanted)
    assert law.name == "FakeData"


def test_a_transform_to_tensors_is_kept():
    law = data.from_torchvision(fake(transform=transforms.ToTensor()))
    assert law._x.dtype == torch.float32
    assert torch.equal(law.x, data.from_torchvision(fake()).x)
    half = transforms.Compose([transforms.ToTensor(), lambda x: x.half() / 2])
    assert data.from_torchvision(fake(transform=half)).x.max() <= 0.5


def test_nothing_is_left_to_the_default_device():
    with torch.device("meta"):
        x, y = data.from_torchvision(fake()).sample_pairs((5,))
    assert {x.device.type, y.device.type} == {"cpu"}


def test_classes_come_along_also_through_a_subset(garden):
    folder = ImageFolder(str(garden))
    law = data.from_torchvision(folder, name="flowers")
    assert (law.classes, law.name) == (("daisy", "tulip"), "flowers")
    assert torch.equal(law.x, data.own(garden, 8).x)
    part = data.from_torchvision(Subset(folder, [7, 0]))
    assert part.classes == ("daisy", "tulip")
    assert part.y.tolist() == [1, 0]


def test_pictures_alone_have_no_labels(capsys):
    law = data.from_torchvision([torch.full((1, 2, 2), i / 4) for i in range(3)])
    assert law.y is None
    assert law.x[:, 0, 0, 0].tolist() == [0, 0.25, 0.5]
    deep = np.full((2, 2), 65535 // 2 + 1, np.uint16)
    law = data.from_torchvision([(Image.fromarray(deep), None)])
    assert law._x.flatten().tolist() == [128] * 4
    assert capsys.readouterr().out == ""


def test_labels_that_are_no_whole_numbers_are_said(capsys):
    x = torch.zeros(1, 2, 2)
    for label in ("cat", {"box": 1}, torch.zeros(4), 0.5):
        assert data.from_torchvision([(x, label)] * 2).y is None
        assert "are no whole numbers: left out" in capsys.readouterr().out
    assert data.from_torchvision([(x, torch.tensor(3))] * 2).y.tolist() == [3, 3]
    assert data.from_torchvision([(x, -1), (x, 2)]).y is None  # as of STL10
    assert "stand for none" in capsys.readouterr().out


class Endless(IterableDataset):
    def __iter__(self):
        yield torch.zeros(1, 2, 2)


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        (Endless(), TypeError, "with a length, .* not a Endless"),
        (DataLoader([1, 2]), TypeError, "not a DataLoader: .* give its .dataset"),
        ([], ValueError, "list is empty"),
        (["a", "b"], TypeError, "item 0 is no picture but a str.*ToTensor"),
        (
            [np.zeros((2, 2, 3))],
            TypeError,
            r"a ndarray of float64 and shape \(2, 2, 3\)",
        ),
        ([torch.zeros(2, 2)], TypeError, r"Tensor of torch.float32 and shape \(2, 2\)"),
        ([torch.zeros(1, 2, 2).long()], TypeError, "Tensor of torch.int64"),
        (
            [torch.zeros(3, 2, 2), torch.zeros(3, 2, 4)],
            ValueError,
            r"picture 1 has shape \(3, 2, 4\), picture 0 \(3, 2, 2\): .*CenterCrop",
        ),
    ],
)
def test_what_is_no_set_of_pictures_is_refused(dataset, error, message):
    with pytest.raises(error, match=message):
        data.from_torchvision(dataset)
