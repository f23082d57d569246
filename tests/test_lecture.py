"""What a lecture says: verdicts that can fail, pictures that can be read aloud."""

import json
import math

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup

from gmlib import lecture, plot, runtime
from gmlib.lecture import CHECK, CLAIM, ClaimFailed, page


@pytest.fixture
def shown(monkeypatch):
    """Collect what is displayed."""
    bundles = []
    monkeypatch.setattr(page, "display", lambda d, raw=False: bundles.append(d))
    return bundles


def test_begin_seeds_and_reports():
    run = lecture.begin("smoke", 4)
    first = torch.rand(1)
    lecture.begin("smoke", 4)
    assert torch.equal(torch.rand(1), first)
    assert (run.scale, run.seed, run.device.type) == ("smoke", 4, "cpu")
    assert run.checkpoint("vae") is None


def test_checkpoints_of_other_scales_and_seeds_do_not_meet(monkeypatch, tmp_path):
    monkeypatch.setenv("GMLIB_CHECKPOINTS", str(tmp_path))
    names = {
        lecture.begin(scale, seed).checkpoint("vae").name
        for scale in ("smoke", "cpu") for seed in (0, 1)
    }  # fmt: skip
    assert len(names) == 4


def test_a_true_claim_shows_its_numbers_to_people_and_machines(shown):
    lecture.claim(
        "gap-is-kl", "The gap is < KL & more.", np.bool_(True),
        measured={"gap": torch.tensor(0.25), "list": np.array([1.0, 2.0])},
        expected=0.25, tolerance=1e-6,
    )  # fmt: skip
    record = shown[0][CLAIM]
    assert record["verdict"] == "holds"
    assert record["measured"] == {"gap": 0.25, "list": [1.0, 2.0]}
    json.dumps(record)
    soup = BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert "The gap is < KL & more." in soup.text
    assert "gap 0.25" in soup.text
    assert soup.div["class"] == ["gm-claim", "gm-holds"]
    assert shown[0]["text/plain"].startswith("✓ Claim (math) holds")


def test_a_claim_says_where_it_was_recorded_and_what_is_infinite(shown):
    lecture.claim(
        "x", "KL is infinite.", True, measured=[math.inf, -math.inf, -0.0],
        recorded="gan_seeds",
    )  # fmt: skip
    record = json.loads(json.dumps(shown[0][CLAIM], allow_nan=False))
    assert record["measured"] == ["∞", "−∞", 0.0]
    assert record["recorded"] == "gan_seeds"
    assert "[∞, −∞, 0]" in shown[0]["text/plain"]
    assert "recorded in data/results/gan_seeds.csv" in shown[0]["text/html"]


@pytest.mark.parametrize("scale", ["smoke", "cpu", "gpu"])
def test_a_false_mathematical_claim_stops_the_lecture_at_every_scale(shown, scale):
    runtime.set_scale(scale)
    with pytest.raises(ClaimFailed, match="does not hold"):
        lecture.claim("x", "One is two.", False, measured=1, expected=2)
    assert shown[0][CLAIM]["verdict"] == "fails"  # shown before it stops


@pytest.mark.parametrize(
    ("scale", "verdict"), [("smoke", "unjudged"), ("cpu", "fails"), ("gpu", "fails")]
)
def test_a_false_empirical_claim_is_shown_from_cpu_up(shown, scale, verdict):
    runtime.set_scale(scale)
    lecture.claim("x", "A beats B.", False, measured=1.0, kind="empirical", seeds=3)
    assert shown[0][CLAIM]["verdict"] == verdict
    assert "3 seeds" in shown[0]["text/plain"]


def test_claims_are_well_formed():
    with pytest.raises(TypeError, match="holds is a bool"):
        lecture.claim("x", "s", 1, measured=1)
    with pytest.raises(ValueError, match="joined by hyphens"):
        lecture.claim("Not An Id", "s", True, measured=1)
    with pytest.raises(ValueError, match="math or empirical"):
        lecture.claim("x", "s", True, measured=1, kind="guess")


@pytest.mark.parametrize(
    ("scale", "seeds", "refused"),
    [("smoke", None, False), ("cpu", None, True), ("cpu", 2, True), ("cpu", 3, False)],
)
def test_an_empirical_claim_says_its_seeds(shown, scale, seeds, refused):
    runtime.set_scale(scale)
    claim = {"measured": 1.0, "kind": "empirical", "seeds": seeds}
    if refused:
        with pytest.raises(ValueError, match="the empirical claim x rests on"):
            lecture.claim("x", "A beats B.", True, **claim)
    else:
        lecture.claim("x", "A beats B.", True, **claim)


def test_an_empirical_claim_may_say_why_one_seed_suffices(shown):
    runtime.set_scale("cpu")
    words = "a thousand draws are one measurement"
    lecture.claim("x", "It is so.", True, measured=1, kind="empirical", why_one=words)
    assert f"one suffices: {words}" in shown[0]["text/plain"]


