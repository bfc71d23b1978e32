"""A server that says what a test has written down, to see how the kit's client takes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import trio

from trio_socketio import JSONParser, Limits
from trio_socketio.testing import Backoff, ClientSocket, Link
from trio_socketio.testing.client_life import ClientSettings
from trio_socketio.testing.dialer import Dialer
from trio_socketio.testing.network import MemoryNetwork
from trio_socketio.testing.patience import Patience

OPEN = b'0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}'
CONNECT = b'40{"sid":"I"}'


def answer(body: bytes, status: bytes = b"200 OK", *fields: bytes) -> bytes:
    """An answer to an HTTP request."""
    return b"\r\n".join([b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *fields, b"", body])


def accepted(*frames: bytes) -> bytes:
    """The acceptance of a WebSocket, with frames behind it."""
    return b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n" + b"".join(frames)


async def read_head(stream: trio.abc.Stream) -> bytes:
    """Read a request, which comes in one piece; nothing at the end."""
    try:
        return bytes(await stream.receive_some())
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return b""


@asynccontextmanager
async def scripted(script: Callable[[trio.abc.Stream], Awaitable[None]]) -> AsyncIterator[Link]:
    """Run ``script`` for each connection of a link, and close it then."""
    network = MemoryNetwork()
    listener = network.listen()

    async def serve(stream: trio.abc.Stream) -> None:
        try:
            with suppress(trio.BrokenResourceError):
                await script(stream)
        finally:
            await trio.aclose_forcefully(stream)

    async def accept() -> None:
        while True:
            nursery.start_soon(serve, await listener.accept())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        yield Link._create(network, Patience.of(100))
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def client_of(link: Link, *transports: str) -> AsyncIterator[ClientSocket]:
    """The kit's client of a scripted server, that does not come back by itself."""
    settings = ClientSettings(
        namespace="/",
        auth=None,
        transports=transports,
        parser=JSONParser(),
        reconnection=False,
        backoff=Backoff(),
    )
    dialer = Dialer(link=link, path="/socket.io/")
    async with ClientSocket._create(dialer, settings, Limits(), Patience.of(100))._running() as socket:
        yield socket
