"""The task of one socket: middlewares, CONNECT, events in order, the end.

Theory of operation
-------------------
``run`` is a task of the session's nursery. Its scope is cancelled by ``end``, and by nothing else of ours:

    middlewares --(one refuses)--> CONNECT_ERROR, rooms left, done
        | all passed: enter the namespace, queue CONNECT
        v
    the connection handlers' tasks; inside, socket.nursery and the loop that takes events from the queue
        | end(reason): the scope is cancelled; ``finally`` blocks of handlers run, rooms still readable
        v
    on_disconnect handlers, shielded, for ``Limits.disconnect_timeout`` --> rooms left

``end`` is synchronous: from the moment it returns no broadcast reaches the socket, questions to it have failed, and its
namespace may be joined again by the same client; what remains is only clean-up. Errors of the application stop here, in
``_contain``, also out of a group in which a cancellation is: that, and what is not an ``Exception``, passes. Ctrl-C is
raised in the application's code, so that an endless loop there can be ended, but not in ours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable
from typing import Any, Protocol, final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._engine.exceptions import CloseReason, Disconnected
from trio_socketio._engine.session import Session, SessionState
from trio_socketio._exceptions import ConnectionRefused
from trio_socketio._limits import Limits
from trio_socketio._logging import scope_logger, shortened
from trio_socketio._server.adapter import Adapter
from trio_socketio._server.behaviour import Behaviour, SocketHandler
from trio_socketio._server.event_queue import EventQueue
from trio_socketio._server.handshake import Handshake
from trio_socketio._server.socket import Socket, SocketState
from trio_socketio._socket.handlers import Registered
from trio_socketio._socket.peer import Peer
from trio_socketio._types import Room
from trio_socketio._util import plain_exceptions
from trio_socketio._wire.parser import Parser
from trio_socketio._wire.socket_packet import Connect, ConnectError, Event, SocketPacket

_logger = scope_logger("socket")

EVENTS_PER_CHECKPOINT = 32
"""Handlers need not be checkpoints, and the scheduler's turn costs as much as a short one."""


class Home(Protocol):
    """What a worker needs of its namespace."""

    name: str
    behaviour: Behaviour
    adapter: Adapter
    parser: Parser

    def enter(self, worker: SocketWorker) -> None:
        """The socket is connected."""

    def leave(self, worker: SocketWorker) -> None:
        """The socket has ended; its clean-up is still to come."""

    def is_socket_id(self, name: str) -> bool:
        """Say whether a connected socket has this id."""
        ...


class Client(Protocol):
    """What a worker needs of its connection."""

    session: Session

    def send(self, packet: SocketPacket) -> None:
        """Queue a packet that must not be lost: a client that has no room for it is disconnected."""

    def tell_to_leave(self, namespace: str) -> None:
        """Queue a DISCONNECT, behind what waits."""

    def joined(self, worker: SocketWorker) -> None:
        """A namespace was joined."""

    def ended(self, worker: SocketWorker) -> None:
        """Send the worker nothing more; the namespace may be joined again."""

    def disconnect_all(self) -> None:
        """End all sockets of the client, and its session."""


