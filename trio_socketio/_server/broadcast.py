"""The broadcast operator: says whom an event is for, step by step, and sends it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, final

import trio

from trio_socketio._server.adapter import Adapter
from trio_socketio._server.target import Target
from trio_socketio._socket.handlers import check_event_name
from trio_socketio._types import Data, Room
from trio_socketio._util import NoPublicConstructor
from trio_socketio._wire.socket_packet import Event

TURNS = 32
"""Steps that every writer may take before the next broadcast when one of them is behind; a message takes about ten."""


class HasId(Protocol):
    """A socket."""

    @property
    def id(self) -> str:
        """Its public id."""
        ...


@final
class BroadcastOperator(metaclass=NoPublicConstructor):
    """Sockets of a namespace, chosen by rooms; immutable, each step gives a new one.

    ``namespace.to("a", "b").except_(socket).volatile`` means every socket that is in room ``a`` or ``b``, once, without
    ``socket``, and for those of them that can be written to at once.
    """

    __slots__ = ("_adapter", "_namespace", "_target")

    def __init__(self, namespace: str, adapter: Adapter, target: Target) -> None:
        self._namespace = namespace
        self._adapter = adapter
        self._target = target

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Add rooms. Without any, it is the whole namespace.

        Raises:
            TypeError: a name that is not text.
        """
        return self._with(self._target.to(_names(rooms)))

    in_ = to

    def except_(self, *rooms: Room | HasId) -> BroadcastOperator:
        """Leave out rooms, or sockets.

        Raises:
            TypeError: what is neither a socket nor text.
        """
        return self._with(self._target.without(_names(getattr(room, "id", room) for room in rooms)))

    @property
    def local(self) -> BroadcastOperator:
        """Only sockets of this server, not of its cluster."""
        return self._with(Target(self._target.rooms, self._target.excluded, local=True, volatile=self._target.volatile))

    @property
    def volatile(self) -> BroadcastOperator:
        """Drop the event for every socket to which it can't be written at once."""
        return self._with(Target(self._target.rooms, self._target.excluded, local=self._target.local, volatile=True))

    async def emit(self, event: str, *args: Data) -> None:
        """Send an event; waits for nobody (a client that can't keep up is disconnected), but is a checkpoint.

        Cancelled, it has sent nothing.

        Args:
            event: its name.
            args: JSON, and bytes anywhere in it.

        Raises:
            TypeError: the name is not text, or an argument can't be encoded.
            ValueError: the name is reserved, or the arguments are nested too deeply.
        """
        await trio.lowlevel.checkpoint()
        if self._adapter.is_crowded:
            # Who sends in a loop must not starve the writers, and so make clients slow that are not. They get turns of the
            # scheduler, and nothing is waited for: a client that doesn't read costs no more than that.
            for _ in range(TURNS):
                await trio.lowlevel.checkpoint()
        self.emit_nowait(event, *args)

    def emit_nowait(self, event: str, *args: Data) -> None:
        """Do the same without a checkpoint: for ``finally`` blocks and synchronous code."""
        check_event_name(event)
        self._adapter.broadcast(Event(self._namespace, [event, *args]), self._target)

    def _with(self, target: Target) -> BroadcastOperator:
        return BroadcastOperator._create(self._namespace, self._adapter, target)


def _names(rooms: Iterable[Any]) -> frozenset[str]:
    names = list(rooms)
    for name in names:
        if not isinstance(name, str):
            msg = f"a room's name is text, not {name!r}"
            raise TypeError(msg)
    return frozenset(names)