TESTS = [("doubles one", lambda f: f(1) == 2), ("doubles two", lambda f: f(2) == 4)]


def test_a_starter_is_open_and_says_what_is_missing(shown):
    for answer in (lambda x: ..., None, lambda x: 2):
        lecture.check("ex-double", answer, TESTS)
    assert [len(b[CHECK]["wrong"]) for b in shown] == [2, 2, 1]
    assert shown[2][CHECK]["wrong"] == ["doubles two"]


def test_a_body_of_dots_is_not_accused_of_errors(shown):
    def untouched(x):
        """With or without words."""
        ...

    needs_a_tensor = [("has a shape", lambda f: f(1).shape == ())]
    lecture.check("ex-double", untouched, needs_a_tensor)
    assert shown[0][CHECK]["wrong"] == ["has a shape"]


def test_an_answer_that_raises_is_told_how(shown):
    lecture.check("ex-double", lambda x: x / 0, TESTS)
    assert "ZeroDivisionError" in shown[0]["text/plain"]


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (0.75, 0.5, "is right: expected 0.5, got 0.75"),
        (0.50001, 0.5, None),
        (float("nan"), 0.5, "is right: expected 0.5, got nan"),
        (torch.tensor([0.5]), 0.5, None),
        (3.1421, 3.14159, "is right: expected 3.14159, got 3.1421"),
        ("W", "W", None),
        (True, False, "is right: expected False, got True"),
        ([1.0, 3.0], [1.0, 2.0], "is right: expected [1, 2], got [1, 3]"),
        (torch.zeros(2), torch.zeros(3), "expected the shape (3,), got (2,)"),
        (
            torch.eye(3),
            torch.eye(3) * torch.tensor([1.0, -2.0, 1.0]),
            "expected −2, got 1 at place 4 of 9, where they differ most",
        ),
        ("no number", 1.0, "TypeError"),
    ],
)
def test_a_check_shows_what_it_expected_and_what_it_got(shown, answer, expected, words):
    lecture.check("ex-x", lambda: answer, [("is right", lambda f: f(), expected)])
    wrong = shown[0][CHECK]["wrong"]
    assert wrong == [] if words is None else words in wrong[0]


def test_a_check_may_be_more_or_less_strict(shown):
    for tolerance in (1e-6, 1e-2):
        test = ("is near one", lambda x: x, 1.0, tolerance)
        lecture.check("ex-x", 1.001, [test])
    assert [b[CHECK]["passed"] for b in shown] == [False, True]


def test_a_solution_must_pass(shown):
    lecture.check("ex-double", lambda x: 2 * x, TESTS, solution=True)
    assert shown[0][CHECK] == {
        "id": "ex-double", "solution": True, "passed": True, "wrong": [], "tests": 2
    }  # fmt: skip
    with pytest.raises(ClaimFailed, match="solution of ex-double"):
        lecture.check("ex-double", lambda x: x, TESTS, solution=True)
    with pytest.raises(ValueError, match="cannot fail"):
        lecture.check("ex-double", lambda x: x, [])


def test_a_figure_needs_words(shown):
    fig, ax = plot.new()
    ax.plot([0, 1])
    with pytest.raises(ValueError, match="say in alt"):
        lecture.show(fig, alt="  ")
    lecture.show(fig, alt='a "rising" line', caption="up & up")
    image = BeautifulSoup(shown[0]["text/html"], "html.parser").img
    assert image["alt"] == 'a "rising" line'
    assert image["src"].startswith("data:image/webp;base64,")
    assert "rising" in shown[0]["text/plain"]
    lecture.show(np.zeros((4, 4)), alt="black", enlarge=3)
    assert 'width="12"' in shown[1]["text/html"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([5.0, 27.0, 17.0], "16 ± 11"),
        ([0.0540, 0.0543, 0.0537], "0.0540 ± 0.0003"),
        ([-1.0, -1.5, -2.0], "−1.5 ± 0.5"),
        ([90.0, 102.4, 91.0], "94 ± 7"),
        ([8, 8, 8], "8 ± 0"),
        ([0.999, 1.0, 1.001], "1.0000 ± 0.0010"),
        ([3.25], "3.25"),
    ],
)
def test_a_mean_and_its_spread(values, text):
    assert lecture.mean_std(values).replace("\u00a0", " ") == text


def test_a_table_has_headers_and_caption(shown):
    lecture.table([["VAE", -86.7612], ["<b>", 3]], ["model", "log p"], "Two models.")
    soup = BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert [th["scope"] for th in soup.find_all("th")] == ["col", "col", "row", "row"]
    assert soup.caption.text == "Two models."
    assert soup.find_all("td")[0].text == "−86.76"
    assert soup.find_all("th")[3].text == "<b>"
    with pytest.raises(ValueError, match="needs 2 cells"):
        lecture.table([["x"]], ["a", "b"], "c")


def test_say_is_markdown(shown):
    lecture.say(f"It is **{1 / 3:.2f}**.")
    assert shown[0].data == "It is **0.33**."
