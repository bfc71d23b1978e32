"""An engine without Socket.IO, whose handler writes down what it is told; requests that can be watched and given up."""

from __future__ import annotations

import contextvars
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from tests.support.client import http, settle
from trio_socketio import EngineConfig, Limits, RemoteProtocolError
from trio_socketio._engine.http import Response
from trio_socketio._engine.server import EngineServer
from trio_socketio._engine.session import Session
from trio_socketio._wire.engine_packet import EnginePacket, PacketType

POLLING = "EIO=4&transport=polling"
WEBSOCKET = "EIO=4&transport=websocket"


class Recorder:
    """A handler that keeps all that it is told, and has one task that lives as long as the session.

    ``busy`` is an event: unset (a new one), each message waits for it, and meanwhile the session's clock is paused, as
    the layer above does it. A message ``refuse me`` is against the protocol.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.messages: list[str | bytes] = []
        self.reasons: list[str] = []
        self.closed_at = math.nan
        self.busy = trio.Event()
        self.busy.set()
        self.nursery: trio.Nursery | None = None
        self.context: contextvars.Context | None = None
        self.task_ended = False

    def start(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.context = contextvars.copy_context()
        nursery.start_soon(self._live)

    async def _live(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.task_ended = True

    async def receive(self, message: str | bytes) -> None:
        self.messages.append(message)
        if message == "refuse me":
            raise RemoteProtocolError("this message may not come")
        if not self.busy.is_set():
            self.session.pause()
            try:
                await self.busy.wait()
            finally:
                self.session.resume()

    def pinged(self) -> None:
        """Nothing is kept until it has arrived."""

    ponged = pinged

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)
        self.closed_at = trio.current_time()
        if self.nursery is not None:
            self.nursery.cancel_scope.cancel()


def recorder(session: Session) -> Recorder:
    handler = session._handler
    assert isinstance(handler, Recorder)
    return handler


def message(data: str | bytes) -> EnginePacket:
    return EnginePacket(PacketType.MESSAGE, data)


def refusal(response: Response) -> tuple[int, int]:
    """The status and the protocol's code of a refusal on long-polling."""
    return response.status, json.loads(response.body)["code"]


def an_engine(
    config: EngineConfig | None = None,
    limits: Limits | None = None,
    handler: Callable[[Session], object] = Recorder,
    files: Callable[[object], Response | None] | None = None,
) -> EngineServer:
    return EngineServer(config or EngineConfig(), limits or Limits(), handler, files)


@asynccontextmanager
async def running_engine(
    config: EngineConfig | None = None,
    limits: Limits | None = None,
    handler: Callable[[Session], object] = Recorder,
    files: Callable[[object], Response | None] | None = None,
) -> AsyncIterator[EngineServer]:
    """Run an engine; nothing may be left of it afterwards."""
    engine = an_engine(config, limits, handler, files)
    async with engine.running():
        yield engine
    assert not engine.sessions
    assert not engine.is_running


def background_tasks(engine: EngineServer) -> list[trio.lowlevel.Task]:
    """What connections have left behind; the clock, which is always there, is nothing of theirs."""
    clock = engine._registry._clock.run.__qualname__
    return [task for task in engine._registry._background.child_tasks if not task.name.endswith(clock)]


async def nothing_is_left(engine: EngineServer) -> None:
    """Check that a running engine has neither sessions nor tasks."""
    await settle()
    assert not engine.sessions
    assert not engine._registry._nursery.child_tasks
    assert not background_tasks(engine)


class Asked:
    """A request on its way. ``answer`` is there once it was given, at the time ``at``."""

    def __init__(self) -> None:
        self.answer: Response | None = None
        self.at = math.nan
        self._scope = trio.CancelScope()

    async def run(self, engine: EngineServer, method: str, query: str, body: bytes) -> None:
        with self._scope:
            self.answer = await http(engine, method, query, body)
            self.at = trio.current_time()

    def give_up(self) -> None:
        self._scope.cancel()

    @property
    def result(self) -> tuple[int, bytes]:
        assert self.answer is not None, "not answered yet"
        return self.answer.status, self.answer.body


async def ask(nursery: trio.Nursery, engine: EngineServer, method: str, query: str, body: bytes = b"") -> Asked:
    """Send a request, and let the server do all that it can do at once about it."""
    asked = Asked()
    nursery.start_soon(asked.run, engine, method, query, body)
    await settle()
    return asked


class SlowBody:
    """The body of a POST that comes in parts, when the test says so."""

    def __init__(self) -> None:
        self.parts, self._received = trio.open_memory_channel[bytes](math.inf)

    async def read(self, limit: int) -> bytes:
        body = b""
        async for part in self._received:
            body += part
        return body
