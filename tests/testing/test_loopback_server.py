"""A server on a real socket, in real time: with a client of another library."""

from __future__ import annotations

import httpx
import pytest
import trio

from trio_socketio import Server
from trio_socketio.testing import LoopbackServer, open_memory_server, open_server

POLLING = "/socket.io/?EIO=4&transport=polling"


async def test_it_is_served_on_a_free_port():
    sio = Server()
    async with open_server(sio) as server, httpx.AsyncClient() as client:
        assert server.sio is sio
        assert server.url == f"http://127.0.0.1:{server.port}"
        answer = await client.get(server.url + POLLING)
        assert answer.text.startswith('0{"sid"')
        assert server.errors == []
    with pytest.raises(OSError):
        await trio.open_tcp_stream("127.0.0.1", server.port)


async def test_errors_and_leftovers():
    sio = Server()

    @sio.middleware
    async def fail(socket):
        raise ZeroDivisionError

    async with open_server(sio) as server:
        async with httpx.AsyncClient() as client:
            opened = await client.get(server.url + POLLING)
            sid = opened.text.partition('"sid":"')[2].partition('"')[0]
            target = f"{server.url}{POLLING}&sid={sid}"
            await client.post(target, content="40")
            assert "44" in (await client.get(target)).text
            assert [(error.event, type(error.exception)) for error in server.errors] == [
                ("middleware", ZeroDivisionError)
            ]
            await client.post(target, content="1")
        assert not await server.leftovers()


async def test_dropped_drained_and_brought_back_at_the_same_address():
    async with open_server(Server(), drain_timeout=1) as server:
        url, port = server.url, server.port
        for end in (server.drop, server.drain):
            await end()
            with pytest.raises(OSError):
                await trio.open_tcp_stream("127.0.0.1", port)
            with pytest.raises(RuntimeError, match="dropped already"):
                await end()
            await server.restart()
            async with httpx.AsyncClient() as client:
                assert (await client.get(url + POLLING)).status_code == 200
        await server.restart()
        assert server.url == url


async def test_a_mock_clock_is_refused(autojump_clock):
    with pytest.raises(RuntimeError, match="needs real time: .* use open_memory_server"):
        async with open_server(Server()):
            pass


async def test_a_server_is_run_once():
    sio = Server()
    async with open_server(sio):
        for again in (open_server, open_memory_server):
            with pytest.raises(RuntimeError, match="make a Server for each"):
                async with again(sio):
                    pass


async def test_a_failing_test_comes_out_as_it_is():
    with pytest.raises(ZeroDivisionError):
        async with open_server(Server()):
            1 / 0


def test_nobody_makes_servers_of_their_own():
    with pytest.raises(TypeError, match="no public constructor"):
        LoopbackServer()
