"""A cluster in one process: an adapter that joins several servers by a bus, as one over a network would.

Each server of the cluster is a *node*: ``Server(adapter=cluster.node("a"))``. What a node tells another is encoded, put into
the other's inbox, and handled there by a task of the nursery that the test owns: later, in order, as bytes. So nothing but
plain values can cross, and nothing is done in one step with what caused it.

The sockets of this server are the business of a ``LocalAdapter``; everything that is done to sockets is done by it here, and
by the other nodes' adapters of that namespace there. Answers carry the number of their question. Each node says when it has
named all whom it asks; when all nodes have, the question's sink is closed. ``lose`` takes a node out: whom it had asked will
not answer any more.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import trio

from trio_socketio._server.adapter import Adapter, Forget, LocalSockets
from trio_socketio._server.answers import AnswerSink
from trio_socketio._server.description import SocketDescription
from trio_socketio._server.local_adapter import LocalAdapter
from trio_socketio._server.target import Target
from trio_socketio._wire.socket_packet import Event


class Message(msgspec.Struct, tag=True):
    """What one node tells another, of one namespace."""


class Broadcast(Message):
    event: Event
    target: Target


class Question(Message):
    number: int
    event: Event
    target: Target


class Expect(Message):
    number: int
    names: list[str]


class Answer(Message):
    number: int
    name: str
    args: list[Any]


class Leave(Message):
    number: int
    name: str


class Close(Message):
    number: int


class NoMore(Message):
    """The asker has forgotten its question."""

    number: int


class Fetch(Message):
    number: int
    target: Target


class Fetched(Message):
    number: int
    sockets: list[SocketDescription]


class Move(Message):
    """Put sockets into rooms, or take them out."""

    target: Target
    rooms: list[str]
    into: bool


class Disconnect(Message):
    target: Target
    close: bool


class ServerEvent(Message):
    args: list[Any]
    number: int | None


class Envelope(msgspec.Struct):
    sender: str
    namespace: str
    message: (
        Broadcast
        | Question
        | Expect
        | Answer
        | Leave
        | Close
        | NoMore
        | Fetch
        | Fetched
        | Move
        | Disconnect
        | ServerEvent
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    msg = f"{value!r} is no plain data"
    raise TypeError(msg)


class Cluster:
    """The bus, and who is on it."""

    def __init__(self, nursery: trio.Nursery | None = None) -> None:
        self.nursery = nursery
        """Handles what nodes tell each other; not needed while there is but one of them."""
        self.nodes: dict[str, Node] = {}

    def node(self, server_id: str) -> Node:
        """Add a node: the adapter factory of its server."""
        return self.nodes.setdefault(server_id, Node(self, server_id))

    def lose(self, server_id: str) -> None:
        """Cut a node off: what it says and what it is told is lost from now on, and both sides notice."""
        lost = self.nodes.pop(server_id)
        for node in self.nodes.values():
            node.lost(lost.id)
            lost.lost(node.id)


class Node:
    """One server of the cluster."""

    def __init__(self, cluster: Cluster, server_id: str) -> None:
        self.id = server_id
        self.cluster = cluster
        self.adapters: dict[str, ClusterAdapter] = {}
        self._inbox: deque[bytes] = deque()
        self._is_working = False

    def __call__(self, sockets: LocalSockets) -> ClusterAdapter:
        adapter = self.adapters[sockets.name] = ClusterAdapter(sockets, self)
        return adapter

    def others(self, namespace: str) -> list[str]:
        """The other nodes on which there is this namespace."""
        if self.id not in self.cluster.nodes:
            return []
        return [node.id for node in self.cluster.nodes.values() if node is not self and namespace in node.adapters]

    def lost(self, node: str) -> None:
        for adapter in self.adapters.values():
            adapter.lost(node)

    def tell(self, recipient: str, namespace: str, message: Any) -> None:
        """Send a message; one to a node that is gone is lost."""
        node = self.cluster.nodes.get(recipient)
        if node is not None and self.id in self.cluster.nodes:
            node._receive(msgspec.msgpack.encode(Envelope(self.id, namespace, message), enc_hook=_plain))

    def _receive(self, letter: bytes) -> None:
        self._inbox.append(letter)
        if not self._is_working:
            self._is_working = True
            assert self.cluster.nursery is not None
            self.cluster.nursery.start_soon(self._work)

    async def _work(self) -> None:
        while self._inbox:
            await trio.lowlevel.checkpoint()
            envelope = msgspec.msgpack.decode(self._inbox.popleft(), type=Envelope)
            adapter = self.adapters.get(envelope.namespace)
            if adapter is not None:
                await adapter.receive(envelope.sender, envelope.message)
        self._is_working = False


class _Asked:
    """A question of this node's, under way."""

    def __init__(self, sink: AnswerSink, nodes: Iterable[str]) -> None:
        self.sink = sink
        self.pending: dict[str, set[str]] = {node: set() for node in nodes}
        """By node, those who have not answered yet."""
        self._unnamed = set(self.pending)
        """Nodes that may still name some."""

    def part(self, node: str) -> _Part:
        return _Part(self, node)

    def named_all(self, node: str) -> None:
        if node in self._unnamed:
            self._unnamed.remove(node)
            if not self._unnamed:
                self.sink.close()

    def lost(self, node: str) -> None:
        for name in self.pending.pop(node, ()):
            self.sink.leave(name)
        self.named_all(node)


