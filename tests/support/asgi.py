"""An ASGI host without a network: it calls an application as hypercorn's Trio worker does, with all its bad habits.

What an application is given waits in a queue of ten; who doesn't take it holds the host up. A ``send`` while the client
doesn't read can't be cancelled, and ends when the application's call does, since then the host drops the connection. A
``send`` after the client has gone does nothing, not even a checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from tests.support.client import PATIENCE, settle
from trio_socketio import ASGIApp
from trio_socketio._asgi.scope import ASGIApplication, Message, Scope
from trio_socketio._engine.server import EngineServer
from trio_socketio._util import plain_exceptions

QUEUE = 10
"""hypercorn's ``max_app_queue_size``."""

CONNECT: Message = {"type": "websocket.connect"}
STARTUP: Message = {"type": "lifespan.startup"}
SHUTDOWN: Message = {"type": "lifespan.shutdown"}

GONE = {
    "http": {"type": "http.disconnect"},
    "websocket": {"type": "websocket.disconnect", "code": 1006},
}

RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass
class Served:
    """As much of a server as an ASGI application wants."""

    engine: EngineServer


def app_of(engine: EngineServer, other: ASGIApplication | None = None) -> ASGIApp:
    return ASGIApp(Served(engine), other)


def http_scope(
    query: str = "", method: str = "GET", path: str = "/socket.io/", headers: RawHeaders = (), **more: object
) -> Scope:
    head = {"method": method, "path": path, "query_string": query.encode(), "headers": list(headers)}
    return {"type": "http", "http_version": "1.1", "scheme": "http", "root_path": "", "client": ("192.0.2.1", 4711)} | (
        head | more
    )


def websocket_scope(query: str = "", path: str = "/socket.io/", headers: RawHeaders = (), **more: object) -> Scope:
    head = {"path": path, "query_string": query.encode(), "headers": list(headers)}
    return {"type": "websocket", "scheme": "ws", "root_path": "", "client": ("192.0.2.1", 4711)} | head | more


LIFESPAN: Scope = {"type": "lifespan", "asgi": {"spec_version": "2.0", "version": "3.0"}, "state": {}}


def body(*parts: bytes, more: bool = False) -> list[Message]:
    """Make the messages of a body in parts; with ``more`` the last one is still to come."""
    last = len(parts) - 1
    return [
        {"type": "http.request", "body": part, "more_body": more or number < last} for number, part in enumerate(parts)
    ]


class Call:
    """One call of an application.

    ``reading`` is an event: unset (a new one), the client reads nothing. ``error`` is what each send raises.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.sent: list[Message] = []
        """All that the application has handed over, in order, whether it went out or not."""
        self.sent_during_call: list[Message] = []
        """What of it came before the application returned."""
        self.delivered: list[Message] = []
        """What has reached the client."""
        self.reading = trio.Event()
        self.reading.set()
        self.error: Exception | None = None
        self.ended = trio.Event()
        self.ended_at = math.nan
        self.failure: BaseException | None = None
        """What the application has raised."""
        self.cancel_scope = trio.CancelScope()
        self.queue, self.receive_channel = trio.open_memory_channel[Message](QUEUE)
        self._gone = False
        self._dropped = trio.Event()
        self._answers, self._answered = trio.open_memory_channel[Message](math.inf)

    # The application's side

    async def run(self, app: ASGIApplication) -> None:
        try:
            with self.cancel_scope:
                await app(self.scope, self.receive, self.send)
        except Exception as error:
            self.failure = error
        finally:
            self.sent_during_call = list(self.sent)
            self.reading.set()
            self._dropped.set()
            self.ended_at = trio.current_time()
            self.ended.set()

    async def receive(self) -> Message:
        return await self.receive_channel.receive()

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if self.error is not None:
            await trio.lowlevel.checkpoint()
            raise self.error
        if self._gone:
            return
        await trio.lowlevel.checkpoint()
        with trio.CancelScope(shield=True):
            await self.reading.wait()
        if not self._dropped.is_set():
            self.delivered.append(message)
            self._answers.send_nowait(message)

    # The client's side

    async def put(self, *messages: Message) -> None:
        """Let messages come, and let the server do all that it can do at once."""
        for message in messages:
            with trio.fail_after(PATIENCE):
                await self.queue.send(message)
        await settle()

    async def go(self) -> None:
        """Leave: the application is told once, if it asks, and what it sends vanishes."""
        if not self._gone:
            self._gone = True
            await self.put(GONE[self.scope["type"]])

    async def next(self) -> Message:
        """Wait for the next message that reaches the client."""
        with trio.fail_after(PATIENCE):
            return await self._answered.receive()

    async def end(self) -> None:
        """Wait until the application has returned; raise what it raised."""
        with trio.fail_after(PATIENCE):
            await self.ended.wait()
        if self.failure is not None:
            raise self.failure

    @property
    def answer(self) -> Answer:
        """The HTTP response, or the one that refuses a WebSocket, that has reached the client."""
        start, content = self.delivered
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(start["status"], headers, content["body"])


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


@asynccontextmanager
async def calling(app: ASGIApplication, scope: Scope, *messages: Message) -> AsyncIterator[Call]:
    """Call an application, with messages that are there at once; whatever is left of the call is cancelled."""
    call = Call(scope)
    for message in messages:
        call.queue.send_nowait(message)
    with plain_exceptions():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.run, app)
            await settle()
            yield call
            nursery.cancel_scope.cancel()


async def ask(app: ASGIApplication, scope: Scope, *parts: bytes) -> Answer:
    """Make a request, with a body in parts, by a client that stays for the answer, and then goes."""
    async with calling(app, scope, *body(*(parts or (b"",)))) as call:
        await call.end()
        await call.go()
        return call.answer
