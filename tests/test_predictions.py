"""Predict, then see: a question, and the answer that a later cell has computed."""

import re

import pytest
from bs4 import BeautifulSoup

from gmlib.lecture import PREDICTION, page, predict

ANSWERS = ["the slow one", "the fast one", "<neither>"]


@pytest.fixture
def shown(monkeypatch):
    bundles = []
    monkeypatch.setattr(page, "display", lambda d, raw=False: bundles.append(d))
    return bundles


def test_a_question_is_asked_and_answered(shown):
    predict("which-learns", "Which learns & why?", ANSWERS).reveal(
        ANSWERS[2], "Because x < y."
    )
    asked, told = (BeautifulSoup(b["text/html"], "html.parser") for b in shown)
    assert "Which learns & why?" in asked.legend.text
    assert [label.text.strip() for label in asked.select("label")] == ANSWERS
    assert told.details.summary
    assert "Because x < y." in told.details.text
    question, answer = (b[PREDICTION] for b in shown)
    assert question["answers"] == ANSWERS
    assert answer == {"id": "which-learns", "answer": "<neither>"}
    assert "( ) the fast one" in shown[0]["text/plain"]
    assert "What came out: <neither>" in shown[1]["text/plain"]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (["one"], "two to five"),
        (["one", "one"], "different"),
        (list("abcdef"), "two to five"),
    ],
)
def test_a_question_has_some_answers(answers, words, shown):
    with pytest.raises(ValueError, match=words):
        predict("which", "Which?", answers)


def test_an_answer_is_one_of_those_offered_and_explained(shown):
    question = predict("which", "Which?", ["a", "b"])
    with pytest.raises(ValueError, match=re.escape("'c' is none of the answers")):
        question.reveal("c", "so")
    with pytest.raises(ValueError, match="why"):
        question.reveal("a", " ")
    with pytest.raises(ValueError, match="lower-case"):
        predict("Which one", "Which?", ["a", "b"])


@pytest.mark.parametrize(("key", "seen"), [(1, ".gm-hit"), (0, ".gm-miss")])
def test_a_choice_is_compared_without_a_script(shown, browser, key, seen):
    """By keyboard, in a page that may run no script at all."""
    predict("which", "Which?", ["a", "b"]).reveal(["a", "b"][key], "so it is")
    tab = browser.new_context(java_script_enabled=False).new_page()
    tab.set_content("".join(b["text/html"] for b in shown))
    tab.locator("summary").click()
    verdicts = [tab.locator(".gm-hit"), tab.locator(".gm-miss")]
    assert not any(v.is_visible() for v in verdicts)
    tab.locator("input").first.focus()
    tab.keyboard.press("ArrowDown")
    assert tab.locator("input").nth(1).is_checked()
    assert [v.is_visible() for v in verdicts] == [seen == ".gm-hit", key == 0]
    tab.context.close()
