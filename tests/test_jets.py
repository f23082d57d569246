"""Jets: the mass and its symmetries, the tool that makes them, what is read of them."""

import csv
from itertools import combinations
from math import cos, cosh, pi

import jet_events
import make_jets
import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from gmlib import data, metrics, nets
from gmlib.data import set_jets, shelf


def random_jets(n=20, m=6):
    torch.manual_seed(0)
    pt = torch.rand(n, m).double() * 100
    eta, phi = torch.randn(2, n, m).double() * 0.5
    return pt, eta, phi


# ------------------------------------------------------------------------ observables


def test_the_mass_is_that_of_all_pairs():
    pt, eta, phi = random_jets()
    for found, p, e, f in zip(
        metrics.jet_mass(pt, eta, phi), pt, eta, phi, strict=True
    ):
        square = sum(
            2 * p[i] * p[j] * (cosh(e[i] - e[j]) - cos(f[i] - f[j]))
            for i, j in combinations(range(len(p)), 2)
        )
        assert found.item() == pytest.approx(square**0.5, rel=1e-9)


def test_the_mass_knows_no_origin_and_is_homogeneous_but_turning_changes_it():
    pt, eta, phi = random_jets()
    m = metrics.jet_mass(pt, eta, phi)
    torch.testing.assert_close(metrics.jet_mass(3 * pt, eta + 1, phi - 2), 3 * m)
    other = metrics.jet_mass(pt, phi, -eta)  # by a right angle
    assert (other - m).abs().max() > 1


def test_subjettiness_is_the_least_over_axes_among_particles():
    pt, eta, phi = random_jets(n=70, m=5)
    one, two = metrics.subjettiness(pt, eta, phi)
    x = torch.stack([eta, phi], 2)
    far = torch.cdist(x, x)
    for k in range(70):
        total = pt[k].sum()
        alone = min((far[k, a] @ pt[k]).item() for a in range(5))
        pairs = (
            torch.minimum(far[k, a], far[k, b]) for a, b in combinations(range(5), 2)
        )
        assert one[k].item() == pytest.approx(alone / total, rel=1e-9)
        assert two[k].item() == pytest.approx(
            min((d @ pt[k]).item() for d in pairs) / total, rel=1e-9
        )
    turned = metrics.subjettiness(pt, phi, -eta)  # distances do not change
    torch.testing.assert_close(torch.stack(turned), torch.stack([one, two]))


def test_two_pixels_have_the_mass_momentum_and_prongs_of_two_particles():
    x = torch.zeros(2, 1, 25, 25)
    x[0, 0, 12, 12], x[0, 0, 12, 18] = 100.0, 50.0  # beside: 6 pixels in η
    x[1, 0, 12, 12], x[1, 0, 18, 12] = 100.0, 50.0  # below: 6 pixels in φ
    found = metrics.jet_observables(x)
    expected = [(2 * 5000 * (cosh(0.6) - 1)) ** 0.5, (2 * 5000 * (1 - cos(0.6))) ** 0.5]
    assert found.mass.tolist() == pytest.approx(expected, rel=1e-5)
    assert found.pt[0].item() == pytest.approx(150)
    assert found.pt[1] < 149
    assert found.tau21.tolist() == pytest.approx([0, 0], abs=1e-9)
    assert found.pixels.tolist() == [2, 2]
    assert found.hardest.tolist() == pytest.approx([2 / 3] * 2)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 3, 25, 25), r"\(n, 1, size, size\), not"),
        (torch.full((1, 1, 5, 5), -1.0), "not negative"),
        (torch.full((1, 1, 5, 5), torch.nan), "finite"),
    ],
)
def test_what_is_no_picture_of_a_jet_is_refused(x, words):
    with pytest.raises(ValueError, match=words):
        metrics.jet_observables(x)
    with pytest.raises(ValueError, match="one shape"):
        metrics.jet_mass([1.0], [0.0, 0.0], [0.0])


def test_an_empty_picture_has_no_prongs_and_no_mass():
    found = metrics.jet_observables(torch.zeros(1, 1, 25, 25))
    assert [v.item() for v in found] == [0, 0, 0, 0, 0]


# --------------------------------------------------------------------------- networks