@final
class SocketWorker:
    """Runs one socket."""

    def __init__(self, socket_id: str, home: Home, client: Client, auth: Any, limits: Limits) -> None:
        self.state: SocketState = SocketState.JOINING
        """How far it is; set by nobody else."""
        self._reason: str | None = None
        self.nursery: trio.Nursery | None = None
        self.queue: EventQueue = EventQueue(limits.event_queue, limits.event_queue_bytes)
        self.peer: Peer = Peer(home.name, client.session, home.parser, limits.max_pending_acks)
        self.socket: Socket = Socket._create(
            socket_id=socket_id,
            namespace=home.name,
            handshake=Handshake.of(client.session.request, auth, time.time()),
            adapter=home.adapter,
            peer=self.peer,
            limits=limits,
            life=self,
        )
        self.session: Session = client.session
        self._home = home
        self._client = client
        self._limits = limits
        # Shielded: only ``end`` cancels it, so that handlers always know why. Whatever ends a session ends its sockets.
        self._scope = trio.CancelScope(shield=True)
        self._end_by = math.inf
        self._concurrent = trio.CapacityLimiter(limits.max_concurrent_handlers)

    @property
    def transport(self) -> TransportName:
        """The client's transport."""
        transport = self.session.transport
        return "polling" if transport is None else transport.name

    def is_foreign_id(self, room: Room) -> bool:
        """Say whether the name is another socket's id."""
        return room != self.socket.id and self._home.is_socket_id(room)

    @property
    def reason(self) -> str | None:
        """Why it ended, once it has."""
        return self._reason

    # The end, from whichever side: synchronous.

    def end(self, reason: CloseReason) -> None:
        """End the socket."""
        if self.state is SocketState.ENDED:
            return
        self.state = SocketState.ENDED
        self._reason = str(reason)
        self.peer.leave(str(reason))
        self.queue.close()
        self._home.leave(self)
        self._client.ended(self)
        self._scope.cancel()

    def time_out(self) -> None:
        """Refuse a client whose middlewares take too long."""
        self._refuse("Connection timed out", None)

    def disconnect(self, *, close: bool = False, reason: CloseReason = CloseReason.SERVER_NAMESPACE_DISCONNECT) -> None:
        """End the socket by telling its client to leave."""
        if close:
            self._client.disconnect_all()
        elif self.state is SocketState.JOINING:
            self._refuse("Forbidden", None)
        elif self.state is SocketState.CONNECTED:
            self._client.tell_to_leave(self._home.name)
            self.end(reason)

    # The task

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Live; returns when the socket is gone and cleaned up after."""
        was_connected = False
        try:
            with self._scope:
                was_connected = await self._is_admitted() and self._connect()
                if was_connected:
                    await self._serve()
        finally:
            self.nursery = None
            self.end(CloseReason.SERVER_SHUTTING_DOWN)
            self._end_by = trio.current_time() + self._limits.disconnect_timeout
            with self._last_words():
                if was_connected:
                    await self._say_goodbye()  # noqa: ASYNC102 - it is shielded, with a deadline
            self._home.adapter.remove_all(self.socket.id)

    @trio.lowlevel.disable_ki_protection
    async def _is_admitted(self) -> bool:
        for middleware in self._home.behaviour.middlewares:
            try:
                try:
                    with plain_exceptions():
                        await middleware(self.socket)
                except ConnectionRefused as refusal:
                    self._refuse(refusal.message, refusal.data)
                    return False
            except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever a middleware raises
                await self._contain(raised, "middleware")
                self._refuse("Internal server error", None)
                return False
        # A session that is closing answers nobody any more: its client would never learn that it has joined.
        return self.state is SocketState.JOINING and self.session.state is SessionState.OPEN

    def _refuse(self, message: str, data: object) -> None:
        if self.state is SocketState.ENDED:
            return
        answer = {"message": message} if data is None else {"message": message, "data": data}
        self._client.send(ConnectError(self._home.name, answer))
        self.end(CloseReason.SERVER_NAMESPACE_DISCONNECT)

    def _connect(self) -> bool:
        self.state = SocketState.CONNECTED
        self._home.adapter.add(self.socket.id, (self.socket.id,))
        self._home.enter(self)
        # Queued before any handler runs: the client learns that it is connected before anything else.
        self._client.send(Connect(self._home.name, {"sid": self.socket.id}))
        # A client that has no room for it is closed by that: it has never been here.
        if self.state is SocketState.ENDED:
            return False
        self._client.joined(self)
        return True

    async def _serve(self) -> None:
        async with trio.open_nursery() as handlers:
            try:
                async with trio.open_nursery() as self.nursery:
                    for handler in self._home.behaviour.connection:
                        handlers.start_soon(self._run_connection, handler)
                    await self._handle_events()
            except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - of tasks in socket.nursery
                await self._contain(raised, "connection")
            # The application may have cancelled it: here, too, the end comes first, and then the handlers.
            self.disconnect()

    async def _handle_events(self) -> None:
        # Two turns of the scheduler: each connection handler has run up to its first checkpoint before an event is
        # handled, so what it sets up there is there.
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        queue, find = self.queue, self._home.behaviour.events.find
        handled = 0
        while await queue.wait():
            while queue.events:
                handled += 1
                if handled % EVENTS_PER_CHECKPOINT == 0:
                    await trio.lowlevel.checkpoint()
                event = queue.get_nowait()
                handler = find(event.args[0])
                if handler is not None:
                    await self._dispatch(event, handler)
            # What the last of those that came together has answered goes out at once.
            self.session.flush()

    @trio.lowlevel.disable_ki_protection
    async def _run_connection(self, handler: SocketHandler) -> None:
        try:
            await handler(self.socket)
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever a connection handler raises
            await self._contain(raised, "connection")

    def _dispatch(self, event: Event, handler: Registered) -> Awaitable[None]:
        if handler.concurrent or not handler.fewest < len(event.args) <= handler.most + 1:
            return self._dispatch_otherwise(event, handler)
        return self._handle(event, handler)

    async def _dispatch_otherwise(self, event: Event, handler: Registered) -> None:
        name, *args = event.args
        if not handler.accepts(len(args)):
            _logger.debug("%s: event %s came with %d arguments, no call", self.socket.id, shortened(name), len(args))
            return
        borrower = object()
        await self._concurrent.acquire_on_behalf_of(borrower)
        assert self.nursery is not None  # noqa: S101 - events are dispatched inside it
        self.nursery.start_soon(self._handle_concurrently, borrower, event, handler)

    async def _handle_concurrently(self, borrower: object, event: Event, handler: Registered) -> None:
        try:
            await self._handle(event, handler)
        finally:
            self._concurrent.release_on_behalf_of(borrower)

    @trio.lowlevel.disable_ki_protection
    async def _handle(self, event: Event, handler: Registered) -> None:
        try:
            result = await handler.function(self.socket, *event.args[1:])
            if event.ack_id is not None:
                answer = result if isinstance(result, tuple) else () if result is None else (result,)
                flushes = not handler.concurrent and not self.queue.events
                if not self.peer.answer_nowait(event.ack_id, answer, flushes=flushes):
                    await self.peer.answer(event.ack_id, answer)
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever an event handler raises
            await self._contain(raised, event.args[0])

    @trio.lowlevel.disable_ki_protection
    async def _say_goodbye(self) -> None:
        for handler in self._home.behaviour.disconnect:
            try:
                await handler(self.socket, self._reason or "")
            except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever a disconnect handler raises
                await self._contain(raised, "disconnect")

    async def _contain(self, raised: BaseException, event: str) -> None:
        error, rest = _parted(raised)
        # That the client leaves is no error of whoever was just asking it something.
        is_leaving = self.state is SocketState.ENDED or self.session.state is not SessionState.OPEN
        if error is not None and not (is_leaving and _is_disconnected(error)):
            if event == "connection":
                self.disconnect()
            await self._report(error, event)
        if rest is not None:
            raise rest

    @trio.lowlevel.disable_ki_protection
    async def _report(self, error: Exception, event: str) -> None:
        _logger.error("%s: error in a handler of %s", self.socket.id, shortened(event), exc_info=error)
        # The socket may have ended by this very error: who is told of it must be able to pass it on nevertheless.
        with self._last_words():
            for handler in self._home.behaviour.error:
                try:
                    await handler(self.socket, error, event)
                except Exception:
                    _logger.exception("%s: error in on_error", self.socket.id)

    def _last_words(self) -> trio.CancelScope:
        deadline = min(trio.current_time() + self._limits.disconnect_timeout, self._end_by)
        return trio.CancelScope(shield=True, deadline=deadline)


def _parted(raised: BaseException) -> tuple[Exception | None, BaseException | None]:
    """Part the application's errors from what must go on, a cancellation above all: a nursery hands over one group."""
    if not isinstance(raised, BaseExceptionGroup):
        return (raised, None) if isinstance(raised, Exception) else (None, raised)
    errors, rest = raised.split(Exception)
    error: Exception | None = errors
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error, rest


def _is_disconnected(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_disconnected, error.exceptions))
    return isinstance(error, Disconnected)
