"""Your own pictures: every kind of file, of folder and of fault."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from gmlib import data
from gmlib.data.eight_bit import eight_bit

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def put(path, colour=RED, size=(8, 8), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


def pixels(folder, channels=3, size=8):
    """The bytes of the only picture in a folder."""
    law = data.own(folder, size, channels)
    assert len(law) == 1
    assert law._x.dtype == torch.uint8, "bytes stay bytes"
    return (law.x[0] * 255).round().long()


def flat(picture):
    """The colour of a picture of one colour."""
    assert (picture == picture[:, :1, :1]).all()
    return tuple(picture[:, 0, 0].tolist())


@pytest.fixture
def garden(tmp_path):
    """Two classes of six pictures each; the blue part of a colour is its number."""
    for kind, red in (("tulip", 200), ("daisy", 100)):
        for i in range(6):
            put(tmp_path / "garden" / kind / f"{i}.png", (red, 0, i))
    return tmp_path / "garden"


# ------------------------------------------------------------- which pictures, in order


def test_folders_are_classes_in_the_order_of_their_names(garden):
    law = data.own(garden, 8)
    assert law.classes == ("daisy", "tulip")
    assert law.y.tolist() == [0] * 6 + [1] * 6
    seen = (law.x[:, :, 0, 0] * 255).round().int().tolist()
    assert seen == [[red, 0, i] for red in (100, 200) for i in range(6)]
    assert law.name == "garden"
    assert law.map(data.to_tanh).only(1).classes == ("daisy", "tulip")


def test_a_flat_folder_has_no_labels(tmp_path):
    for name, colour in (("b.png", GREEN), ("a.jpg", BLUE)):
        put(tmp_path / name, colour)
    law = data.own(tmp_path, 8)
    assert law.y is None
    assert law.classes == ()
    assert law.x[1, :, 0, 0].tolist() == [0, 1, 0], "b.png is the second"


def test_every_fifth_of_a_class_is_held_out(garden):
    test, train = (data.own(garden, 8, split=split) for split in ("test", "train"))
    assert (test.x[:, 2, 0, 0] * 255).round().tolist() == [4, 4]
    assert test.y.tolist() == [0, 1]
    blue = (train.x[:, 2, 0, 0] * 255).round().tolist()
    assert blue == [0, 1, 2, 3, 5] * 2
    assert train.classes == test.classes == ("daisy", "tulip")


def test_folders_called_train_and_test_are_the_splits(tmp_path):
    put(tmp_path / "train" / "a" / "1.png", RED)
    put(tmp_path / "train" / "b" / "1.png", GREEN)
    put(tmp_path / "test" / "b" / "1.png", BLUE)
    with pytest.raises(ValueError, match='holds train and test: say split="train"'):
        data.own(tmp_path, 8)
    test = data.own(tmp_path, 8, split="test")
    assert test.classes == ("a", "b")
    assert test.y.tolist() == [1], "b is 1 where there is no a, too"
    assert flat(pixels(tmp_path / "test")) == BLUE
    assert data.own(tmp_path, 8, split="train").y.tolist() == [0, 1]


def test_a_folder_around_the_folders_is_passed_through(tmp_path):
    for kind in ("b", "a"):
        put(tmp_path / "unpacked" / kind / "1.png")
    assert data.own(tmp_path, 8).classes == ("a", "b")
    for split in ("train", "test"):
        put(tmp_path / "halves" / "inner" / split / "c" / "1.png", GREEN)
    assert data.own(tmp_path / "halves", 8, split="test").classes == ("c",)


def test_pictures_may_lie_deeper_in_their_class(tmp_path):
    put(tmp_path / "a" / "1.png")
    put(tmp_path / "b" / "2024" / "1.png")
    assert data.own(tmp_path, 8).classes == ("a", "b")


def test_the_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "photos" / "1.png", GREEN)
    assert flat(pixels("~/photos")) == GREEN


def test_nothing_is_left_to_the_default_device(garden):
    """On a GPU that is the GPU; a tensor that is made on this one has no values."""
    with torch.device("meta"):
        x, y = data.own(garden, 8).sample_pairs((5,))
    assert {x.device.type, y.device.type} == {"cpu"}


# ------------------------------------------------------------------ every kind of pixel


def test_what_is_transparent_becomes_white(tmp_path):
    put(tmp_path / "rgba" / "1.png", (255, 0, 0, 0), mode="RGBA")
    put(tmp_path / "half" / "1.png", (0, 0, 0, 51), mode="RGBA")
    put(tmp_path / "grey" / "1.png", (0, 0), mode="LA")
    image = Image.new("P", (8, 8), 1)
    image.putpalette([*GREEN, *RED])
    for name, options in (("clear", {"transparency": 1}), ("palette", {})):
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "1.png", **options)
    assert flat(pixels(tmp_path / "rgba")) == WHITE
    assert flat(pixels(tmp_path / "half")) == (204, 204, 204)
    assert flat(pixels(tmp_path / "grey")) == WHITE
    assert flat(pixels(tmp_path / "clear")) == WHITE
    assert flat(pixels(tmp_path / "palette")) == RED


def test_grey_becomes_three_channels_and_colour_one(tmp_path):
    put(tmp_path / "grey" / "1.png", 90, mode="L")
    put(tmp_path / "colour" / "1.png", GREEN)
    put(tmp_path / "bits" / "1.png", 1, mode="1")
    assert flat(pixels(tmp_path / "grey")) == (90, 90, 90)
    assert flat(pixels(tmp_path / "grey", channels=1)) == (90,)
    assert flat(pixels(tmp_path / "colour", channels=1)) == (150,), "Rec. 601: 0.587"
    assert flat(pixels(tmp_path / "bits")) == WHITE


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_are_scaled_not_cut_off(ending, tmp_path):
    ramp = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    file = tmp_path / f"1.{ending}"
    if ending == "pgm":
        head = b"P5 8 8 65535\n"
        file.write_bytes(head + ramp.astype(">u2").tobytes())
    else:
        Image.fromarray(ramp).save(file)
    wanted = torch.from_numpy(np.round(ramp / 257.0)).long()
    assert torch.equal(pixels(tmp_path, channels=1)[0], wanted)
    assert torch.equal(pixels(tmp_path)[2], wanted)
    assert 100 < wanted.float().mean() < 150, "cut off, nearly all would be 255"


def test_pixels_of_32_bits_are_refused_by_name(tmp_path, capsys):
    put(tmp_path / "good.png", GREEN)
    for mode in ("I", "F"):
        put(tmp_path / f"{mode}.tif", 3, mode=mode)
    assert flat(pixels(tmp_path)) == GREEN
    said = capsys.readouterr().out
    assert "F.tif (its pixels are 32-bit numbers: save it with 8 or 16 bits)" in said
    assert "I.tif (its" in said


def test_inks_become_light(tmp_path):
    put(tmp_path / "1.tif", (0, 255, 255, 0), mode="CMYK")
    assert flat(pixels(tmp_path)) == RED


def test_a_photo_is_turned_as_its_camera_says(tmp_path):
    image = Image.new("RGB", (8, 8), RED)
    image.paste(BLUE, (0, 0, 8, 4))  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° to the right
    image.save(tmp_path / "1.png", exif=exif)
    picture = pixels(tmp_path)
    assert flat(picture[:, :, :4]) == RED
    assert flat(picture[:, :, 4:]) == BLUE


def test_other_sizes_are_resized_and_cut_as_torchvision_does(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (23, 41, 3), np.uint8)
    image = Image.fromarray(noise)
    image.save(tmp_path / "1.png")
    steps = [transforms.Resize(8), transforms.CenterCrop(8), transforms.PILToTensor()]
    wanted = transforms.Compose(steps)(image)
    assert torch.equal(pixels(tmp_path).byte(), wanted)
    wide = Image.new("RGB", (24, 8), RED)
    wide.paste(GREEN, (8, 0, 16, 8))
    wide.save(tmp_path / "1.png")
    assert flat(pixels(tmp_path)) == GREEN, "the middle third"
    put(tmp_path / "1.png", BLUE, size=(1, 1))
    assert flat(pixels(tmp_path)) == BLUE, "smaller ones are enlarged"


# ------------------------------------------------------------ what is left out, refused


def test_broken_pictures_are_named_in_one_line_and_left_out(garden, capsys):
    whole = (garden / "tulip" / "0.png").read_bytes()
    (garden / "tulip" / "0.png").write_bytes(whole[: len(whole) // 2])
    (garden / "tulip" / "1.png").write_bytes(b"")
    (garden / "daisy" / "2.png").write_text("a web page")
    law = data.own(garden, 8)
    assert law.y.tolist() == [0] * 5 + [1] * 4
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("garden: left out, as it cannot be read: daisy/2.png (")
    assert "tulip/0.png" in line
    assert "tulip/1.png (no picture that Pillow knows)" in line
    assert str(garden) not in line


def test_many_broken_pictures_are_one_line_and_all_of_them_an_error(tmp_path, capsys):
    for i in range(9):
        (tmp_path / f"{i}.png").write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"no picture in .* can be read: 0.png .*4 more"
    ):
        data.own(tmp_path, 8)
    put(tmp_path / "good.png")
    data.own(tmp_path, 8)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_hidden_files_are_not_looked_at_and_others_are_said(garden, capsys):
    put(garden / ".hidden.png")
    put(garden / ".ipynb_checkpoints" / "1.png")
    (garden / "__MACOSX" / "tulip").mkdir(parents=True)
    (garden / "__MACOSX" / "tulip" / "._0.png").write_bytes(b"\0")
    (garden / "empty").mkdir()
    assert data.own(garden, 8).classes == ("daisy", "tulip")
    assert capsys.readouterr().out == ""
    (garden / "notes.txt").write_text("of the gardener")
    put(garden / "logo.png")
    law = data.own(garden, 8)
    assert (len(law), law.classes) == (12, ("daisy", "tulip"))
    assert capsys.readouterr().out == (
        "garden: left out, as they are no pictures: .txt\n"
        "garden: left out, beside the classes: logo.png\n"
    )


def test_a_folder_without_pictures_says_what_it_holds(tmp_path):
    with pytest.raises(ValueError, match=r"holds no pictures, it is empty: put \.png"):
        data.own(tmp_path)
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.heic").touch()
    with pytest.raises(ValueError, match=r"its files end in \.heic, \.txt: put"):
        data.own(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder /.*nowhere: is its"):
        data.own("nowhere")
    file = put(tmp_path / "1.png")
    with pytest.raises(NotADirectoryError, match=r"1.png is a file.*unpack_archive"):
        data.own(file)
    with pytest.raises(TypeError, match=r"takes the path of a folder.*, not a None"):
        data.own(None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be a positive integer, not 0"),
        ({"size": (8, 8)}, "size must be a positive integer"),
        ({"channels": 4}, "channels 4: choose from 1, 3"),
        ({"split": "val"}, "split 'val': choose from train, test"),
        ({"split": "test"}, "no pictures to test: every fifth"),
    ],
)
def test_other_wishes_are_refused(options, message, tmp_path):
    put(tmp_path / "1.png")
    with pytest.raises(ValueError, match=message):
        data.own(tmp_path, **options)


def test_eight_bit_leaves_what_is_eight_bit_alone():
    noise = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    assert np.array_equal(np.asarray(eight_bit(Image.fromarray(noise), 3)), noise)
