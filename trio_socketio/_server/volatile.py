"""A socket for what is worth something now or never."""

from __future__ import annotations

from typing import final

from trio_socketio._server.broadcast import BroadcastOperator, HasId
from trio_socketio._socket.event_methods import EventName, sends
from trio_socketio._types import Data, Room
from trio_socketio._util import NoPublicConstructor


@final
class VolatileSocket(metaclass=NoPublicConstructor):
    """What ``Socket.volatile`` is: events are dropped for whom they can't be written to at once.

    ``socket.volatile.emit`` is for this client; ``socket.volatile.to(...)``, as ``socket.to(...)``, for others.
    """

    __slots__ = ("_others", "_own")

    def __init__(self, own: BroadcastOperator, others: BroadcastOperator) -> None:
        self._own = own
        self._others = others

    @sends
    async def emit(self, event: EventName, *args: Data) -> None:
        """Send an event to this client, or drop it; see ``BroadcastOperator.emit``."""
        await self._own.emit(event, *args)

    @sends
    def emit_nowait(self, event: EventName, *args: Data) -> None:
        """Do the same without a checkpoint."""
        self._own.emit_nowait(event, *args)

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Choose the sockets of rooms, without this one."""
        return self._others.to(*rooms)

    in_ = to

    def except_(self, *rooms: Room | HasId) -> BroadcastOperator:
        """Choose all sockets of the namespace but those of rooms, and but this one."""
        return self._others.except_(*rooms)

    @property
    def broadcast(self) -> BroadcastOperator:
        """All other sockets of the namespace."""
        return self._others
