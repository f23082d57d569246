"""One contract for all data sets and laws: each is what its card says.

A data set that is only to be had from the network is held to its card where
`GMLIB_DATA` or the cache has it, and by tiny archives everywhere.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import fake_archives
import pytest
import torch

from gmlib import data, runtime
from gmlib.data import registry, set_fashion_mnist, set_mnist, shelf
from gmlib.data.cards import DRAWN, FIELDS, NONE, Card, read_card, tables

NOT_CARDS = {"README", "judges", "published", "results"}
N = 256


# ------------------------------------------------------------------ the contract


def faults(one, card):
    """What a data set does that its card does not say, a list of sentences."""
    found = [f"kind {one.kind!r}"] if one.kind != card.fields["kind"] else []
    laws = {split: one.split(split) for split in registry.SPLITS}
    for split, law in laws.items():
        found += [f"{split}: {fault}" for fault in faults_of_a_split(law, card, split)]
    finite = [split for split in laws if card.fields[split] != DRAWN]
    if len(finite) == 2:
        samples = [parts(sampled(law))[1] for law in laws.values()]
        if all(torch.equal(*pair) for pair in zip(*samples, strict=True)):
            found.append("both splits are the same data")
    if finite and not card.contents:
        found.append("the card states no content")
    for name, content in card.contents.items():
        if data.used().get(name) != content.sha256:
            found.append(f"{name} is {data.used().get(name)}, not {content.sha256}")
    return found


def faults_of_a_split(law, card, split):
    said = card.fields[split]
    if said != DRAWN and len(law) != int(re.sub(r"\s", "", said)):
        yield f"{len(law)} points, not {said}"
    names, tensors = parts(sampled(law))
    if names is None:
        yield "sample gives a bare tuple"
        return
    if set(names) != set(card.parts("shape")):
        yield f"sample has the parts {names}"
        return
    for name, x in zip(names, tensors, strict=True):
        yield from faults_of_a_tensor(name, x, card)
    yield from faults_of_pairs(law, card, tensors[0].shape)


def sampled(law):
    runtime.seed(1)
    return law.sample((N,))


def parts(sample):
    """The names and the tensors of a sample; names None: a bare tuple."""
    if torch.is_tensor(sample):
        return [""], [sample]
    return getattr(sample, "_fields", None), list(sample)


def of_part(card, field, name):
    """What a card says of one part; a field without names says it of all."""
    said = card.parts(field)
    return said.get(name, said.get(""))


def faults_of_a_tensor(name, x, card):
    shape = of_part(card, "shape", name)
    if tuple(x.shape) != (N, *map(int, shape.split("×"))):
        yield f"{name} of shape {tuple(x.shape)}, not n × {shape}"
    if str(x.dtype) != f"torch.{of_part(card, 'dtype', name)}":
        yield f"{name} of {x.dtype}"
    if not torch.isfinite(x).all():
        yield f"{name} is not finite"
    said = of_part(card, "range", name)
    if said == "reals":
        return
    low, high = (float(end.replace("−", "-")) for end in said.split(" to "))
    near = (high - low) / 20  # both ends are reached, or the range is another
    if not (low <= x.min() <= low + near and high - near <= x.max() <= high):
        yield f"{name} from {x.min():g} to {x.max():g}, not {said}"


def faults_of_pairs(law, card, shape):
    if card.fields["pairs"] == NONE:
        if hasattr(law, "sample_pairs"):
            yield "it has pairs, which the card does not say"
        return
    pairs = law.sample_pairs((N,))
    names = getattr(pairs, "_fields", None)
    if names is None:
        yield "sample_pairs gives a bare tuple"
    elif ", ".join(names) != card.fields["pairs"]:
        yield f"pairs of {', '.join(names)}, not of {card.fields['pairs']}"
    if pairs[0].shape != shape or any(len(part) != N for part in pairs):
        yield f"pairs of shapes {[tuple(part.shape) for part in pairs]}"


# ------------------------------------------------------------ who is held to it


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setenv("GMLIB_MIRRORS", "")


@pytest.mark.parametrize("name", registry.SETS)
def test_a_data_set_is_what_its_card_says(name):
    try:
        registry.load(name, "train")
    except data.Unavailable:
        pytest.skip(f"{name} is not here")
    assert faults(registry.SETS[name], data.card(name)) == []


@pytest.mark.parametrize("name", registry.SETS)
def test_a_card_is_whole_and_another_split_is_refused(name):
    assert set(data.card(name).fields) >= set(FIELDS)
    with pytest.raises(ValueError, match="split 'validation': choose from train, test"):
        registry.load(name, "validation")


def test_every_card_belongs_to_a_data_set():
    columns = {}
    for path in data.folder().glob("*.md"):
        heads = [head for head, _ in tables(path.read_text("utf8"))]
        names = [name for head in heads if head[0] == "field" for name in head[1:]]
        assert bool(names) == (path.stem not in NOT_CARDS), path
        columns |= dict.fromkeys(names, path.stem)
    assert columns == {name: one.card for name, one in registry.SETS.items()}


def test_every_file_of_a_data_set_declares_one():
    files = {p.stem[4:] for p in Path(registry.__file__).parent.glob("set_*.py")}
    assert files <= set(registry.SETS)
    assert all(registry.SETS[name].card == name for name in files)


def test_a_name_is_taken_once_and_an_unknown_one_is_refused():
    with pytest.raises(ValueError, match="two data sets 'ring'"):
        registry.declare("ring", "law", lambda split: data.ring())
    for ask in (data.load, data.card):
        with pytest.raises(ValueError, match=r"data set 'rings': choose from .*ring"):
            ask("rings")


@pytest.mark.parametrize("ours", [set_mnist, set_fashion_mnist])
def test_the_cards_quote_the_archives_that_are_checked(ours):
    name = ours.__name__.rpartition("set_")[2]
    prefix = ours.ARCHIVES.name
    contents = {f"{prefix}/{f}": c for f, c in ours.ARCHIVES.contents.items()}
    assert data.card(name).contents == contents
    text = (data.folder() / f"{name}.md").read_text("utf8")
    assert all(mirror in text for mirror in ours.ARCHIVES.mirrors)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The data set `mnist` and its card, as it would be with four tiny archives."""
    card = data.card("mnist")
    fake_archives.enter(monkeypatch, tmp_path)
    fake_archives.lay_out(tmp_path / "local")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    contents = {f"MNIST/{file}": c for file, c in fake_archives.FACTS.items()}
    fields = card.fields | {"train": "6", "test": "3"}
    return registry.SETS["mnist"], Card("mnist", fields, contents)


