"""The faults of a link, each against the real server."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import EngineConfig, Limits, Server
from trio_socketio.testing import Link, open_memory_server


def make_server(**options):
    sio = Server(**options)

    @sio.on("flood")
    async def flood(socket, size):
        for _ in range(size // 10_000):
            await socket.emit("flood", "x" * 10_000)

    @sio.on("echo")
    async def echo(socket, value):
        return value

    return sio


def reasons_of(sio):
    reasons = []

    @sio.on_disconnect
    async def note(socket, reason):
        reasons.append((trio.current_time(), reason))

    return reasons


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
@pytest.mark.parametrize("fault", ["cut", "abort"])
async def test_a_broken_link_is_noticed_by_both_at_once(autojump_clock, fault, transports):
    sio = make_server()
    reasons = reasons_of(sio)
    async with open_memory_server(sio) as server:
        async with server.open_client(transports=transports, reconnection=False) as socket:
            began = trio.current_time()
            await trio.testing.wait_all_tasks_blocked()  # a poll is held
            getattr(socket.link, fault)()
            reason = await socket.wait_disconnected()
            assert reason == (
                "transport close" if (fault, transports) == ("cut", ("websocket",)) else "transport error"
            )
            await trio.testing.wait_all_tasks_blocked()
            assert [why for _, why in reasons] in (["transport close"], ["transport error"])
            assert trio.current_time() == began


async def test_what_was_sent_before_a_clean_cut_arrives(autojump_clock):
    sio = make_server()
    async with open_memory_server(sio) as server:
        async with server.open_client(transports=("websocket",), reconnection=False) as socket:
            sio.emit_nowait("last", 1)
            await trio.testing.wait_all_tasks_blocked()
            socket.link.cut()
            await socket.expect("last", 1)


async def test_half_open_is_noticed_by_the_heartbeats_alone(autojump_clock):
    sio = make_server()
    reasons = reasons_of(sio)
    async with open_memory_server(sio) as server:
        async with server.open_client(transports=("websocket",)) as socket:
            began = trio.current_time()
            socket.link.half_open()
            assert await socket.wait_disconnected() == "ping timeout"
            assert trio.current_time() - began == 45
            await trio.testing.wait_all_tasks_blocked()
            assert [(when - began, why) for when, why in reasons] == [(45, "ping timeout")]
            await socket.wait_connected()  # new connections work


async def test_refused_connections_keep_the_client_away_until_they_are_accepted(autojump_clock):
    async with open_memory_server(make_server()) as server, server.open_client() as socket:
        socket.link.refuse()
        socket.link.cut()
        await socket.wait_disconnected()
        await trio.sleep(60)
        assert not socket.connected
        socket.link.accept()
        began = trio.current_time()
        await socket.wait_connected()
        assert trio.current_time() - began <= 7.5


async def test_who_stops_reading_is_a_slow_consumer(autojump_clock):
    sio = make_server(limits=Limits(write_deadline=10))
    reasons = reasons_of(sio)
    async with open_memory_server(sio) as server:
        async with server.open_client(transports=("websocket",), reconnection=False) as socket:
            began = trio.current_time()
            socket.link.stop_reading()
            await socket.emit("flood", 1_000_000)
            while not reasons:
                await trio.sleep(0.5)
            when, why = reasons[0]
            assert (when - began, why) == (10, "slow consumer")
            socket.link.resume_reading()
            await socket.wait_disconnected()


async def test_who_reads_again_in_time_has_missed_nothing(autojump_clock):
    async with open_memory_server(make_server()) as server:
        async with server.open_client(transports=("websocket",)) as socket:
            socket.link.stop_reading()
            await socket.emit("flood", 500_000)
            await trio.sleep(5)
            socket.link.resume_reading()
            for _ in range(50):
                await socket.expect("flood")
            assert socket.connected


@pytest.mark.parametrize("fault", ["cut", "abort"])
async def test_a_client_notices_a_fault_between_two_polls(autojump_clock, fault):
    async with open_memory_server(make_server()) as server:
        async with server.open_client(transports=("polling",), reconnection=False) as socket:
            getattr(socket.link, fault)()
            assert await socket.wait_disconnected() == "transport error"


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
async def test_a_delay_makes_each_question_last_two_of_them(autojump_clock, transports):
    async with open_memory_server(make_server()) as server:
        async with server.open_client(transports=transports) as socket:
            socket.link.delay(0.25)
            await socket.call("echo", 0)  # a poll is held that began before the delay
            began = trio.current_time()
            assert await socket.call("echo", 1) == 1
            assert 0.5 <= trio.current_time() - began <= 0.75
            socket.link.delay(0)
            await trio.sleep(1)
            began = trio.current_time()
            await socket.call("echo", 2)
            assert trio.current_time() == began


async def test_a_new_connection_has_the_faults_of_its_link(autojump_clock):
    async with open_memory_server(make_server()) as server:
        link = server.new_link()
        link.delay(1)
        began = trio.current_time()
        async with server.open_client(link=link, transports=("websocket",)):
            # The request, the answer with OPEN behind it, CONNECT, and its answer.
            assert trio.current_time() - began == 4
            assert repr(link) == "<Link with 1 connections>"


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
async def test_a_delay_is_a_time(autojump_clock, seconds):
    async with open_memory_server(make_server()) as server:
        with pytest.raises(ValueError, match="seconds that bytes travel"):
            server.new_link().delay(seconds)


async def test_a_fault_without_connections_does_nothing(autojump_clock):
    async with open_memory_server(make_server()) as server:
        link = server.new_link()
        for fault in (link.cut, link.abort, link.half_open, link.stop_reading, link.resume_reading):
            fault()
        assert link.connections == 0


async def test_several_clients_on_one_link_share_its_faults(autojump_clock):
    async with open_memory_server(make_server()) as server:
        link = server.new_link()
        async with (
            server.open_client(link=link) as one,
            server.open_client(link=link) as two,
            server.open_client() as other,
        ):
            link.abort()
            await one.wait_disconnected()
            await two.wait_disconnected()
            assert other.connected


async def test_a_link_leads_to_one_server(autojump_clock):
    async with open_memory_server(make_server()) as one, open_memory_server(make_server()) as two:
        link = one.new_link()
        with pytest.raises(RuntimeError, match="leads to another server: .* server.new_link"):
            two.open_client(link=link)
        with pytest.raises(RuntimeError, match="leads to another server"):
            two.open_raw(link=link)


async def test_connections_of_the_tests_own(autojump_clock):
    async with open_memory_server(make_server(config=EngineConfig())) as server:
        link = server.new_link()
        stream = await link.connect()
        assert link.connections == 1
        await stream.send_all(b"GET /elsewhere HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 404")
        await stream.aclose()
        link.refuse()
        with pytest.raises(ConnectionRefusedError, match=r"call link.accept\(\)"):
            await link.connect()


async def test_a_link_outside_of_the_servers_block(autojump_clock):
    async with open_memory_server(make_server()) as server:
        link = server.new_link()
    with pytest.raises(RuntimeError, match="has been left"):
        await link.connect()


def test_nobody_makes_a_link_of_their_own():
    with pytest.raises(TypeError, match="no public constructor"):
        Link()
