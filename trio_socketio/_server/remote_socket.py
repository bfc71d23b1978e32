"""A socket that may be on another server."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, final

from trio_socketio._engine.exceptions import CloseReason, Disconnected
from trio_socketio._server.answers import Answers
from trio_socketio._server.description import SocketDescription
from trio_socketio._server.handshake import Handshake
from trio_socketio._socket.contract import answer_to
from trio_socketio._socket.event_methods import EventName, asks, sends
from trio_socketio._types import Data, Room
from trio_socketio._util import NoPublicConstructor


class Operator(Protocol):
    """What a remote socket needs of the broadcast operator that means it alone."""

    async def emit(self, event: EventName, *args: Any) -> None:
        """Send an event."""

    def call(self, event: EventName, *args: Any) -> AbstractAsyncContextManager[Answers]:
        """Send an event and take the answers."""
        ...

    def sockets_join(self, *rooms: Room) -> None:
        """Put it into rooms."""

    def sockets_leave(self, *rooms: Room) -> None:
        """Take it out of rooms."""

    def disconnect_sockets(self, *, close: bool) -> None:
        """Disconnect it."""


@final
class RemoteSocket(metaclass=NoPublicConstructor):
    """A socket of any server of the cluster, as ``fetch_sockets`` found it.

    What it is was copied then; what is done to it reaches the socket by its id, wherever it is. Nothing here says whether
    it is still connected: what is sent to a socket that has gone is dropped, ``call`` says so.
    """

    __slots__ = ("_description", "_operator")

    def __init__(self, description: SocketDescription, operator: Operator) -> None:
        self._description = description
        self._operator = operator

    def __repr__(self) -> str:
        return f"<RemoteSocket {self.id} of {self.namespace}>"

    @property
    def id(self) -> str:
        """Its public id."""
        return self._description.id

    @property
    def namespace(self) -> str:
        """The namespace's name."""
        return self._description.namespace

    @property
    def handshake(self) -> Handshake:
        """The client's first request, and its ``auth``."""
        return self._description.handshake

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that it was in; one of them has its id as name."""
        return self._description.rooms

    @property
    def data(self) -> Mapping[str, Any]:
        """What its server's application kept with it: a copy."""
        return self._description.data

    @sends
    async def emit(self, event: EventName, *args: Data) -> None:
        """Send an event to it, without waiting for anything; see ``BroadcastOperator.emit``."""
        await self._operator.emit(event, *args)

    @asks
    async def call(self, event: EventName, *args: Data) -> Any:
        """Send an event and wait for the client's acknowledgement; see ``Socket.call``.

        Raises:
            Disconnected: the client is gone, also while this waits; or it was not asked, since it owes
                ``Limits.max_pending_acks`` answers.
            InvalidAnswer: it is not what the contract says.
            TypeError: the name is not text, or an argument can't be encoded.
            ValueError: the name is reserved, or the arguments are nested too deeply.
        """
        async with self._operator.call(event, *args) as answers:
            async for _, answer in answers:
                return answer_to(event, answer)
        raise Disconnected(CloseReason.TRANSPORT_CLOSE)

    def join(self, *rooms: Room) -> None:
        """Put it into rooms; see ``BroadcastOperator.sockets_join``."""
        self._operator.sockets_join(*rooms)

    def leave(self, *rooms: Room) -> None:
        """Take it out of rooms; see ``BroadcastOperator.sockets_leave``."""
        self._operator.sockets_leave(*rooms)

    def disconnect(self, *, close: bool = False) -> None:
        """Disconnect it; see ``BroadcastOperator.disconnect_sockets``."""
        self._operator.disconnect_sockets(close=close)
