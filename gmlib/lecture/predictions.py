"""Predict, then see: a question before a cell, the answer computed by that cell."""

import html

from gmlib.lecture.page import BOX, GREEN, GREY, named, put

PREDICTION = "application/vnd.gmlib.prediction+json"


class Question:
    """A question that waits for the answer of a run; made by `predict`."""

    def __init__(self, identifier: str, question: str, answers: list[str]) -> None:
        self.identifier, self.question, self.answers = identifier, question, answers

    def reveal(self, answer: str, why: str) -> None:
        """Show the answer, folded, and tell those who chose whether they were right.

        Parameters
        ----------
        answer : str
            One of the answers, chosen by what was computed, never typed.
        why : str
            Why it is so, in a sentence or two of plain text.

        Raises
        ------
        ValueError
            If `answer` is none of the answers, or `why` is empty.
        """
        if answer not in self.answers:
            raise ValueError(f"{answer!r} is none of the answers {self.answers}")
        if not why.strip():
            raise ValueError("say in why what explains the answer")
        name, right = self.identifier, self.answers.index(answer)
        chosen = f"#predict-{name}-{right}:checked"
        missed = f"input[name=predict-{name}]:checked:not(#predict-{name}-{right})"
        # The choice is in the page, not in a script: a rule of style looks at it.
        page = (
            f"<style>#reveal-{name} .gm-hit,#reveal-{name} .gm-miss{{display:none}}"
            f"body:has({chosen}) #reveal-{name} .gm-hit,"
            f"body:has({missed}) #reveal-{name} .gm-miss{{display:inline}}</style>"
            f'<details class="gm-reveal" id="reveal-{name}" '
            f'style="{BOX.format(GREEN)}"><summary>What came out</summary>'
            f"<p><strong>{html.escape(answer)}</strong> "
            '<span class="gm-hit">✓ as you predicted.</span>'
            '<span class="gm-miss">You predicted otherwise.</span></p>'
            f"<p>{html.escape(why)}</p></details>"
        )
        record = {"id": name, "answer": answer}
        put(page, f"What came out: {answer}\n{why}", {PREDICTION: record})


def predict(identifier: str, question: str, answers: list[str]) -> Question:
    """Ask the reader what the next cell will show.

    The cell that shows it calls `Question.reveal`. Works without a script, by keyboard,
    and where a notebook is only read.

    Parameters
    ----------
    identifier : str
        Unique in the course: ``"gan-which-sooner"``.
    question : str
        Plain text, ends with a question mark.
    answers : list of str
        Two to five, all different; what runs show must be among them at every scale.

    Returns
    -------
    Question

    Raises
    ------
    ValueError
        If the id is malformed, or there are not two to five different answers.
    """
    if not 2 <= len(answers) <= 5 or len(set(answers)) < len(answers):
        raise ValueError(f"a question has two to five different answers, not {answers}")
    name = named(identifier)
    choices = "".join(
        f'<div><label><input type="radio" name="predict-{name}" '
        f'id="predict-{name}-{i}"> {html.escape(answer)}</label></div>'
        for i, answer in enumerate(answers)
    )
    page = (
        f'<fieldset class="gm-predict" style="{BOX.format(GREY)}">'
        f"<legend><strong>Predict.</strong> {html.escape(question)}</legend>"
        f"{choices}</fieldset>"
    )
    text = "\n".join([f"Predict. {question}", *(f"  ( ) {a}" for a in answers)])
    record = {"id": name, "question": question, "answers": list(answers)}
    put(page, text, {PREDICTION: record})
    return Question(name, question, list(answers))
