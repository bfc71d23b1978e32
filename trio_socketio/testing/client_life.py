"""The life of a client: its connections one after the other, and what it knows from one to the next.

    CONNECTING --(CONNECT)--> CONNECTED --(connection lost)--> AWAY --(after a while)--> CONNECTING ...
         |                       |                               |
         +--(refused)------------+--(either side wished it)------+--(no reconnection)--> ENDED

A client that was refused, or that either side has disconnected, does not come back by itself; ``connect`` begins anew.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._exceptions import ConnectionRefused, RemoteProtocolError
from trio_socketio._limits import Limits
from trio_socketio._socket.peer import Peer, encode_batch
from trio_socketio._wire.parser import Decoder, Parser
from trio_socketio._wire.socket_packet import Ack, Connect, ConnectError, Disconnect, Event, SocketPacket
from trio_socketio.testing.backoff import Backoff, Waits
from trio_socketio.testing.client_session import ClientSession
from trio_socketio.testing.client_transports import LOST
from trio_socketio.testing.dialer import Dialer
from trio_socketio.testing.network import ServerLeft

SERVER_DISCONNECT = "io server disconnect"
CLIENT_DISCONNECT = "io client disconnect"


@final
class ClientState(Enum):
    """See the module."""

    CONNECTING = auto()
    CONNECTED = auto()
    AWAY = auto()
    ENDED = auto()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client behaves.

    Args:
        namespace: where it wants to be.
        auth: what it says when it joins.
        transports: see ``ClientSession``.
        parser: as the server's.
        reconnection: come back by itself.
        backoff: how long it waits before it does.
        attempts: so often it tries before it gives up.
    """

    namespace: str
    auth: Mapping[str, Any] | None
    transports: Sequence[TransportName]
    parser: Parser
    reconnection: bool
    backoff: Backoff
    attempts: float = math.inf


