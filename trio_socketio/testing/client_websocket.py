"""A WebSocket, the client's side, over a connection in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import final

import trio

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.websocket_frame import BINARY, CLOSE, PING, PONG, TEXT
from trio_socketio.testing.client_frames import ServerFrames, encode_masked
from trio_socketio.testing.failures import HandshakeFailed
from trio_socketio.testing.http_connection import HTTPConnection
from trio_socketio.testing.link import Link
from trio_socketio.testing.memory_stream import MemoryStream

_OFFER = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@final
class ClientWebSocket:
    """An open WebSocket; see ``open_websocket``."""

    def __init__(self, stream: MemoryStream, rest: bytes) -> None:
        self._stream = stream
        self._frames = ServerFrames()
        self._messages: deque[str | bytes] = deque()
        self._rest = rest
        self._sending = trio.Lock()
        self._has_said_goodbye = False
        self.is_closed: bool = False
        """The server has closed it."""
        self.close_code: int | None = None
        """The code with which the server has closed it; ``None`` as long as it has not, or without one."""

    async def send(self, *messages: str | bytes) -> None:
        """Send messages: text, or bytes.

        Raises:
            trio.BrokenResourceError: the connection is gone.
        """
        frames = [
            encode_masked(TEXT, message.encode()) if isinstance(message, str) else encode_masked(BINARY, message)
            for message in messages
        ]
        async with self._sending:
            await self._stream.send_all(b"".join(frames))

    async def receive(self) -> str | bytes:
        """Wait for the next message.

        Raises:
            trio.EndOfChannel: the server has closed it, or the connection has come to its end.
            trio.BrokenResourceError: the connection was aborted.
            RemoteProtocolError: what came is no frame of a server, or its text is none.
        """
        while not self._messages:
            if self.is_closed:
                raise trio.EndOfChannel
            if self._rest:
                data, self._rest = self._rest, b""
            else:
                data = await self._stream.receive_some()
            if not data:
                self.is_closed = True
            for opcode, payload in self._frames.feed(data):
                await self._take(opcode, payload)
        return self._messages.popleft()

    async def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            try:
                self._messages.append(payload.decode())
            except UnicodeDecodeError as error:
                msg = f"a text message that is not UTF-8: {payload[:100]!r}"
                raise RemoteProtocolError(msg) from error
        elif opcode == BINARY:
            self._messages.append(payload)
        elif opcode == PING:
            async with self._sending:
                await self._stream.send_all(encode_masked(PONG, payload))
        elif opcode == CLOSE:
            self.is_closed = True
            self.close_code = int.from_bytes(payload[:2]) if payload else None
            await self._say_goodbye(payload[:2])

    async def close(self, code: int = 1000) -> None:
        """Say that it is over, and close the connection.

        Raises:
            trio.BrokenResourceError: the connection is gone.
        """
        await self._say_goodbye(code.to_bytes(2))

    async def _say_goodbye(self, payload: bytes) -> None:
        if not self._has_said_goodbye:
            self._has_said_goodbye = True
            async with self._sending:
                await self._stream.send_all(encode_masked(CLOSE, payload))
                await self._stream.send_eof()

    def abandon(self) -> None:
        """Close the connection without a word."""
        self._stream.close()


async def open_websocket(link: Link, target: str, headers: Mapping[str, str]) -> ClientWebSocket:
    """Connect, and ask for a WebSocket.

    Args:
        link: the way to the server.
        target: path and query.
        headers: to be sent beside those of the handshake.

    Raises:
        HandshakeFailed: the server answers with something else than 101.
        ConnectionRefusedError: nobody listens.
        trio.BrokenResourceError: the connection was lost.
    """
    stream = await link._open()
    offer = {} if link._network.refuses_upgrades else _OFFER
    connection = HTTPConnection(stream)
    is_open = False
    try:
        answer = await connection.ask("GET", target, {**headers, **offer})
        is_open = answer.status == 101
    finally:
        if not is_open:
            stream.close()
    if not is_open:
        raise HandshakeFailed(f"GET {target}", answer)
    return ClientWebSocket(stream, connection.rest)
