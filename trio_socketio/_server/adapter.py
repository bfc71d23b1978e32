"""The adapter: rooms and broadcasts of one namespace, behind an interface that a cluster can implement.

An adapter gets values (a packet, a target), never the server; what it may ask of the namespace is ``LocalSockets``. All
that reaches sockets of other servers goes through it: what a ``Broadcaster`` does, it does with the sockets of the whole
cluster, unless ``Target.local`` says otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import trio

from trio_socketio._server.answers import AnswerSink
from trio_socketio._server.description import SocketDescription
from trio_socketio._server.target import Target
from trio_socketio._wire.socket_packet import Event

TURNS = 32
"""Steps that every writer may take before the next broadcast when one of them is behind; a message takes about ten."""

Forget: TypeAlias = Callable[[], None]
"""Ends a question: answers that come later are dropped."""


class LocalSockets(Protocol):
    """What an adapter may ask of its namespace, for sockets of this server; ids that nobody has are passed over."""

    @property
    def name(self) -> str:
        """The namespace's name."""
        ...

    def deliver(self, socket_ids: Sequence[str], event: Event, target: Target) -> bool:
        """Encode an event once, and queue it for each socket; never blocks, never raises for a socket's state.

        Returns:
            Whether a client is crowded: more than half of what may wait for it does.

        Raises:
            TypeError: an argument that the parser can't encode.
            ValueError: likewise.
        """
        ...

    def ask(self, socket_ids: Sequence[str], event: Event, target: Target, sink: AnswerSink) -> Forget:
        """Do the same with an event that is to be answered; the sink is told of each socket, but not closed.

        Raises:
            TypeError: as ``deliver``.
            ValueError: as ``deliver``.
        """
        ...

    def describe(self, socket_ids: Iterable[str]) -> list[SocketDescription]:
        """Describe sockets."""
        ...

    def put_into(self, socket_ids: Iterable[str], rooms: Iterable[str]) -> None:
        """Put sockets into rooms, by ``Adapter.add``; one that may not be in so many is logged and stays out."""

    def take_out_of(self, socket_ids: Iterable[str], rooms: Iterable[str]) -> None:
        """Take sockets out of rooms, by ``Adapter.remove``."""

    def disconnect(self, socket_ids: Iterable[str], *, close: bool) -> None:
        """Disconnect sockets; with ``close`` their clients."""

    async def handle_server_event(self, args: Sequence[Any]) -> Sequence[Any]:
        """Let this server's handlers have an event of another server; ``args[0]`` is its name.

        Returns:
            The answer's arguments.
        """
        ...


class Broadcaster(ABC):
    """Reaches sockets and servers. Nearly all of it is synchronous: nothing is waited for."""

    @abstractmethod
    def rooms(self) -> dict[str, frozenset[str]]:
        """Return the rooms that sockets of this server are in, with those sockets' ids: a snapshot."""

    @abstractmethod
    def broadcast(self, event: Event, target: Target) -> None:
        """Send an event to all sockets that the target means; waits for none of them.

        Raises:
            TypeError: an argument that the parser can't encode.
            ValueError: likewise.
        """

    @property
    def is_crowded(self) -> bool:
        """Who sends more should ``make_room`` first: at the last broadcast a client of this server was crowded.

        An adapter with a queue of its own, to other servers, says so too when that is more than half full.
        """
        return False

    async def make_room(self) -> None:
        """Let writers go on before the next broadcast; called by ``emit``, ``call`` and their like when it ``is_crowded``.

        An adapter with a queue of its own may wait here for room in it. What is synchronous can't wait: a queue that is full
        then is the adapter's to bear.
        """
        # Who sends in a loop must not starve the writers, and so make clients slow that are not. They get turns of the
        # scheduler, and nothing is waited for: a client that doesn't read costs no more than that.
        for _ in range(TURNS):
            await trio.lowlevel.checkpoint()

    @abstractmethod
    def ask(self, event: Event, target: Target, sink: AnswerSink) -> Forget:
        """Send an event to all sockets that the target means, and tell the sink of their answers as they come.

        Raises:
            TypeError: as ``broadcast``.
            ValueError: as ``broadcast``.
        """

    @abstractmethod
    async def fetch_sockets(self, target: Target) -> list[SocketDescription]:
        """Describe all sockets that the target means."""

    @abstractmethod
    def add_sockets(self, target: Target, rooms: Sequence[str]) -> None:
        """Put all sockets that the target means into rooms."""

    @abstractmethod
    def remove_sockets(self, target: Target, rooms: Sequence[str]) -> None:
        """Take all sockets that the target means out of rooms."""

    @abstractmethod
    def disconnect_sockets(self, target: Target, *, close: bool) -> None:
        """Disconnect all sockets that the target means; with ``close`` their clients."""

    @abstractmethod
    def server_side_emit(self, args: Sequence[Any]) -> None:
        """Send an event to the other servers of the cluster; ``args[0]`` is its name."""

    @abstractmethod
    def server_side_ask(self, args: Sequence[Any], sink: AnswerSink) -> Forget:
        """Do the same, and tell the sink of their answers as they come; their names are ids of servers."""


class Adapter(Broadcaster):
    """Rooms and broadcasts of one namespace: bookkeeping never blocks.

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

    def close(self) -> None:
        """Note that the namespace is removed: nothing will be asked any more."""


AdapterFactory: TypeAlias = Callable[[LocalSockets], Adapter]