@final
class ClientLife:
    """Runs one client.

    Args:
        dialer: makes its requests.
        settings: how it behaves.
        limits: bound what may wait.
        receive: takes each event; what it returns is awaited before the next message is read.
        changed: called when the state has changed.
    """

    def __init__(
        self,
        dialer: Dialer,
        settings: ClientSettings,
        limits: Limits,
        *,
        receive: Callable[[Event], Awaitable[None] | None],
        changed: Callable[[], None],
    ) -> None:
        self.settings: ClientSettings = settings
        self.state: ClientState = ClientState.CONNECTING
        self.session: ClientSession | None = None
        """The current connection, or the last one."""
        self.peer: Peer | None = None
        """Emits and asks, while connected."""
        self.id: str | None = None
        self.recovered: bool = False
        self.connects: int = 0
        """How often it was connected."""
        self.reason: str | None = None
        """Why it was disconnected last."""
        self.failure: Exception | None = None
        """Why it could not connect last."""
        self._dialer = dialer
        self._limits = limits
        self._receive = receive
        self._changed = changed
        self._waits = Waits(settings.backoff)
        self._ack_ids = itertools.count()
        self._pid: str | None = None
        self._offset: str | None = None
        self._decoder: Decoder = settings.parser.decoder(limits)
        self._pause = trio.CancelScope()
        self._asked = trio.Event()
        self._is_asked = False
        """Somebody wants it to connect now."""

    async def run(self) -> None:
        """Live until cancelled."""
        while True:
            await self._connect()
            if self.state is ClientState.AWAY:
                if self._may_come_back():
                    with trio.move_on_after(self._waits.next()) as self._pause:
                        await self._asked.wait()
                else:
                    self._set(ClientState.ENDED)
            while self.state is ClientState.ENDED and not self._is_asked:
                self._asked = trio.Event()
                await self._asked.wait()
            self._is_asked = False
            self._asked = trio.Event()
            self._set(ClientState.CONNECTING)

    def _may_come_back(self) -> bool:
        return self.settings.reconnection and self._waits.attempts < self.settings.attempts

    def begin_anew(self) -> None:
        """Connect now, instead of later or not at all."""
        self._waits.reset()
        self.failure = None
        self._is_asked = True
        self._asked.set()

    def end(self) -> None:
        """Leave: the server is told, and the client does not come back by itself."""
        session = self.session
        self._is_asked = False
        if self.state is ClientState.CONNECTED and session is not None:
            session.outbox.put(encode_batch(self.settings.parser, Disconnect(self.settings.namespace)))
            self._leave(CLIENT_DISCONNECT)
        elif self.state is not ClientState.ENDED:
            self._set(ClientState.ENDED)
            self._pause.cancel()
        if session is not None:
            session.close_in_peace(CLIENT_DISCONNECT)

    def _set(self, state: ClientState) -> None:
        if self.state is not state:
            self.state = state
            self._changed()

    # A connection

    async def _connect(self) -> None:
        session = self.session = ClientSession(
            self._dialer, self.settings.transports, self._limits, self._take, self._changed
        )
        self._decoder = self.settings.parser.decoder(self._limits)
        try:
            await session.open()
        except (ConnectionRefused, ServerLeft) as failure:
            self.failure = failure
            self._set(ClientState.ENDED)
            return
        except (*LOST, RemoteProtocolError) as failure:
            self.failure = failure
            self._set(ClientState.AWAY)
            return
        if not session.closed.is_set():
            session.send(encode_batch(self.settings.parser, Connect(self.settings.namespace, self._auth())))
        try:
            await session.run()
        finally:
            self._lose(session.close_reason or "forced close")

    def _auth(self) -> Mapping[str, Any] | None:
        if self._pid is None:
            return self.settings.auth
        came_back = {"pid": self._pid} if self._offset is None else {"pid": self._pid, "offset": self._offset}
        return {**(self.settings.auth or {}), **came_back}

    def _lose(self, reason: str) -> None:
        if self.state is ClientState.CONNECTED:
            self._disconnected(reason)
            self._set(ClientState.AWAY)
        elif self.state is ClientState.CONNECTING:
            self.failure = self.failure or trio.BrokenResourceError(f"the connection ended before CONNECT: {reason}")
            self._set(ClientState.AWAY)

    def _leave(self, reason: str) -> None:
        self._disconnected(reason)
        self._pid = self._offset = None
        self._set(ClientState.ENDED)

    def _disconnected(self, reason: str) -> None:
        self.reason = reason
        if self.peer is not None:
            self.peer.leave(reason)

    # What comes

    def _take(self, message: str | bytes) -> Awaitable[None] | None:
        packet = self._decoder.feed(message)
        if packet is None or packet.namespace != self.settings.namespace:
            return None
        if isinstance(packet, Event):
            return self._take_event(packet)
        self._take_other(packet)
        return None

    def _take_event(self, event: Event) -> Awaitable[None] | None:
        if self.state is not ClientState.CONNECTED or not event.args:
            return None
        # What the server repeats after a recovery has its place among all events as its last argument; what asks for an
        # answer is never repeated, and has none.
        if self._pid is not None and event.ack_id is None and isinstance(event.args[-1], str) and len(event.args) > 1:
            self._offset = event.args[-1]
            event = Event(event.namespace, event.args[:-1])
        return self._receive(event)

    def _take_other(self, packet: SocketPacket) -> None:
        session = self.session
        assert session is not None  # noqa: S101 - it is who has called
        match packet:
            case Connect(_, data) if self.state is ClientState.CONNECTING:
                self._connected(session, data or {})
            case ConnectError(_, data):
                content = data if isinstance(data, dict) else {"message": str(data)}
                self.failure = ConnectionRefused(str(content.get("message", "")), content.get("data"))
                self._set(ClientState.ENDED)
                session.close_in_peace(CLIENT_DISCONNECT)
            case Disconnect():
                self._leave(SERVER_DISCONNECT)
                session.close_in_peace(SERVER_DISCONNECT)
            case Ack(_, args, ack_id) if self.peer is not None:
                self.peer.acks.settle(ack_id, args)

    def _connected(self, session: ClientSession, data: Mapping[str, Any]) -> None:
        pid = data.get("pid")
        self.recovered = pid is not None and pid == self._pid
        self.id, self._pid = data.get("sid"), pid
        self.peer = Peer(
            self.settings.namespace,
            session,
            self.settings.parser,
            max_pending_acks=self._limits.max_pending_acks,
            ack_ids=self._ack_ids,
        )
        self.connects += 1
        self.reason = self.failure = None
        self._waits.reset()
        self._set(ClientState.CONNECTED)
