"""The reference's cases of closing a server: its port is free again, and closing one that nobody runs is no error."""

from __future__ import annotations

import pytest
import trio

from tests.support.echo_server import answers, echoing
from tests.support.raw_client import raw_client
from trio_socketio import Server
from trio_socketio.testing import open_server


async def test_its_clients_are_gone_and_its_port_is_free():
    async with open_server(echoing()) as server:
        async with raw_client(server.url) as client, client.session() as websocket:
            await websocket.send("40")
            await websocket.receive()
            assert len(server.sio.sockets) == 1
            await server.drain()
            await websocket.closed()
        assert (server.sio.gone, len(server.sio.sockets)) == (["server shutting down"], 0)
        await server.restart()  # at the same port
        await answers(server.url)


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
