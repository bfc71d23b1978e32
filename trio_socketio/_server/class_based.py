"""Handlers that are methods of a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from trio_socketio._server.behaviour import Behaviour, Functions
from trio_socketio._socket.handlers import check_handled_event, check_handler

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_PREFIX = "on_"
_MARK = "_handles_event"


def handles(event: str, *, concurrent: bool = False) -> Callable[[FunctionT], FunctionT]:
    """Say which event a method of a ``Namespace`` handles, when its name can't.

    Args:
        event: its name.
        concurrent: run it in a task of its own, beside later events.

    Raises:
        TypeError: the name is not text.
        ValueError: the name is reserved, or is no event of clients.
    """
    check_handled_event(event)

    def mark(function: FunctionT) -> FunctionT:
        setattr(function, _MARK, (event, concurrent))
        return function

    return mark


def register_methods(instance: object, behaviour: Behaviour, *, stop_at: type) -> None:
    """Register the methods of an instance that handle something; those of ``stop_at`` and its bases are none.

    Raises:
        TypeError: one of them is not async, or takes other arguments than it will get.
        ValueError: the event of one of them is reserved, or has a handler already.
    """
    kinds: dict[str, tuple[Functions[Any], int, str]] = {
        "middleware": (behaviour.middlewares, 1, "middleware(self, socket)"),
        "on_connection": (behaviour.connection, 1, "on_connection(self, socket)"),
        "on_disconnect": (behaviour.disconnect, 2, "on_disconnect(self, socket, reason)"),
        "on_error": (behaviour.error, 3, "on_error(self, socket, error, event)"),
        "on_expired": (behaviour.expired, 1, "on_expired(self, socket)"),
    }
    for name in _own_names(type(instance), stop_at):
        function = getattr(instance, name)
        marked = getattr(function, _MARK, None)
        if name in kinds:
            functions, arguments, shape = kinds[name]
            check_handler(function, arguments, shape)
            functions.add(function)
        elif marked is not None:
            event, concurrent = marked
            behaviour.events.add(event, function, concurrent=concurrent)
        elif name.startswith(_PREFIX):
            behaviour.events.add(name.removeprefix(_PREFIX), function)


def _own_names(cls: type, stop_at: type) -> list[str]:
    """Names that the classes below ``stop_at`` have defined, in the order of their definition."""
    own: dict[str, None] = {}
    for each in reversed(cls.__mro__):
        if issubclass(each, stop_at) and each is not stop_at:
            own.update(dict.fromkeys(vars(each)))
    return list(own)
