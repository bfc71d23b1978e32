"""The native front: accepts connections, and serves each in a task of its own.

The task tree, inside the nursery of ``serve``:

    front
    ├─ one acceptor a listening socket
    ├─ the flusher, and the poller
    └─ connections          a nursery, with a task for each; ``FrontConnection``

Whatever is not Socket.IO's is passed on to hypercorn, with the bytes already read: other paths, and HTTP/2 by ALPN.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import final

import trio

from trio_socketio._serve.connection import FrontConnection
from trio_socketio._serve.http1 import encode_refusal
from trio_socketio._serve.link import Link
from trio_socketio._serve.listening import ListeningSockets, accept_from, accept_streams_from, most_connections
from trio_socketio._serve.poller import Poller
from trio_socketio._serve.site import Site
from trio_socketio._serve.socket_link import SocketLink
from trio_socketio._serve.stream_link import StreamLink


@final
class Front:
    """Serves connections while it runs.

    Args:
        site: what they share.
        sockets: to accept connections from.
        listeners: Trio listeners, likewise.
    """

    def __init__(
        self,
        site: Site,
        sockets: ListeningSockets | None,
        listeners: Sequence[trio.abc.Listener[trio.abc.Stream]] = (),
    ) -> None:
        self._site = site
        self._sockets = sockets
        self._listeners = listeners
        self._accepting = trio.CancelScope()
        self._connections: trio.Nursery | None = None
        self._poller: Poller | None = None
        self._most = most_connections()
        self._closing = trio.Event()
        self._end_by = math.inf
        self.ended: trio.Event = trio.Event()
        """``run`` has returned."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and serve until closed."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._site.flusher.run)
                if Poller.is_available():
                    self._poller = Poller()
                    nursery.start_soon(self._poller.run)
                async with trio.open_nursery() as self._connections:
                    nursery.start_soon(self._accept)
                    task_status.started()
                    await self._closing.wait()
                    self._site.close()
                    self._connections.cancel_scope.deadline = self._end_by
                nursery.cancel_scope.cancel()
        finally:
            self.ended.set()

    async def _accept(self) -> None:
        with self._accepting:
            async with trio.open_nursery() as nursery:
                if self._sockets is not None:
                    for sock in self._sockets.insecure:
                        nursery.start_soon(accept_from, sock, self._take)
                    for sock in self._sockets.secure:
                        nursery.start_soon(accept_from, sock, self._take_secure)
                for listener in self._listeners:
                    nursery.start_soon(accept_streams_from, listener, self._take_stream)

    async def _take_stream(self, stream: trio.abc.Stream, client: str | None) -> None:
        if self._connections is None or self._closing.is_set():
            await trio.aclose_forcefully(stream)  # The nursery may have ended already.
        else:
            self._connections.start_soon(self.serve_stream, stream, client)

    def _take(self, sock: socket.socket, client: str | None) -> None:
        self._start(sock, self._serve, SocketLink(sock, client, self._poller))

    def _take_secure(self, sock: socket.socket, client: str | None) -> None:
        self._start(sock, self._serve_secure, sock, client)

    def _start(self, sock: socket.socket, serve: Callable[..., Awaitable[None]], *args: object) -> None:
        assert self._connections is not None  # noqa: S101 - accepted only while it runs
        if self._closing.is_set():
            sock.close()  # The nursery may have ended already.
        elif len(self._site.connections) >= self._most:
            # Descriptors are left for what the application opens, and for whoever ends this.
            with suppress(OSError):
                sock.send(encode_refusal(HTTPStatus.SERVICE_UNAVAILABLE, [("retry-after", "1")]))
            sock.close()
        else:
            self._connections.start_soon(serve, *args)

    async def _serve_secure(self, sock: socket.socket, client: str | None) -> None:
        assert self._sockets is not None  # noqa: S101 - it came from one of them
        assert self._sockets.ssl_context is not None  # noqa: S101 - there are secure sockets only with a certificate
        transport = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        stream = trio.SSLStream(transport, self._sockets.ssl_context, server_side=True, https_compatible=True)
        await self.serve_stream(stream, client)

    async def serve_stream(self, stream: trio.abc.Stream, client: str | None = None) -> None:
        """Serve one connection; returns when it has ended, or was passed on."""
        await self._serve(StreamLink(stream, client))

    # Ctrl-C in our own code would be lost among other errors: there it waits for Trio's main task.
    @trio.lowlevel.enable_ki_protection
    async def _serve(self, link: Link) -> None:
        await FrontConnection(self._site, link).run()

    def stop_accepting(self) -> None:
        """Accept no more; connections that are there go on."""
        self._accepting.cancel()

    def close(self, end_by: float) -> None:
        """Let each connection end what it is at, until the time ``end_by``: ``run`` returns."""
        self._end_by = end_by
        self._closing.set()
