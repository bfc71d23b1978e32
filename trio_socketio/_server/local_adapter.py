"""The adapter of a server that stands alone: everything in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, final

import trio

from trio_socketio._server.adapter import Adapter, Forget, LocalSockets
from trio_socketio._server.answers import AnswerSink
from trio_socketio._server.description import SocketDescription
from trio_socketio._server.rooms import Rooms
from trio_socketio._server.target import Target
from trio_socketio._wire.socket_packet import Event


@final
class LocalAdapter(Adapter):
    """Rooms in memory, and no other servers.

    Nothing here is a checkpoint but ``fetch_sockets``. The ids that a target means are a snapshot: rooms may change while
    the slow are being dropped.
    """

    def __init__(self, sockets: LocalSockets) -> None:
        self._sockets = sockets
        self._rooms = Rooms()
        self._is_crowded = False

    @property
    def is_crowded(self) -> bool:
        """See ``Adapter.is_crowded``."""
        return self._is_crowded

    def add(self, socket_id: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""
        self._rooms.add(socket_id, rooms)

    def remove(self, socket_id: str, room: str) -> None:
        """Take a socket out of a room."""
        self._rooms.remove(socket_id, room)

    def remove_all(self, socket_id: str) -> None:
        """Take a socket out of all rooms."""
        self._rooms.remove_all(socket_id)

    def rooms_of(self, socket_id: str) -> frozenset[str]:
        """Return the rooms of a socket."""
        return self._rooms.rooms_of(socket_id)

    def rooms(self) -> dict[str, frozenset[str]]:
        """Return all rooms with the ids of their sockets."""
        return self._rooms.members()

    def broadcast(self, event: Event, target: Target) -> None:
        """Send an event to sockets."""
        self._is_crowded = self._sockets.deliver(self._rooms.select(target), event, target)

    def ask(self, event: Event, target: Target, sink: AnswerSink) -> Forget:
        """Send an event to sockets, and hand on their answers."""
        forget = self._sockets.ask(self._rooms.select(target), event, target, sink)
        sink.close()
        return forget

    async def fetch_sockets(self, target: Target) -> list[SocketDescription]:
        """Describe sockets."""
        await trio.lowlevel.checkpoint()
        return self._sockets.describe(self._rooms.select(target))

    def add_sockets(self, target: Target, rooms: Sequence[str]) -> None:
        """Put sockets into rooms."""
        self._sockets.put_into(self._rooms.select(target), rooms)

    def remove_sockets(self, target: Target, rooms: Sequence[str]) -> None:
        """Take sockets out of rooms."""
        self._sockets.take_out_of(self._rooms.select(target), rooms)

    def disconnect_sockets(self, target: Target, *, close: bool) -> None:
        """Disconnect sockets."""
        self._sockets.disconnect(self._rooms.select(target), close=close)

    def server_side_emit(self, args: Sequence[Any]) -> None:
        """Do nothing: there is no other server."""

    def server_side_ask(self, args: Sequence[Any], sink: AnswerSink) -> Forget:
        """Say that nobody is asked: there is no other server."""
        del args
        sink.close()
        return _forget_nothing


def _forget_nothing() -> None:
    """Nobody was asked."""
