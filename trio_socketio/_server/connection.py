"""One client of the server: a session, its decoder, and its sockets by namespace.

``receive`` runs in the task that reads the transport. What must not wait behind events is settled there at once:
acknowledgements, disconnects, joins. Events go to the queues of their sockets. While a queue is full the client is not
read from, and its heartbeat's clock stands still; but only for ``Limits.event_queue_timeout``: then that socket is
disconnected, so that it starves neither its neighbours nor an answer that its own handler waits for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, final

import trio

from trio_socketio._engine.exceptions import CloseReason, Disconnected
from trio_socketio._engine.session import Session
from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._limits import Limits
from trio_socketio._logging import scope_logger, shortened, show_error, tracing
from trio_socketio._server.members import Members
from trio_socketio._server.namespaces import Namespaces
from trio_socketio._server.socket import SocketState
from trio_socketio._server.socketio2 import OldClient
from trio_socketio._server.tenant import Tenant
from trio_socketio._server.worker import SocketWorker
from trio_socketio._socket.peer import encode_batch
from trio_socketio._wire.engine_packet import EnginePacket, encoded_size
from trio_socketio._wire.parser import Parser
from trio_socketio._wire.socket_packet import Ack, Connect, ConnectError, Disconnect, Event, SocketPacket

_logger = scope_logger("socket")


@final
class Connection:
    """Handles the messages of one session."""

    def __init__(
        self,
        session: Session,
        namespaces: Namespaces,
        parser: Parser,
        limits: Limits,
        *,
        start_lasting: Callable[..., None],
        old: OldClient | None = None,
    ) -> None:
        self.session: Session = session
        self._old = old
        self._namespaces = namespaces
        self._parser = parser
        self._limits = limits
        self._start_lasting = start_lasting
        """Starts a task that may outlive the session."""
        self._decoder = parser.decoder(limits)
        self._workers: dict[str, Tenant] = {}
        self._searches: dict[str, trio.CancelScope] = {}
        """Joins for which the application is being asked whether there is such a namespace."""
        self._unfinished: set[Tenant] = set()
        """Workers that run, also when their sockets have ended."""
        self._left: dict[str, None] = {}
        """Namespaces that the client was told to leave last: packets for them may be on their way."""
        self._pinged: list[tuple[Tenant, int]] = []
        """What had been sent in front of the ping whose pong is due."""
        self._nursery: trio.Nursery | None = None
        self._unfinished_bytes = 0
        self._trace = tracing(_logger)

    # Told by the session

    def start(self, nursery: trio.Nursery) -> None:
        """Begin: the client must join a namespace in time."""
        self._nursery = nursery
        self._close_after("connect", self._limits.connect_timeout, CloseReason.FORCED_SERVER_CLOSE)
        if self._old is not None:
            self._join("/", None)

    def closed(self, reason: CloseReason) -> None:
        """End all sockets, or lose them."""
        for search in self._searches.values():
            search.cancel()
        for worker in list(self._workers.values()):
            worker.end(reason)

    def pinged(self) -> None:
        """Note what was sent in front of a ping: nothing to those that are not connected yet, whatever is kept for them."""
        connected = [each for each in self._workers.values() if each.state is SocketState.CONNECTED]
        self._pinged = [(each, each.replay.offsets.position) for each in connected if each.replay is not None]

    def ponged(self) -> None:
        """Note that the ping has arrived, and with it all that was sent in front of it."""
        for worker, position in self._pinged:
            if worker.replay is not None:
                worker.replay.arrived(position)
        self._pinged = []

    def receive(self, message: str | bytes) -> Awaitable[None] | None:
        """Take a message; see ``Handler``."""
        packet = self._decoder.feed(message)
        size = self._unfinished_bytes + encoded_size(message)
        if packet is None:
            self._await_attachments(message, size)
            return None
        if self._unfinished_bytes:
            self._unfinished_bytes = 0
            self.session.timers.clear("attachments")
        if self._trace:
            _logger.debug("received %s", shortened(packet))
        if type(packet) is not Event:
            self._receive_other(packet)
            return None
        worker = self._workers.get(packet.namespace)
        if worker is None or worker.state is not SocketState.CONNECTED:
            worker = self._worker_of(packet)
        if worker is None or not packet.args or worker.dispatcher.queue.put_nowait(packet, size):
            return None
        return self._wait_for_room(worker, packet, size)

    def _await_attachments(self, message: str | bytes, size: int) -> None:
        unfinished = self._decoder.unfinished
        self._unfinished_bytes = 0 if unfinished is None else size
        if unfinished is not None and isinstance(message, str):
            # Nothing is kept for who has not joined: its attachments would not be read.
            self._worker_of(unfinished)
            self._close_after("attachments", self._limits.attachments_timeout, CloseReason.FORCED_CLOSE)

    async def _wait_for_room(self, worker: Tenant, event: Event, size: int) -> None:
        self.session.pause()
        try:
            with trio.move_on_after(self._limits.event_queue_timeout) as patience:
                await worker.dispatcher.queue.put(event, size)
            if patience.cancelled_caught:
                _logger.warning("%s: its event queue stayed full, disconnected", worker.socket.id)
                self.session.counters.event_queues_full += 1
                worker.disconnect(reason=CloseReason.EVENT_QUEUE_FULL)
        finally:
            self.session.resume()

    def _receive_other(self, packet: SocketPacket) -> None:
        match packet:
            case Ack(_, args, ack_id):
                worker = self._worker_of(packet)
                if worker is not None and not worker.peer.acks.settle(ack_id, args) and self._trace:
                    _logger.debug("%s: an answer that nobody waits for", worker.socket.id)
            case Connect(name, auth):
                self._join(name, auth)
            case Disconnect():
                worker = self._worker_of(packet)
                if worker is not None:
                    worker.end(CloseReason.CLIENT_NAMESPACE_DISCONNECT)
            case _:
                msg = "CONNECT_ERROR from a client"
                raise RemoteProtocolError(msg)

    def _worker_of(self, packet: SocketPacket) -> Tenant | None:
        """Return the connected socket that a packet is for; ``None`` if it has just been ended by us.

        Raises:
            RemoteProtocolError: the client has not joined that namespace.
        """
        worker = self._workers.get(packet.namespace)
        if worker is not None and worker.state is SocketState.CONNECTED:
            return worker
        if worker is None and packet.namespace in self._left:
            return None
        msg = f"packet for a namespace that was not joined, {shortened(packet.namespace)}"
        raise RemoteProtocolError(msg)

    def _join(self, name: str, auth: Mapping[str, Any] | None) -> None:
        if name in self._workers or name in self._searches:
            msg = f"second CONNECT to {shortened(name)}"
            raise RemoteProtocolError(msg)
        nursery, most = self._nursery, self._limits.max_namespaces
        assert nursery is not None  # noqa: S101 - messages come only after the start
        members = self._namespaces.open_to_all(name)
        if members is None and not self._namespaces.has_families:
            self.send(ConnectError(name, {"message": "Invalid namespace"}))
        elif len(self._workers) + len(self._searches) >= most or len(self._unfinished) >= 2 * most:
            # As many may be left whose handlers are not done with them yet: else one could leave and join without end.
            self.send(ConnectError(name, {"message": "Too many namespaces"}))
        elif members is not None:
            self._enter(members, auth)
        else:
            search = self._searches[name] = trio.CancelScope()
            self.session.timers.set(("join", name), trio.current_time() + self._limits.connect_timeout, search.cancel)
            nursery.start_soon(self._search, name, auth, search)

    @trio.lowlevel.enable_ki_protection
    async def _search(self, name: str, auth: Mapping[str, Any] | None, search: trio.CancelScope) -> None:
        """Ask the application for a namespace, and let the client join it."""
        members, message = None, "Invalid namespace"
        try:
            with search:
                # Who has left already brings nothing into being.
                await trio.lowlevel.checkpoint_if_cancelled()
                members = await self._namespaces.find(name, {} if auth is None else auth)
            if search.cancelled_caught:
                message = "Connection timed out"
        except Exception as error:
            _logger.exception("%s: whether it exists could not be found out", shortened(name))
            show_error(error, f"namespace {name}")
            message = "Internal server error"
        del self._searches[name]
        self.session.timers.clear(("join", name))
        if members is None:
            self.send(ConnectError(name, {"message": message}))
        elif self.session.closed.is_set():
            members.look_whether_empty()
        else:
            self._enter(members, auth)

    def _enter(self, members: Members, auth: Mapping[str, Any] | None) -> None:
        nursery, name, recovery = self._nursery, members.name, members.recovery
        assert nursery is not None  # noqa: S101 - messages come only after the start
        claimed = None if recovery is None or auth is None else recovery.claim(name, auth, self.session)
        if self._old is not None:
            own = SocketWorker(members, self, auth, self._limits, socket_id=self._old.socket_id(name))
            nursery.start_soon(self._old.in_turn(own))
            worker: Tenant = own
        elif claimed is not None and claimed.is_kept:
            worker = claimed
            worker.claim(self, auth)
            nursery.start_soon(worker.run_return, self)
        else:
            worker = SocketWorker(members, self, auth, self._limits, claimed=claimed)
            start = self._start_lasting if worker.is_kept else nursery.start_soon
            start(worker.run)
        self._workers[name] = worker
        self._unfinished.add(worker)
        self._left.pop(name, None)
        deadline = trio.current_time() + self._limits.connect_timeout
        self.session.timers.set(("join", name), deadline, worker.time_out)

    # Asked by workers

    def send(self, packet: SocketPacket) -> None:
        """Queue a packet; a client that has no room for it is disconnected."""
        batch = self._encode(packet)
        try:
            self.session.send(batch)
        except trio.WouldBlock:
            self.session.close(CloseReason.SLOW_CONSUMER)
        except Disconnected:
            pass

    def send_anyway(self, packet: SocketPacket) -> None:
        """Queue a packet also behind a full queue."""
        self.session.send_anyway(self._encode(packet))

    def tell_to_leave(self, namespace: str) -> None:
        """Queue a DISCONNECT, behind a full queue too: each is preceded by a CONNECT, for which there was room."""
        self._left.pop(namespace, None)
        self._left[namespace] = None
        if len(self._left) > 2 * self._limits.max_namespaces:
            # Where there are families, clients say how many namespaces there are.
            del self._left[next(iter(self._left))]
        self.send_anyway(Disconnect(namespace))

    def _encode(self, packet: SocketPacket) -> list[EnginePacket]:
        if self._trace:
            _logger.debug("sends %s", shortened(packet))
        return encode_batch(self._parser, packet)

    def joined(self, worker: Tenant) -> None:
        """The client has joined a namespace: it may stay."""
        self.session.timers.clear("connect")
        self.session.timers.clear(("join", worker.socket.namespace))

    def ended(self, worker: Tenant) -> None:
        """Forget a socket."""
        name = worker.socket.namespace
        if self._workers.get(name) is worker:
            del self._workers[name]
        self.session.timers.clear(("join", name))

    def finished(self, worker: Tenant) -> None:
        """Forget a worker."""
        self._unfinished.discard(worker)

    def disconnect_all(self) -> None:
        """End all sockets of the client, and close its session when they have been told."""
        for worker in list(self._workers.values()):
            worker.disconnect()
        self.session.close_gracefully(CloseReason.FORCED_CLOSE)

    def _close_after(self, name: str, seconds: float, reason: CloseReason) -> None:
        self.session.timers.set(name, trio.current_time() + seconds, lambda: self.session.close(reason))