class _Part:
    """The sink for those whom one node asks."""

    def __init__(self, asked: _Asked, node: str) -> None:
        self._asked = asked
        self._node = node

    def expect(self, names: Iterable[str]) -> None:
        named = list(names)
        self._asked.pending[self._node].update(named)
        self._asked.sink.expect(named)

    def answer(self, name: str, args: Sequence[Any]) -> None:
        self._asked.pending[self._node].discard(name)
        self._asked.sink.answer(name, args)

    def leave(self, name: str) -> None:
        self._asked.pending[self._node].discard(name)
        self._asked.sink.leave(name)

    def close(self) -> None:
        self._asked.named_all(self._node)


class _FarSink:
    """The sink for a question of another node's: tells it everything, and is done when all have answered."""

    def __init__(self, tell: Callable[[Any], None], number: int, done: Callable[[], None]) -> None:
        self._tell = tell
        self._number = number
        self._done = done
        self._pending: set[str] = set()
        self._is_closed = False

    def expect(self, names: Iterable[str]) -> None:
        named = list(names)
        self._pending.update(named)
        self._tell(Expect(self._number, named))

    def answer(self, name: str, args: Sequence[Any]) -> None:
        self._tell(Answer(self._number, name, list(args)))
        self._settle(name)

    def leave(self, name: str) -> None:
        self._tell(Leave(self._number, name))
        self._settle(name)

    def close(self) -> None:
        self._is_closed = True
        self._tell(Close(self._number))
        self._settle("")

    def _settle(self, name: str) -> None:
        self._pending.discard(name)
        if self._is_closed and not self._pending:
            self._done()


