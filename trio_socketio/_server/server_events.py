"""Events between the servers of a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, final

import trio

from trio_socketio._logging import scope_logger, shortened, show_error
from trio_socketio._socket.signature import is_async

_logger = scope_logger("namespace")

RESERVED = frozenset({"connect", "connection", "new_namespace"})
"""Names that mean something else to servers of the reference."""


def check_server_event(name: object) -> None:
    """Refuse what can't be the name of an event between servers.

    Raises:
        TypeError: not text.
        ValueError: reserved.
    """
    if not isinstance(name, str):
        msg = f"an event's name is text, not {name!r}"
        raise TypeError(msg)
    if name in RESERVED:
        msg = f"{name!r} is reserved between servers: choose another event name"
        raise ValueError(msg)


@final
class ServerEvents:
    """Which function of this server handles which event of other ones.

    Args:
        inherited: those of the namespace's family, for events that it has none for.
    """

    __slots__ = ("_handlers", "_inherited")

    def __init__(self, inherited: ServerEvents | None = None) -> None:
        self._handlers: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._inherited = inherited

    def add(self, name: str, function: Callable[..., Awaitable[Any]]) -> None:
        """Register a handler.

        Raises:
            TypeError: not an async function, or the name is not text.
            ValueError: the name is reserved, or has a handler already.
        """
        check_server_event(name)
        if not is_async(function):
            msg = f"{function!r} is not an async function: write 'async def handler(*args)'"
            raise TypeError(msg)
        if name in self._handlers:
            msg = f"the event {name!r} has a handler already: {self._handlers[name]!r}"
            raise ValueError(msg)
        self._handlers[name] = function

    def find(self, name: str) -> Callable[..., Awaitable[Any]] | None:
        """Return the handler of an event."""
        handler = self._handlers.get(name)
        if handler is None and self._inherited is not None:
            return self._inherited.find(name)
        return handler

    async def handle(self, args: Sequence[Any]) -> Sequence[Any]:
        """Handle an event; an error is logged, and answers nothing."""
        await trio.lowlevel.checkpoint()
        name, *rest = args
        handler = self.find(name)
        if handler is None:
            return ()
        try:
            result = await handler(*rest)
        except Exception as error:
            _logger.exception("error in a handler of the server's event %s", shortened(name))
            show_error(error, name)
            return ()
        return result if isinstance(result, tuple) else () if result is None else (result,)
