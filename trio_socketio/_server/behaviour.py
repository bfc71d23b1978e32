"""What the application has registered: for a family of namespaces, for a namespace, for a single socket.

These three inherit from one another, live: what is registered for a pattern of namespaces counts for each of them, also
for those that are there already; what is registered for a namespace counts for each of its sockets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar, final
from weakref import WeakSet

from trio_socketio._socket.handlers import Handlers

F = TypeVar("F")

AsyncFunction: TypeAlias = Callable[..., Awaitable[Any]]


@final
class Functions(Generic[F]):
    """Functions of one kind, in their order: those that were inherited come first.

    Args:
        inherited: those of the level above.
        changed: called when there are other ones on this level.
    """

    __slots__ = ("_changed", "_inherited", "_own")

    def __init__(self, inherited: Functions[F] | None = None, changed: Callable[[], None] | None = None) -> None:
        self._inherited = inherited
        self._changed = changed
        self._own: list[F] = []

    def __bool__(self) -> bool:
        return bool(self._own) or bool(self._inherited)

    def __iter__(self) -> Iterator[F]:
        """Go through a snapshot: a function may remove itself."""
        if self._inherited is not None:
            yield from self._inherited
        yield from tuple(self._own)

    def add(self, function: F, *, prepend: bool = False) -> None:
        """Register a function as the last one of this level, or as the first."""
        self._own.insert(0 if prepend else len(self._own), function)
        if self._changed is not None:
            self._changed()

    def remove(self, function: F) -> None:
        """Take a function out.

        Raises:
            ValueError: it is not registered on this level.
        """
        if function not in self._own:
            msg = f"{function!r} is not registered here: nothing to remove"
            raise ValueError(msg)
        self._own.remove(function)
        if self._changed is not None:
            self._changed()


@final
class Behaviour:
    """All handlers of one level, with those that it inherits in front.

    Args:
        inherited: the level above.
        told: called when ``any``, ``packets`` or ``outgoing`` has changed, here or above.
    """

    __slots__ = (
        "__weakref__",
        "_heirs",
        "_told",
        "any",
        "connection",
        "disconnect",
        "error",
        "events",
        "expired",
        "filters_events",
        "has_outgoing",
        "middlewares",
        "outgoing",
        "packets",
    )

    def __init__(self, inherited: Behaviour | None = None, told: Callable[[], None] | None = None) -> None:
        above = inherited
        self.events: Handlers = Handlers(above and above.events)
        self.middlewares: Functions[AsyncFunction] = Functions(above and above.middlewares)
        self.connection: Functions[AsyncFunction] = Functions(above and above.connection)
        self.disconnect: Functions[AsyncFunction] = Functions(above and above.disconnect)
        self.error: Functions[AsyncFunction] = Functions(above and above.error)
        self.expired: Functions[AsyncFunction] = Functions(above and above.expired)
        """Told that a lost socket can't come back any more."""
        self.packets: Functions[AsyncFunction] = Functions(above and above.packets, self._change)
        """Middlewares for events."""
        self.any: Functions[AsyncFunction] = Functions(above and above.any, self._change)
        """Told of every event that comes."""
        self.outgoing: Functions[Callable[..., object]] = Functions(above and above.outgoing, self._change)
        """Told of every event that is sent."""
        self.filters_events: bool = False
        """Somebody has a look at events before their handlers get them. Kept, since every event asks for it."""
        self.has_outgoing: bool = False
        """Somebody is told of what is sent; likewise."""
        self._heirs: WeakSet[Behaviour] | None = None
        self._told: Callable[[], None] | None = None
        if inherited is not None:
            if inherited._heirs is None:
                inherited._heirs = WeakSet()
            inherited._heirs.add(self)
        self._change()
        self._told = told

    def _change(self) -> None:
        self.filters_events = bool(self.any) or bool(self.packets)
        self.has_outgoing = bool(self.outgoing)
        if self._told is not None:
            self._told()
        for heir in self._heirs or ():
            heir._change()
