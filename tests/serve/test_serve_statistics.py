"""What the front knows of a server in numbers, and that all ways of serving count alike."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import settle
from tests.support.echo_server import echoing, until
from tests.support.engine import message
from tests.support.front import POLLING, WEBSOCKET, frame, http, running_front, upgrade
from tests.support.raw_client import raw_client
from tests.support.served import WAYS
from trio_socketio import Limits, serve


@pytest.fixture
def counters(front):
    return front.engine.counters


@pytest.fixture
async def front(autojump_clock):
    async with running_front(limits=Limits(head_deadline=10, max_head=2000, max_target=1000)) as front:
        yield front


class TestConnections:
    async def test_open_ones(self, front, counters, autojump_clock):
        clients = [front.connect() for _ in range(3)]
        await clients[0].open_polling()
        await clients[1].open_websocket()
        await settle()
        assert counters.connections == 3
        await front.close_clients()
        assert counters.connections == 0

    async def test_one_that_was_passed_on_is_not_ours(self, autojump_clock):
        async with running_front(has_app=True) as front:
            client = front.connect()
            await client.send(http("GET", "/other"))
            assert len(front.passed_on) == 1
            assert front.engine.counters.connections == 0


class TestRefused:
    @pytest.mark.parametrize(
        ("said", "status"),
        [
            (http("GET", POLLING, host="a, b"), 400),
            (http("GET", "/other"), 404),
            (http("GET", "/socket.io/?x=" + "x" * 1000), 414),
            (http("GET", POLLING, x="x" * 2000), 431),
            (http("GET", POLLING, version="1.7"), 505),
            (upgrade(sec_websocket_version="7"), 426),
            (upgrade(sec_websocket_key="short"), 400),
        ],
    )
    async def test_before_anybody_saw_it(self, front, counters, autojump_clock, said, status):
        assert (await front.connect().ask(said)).status == status
        assert counters.refused_by_http == {status: 1}
        assert not counters.refused

    async def test_too_late(self, front, counters, autojump_clock):
        client = front.connect()
        await client.send(b"GET /socket.io/")
        assert (await client.answer()).status == 408
        assert counters.refused_by_http == {408: 1}

    async def test_by_the_engine(self, front, counters, autojump_clock):
        await front.connect().ask(http("GET", f"{POLLING}&sid=nobody"))
        await front.connect().ask(upgrade(f"{WEBSOCKET}&sid=nobody"))
        assert counters.refused == {"Session ID unknown": 2}
        assert not counters.refused_by_http


class TestWebSocket:
    async def test_reads_are_counted_as_they_come(self, front, counters, autojump_clock):
        client = front.connect()
        await client.open_websocket()
        received = frame("4a") + frame(b"bc") + frame("4" + "d" * 200)
        await client.send(received[:20], received[20:])
        assert (counters.packets_received, counters.bytes_received) == (3, len(received))
        # What controls the WebSocket itself is no packet.
        await client.send(frame(b"", 9))
        assert (counters.packets_received, counters.bytes_received) == (3, len(received) + 6)

    @pytest.mark.parametrize("connect", ["connect", "connect_socket"])
    async def test_writes(self, front, counters, autojump_clock, connect):
        client = getattr(front, connect)()
        await client.open_websocket()
        (session,) = front.engine.sessions.values()
        opened = counters.bytes_sent
        assert counters.packets_sent == 1
        session.send([message("a"), message(b"bc")])
        session.send([message("d")])
        assert len(await client.waiting()) == counters.bytes_sent - opened == 4 + 4 + 4
        assert counters.packets_sent == 4

    async def test_a_write_that_waits(self, front, counters, autojump_clock):
        client = front.connect_socket(4096)
        await client.open_websocket()
        (session,) = front.engine.sessions.values()
        opened = counters.bytes_sent
        session.send([message(bytes(500_000))])
        await trio.sleep(4)
        assert counters.oldest_write == pytest.approx(4)
        assert 0 < counters.bytes_sent - opened < 400_000
        assert len(await client.waiting()) == counters.bytes_sent - opened == 500_010
        assert counters.oldest_write is None
        assert counters.slow_consumers == 0

    async def test_a_write_that_waits_too_long(self, front, counters, autojump_clock):
        client = front.connect_socket(4096)
        await client.open_websocket()
        (session,) = front.engine.sessions.values()
        session.send([message(bytes(500_000))])
        await trio.sleep(11)
        assert (counters.oldest_write, counters.slow_consumers) == (None, 1)

    async def test_the_answer_to_a_poll_that_waits(self, front, counters, autojump_clock):
        client = front.connect_socket(4096)
        target = await client.open_polling()
        (session,) = front.engine.sessions.values()
        session.send([message(bytes(500_000))])
        await client.send(http("GET", target))
        await trio.sleep(4)
        assert counters.oldest_write == pytest.approx(4)
        await trio.sleep(7)
        assert (counters.oldest_write, counters.slow_consumers) == (None, 1)


@pytest.mark.parametrize("way", WAYS)
async def test_all_ways_of_serving_count_alike(way):
    sio = echoing()
    async with WAYS[way](sio) as url, raw_client(url) as client:
        query = await client.open_polling()
        await client.post(query, "40")
        await client.get(query)
        async with client.session() as websocket:
            await websocket.send("40", '421["echo",1]')
            await websocket.receive()
            assert await websocket.receive() == "431[1]"
            found = sio.statistics()
        await client.get("EIO=4&transport=polling&sid=nobody")
        assert sio.statistics().refused == {"Session ID unknown": 1}
    assert (found.sessions, found.polling_sessions, found.websocket_sessions) == (2, 1, 1)
    assert found.sockets == {"/": 2}
    assert (found.packets_received, found.packets_sent) == (3, 5)
    assert found.bytes_received > 15 and found.bytes_sent > 200
    assert (found.queued_packets, found.slow_consumers, found.event_queues_full) == (0, 0, 0)
    assert found.oldest_write is None
    assert (found.connections > 0) == (way in {"serve", "memory"})


async def test_of_a_serving(nursery):
    sio = echoing()
    serving = await nursery.start(serve, sio, "127.0.0.1:0")
    async with raw_client(serving.urls[0]) as client, client.session():
        assert serving.statistics() == sio.statistics()
        assert serving.statistics().sessions == serving.statistics().connections == 1
    await until(lambda: not serving.statistics().connections)
    await serving.aclose()