class ClusterAdapter(Adapter):
    """One namespace on one node."""

    def __init__(self, sockets: LocalSockets, node: Node) -> None:
        self._sockets = sockets
        self._node = node
        self._local = LocalAdapter(sockets)
        self._numbers = itertools.count()
        self.asked: dict[int, _Asked] = {}
        """Questions of this node's."""
        self.carried: dict[tuple[str, int], Forget] = {}
        """Questions of others, that are put to sockets of this node."""
        self.fetches: dict[int, tuple[set[str], list[SocketDescription], trio.Event]] = {}

    # Of this node alone

    def add(self, socket_id: str, rooms: Iterable[str]) -> None:
        self._local.add(socket_id, rooms)

    def remove(self, socket_id: str, room: str) -> None:
        self._local.remove(socket_id, room)

    def remove_all(self, socket_id: str) -> None:
        self._local.remove_all(socket_id)

    def rooms_of(self, socket_id: str) -> frozenset[str]:
        return self._local.rooms_of(socket_id)

    def rooms(self) -> dict[str, frozenset[str]]:
        return self._local.rooms()

    @property
    def is_crowded(self) -> bool:
        return self._local.is_crowded

    def close(self) -> None:
        del self._node.adapters[self._sockets.name]

    # Of all nodes: here at once, there by a message

    def broadcast(self, event: Event, target: Target) -> None:
        # First here: what can't be encoded is refused, and reaches nobody.
        self._local.broadcast(event, target)
        self._tell_others(target, Broadcast(event, target))

    def ask(self, event: Event, target: Target, sink: AnswerSink) -> Forget:
        others = self._others(target)
        asked = _Asked(sink, [self._node.id, *others])
        forget_here = self._local.ask(event, target, asked.part(self._node.id))
        forget_there = self._open(asked, others, lambda number: Question(number, event, target))

        def forget() -> None:
            forget_here()
            forget_there()

        return forget

    async def fetch_sockets(self, target: Target) -> list[SocketDescription]:
        found = await self._local.fetch_sockets(target)
        number, others = next(self._numbers), self._others(target)
        if others:
            complete = trio.Event()
            self.fetches[number] = (set(others), found, complete)
            try:
                for other in others:
                    self._tell(other, Fetch(number, target))
                await complete.wait()
            finally:
                del self.fetches[number]
        return found

    def add_sockets(self, target: Target, rooms: Sequence[str]) -> None:
        self._local.add_sockets(target, rooms)
        self._tell_others(target, Move(target, list(rooms), into=True))

    def remove_sockets(self, target: Target, rooms: Sequence[str]) -> None:
        self._local.remove_sockets(target, rooms)
        self._tell_others(target, Move(target, list(rooms), into=False))

    def disconnect_sockets(self, target: Target, *, close: bool) -> None:
        self._local.disconnect_sockets(target, close=close)
        self._tell_others(target, Disconnect(target, close))

    def server_side_emit(self, args: Sequence[Any]) -> None:
        self._tell_others(Target(), ServerEvent(list(args), None))

    def server_side_ask(self, args: Sequence[Any], sink: AnswerSink) -> Forget:
        others = self._others(Target())
        asked = _Asked(sink, others)
        for other in others:
            asked.part(other).expect([other])
            asked.named_all(other)
        if not others:
            sink.close()
        return self._open(asked, others, lambda number: ServerEvent(list(args), number), is_carried=False)

    def _open(
        self, asked: _Asked, others: Sequence[str], message: Callable[[int], Any], *, is_carried: bool = True
    ) -> Forget:
        number = next(self._numbers)
        if others:
            self.asked[number] = asked
        for other in others:
            self._tell(other, message(number))

        def forget() -> None:
            if self.asked.pop(number, None) is not None and is_carried:
                for other in others:
                    self._tell(other, NoMore(number))

        return forget

    def _others(self, target: Target) -> list[str]:
        return [] if target.local else self._node.others(self._sockets.name)

    def _tell_others(self, target: Target, message: Any) -> None:
        for other in self._others(target):
            self._tell(other, message)

    def _tell(self, recipient: str, message: Any) -> None:
        self._node.tell(recipient, self._sockets.name, message)

    # From other nodes

    async def receive(self, sender: str, message: Any) -> None:
        match message:
            case Broadcast(event, target):
                self._local.broadcast(event, target)
            case Question(number, event, target):
                self._carry(sender, number, event, target)
            case NoMore(number):
                self.carried.pop((sender, number), _nothing)()
            case Fetch(number, target):
                self._tell(sender, Fetched(number, await self._local.fetch_sockets(target)))
            case Fetched(number, sockets) if number in self.fetches:
                self.fetches[number][1].extend(sockets)
                self._fetched(number, sender)
            case Move(target, rooms, into):
                (self._local.add_sockets if into else self._local.remove_sockets)(target, rooms)
            case Disconnect(target, close):
                self._local.disconnect_sockets(target, close=close)
            case ServerEvent(args, number):
                assert self._node.cluster.nursery is not None
                self._node.cluster.nursery.start_soon(self._handle_server_event, sender, args, number)
            case Expect(number) | Answer(number) | Leave(number) | Close(number) if number in self.asked:
                self._take(self.asked[number].part(sender), message)

    def _carry(self, sender: str, number: int, event: Event, target: Target) -> None:
        key = sender, number
        sink = _FarSink(partial(self._tell, sender), number, lambda: self.carried.pop(key, None))
        self.carried[key] = _nothing
        forget = self._local.ask(event, target, sink)
        if key in self.carried:
            self.carried[key] = forget

    def _take(self, part: _Part, message: Any) -> None:
        match message:
            case Expect(_, names):
                part.expect(names)
            case Answer(_, name, args):
                part.answer(name, args)
            case Leave(_, name):
                part.leave(name)
            case Close():
                part.close()

    async def _handle_server_event(self, sender: str, args: Sequence[Any], number: int | None) -> None:
        answer = await self._sockets.handle_server_event(args)
        if number is not None:
            self._tell(sender, Answer(number, self._node.id, list(answer)))

    def lost(self, node: str) -> None:
        """Wait for a node no more, and answer it nothing."""
        for asked in list(self.asked.values()):
            asked.lost(node)
        for number in list(self.fetches):
            self._fetched(number, node)
        for key in [key for key in self.carried if key[0] == node]:
            self.carried.pop(key)()

    def _fetched(self, number: int, node: str) -> None:
        waiting, _, complete = self.fetches[number]
        waiting.discard(node)
        if not waiting:
            complete.set()


def _nothing() -> None:
    """Nobody was asked."""
