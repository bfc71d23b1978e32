"""A client that does nothing by itself: for tests of the protocol, packet by packet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, final

import msgspec
import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._util import NoPublicConstructor
from trio_socketio._wire.engine_packet import decode_packet
from trio_socketio._wire.engine_payload import encode_payload
from trio_socketio.testing.dialer import Dialer
from trio_socketio.testing.failures import HandshakeFailed
from trio_socketio.testing.http_answer import HTTPAnswer
from trio_socketio.testing.http_connection import HTTPConnection
from trio_socketio.testing.link import Link
from trio_socketio.testing.packet_pattern import PacketPattern
from trio_socketio.testing.patience import Patience
from trio_socketio.testing.raw_packets import RawPackets
from trio_socketio.testing.raw_websocket import RawWebSocket


@final
class RawClient(metaclass=NoPublicConstructor):
    """Sends and expects what the test says, and nothing else: ``async with server.open_raw() as raw``.

    It does not answer pings, nor does it poll before something is expected.
    """

    def __init__(self, dialer: Dialer, transport: TransportName, patience: Patience) -> None:
        self.sid: str | None = None
        """The session's secret; may be set to another one."""
        self.opened: Mapping[str, Any] = {}
        """What the server has said in its OPEN packet: ``sid``, ``upgrades``, ``pingInterval``, ... in milliseconds."""
        self._dialer = dialer
        self._transport = transport
        self._patience = patience
        self._is_left = False
        self._idle: list[HTTPConnection] = []
        self._websocket: RawWebSocket | None = None
        self._polled = RawPackets(self._fetch, patience)

    @property
    def link(self) -> Link:
        """The way to the server, for faults: ``raw.link.cut()``."""
        return self._dialer.link

    @asynccontextmanager
    async def _running(self, *, handshake: bool) -> AsyncIterator[RawClient]:
        await trio.lowlevel.checkpoint()
        try:
            if not handshake:
                yield self
            elif self._transport == "polling":
                self._note(await self._first_poll())
                yield self
            else:
                async with self.open_websocket() as self._websocket:
                    self._note(await self._websocket.expect("0{...}"))
                    yield self
        finally:
            self._is_left = True
            for connection in self._idle:
                connection.stream.close()

    def _check_not_left(self) -> None:
        if self._is_left:
            msg = "the block of this client has been left: use it inside 'async with server.open_raw(...) as raw'"
            raise RuntimeError(msg)

    async def _first_poll(self) -> str:
        answer = await self.request()
        if answer.status != 200:
            raise HandshakeFailed("the handshake of a raw client", answer)
        return answer.text

    def _note(self, packet: str | bytes) -> None:
        self.opened = msgspec.json.decode(packet[1:])
        self.sid = self.opened["sid"]

    # Packets

    async def send(self, *packets: str | bytes) -> None:
        """Send packets as they travel on a WebSocket: ``"40"``, ``'42["x"]'``, bytes for an attachment.

        Raises:
            ExpectationFailed: the server takes nothing for longer than its patience.
            HandshakeFailed: by long-polling: the answer is not 200.
            RuntimeError: the session was not opened (``open_raw(handshake=False)``), or outside of the client's block.
            trio.BrokenResourceError: the connection is gone.
        """
        if self._transport == "websocket":
            await self._open_websocket().send(*packets)
            return
        answer = await self.post(*packets)
        if answer.status != 200:
            raise HandshakeFailed("the POST of a raw client", answer)

    async def expect(self, *patterns: PacketPattern) -> str | bytes:
        """Take the next packets, which must look like these, in order; polls for them if it has to.

        Args:
            patterns: text in which ``...`` stands for anything, bytes, or regular expressions.

        Returns:
            The last one, as it came on a WebSocket, or as it would have.

        Raises:
            ExpectationFailed: one looks different, or does not come; the message says what came instead.
            RuntimeError: the session was not opened (``open_raw(handshake=False)``), or outside of the client's block.
            TypeError: not a pattern.
        """
        return await self._source().expect(*patterns)

    async def expect_nothing(self, *, within: float = 0.0) -> None:
        """Make sure that no packet comes for so many seconds; with 0, that none is on its way.

        By long-polling that ends with a poll that is given up, which costs the session: let it be the last.

        Raises:
            ExpectationFailed: one has come.
        """
        await self._source().expect_nothing(within)

    async def expect_close(self, code: int | None = None) -> None:
        """Make sure that the server closes the WebSocket, and sends no packet before; see ``RawWebSocket.expect_close``.

        Raises:
            ExpectationFailed: a packet came, it stays open, or the code is another one.
            RuntimeError: by long-polling: expect the packet ``"1"`` there.
        """
        await self._open_websocket().expect_close(code)

    def _source(self) -> RawPackets:
        return self._polled if self._transport == "polling" else self._open_websocket()._packets

    def _open_websocket(self) -> RawWebSocket:
        self._check_not_left()
        if self._websocket is None:
            msg = (
                "this raw client has no WebSocket of its own: open_raw('websocket'), or async with raw.open_websocket()"
            )
            raise RuntimeError(msg)
        return self._websocket

    async def _fetch(self) -> Sequence[str | bytes]:
        answer = await self.poll()
        if answer.status != 200:
            raise HandshakeFailed("the poll of a raw client", answer)
        return [decode_packet(packet).message_form for packet in answer.packets]

    # Requests

    async def request(
        self,
        method: str = "GET",
        target: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> HTTPAnswer:
        """Send an HTTP request, over a connection that waits for one or a new one, and wait for the answer.

        Args:
            method: the method.
            target: path and query; that of a poll of this session if it is left out.
            headers: beside those of the client.
            body: the body.

        Raises:
            ConnectionRefusedError: nobody listens.
            ExpectationFailed: no answer came in the server's patience.
            RemoteProtocolError: what came is no answer.
            RuntimeError: outside of the client's block.
            trio.BrokenResourceError: the connection is gone.
        """
        self._check_not_left()
        if target is None:
            target = self._dialer.target("polling", self.sid)
        shown = f"{method} {target}"
        return await self._patience.wait(
            lambda: self._exchange(method, target, {**self._dialer.headers, **(headers or {})}, body),
            lambda: f"{shown} was not answered",
        )

    async def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> HTTPAnswer:
        self._idle = [connection for connection in self._idle if connection.is_usable]
        connection = self._idle.pop() if self._idle else await self._dialer.connect()
        try:
            answer = await connection.ask(method, target, headers, body)
        except BaseException:
            connection.stream.close()  # Who gives a request up closes its connection.
            raise
        if connection.is_usable:
            self._idle.append(connection)
        else:
            connection.stream.close()
        return answer

    async def poll(self) -> HTTPAnswer:
        """Poll once; raises as ``request``."""
        return await self.request()

    async def post(self, *packets: str | bytes) -> HTTPAnswer:
        """Send packets by one POST; raises as ``request``."""
        body, content_type = encode_payload([decode_packet(packet) for packet in packets])
        return await self.request("POST", headers={"content-type": content_type}, body=body)

    @asynccontextmanager
    async def open_websocket(self) -> AsyncIterator[RawWebSocket]:
        """Open a WebSocket beside: for this session, to probe and upgrade by hand, or for a new one.

        Leaving the block closes the connection, without a word.

        Raises:
            ConnectionRefusedError: nobody listens.
            ExpectationFailed: no answer came in the server's patience.
            HandshakeFailed: the server's answer is not 101.
            RuntimeError: outside of the client's block.
            trio.BrokenResourceError: the connection is gone.
        """
        self._check_not_left()
        websocket = await self._patience.wait(
            lambda: self._dialer.open_websocket(self.sid), lambda: "the request for a WebSocket was not answered"
        )
        try:
            yield RawWebSocket._create(websocket, self._patience)
        finally:
            websocket.abandon()