def test_archives_are_held_to_the_contract_without_the_real_ones(tiny):
    one, card = tiny
    assert faults(one, card) == []
    for file in card.contents:
        wrong = card.contents | {file: card.contents[file]._replace(sha256="0" * 64)}
        (fault,) = faults(one, card._replace(contents=wrong))
        assert file in fault
    (fault,) = faults(one, card._replace(fields=card.fields | {"train": "7"}))
    assert "6 points" in fault


# ------------------------------------------------------- the contract can be broken


class Two(NamedTuple):
    line: torch.Tensor
    colour: torch.Tensor


class Changed:
    """The digits, with something done to their samples."""

    def __init__(self, split, sample=None, pairs=None):
        self.law, self._sample, self._pairs = data.digits(split), sample, pairs

    def __len__(self):
        return len(self.law)

    def sample(self, shape):
        x = self.law.sample(shape)
        return x if self._sample is None else self._sample(x)

    def sample_pairs(self, shape):
        x, y = self.law.sample_pairs(shape)
        return data.Labelled(x, y) if self._pairs is None else self._pairs(x, y)


MUTATIONS = {
    "as it is": ({}, None),
    "too wide": ({"sample": lambda x: 255 * x}, "to 255, not 0 to 1"),
    "in tanh's range": ({"sample": data.to_tanh}, "from -1 to 1"),
    "too narrow": ({"sample": lambda x: x / 2}, "to 0.5, not 0 to 1"),
    "not a number": ({"sample": lambda x: x / x}, "not finite"),
    "in other pixels": ({"sample": lambda x: x[..., ::2, ::2]}, "(256, 1, 14, 14)"),
    "in double": ({"sample": lambda x: x.double()}, "torch.float64"),
    "a bare tuple": ({"sample": lambda x: (x, x)}, "sample gives a bare tuple"),
    "in two parts": ({"sample": lambda x: Two(x, x)}, "the parts"),
    "bare pairs": ({"pairs": lambda x, y: (x, y)}, "sample_pairs gives a bare tuple"),
    "pairs of other names": ({"pairs": Two}, "pairs of line, colour, not of x, y"),
    "labels that are lost": ({"pairs": lambda x, y: data.Labelled(x, y[1:])}, "(255,)"),
}


