"""The adapter: rooms and broadcasts of one namespace, behind an interface that a cluster can implement.

An adapter gets values (a packet, a target), never the server; what it may ask of the namespace is ``LocalSockets``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias, final

from trio_socketio._server.rooms import Rooms
from trio_socketio._server.target import Target
from trio_socketio._socket.peer import encode_batch
from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio._wire.parser import Parser
from trio_socketio._wire.socket_packet import Event


class LocalSockets(Protocol):
    """What an adapter may ask of its namespace."""

    @property
    def name(self) -> str:
        """The namespace's name."""
        ...

    @property
    def parser(self) -> Parser:
        """The parser that clients use."""
        ...

    def deliver(self, socket_ids: Iterable[str], batch: Sequence[EnginePacket], *, volatile: bool) -> bool:
        """Queue a batch for connected sockets of this server; never blocks, never raises for a socket's state.

        Returns:
            Whether a client is crowded: more than half of what may wait for it does.
        """
        ...


class Adapter(ABC):
    """Rooms and broadcasts of one namespace. All of it is synchronous: bookkeeping never blocks.

    Args:
        sockets: the namespace.
    """

    @abstractmethod
    def __init__(self, sockets: LocalSockets) -> None: ...

    @abstractmethod
    def add(self, socket_id: str, rooms: Iterable[str]) -> None:
        """Put a socket of this server into rooms."""

    @abstractmethod
    def remove(self, socket_id: str, room: str) -> None:
        """Take a socket of this server out of a room."""

    @abstractmethod
    def remove_all(self, socket_id: str) -> None:
        """Take a socket of this server out of all rooms: it is gone."""

    @abstractmethod
    def rooms_of(self, socket_id: str) -> frozenset[str]:
        """Return the rooms of a socket of this server."""

    @abstractmethod
    def broadcast(self, event: Event, target: Target) -> None:
        """Send an event to all sockets that the target means; waits for none of them.

        Raises:
            TypeError: an argument that the parser can't encode.
            ValueError: likewise.
        """

    @property
    def is_crowded(self) -> bool:
        """At the last broadcast a client of this server was crowded: ``emit`` lets writers go on before the next one."""
        return False


AdapterFactory: TypeAlias = Callable[[LocalSockets], Adapter]


@final
class LocalAdapter(Adapter):
    """The adapter of a server that stands alone: everything in memory."""

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

    def broadcast(self, event: Event, target: Target) -> None:
        """Encode once, and share the packets among all recipients."""
        batch = encode_batch(self._sockets.parser, event)
        # A snapshot, and no checkpoint inside: rooms may change while the slow are being dropped.
        self._is_crowded = self._sockets.deliver(self._rooms.select(target), batch, volatile=target.volatile)
