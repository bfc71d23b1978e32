"""The reference's cases of closing a server: its port is free again, and closing one that nobody runs is no error."""

from __future__ import annotations

import pytest
import trio

from tests.support.echo_server import answers, echoing, until
from tests.support.raw_client import raw_client
from trio_socketio import Server, serve


async def test_its_clients_are_gone_and_its_port_is_free(nursery):
    server = echoing()
    serving = await nursery.start(serve, server, "127.0.0.1:0")
    async with raw_client(serving.urls[0]) as client, client.session() as websocket:
        await websocket.send("40")
        await websocket.receive()
        assert len(server.sockets) == 1
        nursery.start_soon(serving.aclose)
        await websocket.closed()
        await until(lambda: server.gone)
        assert (server.gone, len(server.sockets)) == (["server shutting down"], 0)
    await serving.aclose()
    again = await nursery.start(serve, server, f"127.0.0.1:{serving.port}")
    await answers(again.urls[0])
    await again.aclose()


@pytest.mark.parametrize("ran_before", [False, True])
async def test_one_that_nobody_runs(autojump_clock, ran_before):
    server = Server()
    if ran_before:
        async with server.running():
            pass
    await server.drain()
    await server.drain()
    assert trio.current_time() == 0
    # It can be run nevertheless.
    async with server.running():
        assert server.engine.is_running
