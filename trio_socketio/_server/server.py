"""The server: namespaces on an engine."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import final

from trio_socketio._engine.config import EngineConfig
from trio_socketio._engine.server import EngineServer
from trio_socketio._engine.session import Session
from trio_socketio._limits import Limits
from trio_socketio._server.adapter import AdapterFactory, LocalAdapter
from trio_socketio._server.broadcast import BroadcastOperator, HasId
from trio_socketio._server.client_files import ClientFiles
from trio_socketio._server.connection import Connection
from trio_socketio._server.members import Members
from trio_socketio._server.namespace import (
    DisconnectHandlerT,
    ErrorHandlerT,
    EventHandlerT,
    Namespace,
    SocketHandlerT,
)
from trio_socketio._server.socket import Socket
from trio_socketio._server.socketio2 import OldClient, OldParser
from trio_socketio._server.statistics import ServerStatistics, statistics_of
from trio_socketio._types import Data, Room
from trio_socketio._wire.engine_handshake import OLD_REVISION
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.parser import Parser

_NAMESPACE_NAME = re.compile(r"/[^,\x00-\x1f\x7f]*")


@final
class Server:
    """A Socket.IO server. It needs no event loop to be made; ``serve`` or ``running`` give it one.

    The server itself stands for the namespace ``/``: what a ``Namespace`` has, it has.

    Args:
        config: how it behaves: path, heartbeat, origins, hooks.
        limits: what one client may cost.
        parser: how packets look on the wire; clients must use the same.
        adapter: makes the adapter of each namespace.
        client_files: a folder with the official client's bundles, to be served at ``/socket.io/socket.io.js``.

    Raises:
        ValueError: no bundle in ``client_files``.
    """

    def __init__(
        self,
        config: EngineConfig | None = None,
        *,
        limits: Limits | None = None,
        parser: Parser | None = None,
        adapter: AdapterFactory = LocalAdapter,
        client_files: str | PathLike[str] | None = None,
    ) -> None:
        self._config = config if config is not None else EngineConfig()
        self._limits = limits if limits is not None else Limits()
        self._parser = parser if parser is not None else JSONParser()
        self._adapter = adapter
        files = None if client_files is None else ClientFiles(Path(client_files), self._config.path)
        answer_file = None if files is None else files.answer
        self._engine = EngineServer(self._config, self._limits, self._accept, answer_file)
        self._members: dict[str, Members] = {}
        self._namespaces: dict[str, Namespace] = {}
        self._root = self.namespace("/")

    @property
    def config(self) -> EngineConfig:
        """The settings."""
        return self._config

    @property
    def limits(self) -> Limits:
        """The limits."""
        return self._limits

    @property
    def engine(self) -> EngineServer:
        """The Engine.IO server below: what ``ASGIApp`` and ``serve`` hand their requests to."""
        return self._engine

    def namespace(self, name: str) -> Namespace:
        """Return the namespace of a name; made when it is asked for first. A missing leading slash is added.

        Raises:
            TypeError: the name is not text.
            ValueError: too long, or a comma or a control character in it.
        """
        if not isinstance(name, str):
            msg = f"a namespace's name is text, not {name!r}"
            raise TypeError(msg)
        if not name.startswith("/"):
            name = f"/{name}"
        if not _NAMESPACE_NAME.fullmatch(name) or len(name) > self._limits.max_name_length:
            msg = f"{name!r} can't be a namespace: no commas or control characters, {self._limits.max_name_length} at most"
            raise ValueError(msg)
        namespace = self._namespaces.get(name)
        if namespace is None:
            members = self._members[name] = Members(name, self._parser, self._adapter)
            namespace = self._namespaces[name] = Namespace._create(members)
        return namespace

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Own the tasks of all clients while the block runs; ``serve`` and the ASGI lifespan enter it for you.

        Leaving the block ends all clients at once, with the reason "server shutting down". An exception of the block
        comes out as it is, not in a group.

        Raises:
            RuntimeError: it is running already.
        """
        async with self._engine.running():
            yield self

    async def drain(self, *, spread: float = 5.0) -> None:
        """Refuse new clients, deliver what waits for those that are here, and close them so that they come back later.

        Returns when all are gone; how long that may take is the caller's to say, with a cancel scope. Cancelled, it has
        told those whom it has told; the others stay until ``running`` is left.

        Args:
            spread: seconds over which many clients are told to go, in batches of random order, lest they come back in one
                moment. It is a bound: the first 500 are told at once, and each further batch takes about 0.25 seconds.

        Raises:
            ValueError: it is below 0.
        """
        await self._engine.drain(spread)

    def statistics(self) -> ServerStatistics:
        """Take a snapshot of the server in numbers. It looks at each session: about a millisecond for a thousand."""
        return statistics_of(self._engine, {name: len(members) for name, members in self._members.items()})

    def _accept(self, session: Session) -> Connection:
        if session.revision == OLD_REVISION:
            old = OldClient(session.sid)
            return Connection(session, self._members.get, OldParser(self._parser), self._limits, old)
        return Connection(session, self._members.get, self._parser, self._limits)

    # The namespace "/"

    @property
    def sockets(self) -> Mapping[str, Socket]:
        """The sockets in ``/``; see ``Namespace.sockets``."""
        return self._root.sockets

    def middleware(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register a middleware of ``/``; see ``Namespace.middleware``."""
        return self._root.middleware(function)

    def on_connection(self, function: SocketHandlerT) -> SocketHandlerT:
        """Register a connection handler of ``/``; see ``Namespace.on_connection``."""
        return self._root.on_connection(function)

    def on(self, event: str, *, concurrent: bool = False) -> Callable[[EventHandlerT], EventHandlerT]:
        """Register an event handler of ``/``; see ``Namespace.on``."""
        return self._root.on(event, concurrent=concurrent)

    def on_disconnect(self, function: DisconnectHandlerT) -> DisconnectHandlerT:
        """Register a disconnect handler of ``/``; see ``Namespace.on_disconnect``."""
        return self._root.on_disconnect(function)

    def on_error(self, function: ErrorHandlerT) -> ErrorHandlerT:
        """Register an error handler of ``/``; see ``Namespace.on_error``."""
        return self._root.on_error(function)

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Choose sockets of ``/`` by rooms; see ``Namespace.to``."""
        return self._root.to(*rooms)

    in_ = to

    def except_(self, *rooms: Room | HasId) -> BroadcastOperator:
        """Choose all sockets of ``/`` but some; see ``Namespace.except_``."""
        return self._root.except_(*rooms)

    @property
    def local(self) -> BroadcastOperator:
        """See ``Namespace.local``."""
        return self._root.local

    @property
    def volatile(self) -> BroadcastOperator:
        """See ``Namespace.volatile``."""
        return self._root.volatile

    async def emit(self, event: str, *args: Data) -> None:
        """Send an event to all sockets of ``/``; see ``BroadcastOperator.emit``."""
        await self._root.emit(event, *args)

    def emit_nowait(self, event: str, *args: Data) -> None:
        """Send an event to all sockets of ``/``; see ``BroadcastOperator.emit_nowait``."""
        self._root.emit_nowait(event, *args)
