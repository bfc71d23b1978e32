"""A namespace whose handlers are registered from outside, by decorators; and a family of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.namespace import Namespace
from trio_socketio._server.registration import AsyncFunctionT, Registration
from trio_socketio._server.server_events import check_server_event
from trio_socketio._server.socket import Socket
from trio_socketio._socket.handlers import check_handler

SocketHandler: TypeAlias = Callable[[Socket], Awaitable[Any]]
"""``async def handler(socket)``: a middleware, a connection's task, or what is told that a socket won't come back."""

DisconnectHandler: TypeAlias = Callable[[Socket, str], Awaitable[Any]]
"""``async def handler(socket, reason)``."""

SocketHandlerT = TypeVar("SocketHandlerT", bound=SocketHandler)
DisconnectHandlerT = TypeVar("DisconnectHandlerT", bound=DisconnectHandler)


class OpenNamespace(Namespace, Registration):
    """A namespace that takes handlers: what ``Server.namespace`` returns. Your own classes inherit from ``Namespace``."""

    def __init_subclass__(cls, *, is_ours: bool = False) -> None:
        """Refuse: the methods of such a class would handle nothing."""
        super().__init_subclass__()
        if not is_ours:
            msg = f"{cls.__name__} can't inherit from OpenNamespace: inherit from Namespace, whose methods are handlers"
            raise TypeError(msg)

    def _register_methods(self) -> None:
        """Register nothing: its methods are decorators."""

    def _level(self) -> Behaviour:
        return self._behaviour

    def middleware(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register ``async def middleware(socket)``, run before the client's CONNECT is answered; several run in order.

        Raising ``ConnectionRefused`` refuses the client with its message and data; any other exception is logged, and
        the client sees "Internal server error". One that hangs is ended by ``Limits.connect_timeout``.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 1, "middleware(socket)")
        self._behaviour.middlewares.add(function)
        return function

    def on_connection(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register ``async def handler(socket)``: a task for each socket, begun when it has joined.

        It may return at once, or live as long as the socket: it is cancelled when the socket ends. In its ``finally``
        the rooms are still readable and ``disconnect_reason`` is set. If it raises, the socket is disconnected.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 1, "handler(socket)")
        self._behaviour.connection.add(function)
        return function

    def on_disconnect(self, function: DisconnectHandlerT) -> DisconnectHandlerT:
        """Register ``async def handler(socket, reason)``, run when a socket has ended and its tasks are gone.

        It runs shielded, for ``Limits.disconnect_timeout`` at most; the rooms are still readable.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 2, "handler(socket, reason)")
        self._behaviour.disconnect.add(function)
        return function

    def on_expired(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register ``async def handler(socket)``, run when a lost socket can't come back any more.

        Only with ``ConnectionStateRecovery``: its time is over, it was disconnected meanwhile, its client was refused, or
        came back and had missed too much. It runs shielded, for ``Limits.disconnect_timeout`` at most; the rooms are still
        readable.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 1, "handler(socket)")
        self._behaviour.expired.add(function)
        return function

    def on_server_event(self, event: str) -> Callable[[AsyncFunctionT], AsyncFunctionT]:
        """Register ``async def handler(*args)`` for an event of another server of the cluster.

        What it returns is the answer to ``server_side_call``, as for ``on``. What it raises is logged.

        Raises:
            TypeError: another kind of function, or the name is not text.
            ValueError: the name is reserved, or has a handler already.
        """
        check_server_event(event)

        def register(function: AsyncFunctionT) -> AsyncFunctionT:
            self._server._place_to_stay(self._name).server_events.add(event, function)
            return function

        return register
