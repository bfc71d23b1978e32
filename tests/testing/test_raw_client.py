"""A client that does nothing by itself, against the real server."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import EngineConfig, Server
from trio_socketio.testing import ExpectationFailed, HandshakeFailed, RawClient, open_memory_server


@pytest.fixture
def sio():
    sio = Server(EngineConfig(ping_interval=5, ping_timeout=2))

    @sio.on("echo")
    async def echo(socket, *args):
        return args

    return sio


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_packets_both_ways(autojump_clock, sio, transport):
    async with open_memory_server(sio) as server, server.open_raw(transport) as raw:
        assert raw.sid == raw.opened["sid"]
        assert (raw.opened["pingInterval"], raw.opened["pingTimeout"]) == (5000, 2000)
        await raw.send("40")
        await raw.expect('40{"sid":"..."}')
        await raw.send('451-7["echo",{"_placeholder":true,"num":0}]', b"\x01\x02")
        await raw.expect('461-7[{"_placeholder":true,"num":0}]', b"\x01\x02")
        with pytest.raises(ExpectationFailed, match="expected the packet '3', but '2' came"):
            await raw.expect("3")


async def test_nothing_is_sent_without_a_handshake(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_raw(handshake=False) as raw:
        assert raw.sid is None
        assert raw.opened == {}
        assert len(sio.engine.sessions) == 0
        for use in (raw.send("40"), raw.expect("40"), raw.expect_close()):
            with pytest.raises(RuntimeError, match="no WebSocket of its own"):
                await use
        async with raw.open_websocket() as websocket:
            await websocket.expect("0{...}")


async def test_a_handshake_that_is_refused(autojump_clock, sio):
    async with open_memory_server(sio) as server:
        for transport in ("polling", "websocket"):
            with pytest.raises(HandshakeFailed, match="400"):
                async with server.open_raw(transport, query={"EIO": "5"}):
                    pass


async def test_requests(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_raw(handshake=False, headers={"x-a": "b"}) as raw:
        answer = await raw.request()
        assert answer.packets[0].startswith('0{"sid"')
        answer = await raw.request("GET", "/socket.io/?EIO=4&transport=polling&sid=unknown")
        assert (answer.status, answer.json()) == (400, {"code": 1, "message": "Session ID unknown"})
        answer = await raw.request("PUT", "/socket.io/?EIO=4&transport=polling", headers={"x-c": "d"}, body=b"x")
        assert answer.status == 400
        assert (await raw.request("GET", "/elsewhere")).status == 404
        answer = await raw.request("HEAD", "/socket.io/?EIO=4&transport=polling")
        assert (answer.status, answer.body) == (400, b"")


async def test_two_polls_at_once(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_raw("polling") as raw:
        answers = []

        async def poll():
            answers.append(await raw.poll())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(poll)
        assert sorted(answer.status for answer in answers) == [200, 400]


async def test_a_poll_that_is_given_up_costs_the_session(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_raw("polling") as raw:
        await raw.expect_nothing(within=1)
        await trio.testing.wait_all_tasks_blocked()
        assert len(sio.engine.sessions) == 0
        with pytest.raises(ExpectationFailed, match="'40' can't come: the poll of a raw client was answered with 400"):
            await raw.expect("40")
        with pytest.raises(HandshakeFailed, match="the POST of a raw client was answered with 400"):
            await raw.send("40")
        raw.sid = "other"
        assert (await raw.post("40")).status == 400


async def test_a_request_that_is_not_answered(autojump_clock, sio):
    async with open_memory_server(sio, patience=3) as server, server.open_raw("polling") as raw:
        with pytest.raises(ExpectationFailed, match="^GET /socket.io/.* was not answered .waited 3"):
            await raw.poll()


async def test_silence_and_ends(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_raw() as raw:
        await raw.expect_nothing()
        await raw.expect_nothing(within=4.5)
        with pytest.raises(ExpectationFailed, match="'2' came"):
            await raw.expect_nothing(within=1)
        await raw.send("nonsense")
        await raw.expect_close()


async def test_links_of_raw_clients_have_faults_too(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_raw() as raw:
        raw.link.abort()
        with pytest.raises(ExpectationFailed, match="'2' can't come any more: the connection was aborted"):
            await raw.expect("2")
        with pytest.raises(trio.BrokenResourceError):
            await raw.send("40")


async def test_a_request_over_a_broken_link(autojump_clock, sio):
    async with open_memory_server(sio) as server, server.open_raw("polling") as raw:
        async with trio.open_nursery() as nursery:

            async def poll():
                with pytest.raises(trio.BrokenResourceError):
                    await raw.poll()

            nursery.start_soon(poll)
            await trio.testing.wait_all_tasks_blocked()
            raw.link.cut()
        await server.drop()
        with pytest.raises(ConnectionRefusedError):
            await raw.poll()


async def test_old_clients_by_hand(autojump_clock):
    async with open_memory_server(Server(EngineConfig(allow_eio3=True))) as server:
        async with server.open_raw("websocket", query={"EIO": "3"}) as raw:
            await raw.expect("40")
            await raw.send("2")
            await raw.expect("3")


async def test_use_after_the_block(autojump_clock, sio):
    async with open_memory_server(sio) as server:
        async with server.open_raw() as raw:
            pass
        for use in (raw.send("40"), raw.expect("40"), raw.poll(), raw.open_websocket().__aenter__()):
            with pytest.raises(RuntimeError, match="inside 'async with server.open_raw"):
                await use


def test_nobody_makes_one_of_their_own():
    with pytest.raises(TypeError, match="no public constructor"):
        RawClient()
