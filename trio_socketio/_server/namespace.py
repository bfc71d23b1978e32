"""A namespace: who is in it, what is registered for it, and broadcasts to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar, final

import trio

from trio_socketio._engine.exceptions import CloseReason, Disconnected
from trio_socketio._limits import Limits
from trio_socketio._logging import scope_logger, shortened, tracing
from trio_socketio._server.adapter import AdapterFactory
from trio_socketio._server.behaviour import Behaviour, DisconnectHandler, ErrorHandler, SocketHandler
from trio_socketio._server.broadcast import BroadcastOperator, HasId
from trio_socketio._server.socket import Socket
from trio_socketio._server.target import Target
from trio_socketio._server.worker import SocketWorker
from trio_socketio._socket.handlers import EventHandler, check_handler
from trio_socketio._types import Data, Room
from trio_socketio._util import NoPublicConstructor
from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio._wire.parser import Parser

_logger = scope_logger("namespace")

SocketHandlerT = TypeVar("SocketHandlerT", bound=SocketHandler)
EventHandlerT = TypeVar("EventHandlerT", bound=EventHandler)
DisconnectHandlerT = TypeVar("DisconnectHandlerT", bound=DisconnectHandler)
ErrorHandlerT = TypeVar("ErrorHandlerT", bound=ErrorHandler)


@final
class Namespace(metaclass=NoPublicConstructor):
    """A channel of its own on the clients' connections; made by ``Server.namespace``."""

    def __init__(self, name: str, parser: Parser, adapter: AdapterFactory, limits: Limits) -> None:
        self.name = name
        """Begins with a slash."""
        self.parser = parser
        self.limits = limits
        self.behaviour = Behaviour()
        self.adapter = adapter(self)
        self._workers: dict[str, SocketWorker] = {}
        self._trace = tracing(_logger)

    def __repr__(self) -> str:
        return f"<Namespace {self.name} with {len(self._workers)} sockets>"

    @property
    def sockets(self) -> Mapping[str, Socket]:
        """The sockets of this server that are connected, by id: a snapshot."""
        return MappingProxyType({socket_id: worker.socket for socket_id, worker in self._workers.items()})

    # Registration

    def middleware(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register ``async def middleware(socket)``, run before the client's CONNECT is answered; several run in order.

        Raising ``ConnectionRefused`` refuses the client with its message and data; any other exception is logged, and
        the client sees "Internal server error". One that hangs is ended by ``Limits.connect_timeout``.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 1, "middleware(socket)")
        self.behaviour.middlewares.append(function)
        return function

    def on_connection(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register ``async def handler(socket)``: a task for each socket, begun when it has joined.

        It may return at once, or live as long as the socket: it is cancelled when the socket ends. In its ``finally``
        the rooms are still readable and ``disconnect_reason`` is set. If it raises, the socket is disconnected.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 1, "handler(socket)")
        self.behaviour.connection.append(function)
        return function

    def on(self, event: str, *, concurrent: bool = False) -> Callable[[EventHandlerT], EventHandlerT]:
        """Register ``async def handler(socket, *args)`` for an event.

        The events of a socket are handled one after the other, in the order in which they were sent. What the handler
        returns is the acknowledgement, if the client asked for one: a tuple for several arguments, ``None`` for none.
        If it raises, the error is logged and given to ``on_error``, no acknowledgement is sent, the socket lives on. An
        event with more or fewer arguments than the function takes does not reach it.

        Args:
            event: its name.
            concurrent: run it in a task of its own, beside later events: up to ``Limits.max_concurrent_handlers``.

        Raises:
            TypeError: another kind of function, or the name is not text.
            ValueError: the name is reserved, or has a handler already.
        """

        def register(function: EventHandlerT) -> EventHandlerT:
            self.behaviour.events.add(event, function, concurrent=concurrent)
            return function

        return register

    def on_disconnect(self, function: DisconnectHandlerT) -> DisconnectHandlerT:
        """Register ``async def handler(socket, reason)``, run when a socket has ended and its tasks are gone.

        It runs shielded, for ``Limits.disconnect_timeout`` at most; the rooms are still readable.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 2, "handler(socket, reason)")
        self.behaviour.disconnect.append(function)
        return function

    def on_error(self, function: ErrorHandlerT) -> ErrorHandlerT:
        """Register ``async def handler(socket, error, event)``, told of every exception of a handler.

        ``event`` is the event's name, or ``connection``, ``disconnect`` or ``middleware``.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 3, "handler(socket, error, event)")
        self.behaviour.error.append(function)
        return function

    # Broadcasts

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Choose the sockets that are in any of these rooms."""
        return self._everybody().to(*rooms)

    in_ = to

    def except_(self, *rooms: Room | HasId) -> BroadcastOperator:
        """Choose all sockets but those of rooms, or but single ones."""
        return self._everybody().except_(*rooms)

    @property
    def local(self) -> BroadcastOperator:
        """All sockets of this server, not of its cluster."""
        return self._everybody().local

    @property
    def volatile(self) -> BroadcastOperator:
        """All sockets; events are dropped for those to which they can't be written at once."""
        return self._everybody().volatile

    async def emit(self, event: str, *args: Data) -> None:
        """Send an event to all sockets; see ``BroadcastOperator.emit``."""
        await self._everybody().emit(event, *args)

    def emit_nowait(self, event: str, *args: Data) -> None:
        """Send an event to all sockets; see ``BroadcastOperator.emit_nowait``."""
        self._everybody().emit_nowait(event, *args)

    def _everybody(self) -> BroadcastOperator:
        return BroadcastOperator._create(self.name, self.adapter, Target())

    # For workers and the adapter

    def enter(self, worker: SocketWorker) -> None:
        """Note a socket that is connected."""
        self._workers[worker.socket.id] = worker
        if self._trace:
            _logger.debug("%s: %s joined", self.name, worker.socket.id)

    def leave(self, worker: SocketWorker) -> None:
        """Forget a socket: from now on no broadcast reaches it."""
        if self._workers.pop(worker.socket.id, None) is not None and self._trace:
            _logger.debug("%s: %s left, %s", self.name, worker.socket.id, worker.socket.disconnect_reason)

    def is_socket_id(self, name: str) -> bool:
        """Say whether a socket has this id."""
        return name in self._workers

    def deliver(self, socket_id: str, batch: Sequence[EnginePacket], *, volatile: bool) -> None:
        """Queue a batch for a connected socket; see ``LocalSockets``."""
        worker = self._workers.get(socket_id)
        if worker is None:
            return
        session = worker.session
        if volatile:
            session.send_volatile(batch)
            return
        try:
            session.send(batch)
        except trio.WouldBlock:
            _logger.info("%s: %s reads too slowly, disconnected", self.name, shortened(socket_id))
            session.close(CloseReason.SLOW_CONSUMER)
        except Disconnected:
            pass