def as_local(layer, conv):
    """Give a local layer the kernel of a convolution at every place."""
    o, i, k, _ = conv.weight.shape
    kernel = conv.weight.permute(2, 3, 1, 0).reshape(1, k * k * i, o)
    places = layer.out**2
    layer.weight.data = kernel.expand(places, -1, -1).clone()
    layer.bias.data = conv.bias.expand(places, 1, o).clone()


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (5, 2, 2), (2, 1, 0)]
)
def test_a_local_layer_with_one_kernel_is_a_convolution(kernel, stride, padding):
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(2, 3, kernel, stride, padding)
    layer = nets.LocallyConnected2d(2, 3, 9, kernel, stride, padding)
    as_local(layer, conv)
    x, y = (torch.randn(4, 2, 9, 9) for _ in range(2))
    x.requires_grad_()
    torch.testing.assert_close(layer(x), conv(x))
    slopes = [torch.autograd.grad(f(x).square().sum(), x)[0] for f in (layer, conv)]
    torch.testing.assert_close(*slopes)
    layer.weight.data[layer.out**2 // 2] += 1  # one kernel at one place
    assert not torch.allclose(
        layer(y), conv2d(y, conv.weight, conv.bias, stride, padding)
    )


def test_a_local_layer_has_a_kernel_a_place_and_refuses_what_does_not_fit():
    assert nets.count(nets.LocallyConnected2d(8, 6, 14, 5, padding=2)) == 196 * (
        200 * 6 + 6
    )
    with pytest.raises(ValueError, match="does not fit"):
        nets.LocallyConnected2d(1, 1, 3, 5)


@pytest.mark.parametrize("local", [True, False])
def test_the_networks_of_jets_fit_together(local):
    G, T = nets.lagan_generator(5, local=local), nets.lagan_features(local=local)
    x = G(torch.randn(3, 5))
    assert x.shape == (3, 1, 25, 25)
    assert T(x.relu()).shape == (3, 92 if local else 308)


# ------------------------------------------------------------------- the tool, its file


def made_up(n, k):
    """A block as the tool keeps it, of n jets."""
    rng = np.random.default_rng(k)
    own = [np.column_stack([rng.uniform(1, 50, 4), rng.normal(0, 0.3, (4, 2))])
           for _ in range(n)]  # fmt: skip
    pictures = np.stack([jet_events.picture(p) for p in own])
    row, place = np.nonzero(pictures)
    steps = np.concatenate(own) / [set_jets.UNIT, set_jets.FINE, set_jets.FINE]
    return {
        "counts": np.bincount(row, minlength=n).astype(np.uint16),
        "places": place.astype(np.uint16),
        "values": pictures[row, place],
        "truth": np.full((n, 8), 100 * k, np.uint16),
        "particle_counts": np.full(n, 4, np.uint16),
        "particles": np.rint(steps).astype(np.int32),
        "made": np.array([1.0, 2.0 * n]),
    }


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Files of three blocks a class, of which the last is to test."""
    blocks = {"QCD": [made_up(5, k) for k in (1, 2, 3)],
              "W": [made_up(5, k) for k in (4, 5, 6)]}  # fmt: skip
    arrays = make_jets.joined(blocks, 1)
    for file, of_file in zip(set_jets.FILES, arrays, strict=True):
        make_jets.save(tmp_path / file, of_file)
    monkeypatch.setattr(shelf, "PLACE", tmp_path)
    set_jets._stored.cache_clear()
    yield blocks, arrays, tmp_path
    set_jets._stored.cache_clear()


def test_what_the_tool_writes_is_what_a_lecture_reads(small):
    blocks, _, _ = small
    train, test = data.jets("train"), data.jets("test")
    assert (len(train), len(test)) == (20, 10)
    assert test.y.tolist() == 5 * [0] + 5 * [1]
    assert test.truth.mass.tolist() == pytest.approx(5 * [3.0] + 5 * [6.0])
    assert test.truth.tau21.tolist() == pytest.approx(5 * [0.03] + 5 * [0.06])
    block = blocks["W"][2]
    assert test.x[5:].sum().item() == pytest.approx(
        block["values"].sum() * 0.01, rel=1e-6
    )
    lit = (test.x[5:] > 0).flatten(1).sum(1)
    assert lit.tolist() == block["counts"].tolist()
    particles = data.jet_particles()
    assert particles.pt.shape == (10, 4)
    assert particles.y.tolist() == test.y.tolist()
    first = block["particles"][:4] * [0.01, 1e-4, 1e-4]
    found = torch.stack([particles.pt[5], particles.eta[5], particles.phi[5]], 1)
    np.testing.assert_allclose(found, first)
    assert set(data.used()) >= set(set_jets.FILES)


def test_the_card_gets_numbers_and_hashes(small):
    card = (shelf.PACKAGE.parent / "data/jets.md").read_text("utf8")
    text = make_jets.written(card, small[1])
    (small[2] / "jets.md").write_text(text, "utf8")
    found = data.card("jets")
    assert (found.fields["train"], found.fields["test"]) == ("20", "10")
    data.jets("test")
    for file in set_jets.FILES:
        assert data.used()[file] == found.contents[file].sha256


def test_the_same_arrays_make_the_same_file(small, tmp_path):
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for path in paths:
        make_jets.save(path, small[1][0])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_without_the_file_it_is_said_who_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(shelf, "PLACE", tmp_path)
    set_jets._stored.cache_clear()
    with pytest.raises(data.Unavailable, match=r"tools/make_jets\.py makes it"):
        data.jets()


def test_a_jet_is_turned_with_its_second_subjet_below():
    seen = np.array(
        [[100.0, 0, 0], [50.0, 0.3, 0.4], [5.0, -0.1, 0.2], [9.0, 0.3, 0.1]]
    )
    upright = jet_events.turned(seen, np.array([0.3, 0.4]))
    np.testing.assert_allclose(upright[1, 1:], [0, -0.5], atol=1e-12)
    lengths = [np.hypot(p[:, 1], p[:, 2]) for p in (seen, upright)]
    np.testing.assert_allclose(*lengths)
    x = jet_events.picture(upright).reshape(25, 25)
    assert x[12, 12] == 10_000
    assert x[17, 12] == 5_000


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("core", [-0.04, 0.04])
def test_the_harder_side_is_right_wherever_the_core_lies_in_its_pixel(side, core):
    seen = np.array([[200.0, core, 0], [9.0, 0.3 * side, 0], [5.0, -0.3 * side, 0.2]])
    x = jet_events.picture(seen).reshape(25, 25)
    assert x[12, 15] == 900
    assert x[10, 9] == 500
    assert x[12, 12] == 20_000


def test_cells_keep_the_energy_and_are_massless():
    rng = np.random.default_rng(0)
    eta, phi, pt = (
        rng.normal(0, 1, 30),
        rng.uniform(0, 2 * pi, 30),
        rng.exponential(5, 30),
    )
    x = [pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)]
    p = np.stack([*x, np.sqrt((np.stack(x) ** 2).sum(0) + 0.14**2)], 1)
    cells, cell = jet_events.cells_of(p)
    assert len(cell) == 30
    assert cells[:, 3].sum() == pytest.approx(p[:, 3].sum())
    np.testing.assert_allclose((cells[:, :3] ** 2).sum(1), cells[:, 3] ** 2)
    near = jet_events.places(cells[cell])
    assert np.abs(near[1] - eta).max() <= 0.05 + 1e-9
    assert abs(jet_events.around(7.0) - (7 - 2 * pi)) < 1e-12


def test_fifty_simulated_jets_resume_and_are_the_same_again(tmp_path, capsys):
    for package in ("pythia8mc", "fastjet"):
        pytest.importorskip(package)
    command = ["--jets", "25", "--blocks", "1", "--scratch", str(tmp_path / "blocks")]
    command += ["--to", str(tmp_path / "jets")]
    make_jets.main([*command, "--only", "W"])
    assert "1 blocks are still to be made" in capsys.readouterr().out
    make_jets.main(command)
    assert "W_25_00.npz\n" not in capsys.readouterr().out
    block = dict(np.load(tmp_path / "blocks/W_25_00.npz"))
    again = make_jets.block("W", 0, 25)
    for name in set(block) - {"made"}:
        np.testing.assert_array_equal(block[name], again[name])
    mass, pt = block["truth"][:, 0] / 100, block["truth"][:, 5] / 100
    assert 65 < np.median(mass) < 95
    assert (pt > 250).all()
    assert (pt < 300).all()
    with open(tmp_path / "jets/speed.csv", encoding="utf8") as stream:
        assert len(list(csv.DictReader(stream))) == 4
