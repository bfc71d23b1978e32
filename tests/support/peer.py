"""A peer on a session of memory, and tasks and questions that note what came of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import trio

from trio_socketio import Disconnected
from trio_socketio._socket.peer import Peer
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.socket_packet import Event


class Link:
    """A session that keeps what is sent, and has room for so many batches."""

    def __init__(self) -> None:
        self.sent: list[list[str | bytes]] = []
        self.put_only: list[list[str | bytes]] = []
        """What waits for a flush."""
        self.room = 100
        self.closed: str | None = None
        self.held = 0
        """Tasks that wait for room: in no order, other than a session's."""
        self._changed = trio.Event()

    def send(self, batch: list[EnginePacket]) -> None:
        self._take(batch, self.sent)

    def put(self, batch: list[EnginePacket]) -> None:
        self._take(batch, self.put_only)

    def _take(self, batch: list[EnginePacket], taken: list[list[str | bytes]]) -> None:
        if self.closed is not None:
            raise Disconnected(self.closed)
        if not self.room:
            raise trio.WouldBlock
        self.room -= 1
        assert all(packet.type is PacketType.MESSAGE for packet in batch)
        taken.append([packet.data for packet in batch])

    async def put_in_turn(self, owner: Peer, put: Callable[[], None]) -> None:
        while True:
            try:
                put()
            except trio.WouldBlock:
                self.held += 1
                try:
                    await self._changed.wait()
                finally:
                    self.held -= 1
            else:
                return

    def serve_waiting(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def flush(self) -> None: ...

    def make_room(self, batches: int) -> None:
        self.room = batches
        self.serve_waiting()


class Journal:
    """Numbers events, and keeps what it is told to."""

    def __init__(self) -> None:
        self.stamped = 0
        self.kept: list[list[str | bytes]] = []

    def stamp(self, event: Event) -> Event:
        self.stamped += 1
        return Event(event.namespace, [*event.args, self.stamped], event.ack_id)

    def record(self, batch: list[EnginePacket]) -> None:
        self.kept.append([packet.data for packet in batch])


class Question:
    """What a peer was asked beside others, and what came of it."""

    def __init__(self) -> None:
        self.outcome: object = "none yet"

    def answer(self, args) -> None:
        assert self.outcome == "none yet", "it is settled once"
        self.outcome = args

    def fail(self, reason: str) -> None:
        assert self.outcome == "none yet", "it is settled once"
        self.outcome = reason


class Task:
    """A call under way, that can be cancelled, and what came of it."""

    def __init__(self, nursery: trio.Nursery, function, *args) -> None:
        self.scope = trio.CancelScope()
        self.outcome: object = "none yet"
        nursery.start_soon(self._run, function, args)

    async def _run(self, function, args) -> None:
        with self.scope:
            try:
                self.outcome = await function(*args)
            except (Disconnected, ValueError) as error:
                self.outcome = error


def peer_on(link: Link, journal: Journal | None = None) -> Peer:
    return Peer("/chat", link, JSONParser(), max_pending_acks=2, ack_ids=itertools.count(), journal=journal)
