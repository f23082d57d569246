"""The pictures for the lectures on real images: pairs, tones, captions, maps, films."""

import csv
import math
from collections import Counter

import make_icons
import numpy as np
import pytest
import sheets as tool
import torch
from notebooks import ROOT
from torch.nn.functional import avg_pool2d

from gmlib import data, runtime
from gmlib.data import (
    registry,
    set_captions,
    set_earth,
    set_photographs,
    sheets,
    vendors,
)
from gmlib.data.set_tones import TONES

NEW = ("drawings", "tones", "icons", "captions", "earth", "photographs")
SKINS = ("fadcbc", "debb90", "c19a65", "a57939", "6a462f")
FOLDERS = ("icons", "earth", "photographs")


def loaded(name, split="train", **more):
    return getattr(data, name)(split, **more)


# ------------------------------------------------------------ files, licences, credit


def test_all_of_it_is_small():
    files = [p for f in FOLDERS for p in (ROOT / "data" / f).rglob("*") if p.is_file()]
    assert sum(path.stat().st_size for path in files) < 6.5e6


def test_a_licence_lies_beside_every_picture():
    for folder in FOLDERS:
        for path in (ROOT / "data" / folder).rglob("*.webp"):
            assert len((path.parent / "LICENSE.txt").read_text("utf8")) > 500


def test_a_share_alike_folder_holds_nothing_else_and_says_so():
    text = (ROOT / "data/icons/openmoji/LICENSE.txt").read_text("utf8")
    assert text.startswith("Attribution-ShareAlike 4.0 International")
    for vendor in ("twemoji", "noto", "fluent"):
        text = (ROOT / f"data/icons/{vendor}/LICENSE.txt").read_text("utf8")
        assert "ShareAlike" not in text
    for name in ("drawings", "tones", "icons", "captions"):
        card = data.card(name)
        assert "CC BY-SA 4.0" in card.fields["licence"]
        assert "OpenMoji" in card.fields["credit"]
        assert loaded(name).credit == card.fields["credit"]


def test_every_photograph_has_its_photographer():
    text = (ROOT / "data/photographs/LICENSE.txt").read_text("utf8")
    for name in set_photographs.NAMES:
        assert text.count(f"{name}") >= 2  # under its licence, and by its package
    assert data.card("photographs").fields["credit"] == set_photographs.CREDIT
    assert data.card("earth").fields["credit"] == set_earth.CREDIT


def test_nothing_is_left_to_the_default_device():
    for cache in (
        vendors.listed,
        vendors.drawn,
        set_earth.tiles,
        set_photographs.patches,
    ):
        cache.cache_clear()
    with torch.device("meta"):
        for name in (*NEW, "moving_digits"):
            sample = loaded(name).sample((3,))
            parts = [sample] if torch.is_tensor(sample) else sample
            assert {part.device.type for part in parts} == {"cpu"}


@pytest.mark.parametrize("name", NEW)
def test_no_picture_is_in_both_splits(name):
    """Nor one half of a pair; of `tones`, all pictures of one drawing go together."""
    found = []
    for split in registry.SPLITS:
        law = loaded(name, split)
        parts = [law.x] if name == "photographs" else law.parts
        x = parts[1] if name in ("drawings", "tones", "earth") else parts[0]
        found.append({one.numpy().tobytes() for one in x})
    assert not found[0] & found[1]


