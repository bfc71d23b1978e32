"""A server that is dropped and brought back: what is misused, and what that leaves."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import ASGIApp, Server
from trio_socketio.testing import open_memory_server
from trio_socketio.testing.server_life import ServerLife, check_not_run_yet


async def test_dropped_and_brought_back(autojump_clock):
    async with open_memory_server(Server()) as server:
        await server.drop()
        for again in (server.drop, server.drain):
            with pytest.raises(RuntimeError, match="was dropped already"):
                await again()
        await server.restart()
        await server.restart()
        async with server.open_client():
            pass


async def test_it_is_not_begun_twice(autojump_clock):
    async with open_memory_server(Server()) as server:
        with pytest.raises(RuntimeError, match=r"drop\(\) it before you restart\(\) it"):
            await server._life.begin()


async def test_what_fails_to_begin_says_so(autojump_clock):
    async def fail(*, task_status):
        raise OSError("no port is free")

    async with trio.open_nursery() as nursery:
        life = ServerLife(fail, nursery)
        with pytest.raises(OSError, match="no port is free"):
            await life.begin()
        assert life.serving is None
        with pytest.raises(RuntimeError, match="was dropped already"):
            await life.end()


async def test_its_block_has_been_left(autojump_clock):
    async with open_memory_server(Server()) as server:
        pass
    for use in (server.drop, server.restart, server.drain):
        with pytest.raises(RuntimeError, match="inside 'async with ... as server'"):
            await use()


async def test_a_server_is_run_once(autojump_clock):
    sio = Server()
    async with open_memory_server(sio):
        with pytest.raises(RuntimeError, match="make a Server for each open_memory_server, open_server and serve"):
            async with open_memory_server(sio):
                pass
    async with open_memory_server(sio):
        pass


@pytest.mark.parametrize("wrong", [None, "sio", ASGIApp(Server())], ids=["None", "text", "ASGIApp"])
def test_only_servers_are_served(wrong):
    with pytest.raises(TypeError, match="the test kit serves a Server, not .*app="):
        check_not_run_yet(wrong)
