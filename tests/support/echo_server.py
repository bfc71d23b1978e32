"""A server that echoes, and what tests over real sockets ask of it."""

from __future__ import annotations

from collections.abc import Callable

import trio

from tests.support.raw_client import raw_client
from trio_socketio import EngineConfig, Server, Socket

PATIENCE = 10.0


def echoing(config: EngineConfig | None = None, **options) -> Server:
    """A server that echoes, and keeps why its sockets ended, in order."""
    server = Server(config or EngineConfig(), **options)
    server.gone = []

    @server.on("echo")
    async def echo(socket: Socket, *args):
        return args

    @server.on_disconnect
    async def gone(socket: Socket, reason: str) -> None:
        server.gone.append(reason)

    return server


def only_socket(server: Server) -> Socket:
    (socket,) = server.sockets.values()
    return socket


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that nothing tells of; it is the network's and other processes' turn meanwhile."""
    with trio.fail_after(PATIENCE):
        while not condition():
            await trio.sleep(0.005)


async def answers(url: str) -> None:
    """Check that such a server serves: a client comes, is echoed, and goes."""
    async with raw_client(url) as client, client.session() as websocket:
        await websocket.send("40", '421["echo",1]')
        await websocket.receive()
        assert await websocket.receive() == "431[1]"
