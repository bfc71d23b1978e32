"""The servers that the official suites ask for, served in every way."""

from __future__ import annotations

import pytest

from tests.support.echo_engine import EchoServer
from tests.support.raw_client import raw_client
from tests.support.served import WAYS
from trio_socketio import CORS, EngineConfig, Limits, Server, Socket


@pytest.fixture(params=sorted(WAYS))
async def engine(request):
    """An Engine.IO echo server at /engine.io."""
    server = EchoServer(EngineConfig(path="/engine.io", ping_interval=0.3, ping_timeout=0.2))
    async with WAYS[request.param](server) as url, raw_client(url, "/engine.io") as client:
        client.sessions = server.engine.sessions
        yield client


@pytest.fixture(params=sorted(WAYS))
async def old_engine(request):
    """The same server, which also serves Engine.IO 3."""
    config = EngineConfig(path="/engine.io", ping_interval=0.3, ping_timeout=0.2, allow_eio3=True)
    server = EchoServer(config)
    async with WAYS[request.param](server) as url, raw_client(url, "/engine.io") as client:
        client.sessions = server.engine.sessions
        yield client


def suite_server(*, allow_eio3: bool = False) -> Server:
    """The Socket.IO server that the suite describes."""
    config = EngineConfig(ping_interval=0.3, ping_timeout=0.2, cors=CORS(origins="*"), allow_eio3=allow_eio3)
    sio = Server(config, limits=Limits(connect_timeout=1.0))

    async def tell_auth(socket: Socket) -> None:
        await socket.emit("auth", dict(socket.auth))

    sio.on_connection(tell_auth)
    sio.namespace("/custom").on_connection(tell_auth)

    @sio.on("message")
    async def message(socket: Socket, *args) -> None:
        await socket.emit("message-back", *args)

    @sio.on("message-with-ack")
    async def message_with_ack(socket: Socket, *args):
        return args

    return sio


@pytest.fixture(params=sorted(WAYS))
async def sio(request):
    """The Socket.IO suite's server at /socket.io."""
    async with WAYS[request.param](suite_server()) as url, raw_client(url) as client:
        yield client
