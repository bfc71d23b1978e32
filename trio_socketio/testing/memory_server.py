"""A server in memory: the very code that serves sockets, on streams that never leave the process."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, final

import trio

from trio_socketio._asgi.scope import ASGIApplication
from trio_socketio._engine.config import TRANSPORTS, TransportName
from trio_socketio._limits import Limits
from trio_socketio._serve.serve import serve
from trio_socketio._serve.serving import Serving
from trio_socketio._server.server import Server
from trio_socketio._util import NoPublicConstructor, plain_exceptions
from trio_socketio._wire.parser import Parser
from trio_socketio.testing.backoff import Backoff
from trio_socketio.testing.client_life import ClientSettings
from trio_socketio.testing.client_socket import ClientSocket
from trio_socketio.testing.dialer import Dialer
from trio_socketio.testing.errors import ServerError
from trio_socketio.testing.leftovers import Leftovers, leftovers_of, time_outs_of
from trio_socketio.testing.link import Link
from trio_socketio.testing.network import MemoryNetwork
from trio_socketio.testing.patience import Patience
from trio_socketio.testing.raw_client import RawClient
from trio_socketio.testing.server_life import ServerLife, check_not_run_yet

CLIENT_LIMITS = Limits(max_payload=2**26, max_attachments=1000, event_queue=1000, event_queue_bytes=2**26)
"""A client takes more from its server than a server from anybody."""


@final
class MemoryServer(metaclass=NoPublicConstructor):
    """A server in memory, and all that tests do with one: see ``open_memory_server``."""

    def __init__(self, sio: Server, life: ServerLife, network: MemoryNetwork, patience: Patience) -> None:
        self._sio = sio
        self._life = life
        self._network = network
        self._patience = patience

    @property
    def sio(self) -> Server:
        """The server that is being tested."""
        return self._sio

    @property
    def errors(self) -> list[ServerError]:
        """The errors of handlers, middlewares and hooks, as they happened; a test that expects some takes them out."""
        return self._life.errors

    # Clients

    def open_client(
        self,
        namespace: str = "/",
        *,
        auth: Mapping[str, Any] | None = None,
        transports: Sequence[TransportName] = TRANSPORTS,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        parser: Parser | None = None,
        reconnection: bool = True,
        reconnection_attempts: float = math.inf,
        backoff: Backoff | None = None,
        link: Link | None = None,
    ) -> AbstractAsyncContextManager[ClientSocket]:
        """Be a client while the block runs: ``async with server.open_client("/chat") as socket``.

        It is connected when the block begins. In the end it leaves, and the server is told so. A client that begins with
        long-polling changes to a WebSocket, if both may; ``socket.wait_transport("websocket")`` waits for that.

        Args:
            namespace: where it wants to be.
            auth: what it says when it joins.
            transports: what it speaks; it begins with the first one.
            headers: of each of its HTTP requests.
            query: fields of each request's query.
            parser: as the server's, if it is left out.
            reconnection: come back by itself when the connection is lost.
            reconnection_attempts: how often it tries before it gives up.
            backoff: how long it waits before each attempt.
            link: the way to the server; its own if it is left out.

        Raises:
            ConnectionRefused: a middleware or ``allow_request`` refuses it, or there is no such namespace.
            HandshakeFailed: the server answers the handshake with another error.
            ConnectionRefusedError: the server was dropped.
            ExpectationFailed: it was not connected in the server's patience.
            RuntimeError: outside of the server's block, or the link leads to another server.
            TypeError: a namespace that is not text, or an ``auth`` that is no mapping.
            ValueError: no transports, or unknown ones.
        """
        self._network.check_not_left()
        _check_transports(transports)
        _check_join(namespace, auth)
        settings = ClientSettings(
            namespace=namespace if namespace.startswith("/") else f"/{namespace}",
            auth=auth,
            transports=tuple(transports),
            parser=self._sio._parser if parser is None else parser,
            reconnection=reconnection,
            attempts=reconnection_attempts,
            backoff=Backoff() if backoff is None else backoff,
        )
        socket: ClientSocket = ClientSocket._create(
            self._dialer(link, headers, query), settings, CLIENT_LIMITS, self._patience
        )
        return socket._running()

    def open_raw(
        self,
        transport: TransportName = "websocket",
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        handshake: bool = True,
        link: Link | None = None,
    ) -> AbstractAsyncContextManager[RawClient]:
        """Be a client that does nothing by itself, for tests of the protocol: ``async with server.open_raw() as raw``.

        Args:
            transport: what carries the packets of ``raw.send`` and ``raw.expect``.
            handshake: open a session before the block begins; else nothing is sent.
            headers: of each of its HTTP requests.
            query: fields of each request's query, in place of the protocol's own too.
            link: the way to the server; its own if it is left out.

        Raises:
            ConnectionRefusedError: the server was dropped.
            HandshakeFailed: the server refuses the handshake.
            RuntimeError: outside of the server's block, or the link leads to another server.
            ValueError: an unknown transport.
        """
        self._network.check_not_left()
        _check_transports((transport,))
        client: RawClient = RawClient._create(self._dialer(link, headers, query), transport, self._patience)
        return client._running(handshake=handshake)

    def new_link(self) -> Link:
        """Make a link for several clients: what happens to it happens to all of them."""
        self._network.check_not_left()
        link: Link = Link._create(self._network, self._patience)
        return link

    def _dialer(self, link: Link | None, headers: Mapping[str, str] | None, query: Mapping[str, str] | None) -> Dialer:
        if link is None:
            link = self.new_link()
        if link._network is not self._network:
            msg = "this link leads to another server: each server has its own, make one with server.new_link()"
            raise RuntimeError(msg)
        path = f"{self._sio.config.path}/"
        return Dialer(link=link, path=path, headers=dict(headers or {}), query=dict(query or {}))

    # Faults

    async def drop(self) -> None:
        """End the server as if its process was killed: connections break, and nobody answers at its address.

        Returns when nothing of it runs any more: ``on_disconnect`` handlers have run.

        Raises:
            RuntimeError: it was dropped already.
        """
        if self._life.serving is not None:
            self._network.fall_silent()
        await self._life.end()

    async def restart(self) -> None:
        """Serve again at the same address, after ``drop`` or ``drain``, or else drop it first: its sessions are gone.

        What the application keeps itself is still there, as are its handlers.
        """
        if self._life.serving is not None:
            await self.drop()
        await self._life.begin()

    async def drain(self) -> None:
        """Stop the server in peace: clients are sent what waits for them, and are told to come back later.

        Raises:
            RuntimeError: it was dropped already.
        """
        await self._life.drain()
        self._network.fall_silent()

    def refuse_upgrades(self) -> None:
        """Let requests for WebSockets lose their ``Upgrade`` header, as at a proxy that doesn't know it."""
        self._network.refuses_upgrades = True

    def allow_upgrades(self) -> None:
        """Let WebSockets through again."""
        self._network.refuses_upgrades = False

    # The end

    async def leftovers(self, *, within: float | None = None) -> Leftovers:
        """Say what the server still holds of its clients: false if nothing is left; ``print`` shows the report.

        Args:
            within: seconds that it gets to end what clients have left; 0 to look at once. Left out: as long as its own
                time-outs are, those of heartbeat and recovery among them. It returns as soon as nothing is left.
        """
        return await leftovers_of(self._sio, time_outs_of(self._sio) if within is None else within)


