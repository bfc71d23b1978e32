"""Which function handles which event.

How a handler is called is settled when it is registered: never by calling it and looking whether a TypeError comes out.
"""

from __future__ import annotations

from typing import final

from trio_socketio._socket.contract import name_of
from trio_socketio._socket.event_methods import EventName
from trio_socketio._socket.signature import EventHandler, Registered, is_async, positional

_INSTEAD = {"connect": "on_connection", "connection": "on_connection", "disconnect": "on_disconnect"}


def check_handled_event(event: EventName) -> str:
    """Return the name of an event that clients send.

    Raises:
        TypeError: neither text nor a function of a contract.
        ValueError: reserved by the protocol, or what other libraries call the joining of a socket.
    """
    if isinstance(event, str) and event in _INSTEAD:
        msg = f"{event!r} is not an event that clients send: register with {_INSTEAD[event]}"
        raise ValueError(msg)
    return name_of(event)


def check_handler(function: object, arguments: int, shape: str) -> None:
    """Refuse a function that can't be called with so many positional arguments.

    Raises:
        TypeError: not an async function, or of another signature than ``shape``.
    """
    if not is_async(function):
        msg = f"{function!r} is not an async function: write 'async def {shape}'"
        raise TypeError(msg)
    fewest, most = positional(function)
    if not fewest <= arguments <= most:
        msg = f"{function!r} can't be called with {arguments} arguments: write 'async def {shape}'"
        raise TypeError(msg)


def check_listener(function: object, arguments: int, shape: str) -> None:
    """Refuse what is no plain function, or can't be called with so many positional arguments.

    Raises:
        TypeError: it can't be called, it is async, or of another signature than ``shape``.
    """
    if not callable(function) or is_async(function):
        msg = (
            f"{function!r} is not a plain function: write 'def {shape}', not async, since a broadcast waits for nobody"
        )
        raise TypeError(msg)
    try:
        fewest, most = positional(function)
    except ValueError:
        # Some functions that are written in C don't say what they take.
        return
    if not fewest <= arguments <= most:
        msg = f"{function!r} can't be called with {arguments} arguments: write 'def {shape}'"
        raise TypeError(msg)


@final
class Handlers:
    """Handlers by event; those that it inherits are for events that it has none for."""

    __slots__ = ("_by_event", "_inherited")

    def __init__(self, inherited: Handlers | None = None) -> None:
        self._by_event: dict[str, Registered] = {}
        self._inherited = inherited

    def add(self, event: EventName, function: EventHandler, *, concurrent: bool = False, once: bool = False) -> None:
        """Register a handler.

        Raises:
            TypeError: not ``async def handler(socket, *args)``, an annotation can't be decoded, or the name is not text.
            ValueError: the name is reserved, is no event of clients (``connection``), or has a handler already.
        """
        name = check_handled_event(event)
        if name in self._by_event:
            msg = f"the event {name!r} has a handler already: {self._by_event[name].function!r}"
            raise ValueError(msg)
        if not is_async(function):
            msg = f"{function!r} is not an async function: write 'async def handler(socket, ...)'"
            raise TypeError(msg)
        self._by_event[name] = Registered.of(function, concurrent=concurrent, once=once)

    def remove(self, event: str) -> None:
        """Take the handler of an event out.

        Raises:
            ValueError: it has none here.
        """
        if self._by_event.pop(event, None) is None:
            msg = f"the event {event!r} has no handler here: nothing to remove"
            raise ValueError(msg)

    def find(self, event: str) -> Registered | None:
        """Return the handler of an event."""
        handler = self._by_event.get(event)
        if handler is None and self._inherited is not None:
            return self._inherited.find(event)
        return handler
