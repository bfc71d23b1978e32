"""A client that loses its connection and comes back: with the pid and the offset that the official client would hold."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from tests.support.application import CALM
from tests.support.client import MemoryStream, request, settle
from trio_socketio import ConnectionStateRecovery, EngineConfig, Limits, Server
from trio_socketio._engine.server import Admission
from trio_socketio._util import plain_exceptions


class ReturningClient:
    """One client in one namespace, over as many connections as it takes.

    As the official client: of each event that wants no answer the last argument, if it is text, is the offset; it is kept
    for ever, also when the client gets a new socket. What is read is shown without it.
    """

    def __init__(self, sio: Server, nursery: trio.Nursery, namespace: str = "/") -> None:
        self._engine = sio.engine
        self._nursery = nursery
        self._prefix = "" if namespace == "/" else f"{namespace},"
        self._unfinished: list[Any] = []
        self.sid: str | None = None
        self.pid: str | None = None
        self.offset: str | None = None
        self.recovered = False
        self.refused: object = None
        self.connected = False
        self.events: list[list[Any]] = []
        """What came since the socket is this one, over all its connections."""
        self.left: bool = False
        """It was told to leave."""
        self.link: MemoryStream | None = None

    async def open(self) -> MemoryStream:
        """Open a connection, whatever is with the one before; nothing more."""
        admission = await self._engine.admit(request("EIO=4&transport=websocket"))
        assert isinstance(admission, Admission), admission
        self.link = link = MemoryStream()
        self.connected = self.left = False
        self.refused, self._unfinished = None, []

        async def carry() -> None:
            with plain_exceptions():
                try:
                    await self._engine.carry(admission, link)
                finally:
                    link.cut()

        self._nursery.start_soon(carry)
        assert str(await link.get()).startswith('0{"sid"')
        return link

    async def connect(self, **auth: object) -> ReturningClient:
        """Come, or come back, and read what there is then."""
        await self.open()
        await self.join(**auth)
        self.read()
        return self

    async def join(self, **auth: object) -> None:
        """Say CONNECT, and read nothing."""
        assert self.link is not None
        if self.pid is not None:
            auth = {"pid": self.pid, **({} if self.offset is None else {"offset": self.offset}), **auth}
        self.put(f"40{self._prefix}" + (json.dumps(auth) if auth else ""))
        await settle()

    def cut(self) -> None:
        """Lose the connection; what was written and not read is lost with it."""
        assert self.link is not None
        self.link.cut()
        self.link = None
        self.connected = False

    def abandon(self) -> None:
        """Lose the connection, and the server does not notice."""
        self.link = None
        self.connected = False

    async def say(self, text: str) -> None:
        """Send a packet: its text behind the namespace."""
        self.put(f"{text[:2]}{self._prefix}{text[2:]}")
        await settle()

    def put(self, frame: str) -> None:
        """Send a frame, if the server has not closed the connection."""
        assert self.link is not None
        with suppress(trio.ClosedResourceError):
            self.link.put_nowait(frame)

    def put_at_once(self, sio: Server, **auth: object) -> None:
        """Let the server take a CONNECT here and now, before any other task has its turn."""
        *_, session = sio.engine.sessions.values()
        session.feed("40" + json.dumps({"pid": self.pid, **auth}))

    def read(self, most: int = 10**9) -> list[list[Any]]:
        """Read so many frames of those that are there; return the events among them."""
        before = len(self.events)
        while most and self.link is not None:
            try:
                frame = self.link._from_server.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                break
            most -= 1
            if isinstance(frame, bytes):
                assert self._unfinished, "an attachment of nothing"
                self._take(
                    [frame if isinstance(arg, dict) and "_placeholder" in arg else arg for arg in self._unfinished]
                )
                self._unfinished = []
            elif frame == "2":
                self.put("3")
            else:
                self._take_text(frame)
        return self.events[before:]

    def _take_text(self, frame: str) -> None:
        kind, rest = frame[:2], frame[2:]
        if kind == "45":
            count, rest = rest.split("-", 1)
            assert count == "1", "one attachment at most"
        assert rest.startswith(self._prefix), frame
        rest = rest.removeprefix(self._prefix)
        if kind == "40":
            self._welcome(**json.loads(rest))
        elif kind == "41":
            self.left, self.connected = True, False
        elif kind == "44":
            self.refused = json.loads(rest)["message"]
        elif kind == "45":
            self._unfinished = json.loads(rest)
        else:
            assert kind == "42", frame
            digits = rest.partition("[")[0]
            args = json.loads(rest.removeprefix(digits))
            if digits:
                self.events.append([*args, "?"])
            else:
                self._take(args)

    def _welcome(self, sid: str, pid: str | None = None) -> None:
        assert not self.connected, "a second CONNECT"
        self.connected = True
        self.recovered = pid is not None and pid == self.pid
        assert self.recovered == (pid is not None and sid == self.sid), "id and pid are one"
        if not self.recovered:
            self.events = []
        self.sid, self.pid = sid, pid

    def _take(self, args: list[Any]) -> None:
        assert self.connected, "in front of CONNECT"
        assert isinstance(args[-1], str)
        self.offset = args.pop()
        self.events.append(args)


async def lose(client: ReturningClient) -> None:
    """Cut a client's connection, and let the server notice it."""
    client.cut()
    await settle()


@asynccontextmanager
async def clients_of(sio: Server) -> AsyncIterator[Callable[..., ReturningClient]]:
    """Run a server; give what makes clients of it, for a namespace."""
    with plain_exceptions():
        async with trio.open_nursery() as nursery, sio.running():
            yield lambda namespace="/": ReturningClient(sio, nursery, namespace)


def recovering(*, limits: Limits | None = None, config: EngineConfig = CALM, **settings) -> Server:
    """A server with recovery, and nothing else."""
    return Server(config, limits=limits, recovery=ConnectionStateRecovery(**settings))


def assert_nothing_left(sio: Server) -> None:
    """Nobody is in it, nor lost: no room, no worker, no timer."""
    assert sio._recovery is not None
    assert len(sio._recovery) == 0
    assert not sio._recovery._connected
    for members in sio._namespaces:
        assert not members.adapter.rooms()
        assert not members._workers and not members._parked and not members._watched
        assert members._inside == 0
