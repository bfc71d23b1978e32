"""What one holds of a server that is being served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final
from urllib.parse import urlsplit

import trio

from trio_socketio._server.server import Server
from trio_socketio._server.statistics import ServerStatistics
from trio_socketio._util import NoPublicConstructor


@final
class Serving(metaclass=NoPublicConstructor):
    """A server that is being served: where, and how to stop it."""

    def __init__(self, urls: Sequence[str], server: Server, stop: trio.Event, stopped: trio.Event) -> None:
        self.urls: tuple[str, ...] = tuple(urls)
        """Where it listens, such as ``http://127.0.0.1:8000``; nothing if it was given listeners."""
        self._server = server
        self._stop = stop
        self._stopped = stopped

    @property
    def port(self) -> int:
        """The port of the first address.

        Raises:
            ValueError: it is a unix socket, or there is none.
        """
        if not self.urls:
            msg = "served from listeners of the caller's: their ports are theirs to tell"
            raise ValueError(msg)
        port = urlsplit(self.urls[0]).port
        if port is None:
            msg = f"{self.urls[0]} has no port"
            raise ValueError(msg)
        return port

    def statistics(self) -> ServerStatistics:
        """Take a snapshot of the server in numbers; see ``Server.statistics``."""
        return self._server.statistics()

    async def aclose(self) -> None:
        """Drain: refuse new clients, deliver what waits, close all, and return when ``serve`` is about to return.

        Cancelled, the drain goes on without the caller.
        """
        self._stop.set()
        await self._stopped.wait()
