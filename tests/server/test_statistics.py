"""A server in numbers: what is there, and totals."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
import trio

from tests.support.client import connect, open_polling, poll, post, request, settle
from tests.support.engine import POLLING
from trio_socketio import Limits, Server, ServerStatistics

NOTHING = ServerStatistics(
    sessions=0,
    polling_sessions=0,
    websocket_sessions=0,
    sockets={"/": 0},
    connections=0,
    queued_packets=0,
    queued_bytes=0,
    oldest_write=None,
    packets_received=0,
    packets_sent=0,
    bytes_received=0,
    bytes_sent=0,
    slow_consumers=0,
    event_queues_full=0,
    invalid_events=0,
    refused={},
    refused_by_http={},
)


def test_without_an_event_loop():
    sio = Server()
    assert sio.statistics() == NOTHING
    assert json.dumps(dataclasses.asdict(sio.statistics()))


async def test_sessions_and_sockets(sio, autojump_clock):
    sio.namespace("/chat")
    sio.namespace("/empty")
    query, _ = await open_polling(sio.engine)
    await open_polling(sio.engine)
    await post(sio.engine, query, b"40")
    async with connect(sio, "40", "40/chat,"):
        found = sio.statistics()
        assert (found.sessions, found.polling_sessions, found.websocket_sessions) == (3, 2, 1)
        assert found.sockets == {"/": 2, "/chat": 1, "/empty": 0}
    await sio.drain()
    await settle()
    left = sio.statistics()
    assert (left.sessions, left.polling_sessions, left.websocket_sessions) == (0, 0, 0)
    assert set(left.sockets.values()) == {0}
    assert found.sessions == 3, "a snapshot"


async def test_one_that_is_being_opened(sio, autojump_clock):
    session = await sio.engine._registry.open(request(POLLING))
    found = sio.statistics()
    assert (found.sessions, found.polling_sessions, found.websocket_sessions) == (1, 0, 0)
    session.close("transport close")


async def test_what_waits(sio, autojump_clock):
    queries = [(await open_polling(sio.engine))[0] for _ in range(3)]
    for query in queries:
        await post(sio.engine, query, b"40")
        await poll(sio.engine, query)
    await sio.emit("event", b"1234")
    found = sio.statistics()
    assert (found.queued_packets, found.queued_bytes) == (
        6,
        3 * (len('451-["event",{"_placeholder":true,"num":0}]') + 4),
    )
    await poll(sio.engine, queries[0])
    assert sio.statistics().queued_packets == 4
    sio.engine.end_sessions()


async def test_traffic_refusals_and_the_oldest_write(sio, autojump_clock):
    await poll(sio.engine, f"{POLLING}&sid=nobody")
    async with connect(sio, "40") as client:
        before = sio.statistics()
        assert before.refused == {"Session ID unknown": 1}
        client.reading = trio.Event()
        sio.emit_nowait("a", 1)
        await trio.sleep(2)
        found = sio.statistics()
        assert (before.oldest_write, found.oldest_write) == (None, 2)
        assert found.queued_packets == 0, "its writer has it"
        client.reading.set()


async def test_a_slow_consumer(sio, autojump_clock):
    async with connect(sio, "40") as client:
        client.reading = trio.Event()
        for _ in range(10):
            sio.emit_nowait("a")
            await settle()
        assert sio.statistics().slow_consumers == 1
        assert sio.statistics().sessions == 0


async def test_an_event_queue_that_stays_full(autojump_clock):
    sio = Server(limits=Limits(event_queue=1))

    @sio.on("wait")
    async def wait(socket):
        await trio.sleep(1000)

    async with sio.running(), connect(sio, "40") as client:
        for _ in range(3):
            await client.put('42["wait"]')
        await trio.sleep(9)
        assert sio.statistics().event_queues_full == 0
        await trio.sleep(2)
        assert sio.statistics().event_queues_full == 1


def test_it_is_frozen():
    found = Server().statistics()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.sessions = 1


async def test_namespaces_that_come_and_go(sio, autojump_clock):
    sio.namespace(re.compile(r"/\d"))
    async with connect(sio, "40/1,", "40/2,") as client:
        assert sio.statistics().sockets == {"/": 0, "/1": 1, "/2": 1}
        await client.put("41/1,")
        assert sio.statistics().sockets == {"/": 0, "/2": 1}
