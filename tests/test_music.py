"""Melodies: tokens, the law and its numbers, chorales, networks."""

import math
from fractions import Fraction

import pytest
import torch

from gmlib import data, metrics, nets, runtime
from gmlib.data import barred, scores, set_chorales


@pytest.fixture(scope="module")
def law():
    runtime.seed(0)
    return data.melodies()


@pytest.fixture(scope="module")
def tunes(law):
    return law.tunes(400, 3)


# ----------------------------------------------------------------- bars as tokens


def test_tokens_and_what_sounds_are_two_ways_of_writing_a_bar(tunes):
    x, b, _ = tunes.pairs()
    heard = data.sounding(x, b[:, -1])
    assert torch.equal(heard, tunes.sounding[:, 1:].flatten(0, 1))
    assert torch.equal(data.tokens(heard, x > 0), x)
    changed = torch.cat([b[:, -1:], heard], 1).diff(dim=1) != 0
    assert not torch.equal(data.tokens(heard, changed), x), "repeated notes are lost"


@pytest.mark.parametrize("x", [[[0] * 7], [[23] + [0] * 7], [[-1] + [0] * 7]])
def test_what_is_no_bar_is_refused(x):
    with pytest.raises(ValueError, match="x must"):
        data.sounding(torch.tensor(x), torch.tensor([0]))


def test_a_chord_is_a_triad_on_its_root():
    pitch = torch.arange(22)
    for chord, names in ((0, {0, 4, 7}), (7, {7, 11, 2}), (21, {9, 0, 4}), (24, set())):
        inside = data.in_chord(pitch, torch.full_like(pitch, chord))
        assert {int(p) % 12 for p in pitch[inside]} == names


# -------------------------------------------------------------------------- the law


def test_a_tune_has_the_stationary_law_at_each_bar_line(law, tunes):
    often = torch.bincount(tunes.sounding[:, -1, -1], minlength=22) / len(tunes.chords)
    expected = law.stationary.sum(1)
    assert (often - expected).abs().max() < 4 * math.sqrt(0.25 / len(tunes.chords))
    moved = law.stationary.flatten() @ law.bar_matrix()
    assert torch.allclose(moved, law.stationary.flatten(), atol=1e-12)


def test_the_entropy_is_the_mean_of_minus_log_p(law, tunes):
    log_p = law.log_prob(tunes.pairs())
    error = log_p.std() / math.sqrt(len(log_p))
    assert abs(-log_p.mean() - law.entropy()) < 4 * error


