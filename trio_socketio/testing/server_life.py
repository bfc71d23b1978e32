"""A server that is run in a nursery, dropped, and brought back."""

from __future__ import annotations

from typing import Protocol, final

import trio

from trio_socketio._serve.serving import Serving
from trio_socketio._server.server import Server
from trio_socketio.testing.errors import ServerError, collecting


def check_not_run_yet(server: Server) -> None:
    """Refuse a server that somebody runs.

    Raises:
        RuntimeError: it is one.
        TypeError: it is no Server.
    """
    if not isinstance(server, Server):
        msg = f"the test kit serves a Server, not {server!r}: give other applications as app=..."
        raise TypeError(msg)
    if server.engine.is_running:
        msg = "this Server is being run already: make a Server for each open_memory_server, open_server and serve"
        raise RuntimeError(msg)


class Serve(Protocol):
    """Serves until cancelled, or told to stop."""

    async def __call__(self, *, task_status: trio.TaskStatus[Serving]) -> None:
        """Serve, and say when it has begun."""


@final
class ServerLife:
    """Begins and ends the serving.

    Args:
        serve: serves, each time anew.
        nursery: where that is done.
    """

    def __init__(self, serve: Serve, nursery: trio.Nursery) -> None:
        self.errors: list[ServerError] = []
        self.serving: Serving | None = None
        """While it is served."""
        self._serve = serve
        self._nursery = nursery
        self._is_left = False
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    def leave(self) -> None:
        """The block in which it may be served is over."""
        self._is_left = True
        self._nursery.cancel_scope.cancel()

    def _check_not_left(self) -> None:
        if self._is_left:
            msg = "the block of this server has been left: do what needs it inside 'async with ... as server'"
            raise RuntimeError(msg)

    async def begin(self) -> Serving:
        """Serve.

        Raises:
            RuntimeError: it is served already, or its block has been left.
        """
        self._check_not_left()
        if self.serving is not None:
            msg = "the server is being served already: drop() it before you restart() it"
            raise RuntimeError(msg)
        self._scope, self._ended = trio.CancelScope(), trio.Event()
        with collecting(self.errors):
            serving: Serving = await self._nursery.start(self._run)
        self.serving = serving
        return serving

    async def _run(self, *, task_status: trio.TaskStatus[Serving]) -> None:
        try:
            with self._scope:
                await self._serve(task_status=task_status)
        finally:
            self.serving = None
            self._ended.set()

    async def end(self) -> None:
        """End it at once, and wait until nothing of it runs.

        Raises:
            RuntimeError: it is not served.
        """
        self._check_not_left()
        if self.serving is None:
            msg = "the server was dropped already: restart() it before you drop() it again"
            raise RuntimeError(msg)
        self._scope.cancel()
        await self._ended.wait()

    async def drain(self) -> None:
        """Stop it in peace.

        Raises:
            RuntimeError: it is not served.
        """
        self._check_not_left()
        if self.serving is None:
            msg = "the server was dropped already: there is nobody to be drained"
            raise RuntimeError(msg)
        await self.serving.aclose()
        await self._ended.wait()
