"""A network that breaks: a TCP proxy that cuts all connections after so many bytes, wherever that is."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio

LINGER_NOT = struct.pack("ii", 1, 0)
"""Closed with a reset, and what has not been read is lost."""


class CuttingProxy:
    """Carries bytes to a port of this machine, until it is time for a cut.

    Args:
        port: the server's.
        seed: of the bytes between two cuts.
    """

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._streams: set[trio.SocketStream] = set()
        self._left = 0
        self.cuts = 0
        """Those that are still to come; to be set."""
        self._draw()

    def _draw(self) -> None:
        # The handshake alone takes some hundred bytes: many cuts are in the midst of it.
        self._left = self._random.randrange(100, 8000)

    async def handle(self, client: trio.SocketStream) -> None:
        server = await trio.open_tcp_stream("127.0.0.1", self._port)
        self._streams |= {client, server}
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._carry, client, server)
                await self._carry(server, client)
                nursery.cancel_scope.cancel()
        finally:
            self._streams -= {client, server}
            await trio.aclose_forcefully(server)

    async def _carry(self, source: trio.SocketStream, sink: trio.SocketStream) -> None:
        try:
            async for data in source:
                if self.cuts and len(data) >= self._left:
                    await sink.send_all(data[: self._left])
                    self._cut()
                    return
                self._left -= len(data)
                await sink.send_all(data)
            await sink.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass

    def _cut(self) -> None:
        self.cuts -= 1
        self._draw()
        for stream in self._streams:
            if self._random.random() < 0.5:
                with suppress(OSError):
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            stream.socket.close()
        self._streams.clear()


@asynccontextmanager
async def cutting_proxy(port: int, *, seed: int) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """Run a proxy while the block runs; gives it and its URL."""
    proxy = CuttingProxy(port, seed)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, proxy.handle, 0, host="127.0.0.1"))
        yield proxy, f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()
