"""What goes wrong in the application while the kit runs its server: noted, for the test to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, final

from trio_socketio._logging import error_witness

MOST_ERRORS = 1000
"""Errors that are noted; further ones are only logged."""


@final
class ServerError(NamedTuple):
    """An error of the application's that the server has contained."""

    socket_id: str
    """The socket that it was for; empty if it was for none, as in ``allow_request``."""
    event: str
    """The event, ``"connection"``, ``"disconnect"``, ``"middleware"``, or the hook's name."""
    exception: BaseException
    """What was raised."""


@contextmanager
def collecting(errors: list[ServerError]) -> Iterator[None]:
    """Note the errors of all servers that are begun inside the block, for as long as they run."""

    def note(socket_id: str, event: str, exception: BaseException) -> None:
        if len(errors) < MOST_ERRORS:
            errors.append(ServerError(socket_id, event, exception))

    token = error_witness.set(note)
    try:
        yield
    finally:
        error_witness.reset(token)