@pytest.mark.parametrize(("change", "fault"), MUTATIONS.values(), ids=MUTATIONS)
def test_a_data_set_that_is_not_what_its_card_says_is_caught(change, fault):
    one = replace(registry.SETS["digits"], split=lambda split: Changed(split, **change))
    found = faults(one, data.card("digits"))
    assert (fault is None) == (not found), found
    assert fault is None or any(fault in line for line in found), found


def test_splits_kinds_and_contents_are_looked_at(monkeypatch):
    one, card = registry.SETS["digits"], data.card("digits")
    twice = replace(one, split=lambda split: data.digits("train"))
    assert {"both splits are the same data", "test: 1442 points, not 355"} <= set(
        faults(twice, card)
    )
    assert faults(replace(one, kind="law"), card) == ["kind 'law'"]
    assert faults(one, card._replace(contents={})) == ["the card states no content"]
    monkeypatch.setattr(shelf, "_used", {})
    shelf.remember("digits", b"other pixels")
    (fault,) = faults(one, card)
    assert "digits is" in fault
    assert card.contents["digits"].sha256 in fault


def test_a_sample_of_named_parts_is_held_to_each_of_them():
    fields = data.card("digits").fields | {
        "shape": "line: 1 × 28 × 28; colour: 3 × 28 × 28",
        "range": "line: 0 to 1; colour: −1 to 1",
    }
    card = data.card("digits")._replace(fields=fields)

    def pair(x, scale=1.0):
        return Two(x, scale * data.to_tanh(x.expand(-1, 3, -1, -1)))

    one = replace(registry.SETS["digits"], split=lambda split: Changed(split, pair))
    assert faults(one, card) == []
    dim = replace(one, split=lambda split: Changed(split, lambda x: pair(x, 0.5)))
    assert faults(dim, card)[0] == "train: colour from -0.5 to 0.5, not −1 to 1"


def test_pairs_that_a_card_does_not_say_are_caught():
    card = data.card("digits")
    silent = card._replace(fields=card.fields | {"pairs": NONE})
    assert "train: it has pairs, which the card does not say" in faults(
        registry.SETS["digits"], silent
    )


@pytest.mark.parametrize("field", FIELDS)
def test_a_card_without_a_field_is_caught(tmp_path, field):
    text = (data.folder() / "digits.md").read_text("utf8")
    card = tmp_path / "digits.md"
    card.write_text(re.sub(rf"(?m)^\| {field} \|.*\n", "", text), "utf8")
    with pytest.raises(ValueError, match=f"digits.md lacks, of digits: {field}"):
        read_card(card, "digits")


def test_a_card_that_is_not_there_or_of_something_else_is_caught(tmp_path):
    with pytest.raises(ValueError, match=r"icons has no card icons\.md"):
        read_card(tmp_path / "icons.md", "icons")
    with pytest.raises(ValueError, match=r"mnist\.md has no table .* `icons`"):
        read_card(data.folder() / "mnist.md", "icons")
