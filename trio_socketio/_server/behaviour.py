"""What the application has registered for a namespace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

from trio_socketio._server.socket import Socket
from trio_socketio._socket.handlers import Handlers

SocketHandler: TypeAlias = Callable[[Socket], Awaitable[Any]]
"""``async def handler(socket)``: a middleware, or a connection's task."""

DisconnectHandler: TypeAlias = Callable[[Socket, str], Awaitable[Any]]
"""``async def handler(socket, reason)``."""

ErrorHandler: TypeAlias = Callable[[Socket, Exception, str], Awaitable[Any]]
"""``async def handler(socket, error, event)``; the event's name, or ``connection``, ``disconnect``, ``middleware``."""


@final
@dataclass(slots=True)
class Behaviour:
    """All handlers of a namespace, each kind in the order in which it was registered."""

    middlewares: list[SocketHandler] = field(default_factory=list)
    connection: list[SocketHandler] = field(default_factory=list)
    events: Handlers = field(default_factory=Handlers)
    disconnect: list[DisconnectHandler] = field(default_factory=list)
    error: list[ErrorHandler] = field(default_factory=list)