def _check_join(namespace: object, auth: object) -> None:
    if not isinstance(namespace, str):
        msg = f"open_client({namespace!r}) takes the name of a namespace, such as '/chat'"
        raise TypeError(msg)
    if auth is not None and not isinstance(auth, Mapping):
        msg = f"auth={auth!r} must be a JSON object: give a dict, such as {{'token': ...}}"
        raise TypeError(msg)


def _check_transports(transports: Sequence[str]) -> None:
    if isinstance(transports, str) or not transports or not set(transports) <= set(TRANSPORTS):
        msg = f"transports={transports!r} must name one or both of {TRANSPORTS}, in a tuple"
        raise ValueError(msg)


@asynccontextmanager
async def open_memory_server(
    sio: Server,
    *,
    app: ASGIApplication | None = None,
    drain_timeout: float = 10.0,
    patience: float | None = None,
) -> AsyncIterator[MemoryServer]:
    """Serve in memory while the block runs: ``async with open_memory_server(sio) as server``.

    It is what ``serve`` does, HTTP, long-polling, WebSockets and upgrades, without sockets. Under Trio's ``MockClock`` with
    ``autojump_threshold=0`` (``autojump_clock`` of pytest-trio) nothing takes time: not heartbeats, time-outs, back-offs nor
    drains. Leaving the block ends all clients; an exception of the block comes out as it is, not in a group.

    Args:
        sio: the server to be tested.
        app: an ASGI application for all other paths.
        drain_timeout: seconds for ``server.drain``.
        patience: seconds that each wait of the kit takes at the most; 600 under a mock clock, else 5, if it is left out.

    Raises:
        RuntimeError: ``sio`` is being run already.
        ValueError: a patience that is not above 0.
    """
    limit = Patience.of(patience)
    check_not_run_yet(sio)
    network = MemoryNetwork()

    async def serve_anew(*, task_status: trio.TaskStatus[Serving]) -> None:
        listening = [network.listen()]
        await serve(
            sio, app=app, listeners=listening, drain_timeout=drain_timeout, signals=False, task_status=task_status
        )

    with plain_exceptions():
        async with trio.open_nursery() as nursery:
            life = ServerLife(serve_anew, nursery)
            await life.begin()
            try:
                yield MemoryServer._create(sio, life, network, limit)
            finally:
                network.leave()
                life.leave()
