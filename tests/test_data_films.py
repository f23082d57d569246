"""Moving digits: the law of their moves, and what is known of the next frame."""

import math

import pytest
import torch

from gmlib import data, runtime


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.0])
def test_a_direction_is_kept_as_often_as_the_law_says(turn):
    runtime.seed(1)
    n = 4_000
    moves = data.moving_digits(past=3, future=2, turn=turn, size=28).sample_pairs((n,))[
        2
    ]
    assert moves.shape == (n, 4)
    first = torch.bincount(moves[:, 0], minlength=4)
    assert (first - n / 4).abs().max() < 4 * math.sqrt(n * 3 / 16)
    kept = (moves[:, 1:] == moves[:, :-1]).double().mean(0)
    p = 1 - turn + turn / 4
    assert (kept - p).abs().max() <= 4 * math.sqrt(p * (1 - p) / n)


def test_the_future_is_one_of_the_four_and_the_one_that_was_drawn():
    law = data.moving_digits(turn=0.5)
    past, future, moves = law.sample_pairs((50,))
    each = torch.arange(50)
    assert torch.equal(law.futures(past)[each, moves[:, -1]], future[:, 0])
    chance = law.chances(past)
    assert torch.allclose(chance.sum(1), torch.ones(50))
    assert torch.equal(chance.argmax(1), moves[:, 0])
    assert torch.allclose(chance.amax(1), torch.tensor(0.625))


def test_a_move_right_is_a_move_right():
    law = data.MovingDigits(data.Empirical(torch.eye(3)[None, None]), size=9, step=2)
    past = torch.zeros(1, 1, 9, 9)
    past[0, 0, 4, 8] = 1
    places = [frame.nonzero()[0].tolist() for frame in law.futures(past)[0]]
    assert places == [[4, 1], [2, 8], [4, 6], [6, 8]]  # right leaves, and comes in


def test_a_film_shows_one_digit_whole():
    past, future = data.moving_digits(past=2, future=3).sample((20,))
    ink = torch.cat([past, future], 1).sum((2, 3))
    assert torch.allclose(ink, ink[:, :1].expand_as(ink), rtol=1e-5)


def test_digits_start_anywhere():
    runtime.seed(2)
    past, _ = data.moving_digits().sample((3_000,))
    mean = past.mean((0, 1))
    assert mean.std() / mean.mean() < 0.05  # on a torus no place is another


@pytest.mark.parametrize("turn", [0.0, 0.5, 1.0])
def test_the_mean_has_the_least_squared_error(turn):
    runtime.seed(3)
    law = data.moving_digits(turn=turn)
    past, future = law.sample((2_000,))
    mean = law.mean(past)
    least = (mean - future).square().mean()
    # E|x − m|² over the four futures, by their chances
    spread = (law.futures(past) - mean).square().mean((2, 3))
    expected = (law.chances(past) * spread).sum(1).mean()
    assert torch.isclose(least, expected, rtol=0.05, atol=1e-9)
    assert (turn == 0) == (least < 1e-9)
    for other in (past[:, -1:], law.futures(past)[:, :1], mean.clamp(0.1)):
        assert (other - future).square().mean() > least


def test_one_frame_says_nothing_of_the_direction():
    law = data.moving_digits(past=1, turn=0.0)
    past, _ = law.sample((3,))
    assert torch.equal(law.chances(past), torch.full((3, 4), 0.25))


def test_the_two_parts_have_other_digits():
    runtime.seed(4)
    films = [data.moving_digits(split).images.x for split in ("train", "test")]
    assert len(films[0]) != len(films[1])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"past": 0}, "past must be a positive integer"),
        ({"future": 1.5}, "future must be a positive integer"),
        ({"turn": 1.2}, "at most 1"),
        ({"turn": -1}, "turn must be"),
        ({"size": 20}, "fit frames of 20"),
        ({"step": 16}, "less than half a frame"),
    ],
)
def test_a_wrong_argument_is_named(more, message):
    with pytest.raises(ValueError, match=message):
        data.moving_digits(**more)


def test_frames_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"past must have shape \(n, n, 32, 32\)"):
        data.moving_digits().futures(torch.zeros(2, 1, 28, 28))
