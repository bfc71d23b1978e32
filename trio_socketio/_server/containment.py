"""Errors of the application stop here: nobody pays for them but the socket that they came from.

What passes is what must: a cancellation, also out of a group in which errors stand beside it, and what is not an
``Exception``. That a client has left is no error of whoever was just asking it something.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import trio

from trio_socketio._engine.exceptions import Disconnected
from trio_socketio._exceptions import EventRejected
from trio_socketio._logging import scope_logger, shortened, show_error
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.socket import Socket

_logger = scope_logger("socket")


@final
class Containment:
    """Contains the errors of one socket's handlers.

    Args:
        socket: the socket.
        behaviour: has the error handlers, as of now.
        is_leaving: says whether the socket has ended, or its client is about to.
        patience: seconds that the error handlers may take for one error.
    """

    __slots__ = ("_behaviour", "_is_leaving", "_patience", "_socket", "end_by")

    def __init__(
        self, socket: Socket, behaviour: Callable[[], Behaviour], is_leaving: Callable[[], bool], patience: float
    ) -> None:
        self._socket = socket
        self._behaviour = behaviour
        self._is_leaving = is_leaving
        self._patience = patience
        self.end_by: float = math.inf
        """When all of the socket's last words must be said, once it has ended."""

    async def contain(self, raised: BaseException, event: str, first: Callable[[], None] | None = None) -> None:
        """Report an error, and raise what must go on.

        Args:
            raised: the exception.
            event: where it comes from.
            first: called before it is reported, if it is an error.
        """
        error, rest = _parted(raised)
        if error is not None and not (self._is_leaving() and _is_disconnected(error)):
            if first is not None:
                first()
            await self._report(error, event)
        if rest is not None:
            raise rest

    @trio.lowlevel.disable_ki_protection
    async def _report(self, error: Exception, event: str) -> None:
        _logger.error("%s: error in a handler of %s", self._socket.id, shortened(event), exc_info=error)
        show_error(error, event, self._socket.id)
        # The socket may have ended by this very error: who is told of it must be able to pass it on nevertheless.
        with self.last_words():
            for handler in self._behaviour().error:
                try:
                    await handler(self._socket, error, event)
                except (Exception, BaseExceptionGroup) as raised:
                    failed, rest = _parted(raised)
                    if failed is not None:
                        _logger.exception("%s: error in on_error", self._socket.id, exc_info=failed)
                        show_error(failed, "on_error", self._socket.id)
                    if rest is not None:
                        raise rest from None

    def last_words(self) -> trio.CancelScope:
        """Make the scope for what is said when the socket may have ended: shielded, and short."""
        deadline = min(trio.current_time() + self._patience, self.end_by)
        return trio.CancelScope(shield=True, deadline=deadline)


def rejection_in(raised: BaseException) -> EventRejected | None:
    """Return the rejection of an event, if that is what was raised; a cancellation beside it goes on at once."""
    error, rest = _parted(raised)
    if not isinstance(error, EventRejected):
        return None
    if rest is not None:
        raise rest
    return error


def _parted(raised: BaseException) -> tuple[Exception | None, BaseException | None]:
    """Part the application's errors from what must go on, a cancellation above all: a nursery hands over one group."""
    if not isinstance(raised, BaseExceptionGroup):
        return (raised, None) if isinstance(raised, Exception) else (None, raised)
    errors, rest = raised.split(Exception)
    error: Exception | None = errors
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error, rest


def _is_disconnected(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_disconnected, error.exceptions))
    return isinstance(error, Disconnected)
