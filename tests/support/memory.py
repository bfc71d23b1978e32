"""Servers without a network: in-memory listeners, found by the host of a URL such as ``http://memory-1.invalid``.

``connect`` gives the stream to whatever a URL names, in memory or on a real socket, so that one client speaks to both; and
``MemoryTransport`` is httpx on top of that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpcore
import httpx
import trio
from trio.testing import memory_stream_pair


class MemoryListener(trio.abc.Listener):
    """Listens for connections in memory."""

    def __init__(self) -> None:
        self._connections, self._accepted = trio.open_memory_channel[trio.abc.Stream](math.inf)

    async def accept(self) -> trio.abc.Stream:
        return await self._accepted.receive()

    async def aclose(self) -> None:
        self._accepted.close()
        await trio.lowlevel.checkpoint()

    def connect(self) -> trio.abc.Stream:
        """Connect; as with the kernel's sockets, who is waited for need not have accepted yet."""
        ours, theirs = memory_stream_pair()
        try:
            self._connections.send_nowait(theirs)
        except trio.BrokenResourceError:
            raise ConnectionRefusedError("nobody listens there any more") from None
        return ours


_listeners: dict[str, MemoryListener] = {}
_numbers = itertools.count(1)


@asynccontextmanager
async def named(listener: MemoryListener) -> AsyncIterator[str]:
    """Give a listener a URL while the block runs."""
    host = f"memory-{next(_numbers)}.invalid"
    _listeners[host] = listener
    try:
        yield f"http://{host}"
    finally:
        del _listeners[host]


async def connect_to(host: str, port: int) -> trio.abc.Stream:
    """Connect to a host, whichever it is."""
    if host not in _listeners:
        return await trio.open_tcp_stream(host, port)
    await trio.lowlevel.checkpoint()
    return _listeners[host].connect()


async def connect(url: str) -> trio.abc.Stream:
    """Connect to the server of a URL, whichever it is."""
    where = urlsplit(url)
    assert where.scheme == "http" and where.hostname
    return await connect_to(where.hostname, where.port or 80)


class _NetworkStream(httpcore.AsyncNetworkStream):
    """What httpcore wants of a stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except trio.BrokenResourceError as error:
            raise httpcore.ReadError from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            await self._stream.send_all(buffer)
        except trio.BrokenResourceError as error:
            raise httpcore.WriteError from error

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> object:
        return None


class _MemoryBackend(httpcore.AsyncNetworkBackend):
    """What httpcore connects by."""

    async def connect_tcp(self, host: str, port: int, *args: object, **options: object) -> httpcore.AsyncNetworkStream:
        return _NetworkStream(await connect_to(host, port))

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class MemoryTransport(httpx.AsyncHTTPTransport):
    """httpx over in-memory streams, with all that its connections do otherwise: keep-alive among it."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(network_backend=_MemoryBackend(), max_connections=100)


def transport_for(url: str) -> httpx.AsyncBaseTransport | None:
    """What an httpx client needs for a URL; ``None`` for its own."""
    return MemoryTransport() if urlsplit(url).hostname in _listeners else None
