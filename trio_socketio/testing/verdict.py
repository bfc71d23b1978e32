"""What the pytest plugin says about a test when the test is over: texts, in the words of whoever reads them."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import final

from trio_socketio.testing.errors import ServerError
from trio_socketio.testing.failures import ExpectationFailed
from trio_socketio.testing.leftovers import Leftovers
from trio_socketio.testing.memory_server import MemoryServer

OURS = {"trio", "trio_socketio", "outcome"}
"""Packages whose frames say nothing about an application's error, as long as they stand above its own."""

HOW_TO_EXPECT = "A test that expects this takes it out: socketio_server.errors.pop(), or .clear()."

HOW_TO_END = "A test ends what it has begun, or says that it does not: @pytest.mark.socketio_leftovers."


@final
class Watch:
    """Looks after one test's server; the hooks ask it what there is to say.

    Each thing is told once: what was told when the test function was over is not told again after its fixtures.
    """

    def __init__(self) -> None:
        self.has_passed: bool = False
        """The test function is over, and nothing was told of it."""
        self.server: MemoryServer | None = None
        self.client_errors: list[Exception] = []
        self.leftovers: Leftovers = Leftovers()

    def take(self) -> dict[str, str]:
        """Return what is to be told by now, by its title, and forget it."""
        told: dict[str, str] = {}
        if self.server is not None and self.server.errors:
            told["Socket.IO errors"] = shown_errors(self.server.errors)
            self.server.errors.clear()
        if self.client_errors:
            told["Socket.IO client errors"] = shown_client_errors(self.client_errors)
            self.client_errors.clear()
        if self.leftovers:
            told["Socket.IO leftovers"] = f"{self.leftovers}\n\n{HOW_TO_END}"
            self.leftovers = Leftovers()
        return told


def shown_errors(errors: Sequence[ServerError]) -> str:
    """Tell errors of a server's handlers, middlewares and hooks, each with the application's part of its traceback."""
    return "\n".join([*(_shown_error(error) for error in errors), HOW_TO_EXPECT])


def _shown_error(error: ServerError) -> str:
    name = type(error.exception).__name__
    whom = f" (socket {error.socket_id})" if error.socket_id else ""
    return f"the server's {error.event!r} raised {name}: {error.exception}{whom}\n\n{application_part(error.exception)}"


def shown_client_errors(errors: Sequence[Exception]) -> str:
    """Tell errors that have ended clients."""
    return "\n".join(
        f"a client ended with {type(error).__name__}: {error}\n\n{application_part(error)}" for error in errors
    )


def application_part(error: BaseException) -> str:
    """Format a traceback without the frames of ours and Trio's that stand above the application's."""
    frames = error.__traceback__
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    lines = traceback.TracebackException(type(error), error, frames or error.__traceback__).format()
    return "".join(lines)


def end_in_the_test(error: ExpectationFailed) -> ExpectationFailed:
    """Take the kit's frames off the traceback: what a test has expected in vain is told by its own line."""
    last, frames = None, error.__traceback__
    while frames is not None:
        if not _is_ours(frames):
            last = frames
        frames = frames.tb_next
    if last is not None:
        last.tb_next = None
    return error


def _is_ours(frames: TracebackType) -> bool:
    module: str = frames.tb_frame.f_globals.get("__name__", "")
    return module.partition(".")[0] in OURS
