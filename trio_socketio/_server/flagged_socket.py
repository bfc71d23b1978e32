"""A socket for events that are special: worth something now or never, or not worth being compressed."""

from __future__ import annotations

from typing import Any, final

from trio_socketio._server.broadcast import BroadcastOperator, HasId
from trio_socketio._socket.event_methods import EventName, asks, sends
from trio_socketio._socket.peer import Peer
from trio_socketio._types import Data, Room
from trio_socketio._util import NoPublicConstructor


@final
class FlaggedSocket(metaclass=NoPublicConstructor):
    """What ``Socket.volatile`` and ``Socket.compress`` give; immutable, and they can be combined.

    ``socket.volatile.emit`` is for this client; ``socket.volatile.to(...)``, as ``socket.to(...)``, for others.
    """

    __slots__ = ("_compress", "_is_volatile", "_others", "_own", "_peer")

    def __init__(
        self,
        peer: Peer,
        own: BroadcastOperator,
        others: BroadcastOperator,
        *,
        is_volatile: bool = False,
        compress: bool = True,
    ) -> None:
        self._peer = peer
        self._own = own
        self._others = others
        self._is_volatile = is_volatile
        self._compress = compress

    # Flags

    @property
    def volatile(self) -> FlaggedSocket:
        """Drop the event for whom it can't be written to at once."""
        return FlaggedSocket._create(
            self._peer, self._own.volatile, self._others.volatile, is_volatile=True, compress=self._compress
        )

    def compress(self, worthwhile: bool = True) -> FlaggedSocket:
        """Say whether the event is worth being compressed; see ``Socket.compress``."""
        return FlaggedSocket._create(
            self._peer,
            self._own.compress(worthwhile),
            self._others.compress(worthwhile),
            is_volatile=self._is_volatile,
            compress=worthwhile,
        )

    # To this client

    @sends
    async def emit(self, event: EventName, *args: Data) -> None:
        """Send an event to this client; see ``Socket.emit``. If it is volatile, waits for nothing."""
        if self._is_volatile:
            await self._own.emit(event, *args)
        else:
            await self._peer.emit(event, args, compress=self._compress)

    @sends
    def emit_nowait(self, event: EventName, *args: Data) -> None:
        """Do the same without a checkpoint; see ``Socket.emit_nowait``. If it is volatile, nothing is raised for a full queue."""
        if self._is_volatile:
            self._own.emit_nowait(event, *args)
        else:
            self._peer.emit_nowait(event, args, compress=self._compress)

    @asks
    async def call(self, event: EventName, *args: Data) -> Any:
        """Send an event and wait for the client's acknowledgement; see ``Socket.call``.

        Raises:
            ValueError: it is volatile: who is not asked could not answer. Or as ``Socket.call``.
        """
        if self._is_volatile:
            msg = "a volatile event may be dropped: it can't be asked for an answer"
            raise ValueError(msg)
        return await self._peer.call(event, args, compress=self._compress)

    # To others

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

    @property
    def local(self) -> BroadcastOperator:
        """All other sockets of the namespace on this server."""
        return self._others.local
