"""The server in memory: what it is made of, its faults, its end; and its promises about time."""

from __future__ import annotations

import time

import pytest
import trio

from trio_socketio import ConnectionStateRecovery, Limits, Server
from trio_socketio.testing import ExpectationFailed, MemoryServer, open_memory_server


def reasons_of(sio):
    reasons = []

    @sio.on_disconnect
    async def note(socket, reason):
        reasons.append(reason)

    return reasons


async def test_it_is_the_server_that_was_given(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server:
        assert server.sio is sio
        assert sio.engine.is_running
        assert server.errors == []
    assert not sio.engine.is_running


async def test_heartbeats_in_no_time(autojump_clock):
    began = time.perf_counter()
    async with open_memory_server(Server()) as server, server.open_client() as socket:
        await trio.sleep(3600)
        assert socket.connected
    assert time.perf_counter() - began < 30  # 144 pings; on a machine that does something else, too


async def test_the_test_needs_no_mock_clock():
    sio = Server()

    @sio.on("echo")
    async def echo(socket, value):
        return value

    async with open_memory_server(sio) as server, server.open_client() as socket:
        assert await socket.call("echo", 1) == 1
        await socket.wait_transport("websocket")
        assert not await server.leftovers() if not socket.connected else True


async def test_a_drop_is_a_killed_process(autojump_clock):
    sio = Server(recovery=ConnectionStateRecovery())
    reasons = reasons_of(sio)
    async with open_memory_server(sio) as server, server.open_client(transports=("websocket",)) as socket:
        first = socket.id
        began = trio.current_time()
        await server.drop()
        assert await socket.wait_disconnected() == "transport error"
        assert trio.current_time() == began
        assert len(reasons) == 1
        await trio.sleep(20)
        assert not socket.connected
        await server.restart()
        await socket.wait_connected()
        assert not socket.recovered
        assert socket.id != first


async def test_a_restart_drops_it_first(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_client() as socket:
        await server.restart()
        await socket.wait_disconnected()
        await socket.wait_connected()


async def test_a_drain_lets_clients_go_in_peace(autojump_clock):
    sio = Server()
    async with open_memory_server(sio) as server, server.open_client(transports=("websocket",)) as socket:
        await socket.wait_transport("websocket")
        sio.emit_nowait("last", 1)
        await server.drain()
        assert await socket.wait_disconnected() == "transport close"
        await socket.expect("last", 1)
        await server.restart()
        await socket.wait_connected()


async def test_a_drain_waits_no_longer_than_it_is_told(autojump_clock):
    sio = Server()
    async with (
        open_memory_server(sio, drain_timeout=3) as server,
        server.open_client(transports=("websocket",)) as socket,
    ):
        socket.link.stop_reading()
        for _ in range(500):
            sio.emit_nowait("x", "y" * 1000)
        began = trio.current_time()
        await server.drain()
        assert 3 <= trio.current_time() - began <= 6


async def test_leaving_the_block_ends_all(autojump_clock):
    sio = Server()
    reasons = reasons_of(sio)
    async with trio.open_nursery() as nursery:

        async def stay(task_status):
            async with server.open_client(reconnection=False) as socket:
                task_status.started()
                assert await socket.wait_disconnected() == "transport error"

        async with open_memory_server(sio) as server:
            await nursery.start(stay)
    assert len(reasons) == 1


async def test_an_application_beside(autojump_clock):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    async with open_memory_server(Server(), app=app) as server, server.open_raw(handshake=False) as raw:
        answer = await raw.request("GET", "/page")
        assert (answer.status, answer.text) == (200, "/page")
        async with server.open_client():
            pass


async def test_use_after_the_block(autojump_clock):
    async with open_memory_server(Server()) as server:
        pass
    for use in (server.open_client, server.open_raw, server.new_link):
        with pytest.raises(RuntimeError, match="has been left: .* inside 'async with open_memory_server"):
            use()


@pytest.mark.parametrize("transports", ["polling", (), ("pigeon",), ("polling", "pigeon")], ids=str)
async def test_transports_are_known(autojump_clock, transports):
    async with open_memory_server(Server()) as server:
        with pytest.raises(ValueError, match="must name one or both"):
            server.open_client(transports=transports)
    async with open_memory_server(Server()) as server:
        with pytest.raises(ValueError, match="must name one or both"):
            server.open_raw("pigeon")


async def test_what_a_client_joins_with_is_checked(autojump_clock):
    async with open_memory_server(Server()) as server:
        with pytest.raises(TypeError, match="name of a namespace"):
            server.open_client(b"/chat")
        with pytest.raises(TypeError, match="must be a JSON object"):
            server.open_client(auth="token")


async def test_patience(autojump_clock):
    with pytest.raises(ValueError, match="patience=0"):
        async with open_memory_server(Server(), patience=0):
            pass
    async with open_memory_server(Server(), patience=3) as server, server.open_client() as socket:
        with pytest.raises(ExpectationFailed, match="waited 3 virtual seconds"):
            await socket.expect("x")


async def test_cancelled_at_any_moment_nothing_stays(autojump_clock):
    sio = Server(limits=Limits(disconnect_timeout=1))
    for steps in range(0, 120, 3):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def cancel(steps=steps):
                    for _ in range(steps):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()

                nursery.start_soon(cancel)
                async with open_memory_server(sio) as server, server.open_client() as socket:
                    await socket.wait_transport("websocket")
                    await trio.sleep_forever()
        assert scope.cancelled_caught
        assert not sio.engine.is_running
        assert not sio.engine.sessions


def test_nobody_makes_servers_of_their_own():
    with pytest.raises(TypeError, match="no public constructor"):
        MemoryServer()
