"""Clients without a network: they speak the wire to a server's engine, in the same process.

``open_stream`` and ``connect`` have a WebSocket made of memory channels; ``poll`` and ``post`` are HTTP requests that go
straight to the engine. Frames are written as they travel: ``40`` joins the namespace ``/``, ``42["x"]`` is an event,
``bytes`` are attachments.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import wait_all_tasks_blocked

from trio_socketio import Request, Server
from trio_socketio._engine.http import BodyTooLarge, Response
from trio_socketio._engine.server import Admission, EngineServer
from trio_socketio._engine.session import Session
from trio_socketio._engine.transport import Take
from trio_socketio._util import plain_exceptions

PATIENCE = 1000.0
"""Seconds of the mock clock after which what a test waits for counts as missing."""

settle = wait_all_tasks_blocked
"""Let the server do all that it can do at once."""

Frame = str | bytes


def request(query: str, method: str = "GET", headers: dict[str, str] | None = None) -> Request:
    return Request(method=method, path="/socket.io/", query_string=query, headers=headers or {}, client="192.0.2.1")


def only_session(engine: EngineServer) -> Session:
    (session,) = engine.sessions.values()
    return session


class MemoryStream:
    """A WebSocket: the server receives, sends and closes; the client puts and gets.

    ``reading`` is an event: unset (a new one), the client reads nothing, and each send of the server waits for it.
    With ``answers_pings`` the client answers them, and doesn't show them. ``turns`` is how many steps of the scheduler a
    send takes: hosts need about ten.
    """

    def __init__(self) -> None:
        self._to_server, self._from_client = trio.open_memory_channel[Frame | Exception](math.inf)
        self._to_client, self._from_server = trio.open_memory_channel[Frame](math.inf)
        self.reading = trio.Event()
        self.reading.set()
        self.answers_pings = False
        self.turns = 1
        self._broken = False

    # The server's end

    async def pump(self, take: Take) -> None:
        while True:
            waiting = take(await self.receive())
            if waiting is not None:
                await waiting

    async def receive(self) -> Frame:
        message = await self._from_client.receive()
        if isinstance(message, Exception):
            raise message
        return message

    async def send(self, message: Frame) -> None:
        for _ in range(self.turns):
            await trio.lowlevel.checkpoint()
        await self.reading.wait()
        if self._broken:
            raise trio.BrokenResourceError
        if message == "2" and self.answers_pings:
            self._to_server.send_nowait("3")
        else:
            self._to_client.send_nowait(message)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self._to_client.close()

    # The client's end

    async def put(self, *frames: Frame | Exception) -> None:
        """Send frames, and let the server do all that it can do at once."""
        self.put_nowait(*frames)
        await settle()

    def put_nowait(self, *frames: Frame | Exception) -> None:
        for frame in frames:
            self._to_server.send_nowait(frame)

    async def get(self) -> Frame:
        """Receive a frame; trio.EndOfChannel if the server has closed."""
        with trio.fail_after(PATIENCE):
            return await self._from_server.receive()

    async def get_all(self, count: int) -> list[Frame]:
        return [await self.get() for _ in range(count)]

    def get_waiting(self) -> list[Frame]:
        """Take all frames that are there."""
        frames: list[Frame] = []
        while True:
            try:
                frames.append(self._from_server.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                return frames

    async def get_close(self) -> list[Frame]:
        """Take all frames until the server closes."""
        frames: list[Frame] = []
        while True:
            try:
                frames.append(await self.get())
            except trio.EndOfChannel:
                return frames

    async def join(self, namespace: str = "/", auth: object = None) -> str:
        """Join a namespace; return the socket's id."""
        head = "40" if namespace == "/" else f"40{namespace},"
        self.put_nowait(head if auth is None else head + json.dumps(auth))
        frame = await self.get()
        assert isinstance(frame, str) and frame.startswith(head), frame
        answer = json.loads(frame.removeprefix(head))
        assert list(answer) == ["sid"]
        return answer["sid"]

    def cut(self) -> None:
        """Lose the connection: what the server receives ends, what it sends fails."""
        self._broken = True
        self.reading.set()
        self._to_server.close()


@asynccontextmanager
async def open_stream(
    engine: EngineServer, query: str = "EIO=4&transport=websocket", headers: dict[str, str] | None = None
) -> AsyncIterator[MemoryStream]:
    """Open a WebSocket, nothing more; it is cut when the block is left."""
    admission = await engine.admit(request(query, headers=headers))
    assert isinstance(admission, Admission), admission
    stream = MemoryStream()

    async def carry() -> None:
        try:
            await engine.carry(admission, stream)
        finally:
            # As any host: when nobody carries the connection any more, it is closed, and a send that is stuck ends.
            stream.cut()

    with plain_exceptions():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry)
            try:
                yield stream
            finally:
                stream.cut()


@asynccontextmanager
async def connect(sio: Server, *joins: str, headers: dict[str, str] | None = None) -> AsyncIterator[MemoryStream]:
    """Open a session on a WebSocket, and join namespaces by these frames."""
    async with open_stream(sio.engine, headers=headers) as client:
        opened = await client.get()
        assert isinstance(opened, str) and opened.startswith('0{"sid"'), opened
        for join in joins:
            await client.put(join)
            answer = await client.get()
            assert isinstance(answer, str) and answer.startswith(join.partition("{")[0] + '{"sid"'), answer
        yield client


async def http(engine: EngineServer, method: str, query: str, body: bytes = b"") -> Response:
    async def read_body(most: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if len(body) > most:
            raise BodyTooLarge
        return body

    return await engine.handle_http(request(query, method), read_body)


async def poll(engine: EngineServer, query: str) -> Response:
    return await http(engine, "GET", query)


async def post(engine: EngineServer, query: str, body: bytes) -> Response:
    return await http(engine, "POST", query, body)


async def open_polling(engine: EngineServer) -> tuple[str, Session]:
    """Open a session on long-polling; return the query that means it, and the session."""
    response = await poll(engine, "EIO=4&transport=polling")
    assert response.status == 200, response
    sid = json.loads(response.body[1:])["sid"]
    return f"EIO=4&transport=polling&sid={sid}", engine.sessions[sid]
