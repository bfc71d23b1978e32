"""A namespace with workers that keep what is done to them: fakes with all that ``Members`` look at."""

from __future__ import annotations

from types import SimpleNamespace

from trio_socketio import CloseReason
from trio_socketio._server.members import Members
from trio_socketio._server.target import Target
from trio_socketio._socket.peer import Peer
from trio_socketio._wire.engine_packet import PacketType
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.socket_packet import Event

EVENT = Event("/chat", ["x", b"1"])
FRAMES = ['51-/chat,["x",{"_placeholder":true,"num":0}]', b"1"]
PLAIN, VOLATILE = Target(), Target(volatile=True)


class CountingParser:
    """The JSON parser, and how often it has encoded."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, packet):
        self.encoded += 1
        return JSONParser().encode(packet)

    def decoder(self, limits):
        return JSONParser().decoder(limits)


class Session:
    """Keeps what it is given, or raises ``failure``; tells ``on_close`` when it is closed."""

    def __init__(self) -> None:
        self.sent: list[object] = []
        self.volatile: list[object] = []
        self.reasons: list[CloseReason] = []
        self.failure: Exception | None = None
        self.on_close = lambda: None
        self.outbox = SimpleNamespace(is_crowded=False)

    def send(self, batch):
        if self.failure is not None:
            raise self.failure
        self.sent.append(batch)

    def send_volatile(self, batch):
        self.volatile.append(batch)

    def close(self, reason):
        self.reasons.append(reason)
        self.on_close()

    def serve_waiting(self):
        """Nobody waits."""


class Socket:
    """A socket that notes the rooms that it is put into and taken out of, and may refuse some."""

    def __init__(self, socket_id: str) -> None:
        self.id = socket_id
        self.disconnect_reason = "ping timeout"
        self.handshake = object()
        self.data = {"of": socket_id}
        self.rooms: frozenset[str] = frozenset({socket_id})

    def put_into(self, rooms):
        if "full" in rooms:
            msg = "no more rooms"
            raise ValueError(msg)
        self.rooms |= set(rooms)

    def leave(self, *rooms):
        self.rooms -= set(rooms)


class Worker:
    """All that members look at."""

    def __init__(self, members: Members, socket_id: str) -> None:
        self.session = Session()
        self.socket = Socket(socket_id)
        self.behaviour = members.behaviour
        self.replay = members.new_replay()
        self.peer = Peer(members.name, self.session, JSONParser(), max_pending_acks=2, ack_ids=members.ack_ids)
        self.disconnected: list[bool] = []

    def disconnect(self, *, close):
        self.disconnected.append(close)


def frames(batch) -> list[str | bytes]:
    assert {packet.type for packet in batch} == {PacketType.MESSAGE}
    return [packet.data for packet in batch]


def enter(members: Members, letters: str) -> list[Worker]:
    """Let workers enter, each also into the room of its id."""
    workers = [Worker(members, socket_id) for socket_id in letters]
    for each in workers:
        members.enter(each)
        members.adapter.add(each.socket.id, [each.socket.id])
    return workers
