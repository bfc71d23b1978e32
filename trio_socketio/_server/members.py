"""Who is in a namespace, and what they run by.

A socket that is lost (see ``recovery.py``) is *parked* here: not a member any more, but still in its rooms, and what is
sent to it is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

import trio

from trio_socketio._engine.exceptions import CloseReason, Disconnected
from trio_socketio._logging import scope_logger, shortened, tracing
from trio_socketio._server.adapter import Adapter, AdapterFactory, Forget
from trio_socketio._server.answers import AnswerSink
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.description import SocketDescription
from trio_socketio._server.recovery import Recovery
from trio_socketio._server.replay import Offsets, Replay
from trio_socketio._server.server_events import ServerEvents
from trio_socketio._server.socket import Socket, show_outgoing
from trio_socketio._server.target import Target
from trio_socketio._server.tenant import Tenant
from trio_socketio._socket.acks import TooManyPendingAcks
from trio_socketio._socket.contract import NameOf, name_of
from trio_socketio._socket.peer import encode_batch
from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio._wire.parser import Parser
from trio_socketio._wire.socket_packet import Event

_logger = scope_logger("namespace")


@final
class Members:
    """The sockets of one namespace on this server: what its adapter works on, and where workers enter.

    Args:
        name: the namespace's.
        parser: the server's.
        adapter: makes the adapter.
        inherited: what is registered for the family of the namespace, if it has one.
        inherited_server_events: likewise, for events of other servers.
        parameters: what the family's pattern has found in the name.
        recovery: the server's, if it has one.
        emptied: called when nobody is left, nor lost.
    """

    def __init__(
        self,
        name: str,
        parser: Parser,
        adapter: AdapterFactory,
        *,
        inherited: Behaviour | None = None,
        inherited_server_events: ServerEvents | None = None,
        parameters: Mapping[str, str] = MappingProxyType({}),
        recovery: Recovery | None = None,
        emptied: Callable[[], None] | None = None,
    ) -> None:
        self.name: str = name
        self.parameters: Mapping[str, str] = parameters
        self.parser: Parser = parser
        self.behaviour: Behaviour = Behaviour(inherited)
        self.server_events: ServerEvents = ServerEvents(inherited_server_events)
        self.ack_ids: Iterator[int] = itertools.count()
        self.recovery: Recovery | None = recovery
        self.offsets: Offsets | None = None if recovery is None else Offsets(recovery.new_epoch())
        self.names: NameOf = name_of
        """Returns the name of an event that may be emitted; a contract's, if there is one."""
        self._emptied = emptied
        self._workers: dict[str, Tenant] = {}
        self._parked: dict[str, Tenant] = {}
        self._watched: dict[str, Tenant] = {}
        """Those with listeners of their own for what is sent to them."""
        self._inside = 0
        """Workers that run: also while they are asked for by middlewares, or clean up."""
        self._trace = tracing(_logger)
        self.adapter: Adapter = adapter(self)

    def __len__(self) -> int:
        return len(self._workers)

    def sockets(self) -> Mapping[str, Socket]:
        """Return the sockets by id: a snapshot."""
        return MappingProxyType({socket_id: worker.socket for socket_id, worker in self._workers.items()})

    def workers(self) -> list[Tenant]:
        """Return who runs the sockets, also those that are lost: a snapshot."""
        return [*self._workers.values(), *self._parked.values()]

    # Workers come and go.

    def new_replay(self) -> Replay | None:
        """Make what keeps a new socket's events, if they are to be kept."""
        if self.recovery is None or self.offsets is None:
            return None
        return Replay(self.offsets, self.recovery.settings.max_packets, self.recovery.settings.max_bytes)

    def begin(self) -> None:
        """Note a worker that is about to run: the namespace is in use."""
        self._inside += 1

    def enter(self, worker: Tenant) -> None:
        """Note a socket that is connected, for the first time or again."""
        self._parked.pop(worker.socket.id, None)
        self._workers[worker.socket.id] = worker
        self.watch(worker)
        if self._trace:
            _logger.debug("%s: %s joined", self.name, worker.socket.id)

    def leave(self, worker: Tenant) -> None:
        """Forget a socket: from now on no broadcast reaches it."""
        socket_id = worker.socket.id
        if self._workers.get(socket_id) is worker:
            del self._workers[socket_id]
            self._watched.pop(socket_id, None)
            if self._trace:
                _logger.debug("%s: %s left, %s", self.name, socket_id, worker.socket.disconnect_reason)

    def watch(self, worker: Tenant) -> None:
        """Note whether a connected socket has listeners of its own: broadcasts look at those only."""
        socket_id, behaviour = worker.socket.id, worker.behaviour
        if self._workers.get(socket_id) is not worker:
            return
        if behaviour.has_outgoing and behaviour is not self.behaviour:
            self._watched[socket_id] = worker
        else:
            self._watched.pop(socket_id, None)

    def park(self, worker: Tenant) -> None:
        """Note a socket that is lost."""
        self._parked[worker.socket.id] = worker

    def unpark(self, worker: Tenant) -> None:
        """Forget a lost socket."""
        if self.is_parked(worker):
            del self._parked[worker.socket.id]

    def is_parked(self, worker: Tenant) -> bool:
        """Say whether a socket is lost."""
        return self._parked.get(worker.socket.id) is worker

    def clean_up(self, worker: Tenant) -> None:
        """Take a socket out of its rooms, unless its id lives on; nothing of the worker runs any more."""
        if not self.is_socket_id(worker.socket.id):
            self.adapter.remove_all(worker.socket.id)

    def end(self) -> None:
        """Note that a worker has ended; the namespace may be in use no more."""
        self._inside -= 1
        self.look_whether_empty()

    def look_whether_empty(self) -> None:
        """Tell if nobody is left."""
        if self._emptied is not None and not self._inside and not self._parked:
            self._emptied()

    def is_socket_id(self, name: str) -> bool:
        """Say whether a connected or a lost socket has this id."""
        return name in self._workers or name in self._parked

    # For the adapter: see ``LocalSockets``.

    def deliver(self, socket_ids: Sequence[str], event: Event, target: Target) -> bool:
        """Queue an event for sockets."""
        if self.offsets is not None:
            batch = encode_batch(
                self.parser, self.offsets.stamp(event, advance=not target.volatile), compress=target.compress
            )
            if not target.volatile:
                self._record(socket_ids, batch)
        else:
            batch = encode_batch(self.parser, event, compress=target.compress)
        is_crowded = self._send(socket_ids, batch, volatile=target.volatile)
        if self._watched or self.behaviour.has_outgoing:
            self._show(socket_ids, event)
        return is_crowded

    def _send(self, socket_ids: Sequence[str], batch: Sequence[EnginePacket], *, volatile: bool) -> bool:
        workers, is_crowded = self._workers, False
        for socket_id in socket_ids:
            worker = workers.get(socket_id)
            if worker is None:
                continue
            session = worker.session
            if volatile:
                session.send_volatile(batch)
                continue
            try:
                session.send(batch)
            except trio.WouldBlock:
                self._cut_off(worker)
            except Disconnected:
                pass
            is_crowded = is_crowded or session.outbox.is_crowded
        return is_crowded

    def _cut_off(self, worker: Tenant) -> None:
        _logger.info("%s: %s reads too slowly, disconnected", self.name, shortened(worker.socket.id))
        worker.session.close(CloseReason.SLOW_CONSUMER)

    def _record(self, socket_ids: Sequence[str], batch: Sequence[EnginePacket]) -> None:
        for worker in self._known(socket_ids):
            if worker.replay is not None:
                worker.replay.record(batch)

    def _known(self, socket_ids: Iterable[str]) -> Iterator[Tenant]:
        """Go through the workers of sockets that are connected or lost."""
        for socket_id in socket_ids:
            worker = self._workers.get(socket_id) or self._parked.get(socket_id)
            if worker is not None:
                yield worker

    def _show(self, socket_ids: Sequence[str], event: Event) -> None:
        name, *args = event.args
        for socket_id in socket_ids:
            worker = self._workers.get(socket_id)
            if worker is not None:
                show_outgoing(worker.behaviour.outgoing, worker.socket, name, args)

    def ask(self, socket_ids: Sequence[str], event: Event, target: Target, sink: AnswerSink) -> Forget:
        """Put a question to sockets."""
        ack_id = next(self.ack_ids)
        batch = encode_batch(self.parser, Event(event.namespace, event.args, ack_id), compress=target.compress)
        asked = [worker for worker in map(self._workers.get, socket_ids) if worker is not None]
        sink.expect(worker.socket.id for worker in asked)
        reached = [worker.socket.id for worker in asked if self._put_question(worker, ack_id, sink, batch)]
        if self._watched or self.behaviour.has_outgoing:
            self._show(reached, event)

        def forget() -> None:
            for worker in asked:
                worker.peer.acks.forget(ack_id)

        return forget

    def _put_question(self, worker: Tenant, ack_id: int, sink: AnswerSink, batch: Sequence[EnginePacket]) -> bool:
        try:
            is_queued = worker.peer.ask(ack_id, _Question(worker.socket.id, sink), batch)
        except (TooManyPendingAcks, Disconnected):
            sink.leave(worker.socket.id)
            return False
        if not is_queued:
            self._cut_off(worker)
        return is_queued

    def describe(self, socket_ids: Iterable[str]) -> list[SocketDescription]:
        """Describe sockets."""
        sockets = [worker.socket for worker in map(self._workers.get, socket_ids) if worker is not None]
        return [
            SocketDescription(
                id=each.id, namespace=self.name, handshake=each.handshake, rooms=each.rooms, data=dict(each.data)
            )
            for each in sockets
        ]

    def put_into(self, socket_ids: Iterable[str], rooms: Iterable[str]) -> None:
        """Put sockets into rooms."""
        names = tuple(rooms)
        for worker in self._known(socket_ids):
            try:
                worker.socket.put_into(names)
            except ValueError as error:
                _logger.warning("%s: %s stays out: %s", self.name, shortened(worker.socket.id), error)

    def take_out_of(self, socket_ids: Iterable[str], rooms: Iterable[str]) -> None:
        """Take sockets out of rooms."""
        names = tuple(rooms)
        for worker in self._known(socket_ids):
            worker.socket.leave(*names)

    def disconnect(self, socket_ids: Iterable[str], *, close: bool) -> None:
        """Disconnect sockets."""
        for worker in self._known(socket_ids):
            worker.disconnect(close=close)

    async def handle_server_event(self, args: Sequence[Any]) -> Sequence[Any]:
        """Let handlers have an event of another server."""
        return await self.server_events.handle(args)


@final
class _Question:
    """A question to one of many."""

    __slots__ = ("_sink", "_socket_id")

    def __init__(self, socket_id: str, sink: AnswerSink) -> None:
        self._socket_id = socket_id
        self._sink = sink

    def answer(self, args: Sequence[Any]) -> None:
        """Hand the answer on."""
        self._sink.answer(self._socket_id, args)

    def fail(self, reason: str) -> None:
        """Hand on that there will be none."""
        del reason
        self._sink.leave(self._socket_id)
