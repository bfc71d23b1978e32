"""The address of one server in memory: where links connect to, whether somebody listens there or not."""

from __future__ import annotations

from typing import final

import trio

from trio_socketio.testing.memory_stream import MemoryConnection

BACKLOG = 128
"""Connections that may wait to be accepted."""


class ServerLeft(RuntimeError):  # noqa: N818 - a state, as Disconnected
    """The block of the server is over: nobody will ever listen there again."""


@final
class MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """Accepts the connections of one life of the server."""

    def __init__(self) -> None:
        self._offered, self._accepted = trio.open_memory_channel[MemoryConnection](BACKLOG)

    def offer(self, connection: MemoryConnection) -> None:
        """Let a connection wait to be accepted.

        Raises:
            ConnectionRefusedError: nobody accepts.
        """
        try:
            self._offered.send_nowait(connection)
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            msg = "nobody listens at the server's address in memory"
            raise ConnectionRefusedError(msg) from None

    async def accept(self) -> trio.abc.Stream:
        """Wait for a connection.

        Raises:
            trio.ClosedResourceError: it is closed.
        """
        return (await self._accepted.receive()).server

    async def aclose(self) -> None:
        """Accept nothing any more."""
        while True:
            try:
                self._accepted.receive_nowait().abort()
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                break
        self._accepted.close()
        await trio.lowlevel.checkpoint()


@final
class MemoryNetwork:
    """The address of a server, over all of its lives, and what stands in front of it."""

    def __init__(self) -> None:
        self.refuses_upgrades: bool = False
        """Requests for a WebSocket lose their ``Upgrade`` on the way, as at a proxy that does not know it."""
        self._is_left = False
        self._listener: MemoryListener | None = None
        self._connections: list[MemoryConnection] = []

    @property
    def is_left(self) -> bool:
        """The block of the server is over."""
        return self._is_left

    def listen(self) -> MemoryListener:
        """Let a new life of the server begin."""
        self._listener = MemoryListener()
        return self._listener

    def connect(self, connection: MemoryConnection) -> None:
        """Connect.

        Raises:
            ConnectionRefusedError: nobody listens there now.
            ServerLeft: the block of the server is over.
        """
        self.check_not_left()
        if self._listener is None:
            msg = "nobody listens at the server's address in memory: it was dropped"
            raise ConnectionRefusedError(msg)
        self._listener.offer(connection)
        self._connections = [other for other in self._connections if not other.is_over]
        self._connections.append(connection)

    def check_not_left(self) -> None:
        """Refuse what needs the server.

        Raises:
            ServerLeft: its block is over.
        """
        if self._is_left:
            msg = "the block of this server has been left: do what needs it inside 'async with open_memory_server(...)'"
            raise ServerLeft(msg)

    def fall_silent(self) -> None:
        """Break all connections, and refuse new ones: the server's process was killed."""
        self._listener = None
        for connection in self._connections:
            connection.abort()
        self._connections.clear()

    def leave(self) -> None:
        """The block of the server is over."""
        self._is_left = True
        self.fall_silent()
