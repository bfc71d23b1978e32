"""The client's end of an Engine.IO session: handshake, packets both ways, heartbeat, upgrade, end.

Theory of operation
-------------------
``open`` shakes hands. ``run`` is the session's task; its nursery has

    the reader      hands on what the transport brings
    the writer      sends what waits in the outbox, one batch at a time
    the watch       ends the session when the server's pings stay away
    the upgrade     probes a WebSocket, if the client wants one and the server offers it

and is cancelled by ``close``. While a batch is on its way nobody changes the transport, and the other way round: both hold
``_sending``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._engine.exceptions import Disconnected
from trio_socketio._engine.outbox import Outbox, Owner
from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._limits import Limits
from trio_socketio._util import plain_exceptions
from trio_socketio._wire.engine_handshake import OpenData
from trio_socketio._wire.engine_packet import PONG, EnginePacket, PacketType
from trio_socketio.testing.client_transports import (
    LOST,
    ClientTransport,
    PollingTransport,
    WebSocketTransport,
    refusal_in,
)
from trio_socketio.testing.dialer import Dialer
from trio_socketio.testing.failures import HandshakeFailed
from trio_socketio.testing.held_poll import HeldPoll

Receive: TypeAlias = Callable[[str | bytes], Awaitable[None] | None]
"""Takes a message; what is returned is awaited before the next one is read. It may raise RemoteProtocolError."""

GOODBYE = 1.0
"""Seconds that a session which is closed in peace may take for its last words."""


@final
class ClientSession:
    """One session; it is opened once.

    Args:
        dialer: makes the requests.
        transports: the first one opens the session; "websocket" behind "polling" is changed to if the server offers it.
        limits: bound what may wait to be sent.
        receive: takes the messages.
        upgraded: called when the transport has changed.
    """

    def __init__(
        self,
        dialer: Dialer,
        transports: Sequence[TransportName],
        limits: Limits,
        receive: Receive,
        upgraded: Callable[[], None],
    ) -> None:
        self._dialer = dialer
        self._transports = transports
        self._receive = receive
        self._upgraded = upgraded
        self.outbox: Outbox = Outbox(limits)
        """What waits to be sent."""
        self.opened: OpenData | None = None
        """What the server has said in its handshake."""
        self.close_reason: str | None = None
        """Why it has ended, in the words of the official client."""
        self.closed: trio.Event = trio.Event()
        """It has ended."""
        self._closing: str | None = None
        self._transport: ClientTransport | None = None
        self._sending = trio.Lock()
        self._something_waits = trio.Event()
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._alive_until = 0.0

    @property
    def transport(self) -> TransportName:
        """The transport that carries it now."""
        return self._transports[0] if self._transport is None else self._transport.name

    async def open(self) -> None:
        """Shake hands.

        Raises:
            ConnectionRefused: ``allow_request`` does not let the client in.
            HandshakeFailed: it is refused for another reason.
            ConnectionRefusedError: nobody listens.
            trio.BrokenResourceError: the connection was lost.
            RemoteProtocolError: the answer is no handshake.
        """
        transport: PollingTransport | WebSocketTransport
        if self._transports[0] == "polling":
            transport = PollingTransport(self._dialer, self._hold)
        else:
            try:
                transport = WebSocketTransport(await self._dialer.open_websocket())
            except HandshakeFailed as failure:
                raise refusal_in(failure, is_websocket=True) from None
        try:
            self.opened = await transport.open()
        except trio.EndOfChannel as ended:
            transport.abandon()
            msg = "the server closed the WebSocket before the session was open"
            raise trio.BrokenResourceError(msg) from ended
        except BaseException:
            transport.abandon()
            raise
        self._transport = transport

    async def run(self) -> None:
        """Live until closed; ``open`` comes first."""
        transport, opened = self._transport, self.opened
        assert transport is not None  # noqa: S101 - open comes first
        assert opened is not None  # noqa: S101 - likewise
        self._beat(opened)
        try:
            with self._scope, plain_exceptions():
                async with trio.open_nursery() as self._nursery:
                    self._nursery.start_soon(self._watch)
                    self._nursery.start_soon(self._write)
                    self._nursery.start_soon(self._read, transport)
                    if isinstance(transport, PollingTransport) and self._wants_upgrade(opened):
                        self._nursery.start_soon(self._upgrade, transport, opened.sid)
        finally:
            self._nursery = None
            self.close(self._closing or "forced close")
            transport.abandon()
            if self._transport is not None:
                self._transport.abandon()

    def _wants_upgrade(self, opened: OpenData) -> bool:
        return "websocket" in self._transports and "websocket" in opened.upgrades

    def close(self, reason: str) -> None:
        """End it at once; the first reason counts."""
        if self.closed.is_set():
            return
        self.close_reason = reason
        self.closed.set()
        self.outbox.clear()
        self._scope.cancel()

    def close_in_peace(self, reason: str) -> None:
        """End it when what waits was sent, and the server has been told; within a second, or at once if it is not open."""
        if self._nursery is None:
            self.close(reason)
        elif self._closing is None:
            self._closing = reason
            self._scope.deadline = trio.current_time() + GOODBYE
            self._something_waits.set()
            self.outbox.serve_waiting()

    # What a peer needs: see ``_socket.peer.Link``

    def send(self, batch: Sequence[EnginePacket]) -> None:
        """Queue a batch, or raise trio.WouldBlock or Disconnected."""
        if self.closed.is_set() or self._closing is not None:
            raise Disconnected(self.close_reason or self._closing or "")
        if not self.outbox.offer(batch):
            raise trio.WouldBlock
        self._something_waits.set()

    put = send

    def flush(self) -> None:
        """Do nothing: the writer is awake already."""

    async def put_in_turn(self, owner: Owner, put: Callable[[], None]) -> None:
        """Wait until ``put`` goes through, behind all who wait already."""
        await self.outbox.put_in_turn(owner, put)

    def serve_waiting(self) -> None:
        """Let those who wait look again."""
        self.outbox.serve_waiting()

    # Its tasks

    async def _write(self) -> None:
        while True:
            await self._something_waits.wait()
            self._something_waits = trio.Event()
            async with self._sending:
                transport = self._transport
                assert transport is not None  # noqa: S101 - see run
                try:
                    while packets := self.outbox.take():
                        await transport.send(packets)
                    if self._closing is not None:
                        await transport.close()
                        self.close(self._closing)
                except LOST:
                    self.close(self._closing or "transport error")

    async def _read(self, transport: ClientTransport) -> None:
        try:
            await transport.read(self._take)
        except trio.EndOfChannel:
            self._end("transport close")
        except LOST:
            self._end("transport error")
        except RemoteProtocolError:
            self._end("parse error")

    def _end(self, reason: str) -> None:
        self.close(self._closing or reason)

    def _take(self, packet: EnginePacket) -> Awaitable[None] | None:
        if packet.type is PacketType.MESSAGE:
            return self._receive(packet.data)
        if packet.type is PacketType.PING:
            assert self.opened is not None  # noqa: S101 - see run
            self._beat(self.opened)
            self.outbox.put([PONG])
            self._something_waits.set()
        elif packet.type is PacketType.CLOSE:
            self._end("transport close")
        return None

    def _beat(self, opened: OpenData) -> None:
        self._alive_until = trio.current_time() + opened.ping_interval + opened.ping_timeout

    async def _watch(self) -> None:
        """End it when no ping has come for ``pingInterval + pingTimeout``."""
        while (until := self._alive_until) > trio.current_time():  # noqa: ASYNC110 - it waits for a time
            await trio.sleep_until(until)
        self._end("ping timeout")

    def _hold(self, held: HeldPoll, packets: list[EnginePacket]) -> None:
        assert self._nursery is not None  # noqa: S101 - its reader has called
        self._nursery.start_soon(self._release, held, packets)

    async def _release(self, held: HeldPoll, packets: list[EnginePacket]) -> None:
        await held._wait_released()
        try:
            for packet in packets:
                waiting = self._take(packet)
                if waiting is not None:
                    await waiting
        except RemoteProtocolError:
            self._end("parse error")

    async def _upgrade(self, polling: PollingTransport, sid: str) -> None:
        try:
            websocket = WebSocketTransport(await self._dialer.open_websocket(sid))
        except LOST:
            return  # It goes on by long-polling, as any client does that can't get a WebSocket.
        try:
            if await self._passes(websocket):
                async with self._sending:
                    await polling.pause()
                    await websocket.take_over()
                    self._transport = websocket
                self._upgraded()
                polling.abandon()
                await self._read(websocket)
        except LOST:
            self._end("transport error")  # It polls no more: there is no way back.
        finally:
            websocket.abandon()

    async def _passes(self, websocket: WebSocketTransport) -> bool:
        try:
            return await websocket.probe()
        except (*LOST, RemoteProtocolError):
            return False
