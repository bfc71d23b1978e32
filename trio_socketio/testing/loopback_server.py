"""A server on a real socket of this machine: for tests with browsers and clients of other libraries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final

import trio

from trio_socketio._asgi.scope import ASGIApplication
from trio_socketio._serve.serve import serve
from trio_socketio._serve.serving import Serving
from trio_socketio._server.server import Server
from trio_socketio._util import NoPublicConstructor, plain_exceptions
from trio_socketio.testing.errors import ServerError
from trio_socketio.testing.leftovers import Leftovers, leftovers_of
from trio_socketio.testing.patience import is_virtual_time
from trio_socketio.testing.server_life import ServerLife, check_not_run_yet

HOST = "127.0.0.1"


@final
class LoopbackServer(metaclass=NoPublicConstructor):
    """A server on loopback: see ``open_server``."""

    def __init__(self, sio: Server, life: ServerLife, port: int) -> None:
        self.port: int = port
        """The port; the same after ``restart``."""
        self._sio = sio
        self._life = life

    @property
    def sio(self) -> Server:
        """The server that is being tested."""
        return self._sio

    @property
    def url(self) -> str:
        """Where it is, without a path: ``http://127.0.0.1:50123``."""
        return f"http://{HOST}:{self.port}"

    @property
    def errors(self) -> list[ServerError]:
        """The errors of handlers, middlewares and hooks, as they happened; a test that expects some takes them out."""
        return self._life.errors

    async def drop(self) -> None:
        """End the server at once: clients are cut off, and nobody answers at its address.

        Raises:
            RuntimeError: it was dropped already.
        """
        await self._life.end()

    async def restart(self) -> None:
        """Serve again at the same address, after ``drop`` or ``drain``, or else drop it first: its sessions are gone.

        Raises:
            OSError: another process has taken the port meanwhile.
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

    async def leftovers(self, *, within: float = 2.0) -> Leftovers:
        """Say what the server still holds of its clients: false if nothing is left; ``print`` shows the report.

        Args:
            within: seconds that it gets to end what clients have left. It returns as soon as nothing is left.
        """
        return await leftovers_of(self._sio, within)


@asynccontextmanager
async def open_server(
    sio: Server, *, app: ASGIApplication | None = None, drain_timeout: float = 10.0
) -> AsyncIterator[LoopbackServer]:
    """Serve on a free port of 127.0.0.1 while the block runs: ``async with open_server(sio) as server: server.url``.

    For clients that need a socket: browsers, other processes, other libraries. It needs real time, since a mock clock would
    run away while bytes are in the kernel. Leaving the block ends all clients; an exception of the block comes out as it is.

    Args:
        sio: the server to be tested.
        app: an ASGI application for all other paths.
        drain_timeout: seconds for ``server.drain``.

    Raises:
        OSError: no port is free.
        RuntimeError: under a mock clock, or ``sio`` is being run already.
    """
    if is_virtual_time():
        msg = (
            "open_server needs real time: a mock clock would run away while bytes are in the kernel. Take the clock's fixture"
            " out of this test, or use open_memory_server"
        )
        raise RuntimeError(msg)
    check_not_run_yet(sio)
    port = 0

    async def serve_anew(*, task_status: trio.TaskStatus[Serving]) -> None:
        await serve(sio, f"{HOST}:{port}", app=app, drain_timeout=drain_timeout, signals=False, task_status=task_status)

    with plain_exceptions():
        async with trio.open_nursery() as nursery:
            life = ServerLife(serve_anew, nursery)
            port = (await life.begin()).port
            try:
                yield LoopbackServer._create(sio, life, port)
            finally:
                life.leave()