@pytest.mark.parametrize("name", NEW)
def test_smaller_pictures_are_the_means_of_blocks(name):
    def first(**more):
        law = loaded(name, "test", **more)
        return law.x[:20] if name == "photographs" else law.parts[0][:20]

    whole, half = first(), first(size=16)
    if name == "captions":  # which are tinted after
        assert half.shape[-1] == 16
    else:
        means = avg_pool2d(whole, whole.shape[-1] // 16)
        # rounded to bytes, of OpenMoji's icons twice
        assert (means - half).abs().max() <= 1.01 / 255
    with pytest.raises(ValueError, match=r"size must be one of .*16"):
        first(size=20)


# ------------------------------------------------------------------- rows that belong


def test_rows_stay_together_and_every_one_is_drawn():
    x = torch.arange(6, dtype=torch.uint8).view(6, 1)
    law = data.Aligned("six", data.Drawing(x, 10 * x))
    line, colour = law.sample((400,))
    assert torch.allclose(10 * line, colour)
    assert len(line.unique()) == 6
    assert torch.equal(law.parts.line, x / 255)
    assert torch.equal(law.rows([3]).colour, torch.tensor([[30 / 255]]))
    assert repr(law) == "Aligned(six: 6 of line (1,), colour (1,))"


def test_a_part_alone_and_several_of_them_are_laws_with_labels():
    law = data.icons("test")
    both = law.part("noto", "fluent")
    assert torch.equal(both.x, torch.cat([law.parts.noto, law.parts.fluent]))
    assert torch.equal(both.y, law.y.repeat(2))
    assert len(law.part("noto").only("food-drink")) == int((law.y == 3).sum())
    with pytest.raises(ValueError, match="part of icons 'apple': choose from openmoji"):
        law.part("apple")
    with pytest.raises(ValueError, match="name a part of icons"):
        law.part()


@pytest.mark.parametrize("more", [{"names": ["a"]}, {"y": torch.zeros(2)}])
def test_rows_of_different_lengths_are_refused(more):
    x = torch.zeros(3, 1)
    with pytest.raises(ValueError, match="must have one length"):
        data.Aligned("three", data.Drawing(x, x), **more)
    with pytest.raises(ValueError, match="must have one length"):
        data.Aligned("none", data.Drawing(x[:0], x[:0]))


# ----------------------------------------------------------------- lines and colours


def ink(x, below):
    return (x < below).all(1)


def test_line_and_colour_lie_on_each_other():
    """Where the line is black the drawing is dark, and not so of another drawing."""
    line, colour = data.drawings("test").parts
    black = ink(line, 0.2)
    dark = ink(colour, 0.4)
    mine = (dark & black).sum() / black.sum()
    other = (dark.roll(1, 0) & black).sum() / black.sum()
    assert mine > 0.9
    assert other < 0.4
    shifted = (dark.roll(2, 2) & black).sum() / black.sum()
    assert shifted < mine - 0.2


def test_no_line_drawing_is_empty():
    for split in registry.SPLITS:
        assert (data.drawings(split).parts.line.amin((1, 2, 3)) < 0.5).all()


def test_the_vendors_draw_the_same_thing():
    """The same code point looks more alike than another, in coarse colours."""
    law = data.icons("test", size=8)
    whole = [part.flatten(1) for part in law.parts]
    for a in range(4):
        for b in range(a):
            apart = torch.cdist(whole[a], whole[b])
            right = (apart.argmin(1) == torch.arange(len(law))).float().mean()
            assert right > 0.1, (a, b)  # by chance .006


def test_twins_are_in_one_part():
    assert make_icons.thing("woman judge") == make_icons.thing("man judge") == "judge"
    assert make_icons.thing("two-thirty") == make_icons.thing("six o’clock")
    for table in ("icons", "tones"):
        with open(ROOT / f"data/icons/openmoji/{table}.csv", encoding="utf8") as stream:
            rows = list(csv.DictReader(stream))
        assert all(row["split"] == make_icons.split(row["name"]) for row in rows)
        assert len({row["code"] for row in rows}) == len(rows)
        assert set(Counter(row["group"] for row in rows)) <= set(vendors.GROUPS)


def test_names_and_groups_belong_to_the_rows():
    law = data.drawings("test")
    assert len(law.names) == len(law) == len(law.y)
    assert law.classes[law.y[law.names.index("penguin")]] == "animals-nature"
    assert law.names == data.icons("test").names


# -------------------------------------------------------------------- tones, captions


def test_five_colours_of_one_line_are_known():
    law = data.tones("test", size=32)
    line, colour = law.parts
    assert torch.equal(law.lines.repeat_interleave(5, 0), line)
    assert torch.equal(law.answers.flatten(0, 1), colour)
    answers = law.answers.flatten(2)
    for i in range(5):
        for j in range(i):
            assert (answers[:, i] != answers[:, j]).any(1).all(), (i, j)
    assert (answers[:, 4].mean(1) < answers[:, 0].mean(1)).all()


def test_the_five_skins_of_a_hand_are_those_of_openmoji():
    law = data.tones("test")
    hand = (law.answers[law.names.index("palm up hand, light skin") // 5] * 255).byte()
    for picture, skin in zip(hand, SKINS, strict=True):
        colours = Counter(map(tuple, picture.flatten(1).T.tolist()))
        assert tuple(bytes.fromhex(skin)) in dict(colours.most_common(3))


def test_tones_are_drawn_equally_often_whatever_the_line():
    law = data.tones("train", size=8)
    runtime.seed(0)
    n = 10_000
    pairs = law.sample_pairs((n,))
    counts = torch.bincount(pairs.tone, minlength=5)
    assert (counts - n / 5).abs().max() < 4 * math.sqrt(n * 0.16)
    i = torch.tensor([law.names[k].endswith("dark skin") for k in range(5)])
    assert i.tolist() == [False, False, False, True, True]
    assert tuple(n.rpartition(", ")[2][:-5] for n in law.names[:5]) == TONES


def test_the_distance_says_which_tone_was_met():
    law = data.tones("test", size=16)
    rows = torch.tensor([0, 7, 13])
    noisy = law.rows(rows).colour + 0.01
    apart = law.distances(rows // 5, noisy)
    assert torch.equal(apart.argmin(1), rows % 5)
    assert torch.allclose(apart.amin(1), torch.tensor(1e-4), atol=1e-6)


def test_captions_are_held_out_together_but_not_apart():
    seen = {split: set(data.captions(split).names) for split in registry.SPLITS}
    assert (len(seen["train"]), len(seen["test"])) == (104, 24)
    assert not seen["train"] & seen["test"]
    for place, least in ((0, 3), (1, 1)):
        words = Counter(caption.split()[place] for caption in seen["test"])
        assert min(words.values()) == least
        assert set(words) <= {c.split()[place] for c in seen["train"]}


def test_a_caption_says_the_colour_and_the_thing():
    law = data.captions("train")
    x, caption = law.parts
    assert data.words(caption) == list(law.names)
    assert torch.equal(caption[:, 1] - 8, law.y)
    rgb = torch.tensor(list(set_captions.COLOURS.values()))
    ink = (x.amin(1, keepdim=True) < 0.9) & (x.amax(1, keepdim=True) > 0.2)
    mean = (x * ink).sum((2, 3)) / ink.sum((2, 3)).clamp(min=1)
    met = torch.cdist(mean, rgb).argmin(1)
    assert (met == caption[:, 0]).float().mean() > 0.9
    with pytest.raises(ValueError, match="numbers from 0 to 23"):
        data.words(torch.tensor([[0, 24]]))


# ----------------------------------------------------------------- maps, photographs


def test_relief_and_photograph_are_in_register():
    """Sea on the map is sea on the photograph, and not a few pixels further."""
    relief, photo = data.earth("test").parts
    sea = relief[:, 2] > relief[:, 0] + 0.2
    dark = (photo[:, 2] > photo[:, 0] + 0.05) & (photo.mean(1) < 0.4)

    def agree(a, b):
        return (a == b).float().mean()

    here = agree(sea, dark)
    assert here > 0.9
    assert agree(sea.roll(4, 2), dark) < here - 0.01
    assert agree(sea.roll(1, 0), dark) < here - 0.01


def test_no_pixel_of_the_earth_is_in_both_parts():
    """Blocks are whole: the tiles of a part tell which, and no tile crosses one."""
    assert set_earth.BLOCK % set_earth.STEP == 0
    assert set_earth.BLOCK >= set_earth.SIZE
    shape = sheets.read("earth/relief.webp").shape
    assert all(side % set_earth.BLOCK == 0 for side in shape[1:])


def test_a_photograph_is_in_one_part_and_its_patches_hold_detail():
    train, test = data.photographs("train"), data.photographs("test")
    assert not set(train.classes) & set(test.classes)
    assert len(train.classes) + len(test.classes) == 15
    assert data.photograph("brook").shape == (3, 341, 512)
    with pytest.raises(ValueError, match="photograph 'moon': choose from astronaut"):
        data.photograph("moon")
    grey = test.x.mean(1, keepdim=True)
    coarse = avg_pool2d(grey, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    fine = (grey - coarse).square().mean((1, 2, 3)).sqrt() * 255
    assert fine.min() > set_photographs.CONTRAST - 0.01


# --------------------------------------------------------------- the tools' own parts


def test_a_sheet_is_cut_as_it_was_laid(monkeypatch, tmp_path):
    chance = np.random.default_rng(0)
    pictures = chance.integers(0, 256, (43, 4, 4, 3), np.uint8)
    monkeypatch.setattr(sheets.shelf, "PLACE", tmp_path)
    tool.save(tool.sheet(pictures), tmp_path / "sheet.webp")
    again = sheets.cut("sheet.webp", 43)
    assert np.array_equal(again.permute(0, 2, 3, 1), pictures)
    assert tool.COLUMNS == sheets.COLUMNS
    half = tool.means(pictures, 2).transpose(0, 3, 1, 2)
    assert np.array_equal(sheets.smaller(again, 2), half)


def test_few_levels_are_near_and_keep_black_and_white():
    every = np.arange(256, dtype=np.uint8)
    few = make_icons.levels(every)
    assert len(set(few.tolist())) == 64
    assert (few[0], few[-1]) == (0, 255)
    assert np.abs(few.astype(int) - every).max() <= 4


def test_what_a_tool_lacks_is_said(tmp_path):
    with pytest.raises(SystemExit, match="no openmoji in"):
        make_icons.Packages(tmp_path)
    with pytest.raises(SystemExit, match="pip install what-is-not-there"):
        tool.needed("what_is_not_there", "what-is-not-there")
