"""Which function handles which event.

How a handler is called is settled when it is registered: never by calling it and looking whether a TypeError comes out.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from trio_socketio._wire.socket_packet import RESERVED_EVENTS

EventHandler: TypeAlias = Callable[..., Awaitable[Any]]
"""``async def handler(socket, *args)``; what it returns is the acknowledgement."""


def check_event_name(name: object) -> None:
    """Refuse what can't be an event's name.

    Raises:
        TypeError: not text.
        ValueError: reserved by the protocol.
    """
    if not isinstance(name, str):
        msg = f"an event's name is text, not {name!r}"
        raise TypeError(msg)
    if name in RESERVED_EVENTS:
        msg = f"{name!r} is reserved by Socket.IO: choose another event name"
        raise ValueError(msg)


_INSTEAD = {"connect": "on_connection", "connection": "on_connection", "disconnect": "on_disconnect"}


def check_handled_event(name: object) -> None:
    """Refuse what can't be the name of an event that clients send.

    Raises:
        TypeError: not text.
        ValueError: reserved by the protocol, or what other libraries call the joining of a socket.
    """
    if isinstance(name, str) and name in _INSTEAD:
        msg = f"{name!r} is not an event that clients send: register with {_INSTEAD[name]}"
        raise ValueError(msg)
    check_event_name(name)


def check_handler(function: object, arguments: int, shape: str) -> None:
    """Refuse a function that can't be called with so many positional arguments.

    Raises:
        TypeError: not an async function, or of another signature than ``shape``.
    """
    if not is_async(function):
        msg = f"{function!r} is not an async function: write 'async def {shape}'"
        raise TypeError(msg)
    fewest, most = _positional(function)
    if not fewest <= arguments <= most:
        msg = f"{function!r} can't be called with {arguments} arguments: write 'async def {shape}'"
        raise TypeError(msg)


def check_listener(function: object, shape: str) -> None:
    """Refuse what is no plain function.

    Raises:
        TypeError: it can't be called, or it is async.
    """
    if not callable(function) or is_async(function):
        msg = (
            f"{function!r} is not a plain function: write 'def {shape}', not async, since a broadcast waits for nobody"
        )
        raise TypeError(msg)


@final
@dataclass(frozen=True, slots=True)
class Registered:
    """A handler, and how it may be called."""

    function: EventHandler
    concurrent: bool
    fewest: int
    most: float
    once: bool = False
    """It is for one event, and then not registered any more."""

    @property
    def is_plain(self) -> bool:
        """It is simply to be called."""
        return not self.concurrent and not self.once

    def accepts(self, arguments: int) -> bool:
        """Say whether it takes so many arguments from the peer."""
        return self.fewest <= arguments <= self.most


@final
class Handlers:
    """Handlers by event; those that it inherits are for events that it has none for."""

    __slots__ = ("_by_event", "_inherited")

    def __init__(self, inherited: Handlers | None = None) -> None:
        self._by_event: dict[str, Registered] = {}
        self._inherited = inherited

    def add(self, event: str, function: EventHandler, *, concurrent: bool = False, once: bool = False) -> None:
        """Register a handler.

        Raises:
            TypeError: not ``async def handler(socket, *args)``, or the name is not text.
            ValueError: the name is reserved, is no event of clients (``connection``), or has a handler already.
        """
        check_handled_event(event)
        if event in self._by_event:
            msg = f"the event {event!r} has a handler already: {self._by_event[event].function!r}"
            raise ValueError(msg)
        if not is_async(function):
            msg = f"{function!r} is not an async function: write 'async def handler(socket, ...)'"
            raise TypeError(msg)
        fewest, most = _positional(function)
        if most < 1:
            msg = f"{function!r} takes no arguments: the first is the socket, then come the event's"
            raise TypeError(msg)
        self._by_event[event] = Registered(function, concurrent, max(fewest - 1, 0), most - 1, once)

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


def is_async(function: object) -> bool:
    """Say whether a function, or what is called like one, is async."""
    while isinstance(function, functools.partial):
        function = function.func
    # Of its type, as Python calls it: a class is no handler because its instances would be.
    call = getattr(type(function), "__call__", None)  # noqa: B004 - looks at it, doesn't ask whether it is callable
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _positional(function: Any) -> tuple[int, float]:
    fewest, most = 0, 0.0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = math.inf
        elif parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            most += 1
            fewest += parameter.default is parameter.empty
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            msg = f"{function!r} has a keyword-only parameter without a default: events have no keywords"
            raise TypeError(msg)
    return fewest, most
