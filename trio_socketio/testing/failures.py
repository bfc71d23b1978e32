"""What the kit raises, each with a sentence that says what happened and what to do."""

from __future__ import annotations

from trio_socketio._exceptions import SocketIOError
from trio_socketio.testing.http_answer import HTTPAnswer


class ExpectationFailed(AssertionError):  # noqa: N818 - it is an assertion, and reads as one in a report
    """What a test waits for did not come; the message says what came instead."""


class HandshakeFailed(SocketIOError):  # noqa: N818 - a state, as Disconnected
    """The server answered a request with an error, and opened no session.

    Args:
        request: what was asked for.
        answer: what came.
    """

    def __init__(self, request: str, answer: HTTPAnswer) -> None:
        super().__init__(f"{request} was answered with {answer.status}: {answer.text[:200]}")
        self.answer = answer
        """The server's answer."""
