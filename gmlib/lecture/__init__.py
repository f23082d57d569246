"""What a lecture cell says to its reader: claims, figures, sentences, checks.

Every output carries HTML for the page, plain text for a terminal, and, for
claims and checks, JSON for the machines that keep the book honest.
"""

from gmlib.lecture.claims import CLAIM, ClaimFailed, claim
from gmlib.lecture.exercises import CHECK, check
from gmlib.lecture.opening import Run, begin
from gmlib.lecture.page import say
from gmlib.lecture.predictions import PREDICTION, Question, predict
from gmlib.lecture.shown import mean_std, show, table
from gmlib.runtime import by_scale

__all__ = [
    "CHECK",
    "CLAIM",
    "PREDICTION",
    "ClaimFailed",
    "Question",
    "Run",
    "begin",
    "by_scale",
    "check",
    "claim",
    "mean_std",
    "predict",
    "say",
    "show",
    "table",
]
