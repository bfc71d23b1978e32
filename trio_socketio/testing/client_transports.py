"""How the kit's client carries its session: by long-polling, or on a WebSocket.

Both raise what ``LOST`` names when they are of no more use. Long-polling has two connections, as a browser has: one for
the poll that the server holds, and one for what the client sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias, final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._exceptions import ConnectionRefused
from trio_socketio._wire.engine_handshake import OpenData, Refusal
from trio_socketio._wire.engine_packet import CLOSE, EnginePacket, decode_packet
from trio_socketio._wire.engine_payload import RECORD_SEPARATOR, decode_payload, encode_payload
from trio_socketio.testing.client_websocket import ClientWebSocket
from trio_socketio.testing.dialer import Dialer
from trio_socketio.testing.failures import HandshakeFailed
from trio_socketio.testing.held_poll import HeldPoll
from trio_socketio.testing.http_answer import HTTPAnswer
from trio_socketio.testing.http_connection import HTTPConnection

LOST = (trio.BrokenResourceError, trio.ClosedResourceError, trio.EndOfChannel, HandshakeFailed, ConnectionRefusedError)
"""What a transport raises when it has lost its connection."""

MOST_PACKETS = 1_000_000
"""In an answer; the server is not the one whom the kit mistrusts."""

Take: TypeAlias = Callable[[EnginePacket], Awaitable[None] | None]
"""Takes a packet; what is returned is awaited before the next one is read."""


class ClientTransport(Protocol):
    """A way to the server."""

    @property
    def name(self) -> TransportName:
        """``"polling"`` or ``"websocket"``."""
        ...

    async def send(self, packets: Sequence[EnginePacket]) -> None:
        """Send packets, in order."""

    async def read(self, take: Take) -> None:
        """Hand on what comes until there is nothing more; raises when the connection is lost."""

    async def close(self) -> None:
        """Tell the server that the session is over."""

    def abandon(self) -> None:
        """Close the connections without a word."""


@final
class PollingTransport:
    """Long-polling.

    Args:
        dialer: makes the requests.
        hold: starts the task that hands on a held answer when it is released.
    """

    name: TransportName = "polling"

    def __init__(self, dialer: Dialer, hold: Callable[[HeldPoll, list[EnginePacket]], None]) -> None:
        self._dialer = dialer
        self._hold = hold
        self._sid: str | None = None
        self._max_payload = 0
        self._poller: HTTPConnection | None = None
        self._poster: HTTPConnection | None = None
        self._is_pausing = False
        self._paused = trio.Event()

    async def open(self) -> OpenData:
        """Open a session.

        Raises:
            ConnectionRefused: ``allow_request`` does not let the client in.
            HandshakeFailed: it is refused for another reason.
        """
        self._poller = await self._dialer.connect()
        target = self._dialer.target("polling")
        answer = await self._poller.ask("GET", target, self._dialer.headers)
        if answer.status != 200:
            raise refusal_in(HandshakeFailed(f"GET {target}", answer))
        opened = OpenData.decode(decode_packet(answer.text))
        self._sid, self._max_payload = opened.sid, opened.max_payload
        return opened

    async def send(self, packets: Sequence[EnginePacket]) -> None:
        """Send packets by as many requests as their size needs."""
        for portion in _portions(packets, self._max_payload):
            body, content_type = encode_payload(portion)
            self._poster = await self._renewed(self._poster)
            await self._ask(self._poster, "POST", {"content-type": content_type}, body)

    async def read(self, take: Take) -> None:
        """Poll, until told to pause."""
        while not self._is_pausing:
            if self._poller is not None and self._poller.stream.was_cut:
                # Between two polls a browser would not notice. A fault must not depend on such a moment.
                msg = "the link was cut between two polls"
                raise trio.BrokenResourceError(msg)
            self._poller = await self._renewed(self._poller)
            answer = await self._ask(self._poller, "GET", {}, b"")
            packets = decode_payload(answer.body, max_packets=MOST_PACKETS)
            held = self._dialer.link._take_hold()
            if held is not None:
                held._keep(packets)
                self._hold(held, packets)
                continue
            for packet in packets:
                waiting = take(packet)
                if waiting is not None:
                    await waiting
        self._paused.set()

    async def _renewed(self, connection: HTTPConnection | None) -> HTTPConnection:
        """Return a connection that can be used: this one, or a new one."""
        if connection is not None:
            if connection.is_usable:
                return connection
            connection.stream.close()
        return await self._dialer.connect()

    async def _ask(self, connection: HTTPConnection, method: str, headers: dict[str, str], body: bytes) -> HTTPAnswer:
        target = self._dialer.target("polling", self._sid)
        answer = await connection.ask(method, target, {**self._dialer.headers, **headers}, body)
        if answer.status != 200:
            raise HandshakeFailed(f"{method} {target}", answer)
        return answer

    async def pause(self) -> None:
        """Poll no more, and wait until the last poll is answered."""
        self._is_pausing = True
        await self._paused.wait()

    async def close(self) -> None:
        """Send a CLOSE packet."""
        await self.send([CLOSE])

    def abandon(self) -> None:
        """Close both connections."""
        for connection in (self._poller, self._poster):
            if connection is not None:
                connection.stream.close()


def _portions(packets: Sequence[EnginePacket], max_bytes: int) -> list[list[EnginePacket]]:
    portions: list[list[EnginePacket]] = []
    room = 0
    for packet in packets:
        size = len(packet.payload_form.encode()) + len(RECORD_SEPARATOR)
        if size > room:
            portions.append([])
            room = max_bytes
        portions[-1].append(packet)
        room -= size
    return portions


def refusal_in(failure: HandshakeFailed, *, is_websocket: bool = False) -> Exception:
    """Return what the application has raised, if it was that: code 4 with its message, or that alone on a WebSocket."""
    answer = failure.answer
    if answer.status != Refusal.FORBIDDEN.status:
        return failure
    if is_websocket:
        return ConnectionRefused(answer.text)
    try:
        body = answer.json()
    except ValueError:
        return failure
    if isinstance(body, dict) and body.get("code") == Refusal.FORBIDDEN.code:
        return ConnectionRefused(str(body.get("message", "")))
    return failure


@final
class WebSocketTransport:
    """A WebSocket.

    Args:
        websocket: an open one.
    """

    name: TransportName = "websocket"

    def __init__(self, websocket: ClientWebSocket) -> None:
        self._websocket = websocket

    async def open(self) -> OpenData:
        """Read what the server tells a new client."""
        return OpenData.decode(decode_packet(await self._websocket.receive()))

    async def send(self, packets: Sequence[EnginePacket]) -> None:
        """Send each packet as a message."""
        await self._websocket.send(*[packet.message_form for packet in packets])

    async def read(self, take: Take) -> None:
        """Hand on messages until the server closes."""
        while True:
            waiting = take(decode_packet(await self._websocket.receive()))
            if waiting is not None:
                await waiting

    async def probe(self) -> bool:
        """Ask whether packets pass; say whether they do."""
        await self._websocket.send("2probe")
        return await self._websocket.receive() == "3probe"

    async def take_over(self) -> None:
        """Tell the server that the session goes on here."""
        await self._websocket.send("5")

    async def close(self) -> None:
        """Close the WebSocket."""
        await self._websocket.close()

    def abandon(self) -> None:
        """Close the connection."""
        self._websocket.abandon()
