"""What the worker of a socket is to others, and what it needs of its client's connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, final

import trio

from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.session import Session
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.dispatcher import Dispatcher
from trio_socketio._server.replay import Replay
from trio_socketio._server.socket import Socket, SocketState
from trio_socketio._socket.peer import Peer
from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio._wire.socket_packet import SocketPacket


class Tenant(Protocol):
    """A worker, as its namespace and the recovery see it."""

    state: SocketState
    session: Session
    socket: Socket
    peer: Peer
    dispatcher: Dispatcher
    pid: str
    replay: Replay | None
    finished: trio.Event
    is_expiring: bool

    @property
    def namespace(self) -> str:
        """The namespace's name."""
        ...

    @property
    def behaviour(self) -> Behaviour:
        """What is registered for its socket."""
        ...

    @property
    def is_kept(self) -> bool:
        """Its handlers live on while its client is gone."""
        ...

    def end(self, reason: CloseReason) -> None:
        """End the socket, or lose it."""

    def time_out(self) -> None:
        """Refuse a client whose middlewares take too long."""

    def give_up(self) -> None:
        """End a lost socket: it can't come back any more."""

    def disconnect(self, *, close: bool = ..., reason: CloseReason = ...) -> None:
        """Disconnect its client from the namespace, or at all; a lost one does not come back."""

    def claim(self, client: Client, auth: Mapping[str, Any] | None) -> None:
        """Begin to return from being lost."""

    async def run_return(self, client: Client) -> None:
        """Let the client in again, or not; or do nothing, if it is gone already."""


class Client(Protocol):
    """A client's connection."""

    session: Session

    def send(self, packet: SocketPacket) -> None:
        """Queue a packet that must not be lost: a client that has no room for it is disconnected."""

    def send_anyway(self, packet: SocketPacket) -> None:
        """Queue a packet also behind a full queue."""

    def tell_to_leave(self, namespace: str) -> None:
        """Queue a DISCONNECT, behind what waits."""

    def joined(self, worker: Tenant) -> None:
        """A namespace was joined."""

    def ended(self, worker: Tenant) -> None:
        """Send the worker nothing more; the namespace may be joined again."""

    def finished(self, worker: Tenant) -> None:
        """Nothing of the worker runs any more."""

    def disconnect_all(self) -> None:
        """End all sockets of the client, and its session."""


@final
class Away:
    """The link of a peer whose client is gone, and may come back: what is sent is kept elsewhere."""

    def send(self, batch: Sequence[EnginePacket]) -> None:
        """Drop it."""

    put = send

    def flush(self) -> None:
        """Do nothing."""

    async def put_in_turn(self, owner: Peer, put: Callable[[], None]) -> None:
        """Do it at once: there is room."""
        del owner
        put()

    def serve_waiting(self) -> None:
        """Nobody waits."""


AWAY = Away()
