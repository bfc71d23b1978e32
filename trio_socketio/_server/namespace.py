"""A namespace, as the application sees it: handlers, sockets, broadcasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, final

from trio_socketio._server.behaviour import DisconnectHandler, ErrorHandler, SocketHandler
from trio_socketio._server.broadcast import BroadcastOperator, HasId
from trio_socketio._server.members import Members
from trio_socketio._server.socket import Socket
from trio_socketio._server.target import Target
from trio_socketio._socket.handlers import EventHandler, check_handled_event, check_handler
from trio_socketio._types import Data, Room
from trio_socketio._util import NoPublicConstructor

SocketHandlerT = TypeVar("SocketHandlerT", bound=SocketHandler)
EventHandlerT = TypeVar("EventHandlerT", bound=EventHandler)
DisconnectHandlerT = TypeVar("DisconnectHandlerT", bound=DisconnectHandler)
ErrorHandlerT = TypeVar("ErrorHandlerT", bound=ErrorHandler)


@final
class Namespace(metaclass=NoPublicConstructor):
    """A channel of its own on the clients' connections; made by ``Server.namespace``."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._behaviour = members.behaviour

    def __repr__(self) -> str:
        return f"<Namespace {self.name} with {len(self._members)} sockets>"

    @property
    def name(self) -> str:
        """Begins with a slash."""
        return self._members.name

    @property
    def sockets(self) -> Mapping[str, Socket]:
        """The sockets of this server that are connected, by id: a snapshot."""
        return self._members.sockets()

    # Registration

    def middleware(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register ``async def middleware(socket)``, run before the client's CONNECT is answered; several run in order.

        Raising ``ConnectionRefused`` refuses the client with its message and data; any other exception is logged, and
        the client sees "Internal server error". One that hangs is ended by ``Limits.connect_timeout``.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 1, "middleware(socket)")
        self._behaviour.middlewares.append(function)
        return function

    def on_connection(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register ``async def handler(socket)``: a task for each socket, begun when it has joined.

        It may return at once, or live as long as the socket: it is cancelled when the socket ends. In its ``finally``
        the rooms are still readable and ``disconnect_reason`` is set. If it raises, the socket is disconnected.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 1, "handler(socket)")
        self._behaviour.connection.append(function)
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
            ValueError: the name is reserved, or is no event of clients (``connection``), or has a handler already.
        """
        check_handled_event(event)

        def register(function: EventHandlerT) -> EventHandlerT:
            self._behaviour.events.add(event, function, concurrent=concurrent)
            return function

        return register

    def on_disconnect(self, function: DisconnectHandlerT) -> DisconnectHandlerT:
        """Register ``async def handler(socket, reason)``, run when a socket has ended and its tasks are gone.

        It runs shielded, for ``Limits.disconnect_timeout`` at most; the rooms are still readable.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 2, "handler(socket, reason)")
        self._behaviour.disconnect.append(function)
        return function

    def on_error(self, function: ErrorHandlerT) -> ErrorHandlerT:
        """Register ``async def handler(socket, error, event)``, told of every exception of a handler.

        ``event`` is the event's name, or ``connection``, ``disconnect`` or ``middleware``. It runs shielded, for
        ``Limits.disconnect_timeout`` at most, since the socket may have ended by that error; what it raises is logged.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 3, "handler(socket, error, event)")
        self._behaviour.error.append(function)
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
        return BroadcastOperator._create(self.name, self._members.adapter, Target())
