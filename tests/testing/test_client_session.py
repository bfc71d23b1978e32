"""The client's end of a session: heartbeat, upgrade, ends."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import Disconnected, EngineConfig, Limits, Server
from trio_socketio.testing import open_memory_server
from trio_socketio.testing.client_session import ClientSession
from trio_socketio.testing.dialer import Dialer


@pytest.fixture
def sio():
    sio = Server()

    @sio.on("echo")
    async def echo(socket, value):
        return value

    return sio


@pytest.mark.parametrize("transports", [("polling",), ("websocket",), ("polling", "websocket")])
async def test_heartbeats_keep_it_alive_for_hours(autojump_clock, sio, transports):
    async with open_memory_server(sio) as server, server.open_client(transports=transports) as socket:
        await trio.sleep(3600)
        assert socket.connected
        assert await socket.call("echo", 1) == 1


async def test_pings_that_stay_away_end_it(autojump_clock, sio):
    async with (
        open_memory_server(sio) as server,
        server.open_client(transports=("websocket",), reconnection=False) as socket,
    ):
        await trio.sleep(60)
        began = trio.current_time()
        socket.link.stop_reading()
        assert await socket.wait_disconnected() == "ping timeout"
        assert 35 <= trio.current_time() - began <= 45  # since the last ping


async def test_an_upgrade_loses_nothing_in_either_direction(autojump_clock, sio):
    sent, received = [], []

    @sio.on("n")
    async def note(socket, number):
        received.append(number)

    async with open_memory_server(sio) as server, server.open_client() as socket:
        for number in range(100):
            sio.emit_nowait("n", number)
            sent.append(number)
            await socket.emit("n", number)
            await trio.lowlevel.checkpoint()
        await socket.wait_transport("websocket")
        for number in sent:
            await socket.expect("n", number)
        await socket.call("echo", 0)
        assert received == sent


async def test_an_upgrade_over_a_slow_link_loses_nothing(autojump_clock, sio):
    async with open_memory_server(sio) as server:
        link = server.new_link()
        link.delay(0.2)
        async with server.open_client(link=link) as socket:
            for number in range(40):
                sio.emit_nowait("n", number)
                await trio.sleep(0.05)
            await socket.wait_transport("websocket")
            for number in range(40):
                await socket.expect("n", number)


async def test_an_upgrade_that_is_refused_leaves_it_on_long_polling(autojump_clock, sio):
    async with open_memory_server(sio) as server:
        server.refuse_upgrades()
        async with server.open_client() as socket:
            assert await socket.call("echo", 1) == 1
            await trio.sleep(100)
            assert socket.transport == "polling"
            assert socket.connected
        server.allow_upgrades()
        async with server.open_client() as socket:
            await socket.wait_transport("websocket")


async def test_a_server_that_offers_no_upgrade(autojump_clock):
    async with open_memory_server(Server(EngineConfig(allow_upgrades=False))) as server, server.open_client() as socket:
        await trio.sleep(100)
        assert socket.transport == "polling"


@pytest.mark.parametrize("steps", range(40))
@pytest.mark.parametrize("fault", ["cut", "abort"])
async def test_a_fault_at_any_step_of_the_upgrade_is_the_end_of_both_transports(autojump_clock, sio, steps, fault):
    async with open_memory_server(sio) as server, server.open_client(reconnection=False) as socket:
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        began = trio.current_time()
        getattr(socket.link, fault)()
        assert await socket.wait_disconnected() in {"transport error", "transport close"}
        assert trio.current_time() == began


async def test_a_server_that_takes_no_probe_leaves_it_on_long_polling(autojump_clock, monkeypatch):
    async def refuse(self):
        return False

    monkeypatch.setattr("trio_socketio.testing.client_transports.WebSocketTransport.probe", refuse)
    async with open_memory_server(Server(limits=Limits(upgrade_timeout=1))) as server, server.open_client() as socket:
        await trio.sleep(100)
        assert socket.transport == "polling"
        assert socket.connected


def make_session(server, transports=("websocket",), **options):
    dialer = Dialer(link=server.new_link(), path="/socket.io/")
    return ClientSession(dialer, transports, Limits(**options), lambda message: None, lambda: None)


async def test_what_does_not_fit_is_refused_until_something_was_sent(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_client(transports=("websocket",)) as socket:
        socket.link.stop_reading()
        count = 0
        with pytest.raises(trio.WouldBlock):
            while True:
                socket.emit_nowait("x", "y" * 1000)
                count += 1
        assert count == 1024
        await socket.emit("x")  # waits for room
        assert await socket.call("echo", 1) == 1 if not socket.link.resume_reading() else True


async def test_before_it_is_open_it_is_closed_at_once(autojump_clock, sio):
    async with open_memory_server(sio) as server:
        session = make_session(server)
        assert session.transport == "websocket"
        session.close_in_peace("enough")
        assert session.close_reason == "enough"
        session.close("other")
        assert session.close_reason == "enough"
        with pytest.raises(Disconnected, match="enough"):
            session.send([])


async def test_a_goodbye_that_does_not_get_through_ends_in_a_second(autojump_clock, sio):
    async with open_memory_server(sio) as server:
        async with server.open_client(transports=("websocket",)) as socket:
            socket.link.half_open()
            with trio.move_on_after(5):
                while True:
                    await socket.emit("x", "y" * 10_000)
            began = trio.current_time()
        assert trio.current_time() - began == 1


async def test_a_server_that_has_no_place_closes_the_websocket(autojump_clock):
    async with open_memory_server(Server(limits=Limits(max_sessions=1))) as server, server.open_client():
        with pytest.raises(Exception, match="503") as failure:
            async with server.open_client(transports=("websocket",)):
                pass
        assert failure.value.answer.status == 503
