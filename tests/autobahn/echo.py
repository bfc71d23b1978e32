"""A WebSocket server that echoes, made of all that carries a Socket.IO client but the packets.

The front, the link, the poller, the stream, the session, its outbox and the writer are the ones of ``serve``. What is
missing are Engine.IO's one-letter prefixes, its OPEN packet, and its queries: Autobahn's clients know nothing of them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

import trio

from trio_socketio import EngineConfig, Limits, Request
from trio_socketio._engine.server import Admission, EngineServer
from trio_socketio._engine.session import Session
from trio_socketio._engine.transport import MessageStream, Take
from trio_socketio._engine.writer import WriterFactory
from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.engine_packet import MESSAGE, PacketType, encoded_size
from trio_socketio._wire.websocket_frame import BINARY, TEXT, encode_frame

PATH = "/echo"

# The suite's messages have up to 16 MiB, in frames of 64 bytes.
LIMITS = Limits(max_payload=2**25, max_message_parts=2**20, message_deadline=300, send_queue_bytes=2**25)


class Message:
    """A packet that is nothing but its data."""

    type = PacketType.MESSAGE

    def __init__(self, data: str | bytes) -> None:
        self.data = data
        self.size = encoded_size(data)
        self.frame = encode_frame(BINARY, data) if isinstance(data, bytes) else encode_frame(TEXT, data.encode())


class Echo:
    """Sends back what it receives, and reads no more while there is no room for it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def start(self, nursery: trio.Nursery) -> None:
        pass

    def receive(self, message: str | bytes) -> Awaitable[None] | None:
        try:
            self._session.send([Message(message)])
        except trio.WouldBlock:
            return self._send_later(message)
        return None

    async def _send_later(self, message: str | bytes) -> None:
        await self._session.put_in_turn(self, partial(self._session.send, [Message(message)]))

    gone = None

    def pinged(self) -> None:
        """Nothing is kept until it has arrived."""

    ponged = pinged

    def closed(self, reason: object) -> None:
        pass


class Prefixed:
    """A message stream that writes Engine.IO's letter in front of what comes."""

    def __init__(self, stream: MessageStream) -> None:
        self._stream = stream

    async def pump(self, take: Take) -> None:
        await self._stream.pump(lambda message: take(MESSAGE + message if isinstance(message, str) else message))


class EchoEngine:
    """What the front asks of an engine; all of it is the real one, but for whom it admits."""

    def __init__(self, config: EngineConfig) -> None:
        self._engine = EngineServer(config, LIMITS, Echo)

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)

    async def admit(self, request: Request) -> Admission:
        return Admission(request, [], None)

    async def carry(self, admission: Admission, stream: MessageStream, new_writer: WriterFactory) -> None:
        session = await self._engine._registry.open(admission.request)
        if session is None:
            raise RemoteProtocolError("the server ends")
        await self._engine._transport(session, Prefixed(stream), new_writer)


class EchoServer:
    """What ``serve`` needs of a server."""

    def __init__(self) -> None:
        self.config = EngineConfig(path=PATH, ping_interval=10_000)
        self.limits = LIMITS
        self.engine = EchoEngine(self.config)
        self.running = self.engine.running
        self.drain = self.engine.drain
