"""What the kit raises can be caught as what it is, and says what happened."""

from __future__ import annotations

from trio_socketio import SocketIOError
from trio_socketio.testing import ExpectationFailed, HandshakeFailed, HTTPAnswer


def test_a_failed_expectation_is_an_assertion():
    assert issubclass(ExpectationFailed, AssertionError)


def test_a_failed_handshake_has_the_answer_and_shows_the_beginning_of_it():
    answer = HTTPAnswer(status=400, headers={}, body=b"x" * 1000)
    failure = HandshakeFailed("GET /", answer)
    assert isinstance(failure, SocketIOError)
    assert failure.answer is answer
    assert str(failure) == f"GET / was answered with 400: {'x' * 200}"
