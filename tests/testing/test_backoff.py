"""The waits between two attempts: by the official client's rule, and the same for the same seed."""

from __future__ import annotations

import pytest

from trio_socketio.testing import Backoff
from trio_socketio.testing.backoff import Waits


def waits(count, **options):
    sequence = Waits(Backoff(**options))
    return [sequence.next() for _ in range(count)]


def test_without_jitter_they_double_up_to_the_longest():
    assert waits(5, jitter=0) == [1, 2, 4, 5, 5]
    assert waits(3, jitter=0, first=0.1, factor=3, longest=0.5) == pytest.approx([0.1, 0.3, 0.5])


def test_jitter_is_half_of_it_either_way_but_never_beyond_the_longest():
    for seed in range(200):
        first, second, third, fourth = waits(4, seed=seed)
        assert 0.5 <= first <= 1.5
        assert 1 <= second <= 3
        assert 2 <= third <= 5
        assert 4 <= fourth <= 5
    assert len({waits(1, seed=seed)[0] for seed in range(50)}) == 50


def test_a_seed_makes_them_the_same():
    assert waits(9, seed=7) == waits(9, seed=7)


def test_they_begin_anew():
    sequence = Waits(Backoff(jitter=0))
    sequence.next()
    sequence.next()
    assert sequence.attempts == 2
    sequence.reset()
    assert (sequence.attempts, sequence.next()) == (0, 1)


def test_very_many_attempts():
    assert waits(2000, jitter=0)[-1] == 5
    assert waits(2000, jitter=0, longest=2**30)[-1] == 2**30


@pytest.mark.parametrize(
    "options",
    [
        {"first": -1},
        {"longest": float("inf")},
        {"factor": 0.5},
        {"jitter": -0.1},
        {"jitter": 1.5},
        {"first": "1"},
        {"first": True},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match=f"Backoff.{next(iter(options))}="):
        Backoff(**options)
