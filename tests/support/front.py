"""Connections to the native front without a network: the client's end speaks bytes, the server's is a link."""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio
from trio.testing import memory_stream_pair

from tests.support.client import PATIENCE, settle
from tests.support.engine import Recorder, running_engine
from trio_socketio import EngineConfig, Limits
from trio_socketio._engine.server import EngineServer
from trio_socketio._serve.connection import FrontConnection
from trio_socketio._serve.link import Link
from trio_socketio._serve.poller import Poller
from trio_socketio._serve.site import Site
from trio_socketio._serve.socket_link import SocketLink
from trio_socketio._serve.stream_link import StreamLink
from trio_socketio._wire.websocket_frame import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"

HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def http(method: str, target: str, body: bytes = b"", *, version: str = "1.1", **headers: str) -> bytes:
    """A request; underscores in names of headers are hyphens."""
    fields = {"host": "x"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        fields.setdefault("content-length", str(len(body)))
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


def upgrade(target: str = WEBSOCKET, **headers: str) -> bytes:
    """A request for a WebSocket."""
    return http("GET", target, **(HANDSHAKE | {name.replace("_", "-"): value for name, value in headers.items()}))


def frame(payload: str | bytes, opcode: int | None = None, *, final: bool = True) -> bytes:
    """A frame of a client; its mask is zeros."""
    if opcode is None:
        opcode = TEXT if isinstance(payload, str) else BINARY
    data = payload.encode() if isinstance(payload, str) else payload
    head = bytes([0x80 * final | opcode])
    if len(data) < 126:
        head += bytes([0x80 | len(data)])
    elif len(data) < 2**16:
        head += b"\xfe" + len(data).to_bytes(2)
    else:
        head += b"\xff" + len(data).to_bytes(8)
    return head + bytes(4) + data


def ping(payload: bytes = b"") -> bytes:
    return frame(payload, PING)


def close(code: int | None = None) -> bytes:
    return frame(b"" if code is None else code.to_bytes(2), CLOSE)


def fragment(payload: str | bytes, *, first: bool = False) -> bytes:
    """A part of a message that is not its last."""
    return frame(payload, None if first else CONTINUATION, final=False)


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """All frames of a server, as (opcode, payload); that they are whole is checked."""
    frames = []
    while data:
        assert data[0] & 0xF0 == 0x80, data[:20]
        size, at = data[1], 2
        if size > 125:
            at = 4 if size == 126 else 10
            size = int.from_bytes(data[2:at])
        assert len(data) >= at + size, "cut in the middle of a frame"
        frames.append((data[0] & 0x0F, data[at : at + size]))
        assert frames[-1][0] in {TEXT, BINARY, CLOSE, PING, PONG}
        data = data[at + size :]
    return frames


@dataclass
class Answer:
    """An answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def sid(self) -> str:
        """Of the session that it opened."""
        return self.body.decode().partition('"sid":"')[2].partition('"')[0]


class FrontClient:
    """The client's end of a connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._received = b""

    async def send(self, *data: bytes) -> None:
        """Send, and let the server do all that it can do at once."""
        for piece in data:
            await self.stream.send_all(piece)
            await settle()

    async def ask(self, data: bytes, *, bodiless: bool = False) -> Answer:
        await self.stream.send_all(data)
        return await self.answer(bodiless=bodiless)

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """Receive an answer."""
        while b"\r\n\r\n" not in self._received:
            await self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = [tuple(line.split(": ", 1)) for line in lines]
        headers = dict(fields)
        assert len(headers) == len(fields), fields
        size = 0 if bodiless else int(headers.get("content-length", 0))
        while len(self._received) < size:
            await self._more()
        body, self._received = self._received[:size], self._received[size:]
        return Answer(int(status), headers, body)

    async def _more(self) -> None:
        with trio.fail_after(PATIENCE):
            data = await self.stream.receive_some()
        assert data, f"closed behind {self._received!r}"
        self._received += data

    async def rest(self) -> bytes:
        """Receive all until the server closes."""
        with trio.fail_after(PATIENCE):
            try:
                while data := await self.stream.receive_some():
                    self._received += data
            except trio.BrokenResourceError:
                pass
        await settle()
        data, self._received = self._received, b""
        return bytes(data)

    async def waiting(self) -> bytes:
        """Receive what is there already."""
        await settle()
        with trio.move_on_after(0.001):
            while data := await self.stream.receive_some():
                self._received += data
        data, self._received = self._received, b""
        return bytes(data)

    async def open_polling(self) -> str:
        """Open a session; return the target that means it."""
        answer = await self.ask(http("GET", POLLING))
        assert answer.status == 200
        return f"{POLLING}&sid={answer.sid}"

    async def frames(self) -> list[tuple[int, bytes]]:
        """All frames until the server closes."""
        return frames_of(await self.rest())

    async def open_websocket(self, data: bytes = b"") -> None:
        """Open a session on a WebSocket, past its OPEN packet; ``data`` comes along with the request."""
        answer = await self.ask(upgrade() + data)
        assert answer.status == 101
        await settle()
        received = await self.waiting()
        assert received.startswith((b"\x81\x7e", b"\x81")) and b'"sid"' in received


class MeteredLink(Link):
    """A link in memory whose peer takes as many bytes as it is told to; each write is kept as it was made.

    ``fault`` is raised by whatever sends next.
    """

    def __init__(self) -> None:
        super().__init__("192.0.2.1", secure=False)
        self.room = math.inf
        self.written = b""
        self.writes: list[bytes] = []
        self.fault: Exception | None = None
        self.is_closed = False
        self._room_made = trio.lowlevel.ParkingLot()
        self._said, self._hears = trio.open_memory_channel[bytes](math.inf)

    # The server's end

    async def receive(self) -> bytes:
        try:
            return await self._hears.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            return b""

    async def receive_unless_interrupted(self) -> bytes | None:
        raise NotImplementedError

    def interrupt(self) -> None:
        raise NotImplementedError

    def send_nowait(self, data: bytes) -> int:
        if self.fault is not None:
            raise self.fault
        if self.is_closed:
            raise trio.BrokenResourceError
        taken = bytes(data[: int(min(self.room, len(data)))])
        if taken:
            self.room -= len(taken)
            self.writes.append(taken)
            self.written += taken
        return len(taken)

    async def send_rest(self, data: memoryview) -> None:
        await trio.lowlevel.checkpoint()
        while data := data[self.send_nowait(data) :]:
            await self._room_made.park()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self.is_closed = True
        self._hears.close()
        self._room_made.unpark_all()
        await trio.lowlevel.checkpoint()

    def as_stream(self) -> trio.abc.Stream:
        raise NotImplementedError

    # The client's end

    async def say(self, *data: bytes) -> None:
        """Send, and let the server do all that it can do at once."""
        for piece in data:
            self._said.send_nowait(piece)
            await settle()

    async def leave(self) -> None:
        self._said.close()
        await settle()

    async def take(self, size: float = math.inf) -> None:
        """Let so many bytes more through."""
        self.room += size
        self._room_made.unpark_all()
        await settle()

    async def fail(self, error: Exception) -> None:
        """Let whatever sends fail, also what is waiting for room."""
        self.fault = error
        await self.take()

    def frames(self) -> list[tuple[int, bytes]]:
        """All that was written, as frames; it begins anew."""
        data, self.written = self.written, b""
        self.writes.clear()
        return frames_of(data)


def socket_pair(size: int | None = None) -> tuple[socket.socket, socket.socket]:
    """Two ends that don't block; ``size`` makes their buffers small."""
    pair = socket.socketpair()
    for sock in pair:
        sock.setblocking(False)
        if size is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
    return pair


async def read_all(sock: socket.socket) -> bytes:
    """All that comes until the end; an error is one."""
    received = bytearray()
    while True:
        await trio.lowlevel.wait_readable(sock)
        data = sock.recv(2**20)
        if not data:
            return bytes(received)
        received += data


class FrontServer:
    """A site, and connections to it. What was passed on, noted and given up is kept."""

    def __init__(self, engine: EngineServer, *, poller: Poller | None = None, **options: object) -> None:
        self.engine = engine
        self.poller = poller
        self.passed_on: list[tuple[trio.abc.Stream, bytes]] = []
        self.noted: list[tuple[str, int]] = []
        self.site = Site(
            engine,
            lambda stream, data: self.passed_on.append((stream, data)),
            log_access=lambda head, link, status, headers, seconds: self.noted.append((head.method, status)),
            **options,
        )
        self.ended_at: list[float] = []
        self.clients: list[FrontClient] = []
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self.site.flusher.run)
            if self.poller is not None:
                self._nursery.start_soon(self.poller.run)
            task_status.started()
            await trio.sleep_forever()

    def connect(
        self, make_pair: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]] = memory_stream_pair
    ) -> FrontClient:
        """Connect by a pair of streams."""
        ours, theirs = make_pair()
        self.serve(StreamLink(theirs, "192.0.2.1"))
        return self._client(ours)

    def connect_socket(self, size: int | None = None) -> FrontClient:
        """Connect by a pair of sockets."""
        ours, theirs = socket_pair(size)
        self.serve(SocketLink(theirs, "192.0.2.1", self.poller))
        return self._client(trio.SocketStream(trio.socket.from_stdlib_socket(ours)))

    def _client(self, stream: trio.abc.Stream) -> FrontClient:
        self.clients.append(FrontClient(stream))
        return self.clients[-1]

    def serve(self, link: Link) -> None:
        self._nursery.start_soon(self._serve, link)

    async def _serve(self, link: Link) -> None:
        await FrontConnection(self.site, link).run()
        self.ended_at.append(trio.current_time())

    async def close_clients(self) -> None:
        """Let all clients go."""
        for client in self.clients:
            await trio.aclose_forcefully(client.stream)
        await settle()

    def cancel(self) -> None:
        """Cancel all connections, and the flusher."""
        self._nursery.cancel_scope.cancel()

    @property
    def is_idle(self) -> bool:
        """No connection is served."""
        return not self.site.connections


@asynccontextmanager
async def running_front(
    config: EngineConfig | None = None,
    limits: Limits | None = None,
    handler: Callable[[object], object] = Recorder,
    **options: object,
) -> AsyncIterator[FrontServer]:
    """Run an engine and a site; a connection may be left, nothing of its session."""
    async with running_engine(config or EngineConfig(ping_interval=10_000), limits, handler) as engine:
        async with trio.open_nursery() as nursery:
            front = FrontServer(engine, **options)
            await nursery.start(front.run)
            try:
                yield front
            finally:
                await front.close_clients()
                nursery.cancel_scope.cancel()
