"""Handlers that are methods of a class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from trio_socketio._server.behaviour import Behaviour, Functions
from trio_socketio._socket.event_methods import EventName
from trio_socketio._socket.handlers import check_handled_event, check_handler, check_listener

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_PREFIX = "on_"
_MARK = "_handles_event"


def handles(event: EventName, *, concurrent: bool = False) -> Callable[[FunctionT], FunctionT]:
    """Say which event a method of a ``Namespace`` handles, when its name can't.

    Args:
        event: its name, or a function of a contract.
        concurrent: run it in a task of its own, beside later events.

    Raises:
        TypeError: the name is neither, or what it stands before is no function.
        ValueError: the name is reserved, or is no event of clients.
    """
    handled = check_handled_event(event)

    def mark(function: FunctionT) -> FunctionT:
        if not hasattr(function, "__dict__") or isinstance(function, type):
            msg = f"{function!r} can't handle {handled!r}: write @handles(...) before an 'async def' in a Namespace"
            raise TypeError(msg)
        if _MARK in vars(function):
            msg = f"{function!r} handles {vars(function)[_MARK][0]!r} already: a method handles one event"
            raise ValueError(msg)
        setattr(function, _MARK, (handled, concurrent))
        return function

    # Without its parentheses it is this that stands in the class: as a handler it is refused, and not passed over.
    setattr(mark, _MARK, (handled, concurrent))
    return mark


def register_methods(instance: object, behaviour: Behaviour, *, stop_at: type) -> None:
    """Register the methods of an instance that handle something, or none; those of ``stop_at`` and its bases are none.

    Raises:
        TypeError: one of them is not async, or takes other arguments than it will get.
        ValueError: the event of one of them is reserved, or has a handler already.
    """
    kinds = _kinds(behaviour)
    taken_back: list[Callable[[], None]] = []
    try:
        for name in _own_names(type(instance), stop_at):
            mark = _mark_of(type(instance), name)
            if name in kinds:
                _refuse_both(name, mark)
                taken_back.append(_add(getattr(instance, name), *kinds[name]))
            elif mark is not None or name.startswith(_PREFIX):
                event, concurrent = mark or (name.removeprefix(_PREFIX), False)
                behaviour.events.add(event, getattr(instance, name), concurrent=concurrent)
                taken_back.append(partial(behaviour.events.remove, event))
    except BaseException:
        for take_back in taken_back:
            take_back()
        raise


def _kinds(behaviour: Behaviour) -> dict[str, tuple[Functions[Any], Callable[[object, int, str], None], int, str]]:
    """Methods that handle something else than one event: where they belong, and how they are called."""
    return {
        "middleware": (behaviour.middlewares, check_handler, 1, "middleware(self, socket)"),
        "on_connection": (behaviour.connection, check_handler, 1, "on_connection(self, socket)"),
        "on_disconnect": (behaviour.disconnect, check_handler, 2, "on_disconnect(self, socket, reason)"),
        "on_error": (behaviour.error, check_handler, 3, "on_error(self, socket, error, event)"),
        "on_expired": (behaviour.expired, check_handler, 1, "on_expired(self, socket)"),
        "on_any": (behaviour.any, check_handler, 2, "on_any(self, socket, event, *args)"),
        "on_any_outgoing": (behaviour.outgoing, check_listener, 2, "on_any_outgoing(self, socket, event, *args)"),
        "packet_middleware": (behaviour.packets, check_handler, 2, "packet_middleware(self, socket, event)"),
    }


def _add(
    function: Any, functions: Functions[Any], check: Callable[[object, int, str], None], arguments: int, shape: str
) -> Callable[[], None]:
    """Register a function; return what takes it out again."""
    check(function, arguments, shape)
    functions.add(function)
    return partial(functions.remove, function)


def _refuse_both(name: str, mark: tuple[str, bool] | None) -> None:
    if mark is not None:
        msg = f"a method {name!r} can't handle the event {mark[0]!r} too: give it another name"
        raise ValueError(msg)


def _mark_of(cls: type, name: str) -> tuple[str, bool] | None:
    """Return what the nearest method of that name is said to handle: who overrides it need not say it again."""
    for each in cls.__mro__:
        found = vars(each).get(name)
        # A static method or a class method has its function inside.
        mark: tuple[str, bool] | None = getattr(found, _MARK, getattr(getattr(found, "__func__", None), _MARK, None))
        if mark is not None:
            return mark
    return None


def _own_names(cls: type, stop_at: type) -> list[str]:
    """Names that classes have defined beside ``stop_at``, those of bases first: mixins need not inherit from it."""
    own: dict[str, None] = {}
    for each in reversed(cls.__mro__):
        if each not in stop_at.__mro__:
            own.update(dict.fromkeys(vars(each)))
    return list(own)
