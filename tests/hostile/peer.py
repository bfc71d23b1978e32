"""The client's end of a connection: bytes out, and what came in, read as HTTP responses and then as frames."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from tests.hostile.case import JOINED, Until, frame
from trio_socketio._util import plain_exceptions

PATIENCE = 10.0
"""Seconds after which whatever a client waits for counts as missing."""

READ = 65_536


class Peer:
    """One connection, of which all is read that comes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.received = bytearray()
        self.ended: str | None = None
        """How the server's direction has ended."""
        self.finished = False
        """Our direction has ended."""
        self.hears = trio.Event()
        """It reads; replaced by an event that is not set, it doesn't."""
        self.hears.set()
        self._news = trio.Event()

    async def read(self) -> None:
        """Read until the end."""
        try:
            while data := await self.stream.receive_some(READ):
                self.received += data
                self._tell()
                await self.hears.wait()
            self.ended = "end"
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended = "reset"
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def until(self, condition: Callable[[], object]) -> bool:
        """Wait for something to be received; ``False`` if the connection ended before."""
        while not condition():
            if self.ended:
                return False
            await self._news.wait()
        return True

    async def holds(self, sent: bytes) -> bool:
        """Wait for bytes."""
        return await self.until(lambda: sent in self.received)

    async def send(self, data: bytes) -> bool:
        """Send; ``False`` if the connection has ended."""
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    async def fin(self) -> None:
        """End our direction."""
        self.finished = True
        try:
            await self.stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    def rst(self) -> None:
        """Reset the connection."""
        self.finished = True
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()
        self.ended = "our reset"
        self._tell()


@asynccontextmanager
async def peer(port: int) -> AsyncIterator[Peer]:
    """Connect, and read while the block runs."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    try:
        with plain_exceptions():
            async with trio.open_nursery() as nursery:
                client = Peer(stream)
                nursery.start_soon(client.read)
                yield client
                nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(stream)


async def ask(port: int, request: bytes) -> bytes:
    """Send a request by a connection of its own; return all of the answer."""
    async with peer(port) as client:
        await client.send(request)
        await client.until(lambda: any(answer.whole for answer in Transcript(client.received).answers))
        return bytes(client.received)


# What came


@dataclass
class Answer:
    """An HTTP response.

    Args:
        status: its number.
        head: all of the head.
        body: of it, what has come, with its chunks as they are.
        whole: all of it has come.
    """

    status: int
    head: bytes
    body: bytes
    whole: bool

    @property
    def says_close(self) -> bool:
        """It is the last one."""
        return b"\r\nconnection: close" in self.head.lower()


@dataclass
class Transcript:
    """All that a server sent, read."""

    received: bytes | bytearray
    bodiless: bool = False
    answers: list[Answer] = field(default_factory=list)
    """Without the interim ones, 100."""
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    """Opcodes and payloads of what came behind a 101."""
    rest: bytes = b""
    """What is neither, or not whole."""

    def __post_init__(self) -> None:
        data = bytes(self.received)
        while data.startswith(b"HTTP/1.") and b"\r\n\r\n" in data:
            answer, data = self._answer(data)
            if answer.status != 100:
                self.answers.append(answer)
            if answer.status == 101:
                self.frames = list(_frames(data))
                return
        self.rest = data

    def _answer(self, data: bytes) -> tuple[Answer, bytes]:
        head, _, data = data.partition(b"\r\n\r\n")
        fields = dict(
            (name.lower(), value.strip())
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        )
        status = int(head[9:12])
        if self.bodiless or status in {100, 101, 204, 304}:
            return Answer(status, head, b"", True), data
        if b"content-length" in fields:
            length = int(fields[b"content-length"])
            return Answer(status, head, data[:length], len(data) >= length), data[length:]
        if fields.get(b"transfer-encoding") == b"chunked":
            body, end, data = data.partition(b"0\r\n\r\n")
            return Answer(status, head, body, bool(end)), data
        # Up to the end of the connection: whoever asks for its end is told of the whole.
        return Answer(status, head, data, False), b""

    @property
    def statuses(self) -> list[int]:
        """Of all answers."""
        return [answer.status for answer in self.answers]

    @property
    def texts(self) -> list[str]:
        """What came in text frames."""
        return [payload.decode() for opcode, payload in self.frames if opcode == 1]

    @property
    def close(self) -> int | None:
        """The code of the close frame, 1005 if it has none, ``None`` if there is none."""
        for opcode, payload in self.frames:
            if opcode == 8:
                return int.from_bytes(payload[:2], "big") if payload else 1005
        return None


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Read a server's frames: whole, unmasked."""
    at = 0
    while len(data) >= at + 2:
        opcode, length = data[at] & 15, data[at + 1]
        size = {126: 2, 127: 8}.get(length, 0)
        start = at + 2 + size
        if size:
            length = int.from_bytes(data[at + 2 : start], "big")
        if len(data) < start + length:
            return
        yield opcode, data[start : start + length]
        at = start + length


class Control:
    """A well-behaved client that was there before."""

    def __init__(self, client: Peer) -> None:
        self._client = client
        self._echoed = 0
        self._pings = 0

    async def echo(self) -> bool:
        """Send an event and wait for its echo; ``False`` if the server is gone."""
        self._echoed += 1
        number = self._echoed
        await self._client.send(frame(b'42%d["echo",%d]' % (number, number)))
        return await self._client.holds(b"43%d[%d]" % (number, number))

    async def pong(self) -> None:
        """Answer the server's pings."""
        ping = b"\x81\x012"
        while await self._client.until(lambda: self._client.received.count(ping) > self._pings):
            self._pings += 1
            await self._client.send(frame(b"3"))


@asynccontextmanager
async def control(port: int, patience: float = PATIENCE) -> AsyncIterator[Control]:
    """Connect it, and have it answer pings while the block runs."""
    async with peer(port) as client:
        with trio.fail_after(patience):
            for step in JOINED:
                arrived = await (client.holds(step.sent) if isinstance(step, Until) else client.send(step))
                assert arrived, bytes(client.received)
        async with trio.open_nursery() as nursery:
            steady = Control(client)
            nursery.start_soon(steady.pong)
            yield steady
            nursery.cancel_scope.cancel()