def test_the_probabilities_of_all_next_tokens_sum_to_one(law, tunes):
    x, b, h = (part[:1].expand(23, -1).clone() for part in tunes.pairs())
    x[:, 7] = torch.arange(23)
    seven = law.log_prob(data.Bars(x, b, h))
    x[:, 6] = 0
    assert seven.exp().sum() < 1
    x, b, h = (part[:1].expand(23**2, -1).clone() for part in tunes.pairs())
    x[:, 6:] = torch.cartesian_prod(torch.arange(23), torch.arange(23))
    law_of_two = law.log_prob(data.Bars(x, b, h)).double()
    x[:, 6:] = 0
    rest = law.table[b[0, -1], h[0, 0], 0, x[0, 0]].log()
    for s in range(1, 6):
        r = data.sounding(x[:1], b[:1, -1])[0, s - 1]
        rest = rest + law.table[r, h[0, s // 2], s % 4, x[0, s]].log()
    assert law_of_two.logsumexp(0).item() == pytest.approx(rest.item(), abs=1e-9)


def test_a_table_of_counts_comes_back_from_many_draws(law):
    runtime.seed(1)
    bars = law.tunes(20_000, 2).pairs()
    counts = data.count_steps(bars)
    assert counts.sum() == 8 * len(bars.x)
    q = data.StepLaw(data.smoothed(counts))
    often = counts.sum(3) > 800
    far = (q.table[often] - law.table[often]).abs().sum(-1)
    assert often.sum() > 5
    assert far.max() < 0.25
    with pytest.raises(ValueError, match="must be a law"):
        data.StepLaw(2 * law.table)


# --------------------------------------------------------------- from score to bars

SCORE = """<score-partwise><part-list>{names}</part-list>{parts}</score-partwise>"""
NOTE = "<note>{pitch}<duration>{length}</duration>{tie}</note>"
PITCH = "<pitch><step>{}</step><octave>{}</octave></pitch>"


def written(voices, fifths=0, beats=4):
    """A score of one bar; a voice is a list of (step, octave, eighths)."""
    head = (
        f"<attributes><divisions>2</divisions><key><fifths>{fifths}</fifths></key>"
        f"<time><beats>{beats}</beats><beat-type>4</beat-type></time></attributes>"
    )
    parts, names = "", ""
    for k, (name, notes) in enumerate(voices.items()):
        names += f'<score-part id="P{k}"><part-name>{name}</part-name></score-part>'
        body = "".join(
            NOTE.format(pitch=PITCH.format(s, o) if s else "<rest/>", length=n, tie="")
            for s, o, n in notes
        )
        parts += f'<part id="P{k}"><measure number="1">{head}{body}</measure></part>'
    return SCORE.format(names=names, parts=parts)


CHORALE = {
    "Soprano": [("C", 5, 2), ("D", 5, 1), ("D", 5, 1), (None, 0, 2), ("G", 4, 2)],
    "Alto": [("E", 4, 4), ("G", 4, 4)],
    "Tenor": [("G", 3, 8)],
    "Bass": [("C", 3, 4), ("E", 3, 4)],
}


def test_a_bar_is_read_from_a_score(tmp_path):
    path = tmp_path / "c.xml"
    path.write_text(written(CHORALE))
    (run,) = barred.phrases(scores.voices(path))
    assert run.tokens == [[13, 0, 15, 15, 0, 0, 8, 0]]
    assert run.sounding == [[12, 12, 14, 14, 14, 14, 7, 7]]
    assert run.chords[0][0] == 0


def test_a_bar_is_moved_to_the_key_without_signs(tmp_path):
    path = tmp_path / "d.xml"
    path.write_text(written(CHORALE, fifths=2))
    (run,) = barred.phrases(scores.voices(path))
    assert run.tokens[0][0] == 13 - 2
    assert run.chords[0][0] == 10


@pytest.mark.parametrize(
    "change",
    [{"beats": 3}, {"voices": {"Piano": CHORALE["Soprano"]}},
     {"voices": CHORALE | {"Soprano": [("C", 6, 8)]}},
     {"voices": CHORALE | {"Soprano": [(None, 0, 8)]}}],
    ids=["in three", "no voices", "too high", "silent"],
)  # fmt: skip
def test_what_is_no_bar_of_a_chorale_is_left_out(tmp_path, change):
    path = tmp_path / "e.xml"
    path.write_text(written(**({"voices": CHORALE} | change)))
    assert barred.phrases(scores.voices(path)) == []


def test_two_parts_of_a_bar_become_one():
    def part(quarters, pitch):
        notes = [scores.Note(Fraction(0), Fraction(quarters), pitch, False)]
        return scores.Measure(notes, 0, (4, 4))

    voices = {name: [part(3, 72), part(1, 74)] for name in barred.FOUR}
    (run,) = barred.phrases(voices)
    assert run.tokens == [[13, 0, 0, 0, 0, 0, 15, 0]]


def test_chorales_on_one_tune_stay_together():
    def piece(*tokens):
        return [barred.Phrase([list(tokens)], [], [])]

    up, down = range(1, 15), range(20, 6, -1)
    read = {"a": piece(*up), "b": piece(9, *up), "c": piece(*down)}
    assert set_chorales.by_tune(read) == [["a", "b"], ["c"]]


def test_without_music21_the_reader_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(set_chorales, "find_spec", lambda name: None)
    with pytest.raises(data.Unavailable, match=r"not installed: .*data\.melodies"):
        data.chorales()


# ------------------------------------------------------------------------- networks


@pytest.fixture(scope="module")
def bars(tunes):
    return nets.one_hot_bars(*tunes.pairs())


def test_the_soft_roll_of_sharp_tokens_is_what_sounds(tunes, bars):
    x, b, _ = bars
    heard = nets.roll(x, b[:, -1]).argmax(2)
    assert torch.equal(heard, tunes.sounding[:, 1:].flatten(0, 1))
    soft = nets.roll(x.mean(0, keepdim=True), b.mean(0, keepdim=True)[:, -1])
    assert torch.allclose(soft.sum(2), torch.ones(1, 8))


def test_a_blind_discriminator_does_not_see_the_bar_before(bars):
    x, b, h = bars
    for sees in (True, False):
        T = nets.BarDiscriminator(sees, width=8)
        t, other = T(x, b, h), T(x, b.flip(0), h)
        assert t.shape == (len(x),)
        assert torch.equal(t, other) != sees
        assert not torch.equal(t, T(x, b, h.flip(0)))


def test_an_autoregressive_network_does_not_see_ahead(bars):
    x, b, h = (part[:2] for part in bars)
    q = nets.NextNote(width=8).eval()
    first = q(x, b, h)
    for s in range(8):
        changed = x.clone()
        changed[:, s:] = x[:, s:].roll(1, 2)
        assert torch.allclose(q(changed, b, h)[:, : s + 1], first[:, : s + 1])
    for step in range(8):
        other = x.clone()
        other[:, step] = x[:, step].roll(1, 1)
        later = q(other, b, h)[:, step + 1 :]
        assert step == 7 or not torch.equal(later, first[:, step + 1 :])


@pytest.mark.parametrize("net", [nets.BarGenerator, nets.NextNote])
def test_a_network_draws_bars(net, tunes):
    _, b, h = tunes.pairs()
    with torch.no_grad():
        x = net(width=8).eval().draw(b, h)
    assert x.shape == (len(b), 8)
    assert 0 <= x.min() <= x.max() <= 22
    with pytest.raises(ValueError, match="width must be a positive integer"):
        net(width=0)


def test_a_generator_uses_all_that_it_is_given(bars):
    G = nets.BarGenerator(4, 8).eval()
    _, b, h = bars
    z = torch.randn(len(b), 4)
    logits = G(z, b, h)
    assert logits.shape == (len(b), 8, 23)
    for other in (G(z.flip(0), b, h), G(z, b.flip(0), h), G(z, b, h.flip(0))):
        assert not torch.equal(logits, other)


# --------------------------------------------------------------------------- scores


def test_a_model_goes_on_from_its_own_bars(tunes):
    def same_again(b, h):
        return data.tokens(b, torch.ones_like(b, dtype=torch.bool))

    made = metrics.continued(same_again, tunes)
    assert torch.equal(made.sounding[:, 2], tunes.sounding[:, 0])
    found = metrics.melody_scores(made, tunes)
    assert found.begun == 8
    assert found.repeated > 0.49, "the second bar after the first has its tokens"
    silent = metrics.continued(lambda b, h: torch.zeros_like(b), tunes)
    assert metrics.melody_scores(silent, tunes).empty == 1


def test_the_right_law_scores_as_the_data_and_another_does_not(law, tunes):
    own = metrics.melody_scores(metrics.continued(law.draw, tunes), tunes)
    data_ = metrics.melody_scores(tunes, tunes)
    assert data_.pitches == data_.intervals == 0
    assert abs(own.jump - data_.jump) < 0.4
    assert own.intervals < 0.1

    def wild(b, h):
        return torch.randint(23, b.shape)

    far = metrics.melody_scores(metrics.continued(wild, tunes), tunes)
    assert far.intervals > 0.3
    assert far.in_chord < own.in_chord - 0.2
    with pytest.raises(ValueError, match="at least two bars"):
        metrics.melody_scores(data.Tune(*(p[:, :1] for p in tunes)), tunes)


def test_a_listener_tells_what_differs_and_nothing_else(law, tunes):
    others = law.tunes(400, 3)
    same = metrics.listener_accuracy(metrics.continued(law.draw, tunes), others)
    n = 2 * 2 * 200
    assert abs(same - 0.5) < 4 * math.sqrt(0.25 / n) * 1.5
    held = metrics.continued(lambda b, h: torch.zeros_like(b), tunes)
    assert metrics.listener_accuracy(held, others) > 0.95
    with pytest.raises(ValueError, match="as many tunes"):
        metrics.listener_accuracy(tunes, data.Tune(*(p[:9] for p in tunes)))
